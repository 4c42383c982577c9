//! API keys of clients.

phrases! {
    create => "Create key", "创建密钥";
    new => "New API key", "新建 API 密钥";
    edit_title(name: &str) => "Edit {name}", "编辑 {name}";
    find => "Name or last four", "名称或后四位";
    key => "Key", "密钥";
    scope => "Scope", "范围";
    state => "State", "状态";
    rate => "Rate, rpm", "速率，rpm";
    concurrent => "At once", "并发";
    tokens => "Tokens", "Token";
    not_counted => "Counted for keys with a daily or monthly cap, once they are used", "仅统计设有日或月上限且已使用的密钥";
    used_of(count: &str, cap: &str) => "{count} of {cap}", "{count}（上限 {cap}）";
    used(tokens_day: &str, tokens_month: &str, day: &str, month: &str) => "Tokens today {tokens_day}, this month {tokens_month}. Requests today {day}, this month {month}.", "今日 token {tokens_day}，本月 {tokens_month}。今日请求 {day}，本月 {month}。";
    last_used => "Last used", "最近使用";
    expires => "Expires", "过期时间";
    never_used => "never", "从未";
    count(total: usize) => "{total} in all", "共 {total} 个密钥";
    none_yet => "No API keys yet", "还没有 API 密钥";
    none_yet_hint => "A key lets a program call your groups. It is shown once and stored only as a hash.", "程序凭密钥调用分组。密钥只显示一次，仅保存哈希。";
    none_match => "No key matches", "没有匹配的密钥";
    active => "Active", "有效";
    expiring => "Expiring", "即将过期";
    expires_in(days: i64) => "Expires in {days} days", "{days} 天后过期";
    expires_today => "Expires today", "今天过期";
    expired => "Expired", "已过期";
    global => "Global", "全局";
    global_hint => "Every group, those made later too", "全部分组，包括以后创建的";
    some_groups => "These groups", "指定分组";
    some_groups_hint => "Nothing else", "仅限所选分组";
    no_groups => "There is no group yet. A global key will reach the first one.", "还没有分组。全局密钥可访问以后创建的分组。";
    name_hint => "Who or what uses it: ci-nightly", "使用者或用途，如 ci-nightly";
    limits => "Limits", "限额";
    default_rpm => "default", "默认";
    rpm_hint => "Empty takes the default, 0 is no limit", "留空用默认值，0 表示不限";
    burst => "Burst", "突发";
    burst_hint => "Admitted at once; empty is the whole minute", "一次放行数；留空为整分钟配额";
    per_month => "Requests per month", "每月请求数";
    tokens_day => "Tokens per day", "每日 token 数";
    tokens_month => "Tokens per month", "每月 token 数";
    expiry => "Expires on", "过期日期";
    expiry_hint => "Refused from that day on; empty never expires", "自该日起拒绝；留空永不过期";
    narrower => "Where from, and what for", "来源与用途";
    ips => "Addresses", "来源地址";
    ips_hint => "IP addresses or ranges; none allows all", "IP 地址或网段；留空表示不限";
    models => "Models", "模型";
    log_bodies => "Keep bodies in the log", "在日志中保留正文";
    log_bodies_hint => "Of this key's requests, whatever their group says", "针对此密钥的请求，不论分组如何设置";
    models_hint => "Patterns such as gpt-4*; none allows all", "通配模式，如 gpt-4*；留空表示全部";
    paths => "Paths", "路径";
    paths_hint => "Narrows what the group allows", "在分组允许的范围内收窄";
    paths_group => "As the group allows", "与分组一致";
    enabled_hint => "Switched off, its requests get 401", "停用后，其请求返回 401";

    ready(name: &str) => "Key “{name}” is ready", "密钥“{name}”已创建";
    copy_now => "Copy it now. Rondo keeps only a hash and cannot show it again.", "请立即复制。Rondo 只保存哈希，之后无法再次显示。";
    stored => "I have stored this key", "我已保存此密钥";
    done => "Done", "完成";
    secret => "The key", "密钥";
    no_group_yet => "Make a group first: its slug is part of the address.", "请先创建分组：其标识是地址的一部分。";

    rotate => "Rotate", "轮换";
    rotate_title(name: &str) => "Rotate “{name}”?", "轮换“{name}”？";
    rotate_says => "It gets a new secret, shown once. The old one gets 401, on every node within a second. Limits, scope and history stay.", "它会得到只显示一次的新密钥。一秒内所有节点对旧密钥返回 401。限额、范围与历史保持不变。";
    rotate_verb => "Rotate key", "轮换密钥";

    revoke => "Revoke", "吊销";
    revoke_title(name: &str) => "Revoke “{name}”?", "吊销“{name}”？";
    revoke_says => "Its next request gets 401, on every node within a second. This cannot be undone.", "一秒内所有节点对其请求返回 401。此操作不可撤销。";
    revoke_many_says => "Their next requests get 401, on every node within a second. This cannot be undone.", "一秒内所有节点对其请求返回 401。此操作不可撤销。";
    revoked_many(count: usize) => "{count} revoked", "已吊销 {count} 个";
    revoke_verb => "Revoke key", "吊销密钥";
    limit_none => "no limit", "不限";
    limit_default => "default rate", "默认速率";
}
