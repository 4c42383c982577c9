//! Words of the health page.

phrases! {
    worst_first => "worst first", "最差在前";
    since(age: &str) => "since {age}", "始于 {age}";
    weight(percent: &str) => "{percent} of its weight", "权重 {percent}";
    minute(rate: &str, samples: u32) => "{rate} of {samples} in 60 s", "近 60 秒 {samples} 次中成功 {rate}";
    minute_quiet => "no attempt in 60 s", "近 60 秒没有尝试";
    in_flight(count: u32) => "{count} in flight", "{count} 进行中";
    credentials(ready: usize, all: usize) => "{ready} of {all} credentials ready", "{ready} / {all} 个凭据可用";
    no_credentials => "no credentials", "没有凭据";
    uptime(day: &str, week: &str, month: &str) => "up {day} in 24 h, {week} in 7 d, {month} in 30 d", "可用率：24 小时 {day}，7 天 {week}，30 天 {month}";
    success => "Success", "成功率";
    events => "Changes", "变化";
    no_events => "No provider has changed its state yet", "还没有提供商改变过状态";
}
