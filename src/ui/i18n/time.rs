//! Waiting, age and dates.

phrases! {
    now => "now", "刚刚";
    in_seconds(n: i64) => "in {n} s", "{n} 秒后";
    in_minutes(n: i64) => "in {n} min", "{n} 分钟后";
    in_hours(n: i64) => "in {n} h", "{n} 小时后";
    seconds_ago(n: i64) => "{n} s ago", "{n} 秒前";
    minutes_ago(n: i64) => "{n} min ago", "{n} 分钟前";
    hours_ago(n: i64) => "{n} h ago", "{n} 小时前";
    yesterday => "yesterday", "昨天";
    days_ago(n: i64) => "{n} days ago", "{n} 天前";
    seconds(n: i64) => "{n} s", "{n} 秒";
    minutes(n: i64) => "{n} min", "{n} 分钟";
    hours(n: i64) => "{n} h", "{n} 小时";
    minutes_seconds(m: u64, s: u64) => "{m} min {s:02} s", "{m} 分 {s:02} 秒";
}
