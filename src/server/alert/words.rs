//! What alerts say, in both languages. Names of things come from people: they are put into plain
//! text here, and each channel escapes them for its own service.

use super::rules::{Ending, finding::CapKind};
use crate::model::{
    alert::{RuleDraft, Tongue, Words},
    health::HealthReason,
};

impl Words {
    /// The sentence in this language.
    pub fn say(&self, tongue: Tongue) -> &str {
        match tongue {
            Tongue::En => &self.en,
            Tongue::Zh => &self.zh,
        }
    }
}

fn words(en: impl Into<String>, zh: impl Into<String>) -> Words {
    Words { en: en.into(), zh: zh.into() }
}

pub(super) fn provider_down(name: &str) -> Words {
    words(format!("{name} is unhealthy"), format!("{name} 异常"))
}

pub(super) fn health(reason: &HealthReason) -> Words {
    match reason {
        HealthReason::Failures { count, outcome, .. } => words(
            format!("{count} failures in a row, the last: {}", outcome.replace('_', " ")),
            format!("连续失败 {count} 次，最近一次：{}", outcome_zh(outcome)),
        ),
        HealthReason::SuccessRate { percent } => {
            words(format!("success over the last minute: {percent}%"), format!("最近一分钟成功率 {percent}%"))
        }
        HealthReason::Cooling { count, .. } => words(
            format!("all credentials wait for a limit to reset ({count})"),
            format!("全部凭据（{count} 个）都在等待限额重置"),
        ),
        HealthReason::Refused { count } => words(
            format!("the provider refuses all credentials ({count})"),
            format!("提供商拒绝了全部凭据（{count} 个）"),
        ),
        HealthReason::Trial => words("a trial request is under way", "正在试探"),
        HealthReason::Ramp { .. } | HealthReason::None => words("taken out", "已摘除"),
    }
}

fn outcome_zh(outcome: &str) -> &str {
    match outcome {
        "dns" => "域名无法解析",
        "address_refused" => "地址不被允许",
        "connect" => "连接失败",
        "connect_timeout" => "连接超时",
        "tls" => "TLS 失败",
        "reset" => "连接被重置",
        "first_byte_timeout" => "首字节超时",
        "invalid_response" => "响应无效",
        "rate_limited" => "被限流",
        "quota_exhausted" => "额度用尽",
        "credential_refused" => "凭据被拒",
        "overloaded" => "上游过载",
        "server_error" => "上游错误",
        "stream_error" => "流中报错",
        "empty_stream" => "空的流",
        "body_broken" => "响应中断",
        "idle_timeout" => "流停顿超时",
        "total_timeout" => "总时限已到",
        other => other,
    }
}

pub(super) fn credential_refused(name: &str) -> Words {
    words(format!("{name} is refused"), format!("{name} 被拒"))
}

pub(super) fn refused_by_provider() -> Words {
    words("the provider refuses this credential; it is tried again every 5 min", "提供商拒绝此凭据，每 5 分钟重试一次")
}

pub(super) fn credential_exhausted(name: &str) -> Words {
    words(format!("{name} is exhausted"), format!("{name} 额度用尽"))
}

pub(super) fn resets_in(left_ms: i64) -> Words {
    let minutes = left_ms.max(0).div_euclid(60_000) + 1;
    words(format!("may be used again in {minutes} min"), format!("{minutes} 分钟后可再用"))
}

/// `None` names all requests together.
fn whose(name: &Option<String>) -> (String, String) {
    match name {
        Some(name) => (name.clone(), name.clone()),
        None => ("all requests".to_owned(), "全部请求".to_owned()),
    }
}

pub(super) fn success_low(name: &Option<String>, percent: f64) -> Words {
    let (en, zh) = whose(name);
    words(format!("Success of {en} is {percent:.1}%"), format!("{zh} 的成功率为 {percent:.1}%"))
}

pub(super) fn success_below(rule: &RuleDraft, failed: u64, judged: u64) -> Words {
    let (percent, minutes) = (rule.percent, rule.minutes);
    words(
        format!("below {percent}% over {minutes} min: {failed} of {judged} failed"),
        format!("{minutes} 分钟内低于 {percent}%：{judged} 次中失败 {failed} 次"),
    )
}

/// Milliseconds as people read them.
fn latency(ms: u64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { format!("{:.2} s", ms as f64 / 1_000.0) }
}

pub(super) fn slow(name: &Option<String>, p95_ms: u64) -> Words {
    let ((en, zh), p95) = (whose(name), latency(p95_ms));
    words(format!("First byte P95 of {en} is {p95}"), format!("{zh} 的首字节 P95 为 {p95}"))
}

pub(super) fn slower_than(rule: &RuleDraft, judged: u64) -> Words {
    let (above, minutes) = (latency(u64::from(rule.above_ms)), rule.minutes);
    words(
        format!("above {above} over {minutes} min, {judged} requests"),
        format!("{minutes} 分钟内高于 {above}，共 {judged} 次"),
    )
}

pub(super) fn cap_near(name: &str, cap: CapKind, percent: f64) -> Words {
    let (en, zh) = match cap {
        CapKind::RequestsPerDay => ("requests per day", "每日请求限额"),
        CapKind::RequestsPerMonth => ("requests per month", "每月请求限额"),
        CapKind::TokensPerDay => ("tokens per day", "每日 token 限额"),
        CapKind::TokensPerMonth => ("tokens per month", "每月 token 限额"),
    };
    words(format!("{name} has used {percent:.0}% of its {en}"), format!("{name} 的{zh}已用 {percent:.0}%"))
}

pub(super) fn cap_used(used: u64, most: u64) -> Words {
    words(format!("{used} of {most}"), format!("{used} / {most}"))
}

pub(super) fn rows_lost() -> Words {
    words("Rows of the request log were lost", "请求日志丢失了记录")
}

pub(super) fn rows_lost_so_far(rows: u64) -> Words {
    words(
        format!("{rows} so far; requests and statistics are not affected"),
        format!("目前 {rows} 行；请求与统计不受影响"),
    )
}

pub(super) fn node_lost(host: &str) -> Words {
    match host {
        "" => words("A node is lost", "一个节点失联"),
        host => words(format!("Node {host} is lost"), format!("节点 {host} 失联")),
    }
}

pub(super) fn node_silent(silent_ms: i64) -> Words {
    let seconds = silent_ms.max(0) / 1_000;
    words(
        format!("it says nothing for {seconds} s and did not end as it should"),
        format!("已 {seconds} 秒没有消息，且未正常结束"),
    )
}

pub(super) fn node_restarted() -> Words {
    words("it did not end as it should; Rondo was started there again", "未正常结束；Rondo 已在该处重新启动")
}

pub(super) fn ending(ending: Ending) -> Words {
    match ending {
        Ending::Recovered => words("it is well again", "已恢复正常"),
        Ending::Quiet => words("too few requests to judge by now", "请求太少，暂无法判断"),
        Ending::Gone => words("its rule or its subject was switched off or removed", "规则或对象已停用或移除"),
    }
}

pub(super) fn resolved(title: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("Resolved: {title}"),
        Tongue::Zh => format!("已恢复：{title}"),
    }
}

pub(super) fn since(time: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("Since {time}"),
        Tongue::Zh => format!("始于 {time}"),
    }
}

pub(super) fn lasted(from: &str, to: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("From {from} to {to}"),
        Tongue::Zh => format!("{from} 至 {to}"),
    }
}

pub(super) fn rule(name: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("Rule: {name}"),
        Tongue::Zh => format!("规则：{name}"),
    }
}

pub(super) fn summary(count: usize, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("{count} more alerts were not sent one by one"),
        Tongue::Zh => format!("另有 {count} 条告警未逐条发送"),
    }
}

pub(super) fn more(count: usize, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("and {count} more"),
        Tongue::Zh => format!("以及另外 {count} 条"),
    }
}

pub(super) fn hourly_cap(per_hour: u32, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("This channel takes {per_hour} messages an hour."),
        Tongue::Zh => format!("此渠道每小时最多 {per_hour} 条消息。"),
    }
}

pub(super) fn test(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::En => "Test from Rondo",
        Tongue::Zh => "来自 Rondo 的测试",
    }
}

pub(super) fn test_line(channel: &str, tongue: Tongue) -> String {
    match tongue {
        Tongue::En => format!("Alerts of the channel {channel} arrive here."),
        Tongue::Zh => format!("渠道 {channel} 的告警会发送到这里。"),
    }
}

pub(super) fn open(tongue: Tongue) -> &'static str {
    match tongue {
        Tongue::En => "Open in Rondo",
        Tongue::Zh => "在 Rondo 中查看",
    }
}
