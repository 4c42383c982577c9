//! Failover drills.

phrases! {
    title => "Failover drill", "故障演练";
    says => "Pretend this provider fails, and see whether clients notice. Attempts that meet the fault never reach it.", "让该提供商假装发生故障，看客户端是否察觉。遇到故障的尝试不会发送给它。";
    says_truncate => "Answers break off on purpose: every client that meets it notices.", "响应会被故意截断：遇到的客户端都会察觉。";
    fault => "Fault", "故障";
    fault_500 => "Answer 500", "返回 500";
    fault_503 => "Answer 503", "返回 503";
    fault_429 => "Answer 429", "返回 429";
    fault_stall => "Never answer", "不作响应";
    fault_truncate => "Break off answers", "中途截断响应";
    minutes => "Minutes", "时长（分钟）";
    percent => "Share of attempts, %", "尝试占比（%）";
    start => "Start drill", "开始演练";
    stop => "Stop drill", "停止演练";
    started => "Drill started", "演练已开始";
    stopped => "Drill stopped, health is as before", "演练已停止，健康状态已恢复";
    running => "Drill running", "演练进行中";
    notice(fault: &str) => "A failover drill is running: {fault}. What you see of its health may be pretended.", "故障演练进行中：{fault}。此处的健康状态可能是模拟的。";
    share(percent: u32) => "on {percent}% of attempts", "影响 {percent}% 的尝试";
    ends(wait: &str) => "ends {wait}", "{wait}结束";
    by(who: &str) => "started by {who}", "由 {who} 发起";
    last(at: &str) => "last: {at}", "上次：{at}";
    none_yet => "no drill yet", "尚未演练";
    over => "Drill over", "演练已结束";
    met => "Requests that met it", "遇到故障的请求";
    saved => "Saved", "已挽回";
    noticed => "Noticed by clients", "客户端察觉";
    noticed_parts(failed: &str, interrupted: &str) => "{failed} failed, {interrupted} broken off", "{failed} 个失败，{interrupted} 个中断";
    client => "Client left", "客户端断开";
    added => "Added to a saved one", "挽回增加的耗时";
    added_hint => "median", "中位数";
    taken_out => "Left alone after", "摘除前的尝试";
    attempts(count: u32) => "{count} attempts", "{count} 次";
    never => "never", "未摘除";
    summary(met: &str, noticed: &str) => "{met} requests, {noticed} noticed", "{met} 个请求，{noticed} 个被察觉";
    earlier => "Earlier drills", "更早的演练";
    disabled_hint => "Switched off: there is nothing to drill.", "已停用，无法演练。";
    this_node => "Runs on this node only.", "仅在当前节点进行。";
    in_attempt => "failover drill", "故障演练";
}
