//! An error that a provider tells inside of a stream: found in every dialect, and given the status it
//! would have had as an answer, so that one table (`verdict`) judges both.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// Words of `type`, `code` and `status`, and the status they stand for; the first row that fits wins.
/// A quota before the rate, and both before the `invalid_request_error` that some say besides.
const WORDS: &[(&[&str], u16)] = &[
    (&["insufficient_quota", "quota_exceeded", "billing", "credit", "payment"], 402),
    (&["rate_limit", "ratelimit", "resource_exhausted", "too_many_requests", "throttl"], 429),
    (&["overloaded_error"], 529),
    (&["overload", "unavailable", "capacity", "busy"], 503),
    (&["model_not_found"], 404),
    (&["authentication", "unauthenticated", "unauthorized", "invalid_api_key"], 401),
    (&["permission"], 403),
    (&["timeout", "timed_out", "deadline_exceeded"], 504),
    (&["not_found"], 404),
    (
        &[
            "invalid_request",
            "invalid_argument",
            "invalid_prompt",
            "bad_request",
            "context_length",
            "content_filter",
            "content_policy",
            "too_large",
            "failed_precondition",
            "out_of_range",
        ],
        400,
    ),
    (&["server_error", "api_error", "internal"], 500),
];

/// A provider's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The status it stands for; 502 where nothing says which.
    pub status: StatusCode,
    /// JSON with an `error`, as the provider put it.
    pub body: Bytes,
}

impl Fault {
    /// The error in an event, if it is one.
    pub(super) fn find(name: &[u8], data: &[u8], json: Option<&Value>) -> Option<Self> {
        let named = name == b"error";
        let Some(json) = json else {
            return named.then(|| Self {
                status: StatusCode::BAD_GATEWAY,
                body: error_body(&json!({"type": "api_error", "message": String::from_utf8_lossy(data)})),
            });
        };
        // An error of JSON-RPC is an answer to the caller, not a provider that failed.
        if json.get("jsonrpc").is_some() {
            return None;
        }
        let kind = json["type"].as_str();
        let stated = is_stated(&json["error"]);
        let error = match kind {
            _ if stated => &json["error"],
            Some("response.failed") => &json["response"]["error"],
            _ if named || kind == Some("error") => json,
            _ => return None,
        };
        let body = if stated { Bytes::copy_from_slice(data) } else { error_body(error) };
        Some(Self { status: status_of(error), body })
    }
}

fn error_body(error: &Value) -> Bytes {
    Bytes::from(json!({ "error": error }).to_string())
}

fn is_stated(error: &Value) -> bool {
    match error {
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}

/// A number that is a status, else what the words stand for.
fn status_of(error: &Value) -> StatusCode {
    let fields = ["code", "status", "status_code", "http_code", "type"].map(|name| &error[name]);
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let told = fields.iter().filter_map(|value| number(value)).find(|code| (400..600).contains(code));
    let told = told.and_then(|code| StatusCode::from_u16(code as u16).ok());
    told.unwrap_or_else(|| {
        let words = fields.iter().filter_map(|value| value.as_str()).collect::<Vec<_>>().join(" ").to_ascii_lowercase();
        let row = WORDS.iter().find(|(row, _)| row.iter().any(|word| words.contains(word)));
        row.and_then(|(_, status)| StatusCode::from_u16(*status).ok()).unwrap_or(StatusCode::BAD_GATEWAY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str, data: &str) -> Option<Fault> {
        Fault::find(name.as_bytes(), data.as_bytes(), serde_json::from_str(data).ok().as_ref())
    }

    #[test]
    fn an_error_has_the_status_it_would_have_had_as_an_answer() {
        for (data, status) in [
            (r#"{"error":{"message":"x","type":"tokens","code":"rate_limit_exceeded"}}"#, 429),
            (r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#, 402),
            (r#"{"error":{"type":"invalid_request_error","code":"context_length_exceeded"}}"#, 400),
            (r#"{"error":{"type":"invalid_request_error","code":"model_not_found"}}"#, 404),
            (r#"{"error":{"type":"invalid_request_error","code":"invalid_api_key"}}"#, 401),
            (r#"{"error":{"type":"server_error","code":null,"message":"x"}}"#, 500),
            (r#"{"error":{"code":502,"message":"from OpenRouter"},"choices":[]}"#, 502),
            (r#"{"error":"something"}"#, 502),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, 529),
            (r#"{"type":"error","error":{"type":"rate_limit_error"}}"#, 429),
            (r#"{"type":"error","error":{"type":"api_error"}}"#, 500),
            (r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, 429),
            (r#"{"error":{"code":"503","status":"UNAVAILABLE"}}"#, 503),
            (r#"{"error":{"status":"UNAVAILABLE"}}"#, 503),
            (r#"{"type":"error","code":"server_error","message":"x","param":null}"#, 500),
            (r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded"}}}"#, 429),
        ] {
            let fault = find("", data).unwrap_or_else(|| panic!("{data} is an error"));
            assert_eq!(fault.status.as_u16(), status, "{data}");
            let body: Value = serde_json::from_slice(&fault.body).expect("JSON");
            assert!(is_stated(&body["error"]), "{data}");
        }
        assert_eq!(find("error", "gone").map(|fault| fault.status.as_u16()), Some(502));
        assert_eq!(find("error", "{}").map(|fault| fault.status.as_u16()), Some(502));
    }

    #[test]
    fn what_only_mentions_an_error_is_none() {
        for data in [
            r#"{"error":null,"choices":[]}"#,
            r#"{"error":"","x":1}"#,
            r#"{"error":false}"#,
            r#"{"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}"#,
            r#"{"type":"response.created","response":{"error":null}}"#,
            "[1]",
            "text",
        ] {
            assert_eq!(find("", data), None, "{data}");
        }
    }
}
