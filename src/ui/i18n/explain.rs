//! What the next request would do.

phrases! {
    title => "Explain the next request", "解释下一次请求";
    again => "Explain again", "重新解释";
    request => "Method and path", "方法与路径";
    key => "API key", "API 密钥";
    any_key => "any key", "任意密钥";
    model => "Model", "模型";
    any_model => "any model", "任意模型";
    more => "Client and header", "客户端与请求头";
    client_ip => "Client address", "客户端地址";
    header(name: &str) => "Value of {name}", "{name} 的值";
    in_order => "Would be tried in this order", "将按此顺序尝试";
    skipped => "Skipped", "已跳过";
    nobody => "Nobody can be asked now.", "当前没有可用的提供商。";
    refused(status: u16) => "Refused with {status} before any provider is asked", "在请求任何提供商之前即以 {status} 拒绝";
    trial => "its one trial request", "唯一的试探请求";
    credit(figure: &str) => "credit {figure}", "信用值 {figure}";
    weight(figure: &str) => "weight {figure}", "权重 {figure}";
    in_flight(count: u32) => "{count} in flight", "进行中 {count}";
    room(count: u32, most: u32) => "{count} in flight, room for {most}", "进行中 {count}，可容纳 {most}";
    share(percent: u32) => "{percent} of the next 100", "接下来 100 次中的 {percent} 次";
    then_limit(most: u32) => "then the limit of {most} attempts", "随后达到 {most} 次尝试上限";
    tier(number: u32) => "tier {number}, not needed", "第 {number} 层，无需使用";
    beyond(most: u32) => "in reserve: {most} attempts are the limit", "备用：上限为 {most} 次尝试";
    next_trial(wait: &str) => "taken out, next trial {wait}", "已摘除，{wait}试探";
    cools(until: &str) => "its credentials wait until {until}", "凭据冷却至 {until}";
    asked_again(wait: &str) => "does not know this model, asked again {wait}", "不认识该模型，{wait}再询问";
    refused_until(wait: &str) => "its credentials are refused, tried again {wait}", "凭据被拒绝，{wait}重试";
    full_at_once(most: &str) => "{most} of {most} at once", "并发已达 {most}";
    full_rpm(most: &str) => "{most} rpm reached", "已达 {most} rpm";
    full_day(most: &str) => "{most} a day reached", "已达每日 {most}";
    about => "Of what is saved. Asking takes nothing and moves nothing.", "依据已保存的配置。询问不消耗配额，也不改变任何状态。";
}
