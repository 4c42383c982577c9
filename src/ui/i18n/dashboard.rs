//! Words of the dashboard.

phrases! {
    range => "Time range", "时间范围";
    hour => "1 h", "1 小时";
    day => "24 h", "24 小时";
    week => "7 d", "7 天";
    month => "30 d", "30 天";
    all_groups => "All groups", "全部分组";
    requests => "Requests", "请求数";
    than_hour => "vs. the hour before", "较前 1 小时";
    than_day => "vs. the day before", "较前 24 小时";
    than_week => "vs. the week before", "较前 7 天";
    than_month => "vs. the 30 days before", "较前 30 天";
    nothing_before => "nothing before to compare with", "此前没有数据可比较";
    success => "Success for clients", "客户端成功率";
    points(change: &str) => "{change} points", "{change} 个百分点";
    nothing_judged => "no request was judged yet", "尚无可判定的请求";
    saved => "Saved by failover", "故障转移挽回";
    of_requests(share: &str) => "{share} of requests", "占请求 {share}";
    first_byte => "First byte, P95", "首字节 P95";
    total => "Total time, P95", "总耗时 P95";
    quantiles(p50: &str, p99: &str) => "P50 {p50} · P99 {p99}", "P50 {p50} · P99 {p99}";
    now => "Right now", "当前";
    per_second => "per second", "次/秒";
    in_flight(count: &str, ready: usize, all: usize) => "{count} in flight · {ready} of {all} ready", "{count} 进行中 · {ready} / {all} 可用";
    rate_now(rate: &str) => "{rate} per second now", "当前 {rate} 次/秒";
    requests_chart => "Requests", "请求量";
    traffic => "Traffic by provider", "流量分布";
    provider => "Provider", "提供商";
    share => "Share", "占比";
    success_short => "Success", "成功率";
    all(count: usize) => "All {count}", "全部 {count} 个";
    others(count: usize) => "{count} others", "其他 {count} 个";
    no_attempts => "No provider was asked in this range", "此时段没有调用任何提供商";
    latency => "Latency", "延迟";
    first_byte_tab => "First byte", "首字节";
    total_tab => "Total", "总耗时";
    exceptions => "Saved and failed", "挽回与失败";
    open_log => "Open log", "打开日志";
    no_exceptions => "Nothing was saved, failed or broke yet", "尚无挽回、失败或中断的请求";
    health_hour => "Health, last hour", "近 1 小时健康";
    health_day => "Health, last 24 hours", "近 24 小时健康";
    health_week => "Health, last 7 days", "近 7 天健康";
    health_month => "Health, last 30 days", "近 30 天健康";
    hour_ago => "1 h ago", "1 小时前";
    day_ago => "24 h ago", "24 小时前";
    week_ago => "7 days ago", "7 天前";
    month_ago => "30 days ago", "30 天前";
    at_present => "now", "现在";

    attention => "Needs attention", "需要关注";
    all_well(count: usize) => "All {count} providers are healthy", "{count} 个提供商全部正常";
    one_well => "The provider is healthy", "提供商正常";
    last_incident(age: &str) => "last incident {age}", "上次异常：{age}";
    no_incident => "no incident since the start", "启动以来没有异常";
    title(name: &str, word: &str) => "{name}: {word}", "{name} {word}";
    credential_title(name: &str) => "{name}: a credential is refused", "{name} 有凭据失效";
    still_serving(ready: usize, all: usize) => "{ready} of {all} credentials still serve", "{all} 个凭据中 {ready} 个正常";
    nothing_to_do => "nothing to do", "无需处理";
    view => "View", "查看";
    replace => "Replace", "更换";
    more_trouble(count: usize) => "{count} more", "另有 {count} 个";

    empty_title => "No providers yet", "还没有提供商";
    empty_hint => "A provider is where requests go: an address and a key. Add one, then put it into a group.", "提供商是请求的去向：一个地址加一个密钥。先添加一个，再把它放入分组。";
    add_provider => "Add provider", "添加提供商";
}
