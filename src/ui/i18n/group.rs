//! Groups: list, form, members.

phrases! {
    add => "Add group", "添加分组";
    new => "New group", "新建分组";
    group => "Group", "分组";
    find => "Name or slug", "名称或标识";
    count(total: usize) => "{total} in all", "共 {total} 个分组";
    none_yet => "No groups yet", "还没有分组";
    none_yet_hint => "A group is one address with several providers behind it. Clients call the group; Rondo picks a provider.", "分组是一个地址，背后有多个提供商。客户端调用分组，由 Rondo 选择提供商。";
    none_match => "No group matches", "没有匹配的分组";
    serving(ready: usize, all: usize) => "{ready} of {all} serving", "{ready} / {all} 在服务";
    no_members => "No members", "没有成员";
    serving_title => "Serving", "在服务";
    on => "On", "启用";

    slug => "Slug", "标识";
    slug_hint => "Part of the address clients call; changing it breaks their settings", "客户端地址的一部分；更改后客户端需要重新配置";
    description => "Description", "说明";
    kind => "Kind", "类型";
    kind_llm => "LLM", "LLM";
    kind_llm_hint => "Language models: a repeated request costs, but does no harm", "语言模型：重复请求会产生费用，但无害";
    kind_generic => "Any API", "通用 API";
    kind_generic_hint => "Only requests that may be repeated are repeated", "只重试可以安全重复的请求";
    strategy => "Strategy", "策略";
    weighted => "Weighted", "加权轮询";
    weighted_hint => "By priority × health, smoothly", "按优先级 × 健康度平滑分配";
    round_robin => "Round robin", "轮询";
    round_robin_hint => "Each in turn", "依次轮流";
    least_in_flight => "Least in flight", "最少进行中";
    least_in_flight_hint => "The fewest requests for its weight", "相对权重进行中请求最少者";
    lowest_latency => "Lowest latency", "最低延迟";
    lowest_latency_hint => "The faster of two by first byte", "两者中首字节更快者";
    sticky => "Sticky", "会话保持";
    sticky_hint => "The same client to the same provider", "同一客户端始终到同一提供商";
    priority_order => "Priority", "优先级顺序";
    priority_order_hint => "Always the highest that is healthy", "始终选优先级最高且正常者";
    paths => "Paths", "路径";

    tab_members => "Providers", "提供商";
    tab_settings => "Settings", "设置";
    tab_policy => "Path policy", "路径策略";
    tab_failover => "Failover", "故障转移";
    tab_access => "Limits and access", "限额与访问";
    tab_keys => "API keys", "API 密钥";

    members => "Members", "成员";
    members_hint => "0 takes a member out gently; tier 2 waits until tier 1 can take nothing", "优先级 0 可平缓移出；第 1 层无法承接时才用第 2 层";
    tier(number: u32) => "Tier {number}", "第 {number} 层";
    tier_first => "takes everything it can", "优先承接全部请求";
    tier_next(before: u32) => "only when tier {before} can take nothing", "仅当第 {before} 层无法承接时";
    priority => "Priority", "优先级";
    priority_of(name: &str) => "Priority of {name}", "{name} 的优先级";
    effective => "Effective weight", "有效权重";
    share_now => "Share now", "当前占比";
    target => "target", "目标";
    in_flight => "In flight", "进行中";
    in_flight_count(count: u32) => "{count} in flight", "{count} 进行中";
    now => "Now", "当前";
    last_hour => "last hour", "近 1 小时";
    shares => "Share of each member", "各成员占比";
    tier_up => "To the tier before", "移到上一层";
    tier_down => "To the next tier", "移到下一层";
    move_up => "Move up", "上移";
    move_down => "Move down", "下移";
    take_out => "Take out of the group", "移出分组";
    add_member => "Add a provider", "添加提供商";
    all_added => "Every provider is a member", "所有提供商都已加入";
    no_members_hint => "Without a member every request is answered with 503.", "没有成员时，所有请求都会返回 503。";
    change_priority(name: &str, from: u32, to: u32) => "{name} {from} to {to}", "{name} {from} 改为 {to}";
    change_share(from: &str, to: &str) => "its target share goes from {from} to {to}", "目标占比由 {from} 变为 {to}";
    change_joined(name: &str) => "{name} joins", "{name} 加入";
    change_left(name: &str) => "{name} leaves", "{name} 移出";
    change_tier(name: &str, tier: u32) => "{name} moves to tier {tier}", "{name} 移到第 {tier} 层";
    and_more(count: usize) => "and {count} more", "另有 {count} 处";

    policy_title => "What a client’s key may reach", "客户端密钥可访问的路径";
    inference => "Inference and models", "推理与模型";
    inference_hint => "The known inference and model-list paths", "已知的推理与模型列表路径";
    read_only => "Read only", "只读";
    read_only_hint => "GET and HEAD on any path", "任意路径的 GET 与 HEAD";
    everything => "Everything", "全部路径";
    everything_hint => "Any method on any path: files, batches and account endpoints of your provider too", "任意方法与路径，包括提供商的文件、批处理与账户接口";
    rules => "Own rules", "自定义规则";
    rules_hint => "Only what is listed", "仅列出的路径";
    rules_lines => "Rules", "规则";
    rules_lines_hint => "One per line, method and path: POST /v1/**. * is any method; ** crosses segments.", "每行一条，方法加路径：POST /v1/**。* 表示任意方法；** 可跨多段。";
    everything_warning => "With your credential behind it, a client can read files and spend on any endpoint. Keep it to keys you trust.", "客户端将以你的凭据访问任意接口，可读取文件并产生费用。仅用于可信的密钥。";

    attempts => "Providers tried", "最多尝试";
    attempts_hint => "Distinct providers for one request, 1 to 10", "单个请求最多尝试的提供商数，1 到 10";
    first_output => "Wait for the first output", "首个输出等待";
    first_output_hint => "Of a stream; then the next provider is tried. 0 is off.", "针对流式响应；超时则尝试下一个提供商。0 表示关闭。";
    keepalive => "Keep-alive after", "保活间隔";
    keepalive_hint => "Comments in the silence while a stream is held. 0 is off.", "保留流期间静默时发送注释。0 表示关闭。";

    sticky_by => "Holds on to", "保持依据";
    sticky_key => "The API key", "API 密钥";
    sticky_key_hint => "Without a key the client’s address", "没有密钥时使用客户端地址";
    sticky_ip => "The client’s address", "客户端地址";
    sticky_ip_hint => "As it reaches the gateway, behind trusted proxies the original one", "到达网关的地址；经可信代理时为原始地址";
    sticky_header => "A header", "请求头";
    sticky_header_hint => "Its value, such as the id of a conversation; without it the key", "取其值，例如会话 ID；缺少时使用密钥";
    sticky_header_name => "Name of the header", "请求头名称";

    outcome_rules => "What answers mean", "响应判定规则";
    outcome_rules_hint => "Ahead of the built-in table; the first rule that fits decides", "先于内置判定表；首条匹配的规则生效";
    no_outcome_rules => "No rules: the built-in table decides.", "没有规则，由内置判定表决定。";
    add_rule => "Add rule", "添加规则";
    rule_number(number: usize) => "Rule {number}", "规则 {number}";
    remove_rule(number: usize) => "Remove rule {number}", "移除规则 {number}";
    status_from => "Status from", "状态码从";
    status_to => "to", "到";
    means => "It means", "判定为";
    body_contains => "Body contains", "正文包含";
    body_contains_hint => "In any case, in the first 64 KiB of an error", "不区分大小写，仅看错误正文前 64 KiB";
    rule_header => "Header", "响应头";
    rule_header_hint => "Its name, or name: part of its value", "名称，或“名称: 部分值”";
    websocket => "Pass WebSocket upgrades on", "转发 WebSocket 升级";
    websocket_hint => "For realtime endpoints: after the upgrade bytes pass both ways, without failover", "用于实时接口：升级后双向透传，不再故障转移";

    anonymous => "Access without a key", "允许无密钥访问";
    anonymous_hint => "Anybody who reaches this address spends your credentials. Limits count per client address.", "任何能访问此地址的人都会使用你的凭据。限额按客户端地址计算。";
    origins => "Browser origins", "浏览器来源";
    origins_hint => "Where a web page may call from; * allows all, none allows none", "允许网页调用的来源；* 表示全部，留空表示不允许";
    hide_headers => "Hide provider headers", "隐藏提供商响应头";
    hide_headers_hint => "Leaves X-Proxy-Provider and its id out of answers", "响应中不包含 X-Proxy-Provider 及其 ID";

    delete_title(name: &str) => "Delete “{name}”?", "删除“{name}”？";
    delete_says(slug: &str) => "Calls to /api/proxy/{slug} get 404 from then on. Its providers stay. This cannot be undone.", "此后调用 /api/proxy/{slug} 将返回 404。其提供商会保留。此操作不可撤销。";
    delete_verb => "Delete group", "删除分组";
    create => "Add group", "添加分组";
    keys_here(count: usize) => "Keys that reach this group: {count}", "可访问此分组的密钥：{count} 个";
    no_keys => "No key reaches this group yet", "还没有密钥可访问此分组";
    create_key => "Create key", "创建密钥";
    address => "Address for clients", "客户端地址";
}
