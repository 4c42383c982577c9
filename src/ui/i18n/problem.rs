//! What is wrong with a field, as a sentence that says how to mend it.

use super::{Language, language};
use crate::model::{name::UrlFault, problem::Issue};

phrases! {
    required => "Fill this in", "此项必填";
    too_long(max: u32) => "At most {max} characters", "最多 {max} 个字符";
    too_short(min: u32) => "At least {min} characters", "至少 {min} 个字符";
    name => "No spaces at either end, no control characters", "首尾不能有空格，也不能含控制字符";
    slug(suggestion: &str) => "Small letters, digits and hyphens only. Try {suggestion}", "只能使用小写字母、数字和连字符。可改为 {suggestion}";
    url_scheme => "Start with http:// or https://", "以 http:// 或 https:// 开头";
    url_user => "Take out the user name and password; keys belong to credentials", "去掉地址中的用户名和密码；密钥请填到凭据中";
    url_host => "The host is empty or has characters no host can have", "主机名为空，或含有不允许的字符";
    url_port => "The port must be 1 to 65535", "端口须在 1 到 65535 之间";
    url_path => "Take escapes, spaces and dot segments out of the path", "去掉路径中的转义符、空格和点号段";
    url_query => "Take out the query; it would be lost", "去掉查询参数；它不会被转发";
    url_fragment => "Take out the fragment; it is never sent", "去掉 # 之后的部分；它不会被发送";
    range(min: i64, max: i64) => "Between {min} and {max}", "须在 {min} 到 {max} 之间";
    taken => "Already taken. Choose another", "已被占用，换一个";
    duplicate => "Appears twice. Keep one", "重复出现，保留一个即可";
    unknown => "Does not exist (any more). Choose another", "已不存在，换一个";
    secret_required => "A new credential needs its secret", "新凭据需要填写密钥";
    secret_again => "The host changed. Enter this secret again", "主机已更改，请重新输入此密钥";
    secret => "Has characters that cannot be sent in a header", "含有无法放入请求头的字符";
    header => "Not a header that can be set here", "此请求头不能在这里设置";
    template => "Write {secret} once, where the key goes", "在密钥的位置写一次 {secret}";
    ip_range => "An address or range such as 10.0.0.0/8", "填写 IP 地址或网段，如 10.0.0.0/8";
    pattern => "A pattern such as gpt-4* or /v1/**", "填写通配模式，如 gpt-4* 或 /v1/**";
    method => "An HTTP method such as POST, or *", "填写 HTTP 方法，如 POST，或 *";
    past => "Choose a day to come", "选择将来的日期";
    scope => "Choose a group, or make the key global", "至少选择一个分组，或设为全局";
    in_use(by: &str) => "Still used by {by}", "仍被 {by} 使用";
    drill_running => "A drill runs here already. Stop that one first", "此处已有演练在进行，请先停止它";
    switched_off => "Switched off: there is nothing to drill", "已停用，无法演练";
    weak => "Too easy to guess. Use a longer phrase", "太容易被猜到，换一个更长的短语";
    too_many(max: u32) => "At most {max} entries", "最多 {max} 条";
    price => "A price is a number from 0 to 100000 for a million tokens, with a point, such as 2.5", "价格须为 0 到 100000 之间的数字（每百万 token），小数用点，如 2.5";
    cached_above => "Cached input costs more than other input. Look for swapped columns or a decimal comma", "缓存输入比普通输入还贵。请检查列是否写反，或小数是否用了逗号";
    price_line => "Write model, input, output and, if you like, cached input, separated by commas", "按“模型, 输入, 输出[, 缓存输入]”填写，用逗号分隔";
    currency => "Three letters such as USD or CNY", "三个字母，如 USD 或 CNY";
    origin => "An origin such as https://app.example.com", "填写来源，如 https://app.example.com";
    unreadable(message: &str) => "Cannot be read: {message}", "无法读取：{message}";
    variable(name: &str) => "The environment has no variable {name}. Set it, or write the secret itself", "环境变量 {name} 未设置。请设置它，或直接填写密钥";
    last_owner => "The last owner who may sign in. Make somebody else an owner first", "这是最后一位可登录的所有者，请先指定另一位所有者";
    fixed => "Cannot be changed. Make a new one", "无法更改，请新建";
    email => "An e-mail address such as ops@example.com", "填写邮箱地址，如 ops@example.com";
    chat => "A number such as -1001234567890, or @name of a public channel", "填写数字（如 -1001234567890）或公开频道的 @名称";
    mail_server => "A mail server such as mail.example.com:587", "填写邮件服务器，如 mail.example.com:587";
    channel_secret_again => "The address leads to another host now: enter the secret again", "地址已指向另一主机，请重新填写密钥";
    body_not_kept => "The body was not kept as text. Paste it", "该正文未以文本形式保留，请粘贴";
    body_incomplete => "It was not kept as it was sent: only its beginning, or without a secret that made it JSON. Paste all of it", "保留的正文与发送时不同：只有开头部分，或去除机密后不再是 JSON。请粘贴完整正文";
    wrong_password => "Not your present password", "与当前密码不符";
}

/// The sentence for this issue in the language of the page.
pub fn say(issue: &Issue) -> String {
    let l = language();
    match issue {
        Issue::Required => required(l).into(),
        Issue::TooLong { max } => too_long(l, *max),
        Issue::TooShort { min } => too_short(l, *min),
        Issue::InvalidName => name(l).into(),
        Issue::InvalidSlug { suggestion } => slug(l, suggestion),
        Issue::InvalidUrl { reason } => say_url(*reason, l).into(),
        Issue::OutOfRange { min, max } => range(l, *min, *max),
        Issue::Taken => taken(l).into(),
        Issue::Duplicate => duplicate(l).into(),
        Issue::Unknown => unknown(l).into(),
        Issue::BodyNotKept => body_not_kept(l).into(),
        Issue::BodyIncomplete => body_incomplete(l).into(),
        Issue::SecretRequired => secret_required(l).into(),
        Issue::SecretAgain => secret_again(l).into(),
        Issue::InvalidSecret => secret(l).into(),
        Issue::InvalidHeader => header(l).into(),
        Issue::InvalidTemplate => template(l).into(),
        Issue::InvalidRange => ip_range(l).into(),
        Issue::InvalidPattern => pattern(l).into(),
        Issue::InvalidMethod => method(l).into(),
        Issue::InPast => past(l).into(),
        Issue::ScopeRequired => scope(l).into(),
        Issue::InUse { by } => in_use(l, by),
        Issue::DrillRunning => drill_running(l).into(),
        Issue::SwitchedOff => switched_off(l).into(),
        Issue::WeakPassword => weak(l).into(),
        Issue::TooMany { max } => too_many(l, *max),
        Issue::InvalidPrice => price(l).into(),
        Issue::CachedAboveInput => cached_above(l).into(),
        Issue::InvalidPriceLine => price_line(l).into(),
        Issue::InvalidCurrency => currency(l).into(),
        Issue::InvalidOrigin => origin(l).into(),
        Issue::Unreadable { message } => unreadable(l, message),
        Issue::NoAnswer { message } => message.clone(),
        Issue::VariableUnset { name } => variable(l, name),
        Issue::LastOwner => last_owner(l).into(),
        Issue::Fixed => fixed(l).into(),
        Issue::InvalidEmail => email(l).into(),
        Issue::InvalidChat => chat(l).into(),
        Issue::InvalidServer => mail_server(l).into(),
        Issue::ChannelSecretAgain => channel_secret_again(l).into(),
        Issue::WrongPassword => wrong_password(l).into(),
    }
}

fn say_url(fault: UrlFault, l: Language) -> &'static str {
    match fault {
        UrlFault::Scheme => url_scheme(l),
        UrlFault::UserInfo => url_user(l),
        UrlFault::Host => url_host(l),
        UrlFault::Port => url_port(l),
        UrlFault::Path => url_path(l),
        UrlFault::Query => url_query(l),
        UrlFault::Fragment => url_fragment(l),
    }
}
