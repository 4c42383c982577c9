//! Words of the charts.

phrases! {
    as_table => "Show as table", "以表格显示";
    as_csv => "Download as CSV", "下载为 CSV";
    whole => "Whole range", "完整时段";
    time => "Time", "时间";
    requests_name => "Requests over time: served, saved by failover, failed", "请求量随时间变化：成功、已挽回、失败";
    latency_name => "Latency over time: P50, P95 and P99", "延迟随时间变化：P50、P95 与 P99";
    failed_lane => "failed", "失败";
    provider_out => "A provider was out", "有提供商摘除";
    clients => "Client errors and left", "客户端错误与断开";
    no_requests => "No requests in this range", "此时段没有请求";
    event(name: &str, what: &str, at: &str) => "{name} {what} {at}", "{name} {at} {what}";
    fine => "fine", "正常";
    some_failed => "some failed", "部分失败";
    many_failed => "many failed", "大量失败";
    taken_out => "taken out", "已摘除";
    unknown => "no gateway ran", "网关未运行";
    no_traffic => "no traffic", "无流量";
    column(answered: &str, failed: &str) => "{answered} answered, {failed} failed", "成功 {answered}，失败 {failed}";
    strip_summary(answered: &str, failed: &str, out: u32) => "{answered} attempts answered, {failed} failed, taken out in {out} columns", "尝试成功 {answered} 次，失败 {failed} 次，{out} 列处于摘除状态";
}
