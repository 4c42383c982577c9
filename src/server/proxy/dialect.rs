//! Whose events a stream speaks, and how that protocol says that something failed.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// Whose events a stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI chat completions and completions.
    Chat,
    /// OpenAI responses.
    Responses,
    /// Anthropic messages.
    Anthropic,
    /// Gemini.
    Gemini,
    /// None of these; errors are told as OpenAI tells them.
    Unknown,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Responses, Self::Anthropic, Self::Gemini, Self::Unknown];

    /// By the end of the path: what stands before it is the provider's own.
    pub fn of(tail: &str) -> Self {
        let tail = tail.trim_end_matches('/');
        if tail.ends_with("/messages") || tail.ends_with(":streamRawPredict") {
            Self::Anthropic
        } else if tail.ends_with("/completions") {
            Self::Chat
        } else if tail.ends_with("/responses") {
            Self::Responses
        } else if tail.ends_with(":streamGenerateContent") {
            Self::Gemini
        } else {
            Self::Unknown
        }
    }

    /// An error as an event of its own. `body` is JSON with an `error`, as an answer would have it.
    pub fn error_event(self, status: StatusCode, body: &Value) -> Bytes {
        let error = &body["error"];
        let data = match self {
            Self::Chat | Self::Unknown => body.clone(),
            Self::Anthropic => json!({"type": "error", "error": error}),
            // The libraries read one or the other.
            Self::Responses => json!({
                "type": "error", "code": error["code"], "message": message(error), "param": null, "error": error,
            }),
            Self::Gemini if error["code"].is_number() => body.clone(),
            Self::Gemini => json!({"error": {
                "code": status.as_u16(), "message": message(error), "status": google_status(status), "details": [error],
            }}),
        };
        let name = if matches!(self, Self::Anthropic | Self::Responses) { "event: error\n" } else { "" };
        Bytes::from(format!("{name}data: {data}\n\n"))
    }
}

fn message(error: &Value) -> &str {
    error["message"].as_str().or_else(|| error.as_str()).unwrap_or("the provider failed")
}

/// The canonical code of Google's APIs for a status (google.rpc.Code).
fn google_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNAVAILABLE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_dialect() {
        for (tail, dialect) in [
            ("/v1/chat/completions", Dialect::Chat),
            ("/openai/deployments/x/chat/completions", Dialect::Chat),
            ("/v1/completions", Dialect::Chat),
            ("/v1/responses", Dialect::Responses),
            ("/v1/messages", Dialect::Anthropic),
            ("/v1beta/models/gemini-pro:streamGenerateContent", Dialect::Gemini),
            ("/events", Dialect::Unknown),
            ("", Dialect::Unknown),
        ] {
            assert_eq!(Dialect::of(tail), dialect, "{tail}");
        }
    }

    #[test]
    fn an_error_event_is_one_that_its_library_reads() {
        let body = json!({"type": "error", "error": {"type": "api_error", "code": "x", "message": "gone\nfor good"}});
        for dialect in Dialect::ALL {
            let event = dialect.error_event(StatusCode::BAD_GATEWAY, &body);
            let text = std::str::from_utf8(&event).expect("text");
            let named = text.starts_with("event: error\ndata: ");
            assert_eq!(named, matches!(dialect, Dialect::Anthropic | Dialect::Responses), "{text}");
            let data = text.rsplit_once("data: ").expect("data").1;
            let data: Value = serde_json::from_str(data.trim_end()).expect("one line of JSON");
            assert_eq!(data["error"]["message"], "gone\nfor good", "{text}");
            assert_eq!(data["error"]["code"] == 502, dialect == Dialect::Gemini, "{text}");
        }
    }
}
