//! How an attempt ended, in words: looked up by the word of the log, so that a newer server's
//! word still shows as it is.

use super::Language;

/// The words for an attempt's outcome, as `AttemptOutcome::as_str` names it.
pub fn attempt(language: Language, word: &str) -> &str {
    let Some((_, english, chinese)) = ATTEMPTS.iter().find(|(name, ..)| *name == word) else { return word };
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

const ATTEMPTS: [(&str, &str, &str); 22] = [
    ("answered", "answered", "已应答"),
    ("dns", "name not found", "域名解析失败"),
    ("address_refused", "address not allowed", "地址不被允许"),
    ("connect", "connection refused", "连接被拒绝"),
    ("connect_timeout", "connect timeout", "连接超时"),
    ("tls", "TLS failed", "TLS 失败"),
    ("reset", "connection reset", "连接被重置"),
    ("first_byte_timeout", "no first byte in time", "首字节超时"),
    ("invalid_response", "not an HTTP answer", "响应不是 HTTP"),
    ("rate_limited", "429", "429"),
    ("quota_exhausted", "quota exhausted", "额度用尽"),
    ("credential_refused", "credential refused", "凭据被拒绝"),
    ("overloaded", "overloaded", "过载"),
    ("server_error", "server error", "服务器错误"),
    ("model_not_found", "model not found", "模型不存在"),
    ("client_error", "client error", "客户端错误"),
    ("stream_error", "error event first", "首个事件为错误"),
    ("empty_stream", "stream without content", "流中没有内容"),
    ("body_broken", "broke after content", "输出后中断"),
    ("idle_timeout", "stream went silent", "流中途静默"),
    ("total_timeout", "took too long", "总时长超限"),
    ("client_left", "client left", "客户端断开"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request_log::AttemptOutcome;

    #[test]
    fn a_known_word_is_told_and_an_unknown_one_shown() {
        assert_eq!(attempt(Language::Chinese, AttemptOutcome::ConnectTimeout.as_str()), "连接超时");
        assert_eq!(attempt(Language::English, "of_tomorrow"), "of_tomorrow");
    }
}
