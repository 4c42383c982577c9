//! The vocabulary of states and outcomes (look.md §3): one source for every screen.

phrases! {
    healthy => "Healthy", "正常";
    degraded => "Degraded", "降级";
    unhealthy => "Unhealthy", "异常";
    recovering => "Recovering", "恢复中";
    cooling => "Cooling", "冷却中";
    credential_failed => "Credential failed", "凭据失效";
    disabled => "Disabled", "已停用";
    drained => "Drained", "已排空";

    served => "Served", "成功";
    saved => "Saved", "已挽回";
    saved_by_failover => "Saved by failover", "故障转移挽回";
    failed => "Failed", "失败";
    interrupted => "Interrupted", "已中断";
    client_left => "Client left", "客户端断开";
    rate_limited => "Rate limited", "已限流";
    client_error => "Client error", "客户端错误";

    rate_reason(percent: u8, factor: &str) => "{percent}% succeeded in 60 s, weight × {factor}", "近 60 秒成功率 {percent}%，权重 × {factor}";
    failures_reason(count: u32, what: &str, wait: &str) => "{count} × {what}, next trial {wait}", "连续 {count} 次{what}，{wait}试探";
    failures_only(count: u32, what: &str) => "{count} × {what}", "连续 {count} 次{what}";
    trial_reason => "a trial request is in flight", "试探请求进行中";
    ramp_reason(percent: u8) => "ramping up, {percent}% of its weight", "逐步恢复，当前权重 {percent}%";
    cooling_one_reason(until: &str) => "its credential waits, until {until}", "凭据等待中，至 {until}";
    cooling_reason(count: u32, until: &str) => "{count} credentials wait, until {until}", "{count} 个凭据等待中，至 {until}";
    refused_one_reason => "its credential is refused", "凭据被拒绝";
    refused_reason(count: u32) => "{count} credentials are refused", "{count} 个凭据被拒绝";
    disabled_reason => "switched off by a person", "已被人工停用";
    drained_reason => "weight 0 in every group", "所有分组中权重为 0";
}
