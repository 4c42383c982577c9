//! What one event says: nothing yet, output, an error, the end.
//!
//! Each dialect announces a stream before it says anything: a role, a message without content, a
//! response that was created. Those events bind nobody. An end with a stated reason (`length`,
//! `tool_use`, a refusal) or with tokens that were billed is an answer, be it without text: another
//! provider would say the same. A plain `stop` after nothing at all is not.

use serde_json::Value;

use super::{fault::Fault, scan::Event};
use crate::server::proxy::dialect::Dialect;

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing yet.
    Ignorable,
    /// Something the client was waiting for.
    Output,
    /// The provider failed.
    Error(Fault),
    /// The stream is over.
    End,
}

/// Reads an event. What cannot be read is output: it is not held back.
pub fn of(dialect: Dialect, event: Event<'_>) -> Meaning {
    let data = event.data.trim_ascii();
    if data == b"[DONE]" {
        return Meaning::End;
    }
    if data.is_empty() && dialect != Dialect::Unknown {
        return Meaning::Ignorable;
    }
    if event.cut {
        return Meaning::Output;
    }
    let json: Option<Value> = serde_json::from_slice(data).ok();
    if let Some(fault) = Fault::find(event.name, data, json.as_ref()) {
        return Meaning::Error(fault);
    }
    let Some(json) = json else { return Meaning::Output };
    match dialect {
        Dialect::Chat => chat(&json),
        Dialect::Responses => responses(&json),
        Dialect::Anthropic => anthropic(&json),
        Dialect::Gemini => gemini(&json),
        Dialect::Unknown => Meaning::Output,
    }
}

/// Chat completions, and the older completions with their `text`.
fn chat(json: &Value) -> Meaning {
    let Some(choices) = json["choices"].as_array() else { return Meaning::Output };
    let says = |choice: &Value| {
        is_filled_beside(&choice["delta"], &["role"])
            || is_filled(&choice["text"])
            || is_filled(&choice["message"])
            || is_reason_beside(&choice["finish_reason"], "stop")
    };
    output_if(choices.iter().any(says) || is_counted(&json["usage"]["completion_tokens"]))
}

fn responses(json: &Value) -> Meaning {
    match json["type"].as_str().unwrap_or_default() {
        "response.created"
        | "response.in_progress"
        | "response.queued"
        | "response.output_item.added"
        | "response.content_part.added"
        | "response.reasoning_summary_part.added"
        | "keepalive"
        | "ping" => Meaning::Ignorable,
        "response.completed" => {
            let response = &json["response"];
            if is_filled(&response["output"]) || is_counted(&response["usage"]["output_tokens"]) {
                Meaning::Output
            } else {
                Meaning::End
            }
        }
        kind if kind.ends_with(".delta") => output_if(is_filled(&json["delta"])),
        _ => Meaning::Output,
    }
}

fn anthropic(json: &Value) -> Meaning {
    match json["type"].as_str().unwrap_or_default() {
        "ping" | "message_start" | "content_block_stop" => Meaning::Ignorable,
        "content_block_start" => {
            let block = &json["content_block"];
            let announced =
                matches!(block["type"].as_str(), Some("text" | "thinking" | "tool_use" | "server_tool_use"));
            output_if(!announced || is_filled(&block["text"]) || is_filled(&block["thinking"]))
        }
        "content_block_delta" => output_if(is_filled_beside(&json["delta"], &["type"])),
        "message_delta" => output_if(
            is_reason_beside(&json["delta"]["stop_reason"], "end_turn") || is_counted(&json["usage"]["output_tokens"]),
        ),
        "message_stop" => Meaning::End,
        _ => Meaning::Output,
    }
}

fn gemini(json: &Value) -> Meaning {
    let is_schema = ["candidates", "promptFeedback", "usageMetadata"].iter().any(|field| json.get(field).is_some());
    let says = |candidate: &Value| {
        let parts = candidate["content"]["parts"].as_array();
        parts.is_some_and(|parts| parts.iter().any(|part| is_filled_beside(part, &["thought", "thoughtSignature"])))
            || is_reason_beside(&candidate["finishReason"], "STOP")
    };
    output_if(
        !is_schema
            || json["candidates"].as_array().is_some_and(|candidates| candidates.iter().any(says))
            || is_filled(&json["promptFeedback"]["blockReason"])
            || is_counted(&json["usageMetadata"]["candidatesTokenCount"]),
    )
}

fn output_if(says: bool) -> Meaning {
    if says { Meaning::Output } else { Meaning::Ignorable }
}

/// Whether there is anything in it.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(is_filled),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Whether there is anything in it but these fields.
fn is_filled_beside(value: &Value, names: &[&str]) -> bool {
    let fields = value.as_object();
    fields.is_some_and(|fields| fields.iter().any(|(name, value)| !names.contains(&name.as_str()) && is_filled(value)))
}

fn is_reason_beside(value: &Value, plain: &str) -> bool {
    value.as_str().is_some_and(|reason| !reason.is_empty() && reason != plain)
}

fn is_counted(value: &Value) -> bool {
    value.as_u64().is_some_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, data: &str) -> Meaning {
        of(dialect, Event { name: b"", data: data.as_bytes(), cut: false })
    }

    fn all(dialect: Dialect, expected: &Meaning, events: &[&str]) {
        for data in events {
            assert_eq!(read(dialect, data), *expected, "{dialect:?} {data}");
        }
    }

    #[test]
    fn a_stream_that_is_announced_binds_nobody() {
        let nothing = &Meaning::Ignorable;
        all(
            Dialect::Chat,
            nothing,
            &[
                r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
                r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[],"refusal":null}}]}"#,
                r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
                r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"completion_tokens":0}}"#,
                r#"{"choices":[{"text":"","finish_reason":null}],"error":null}"#,
                "",
            ],
        );
        all(
            Dialect::Responses,
            nothing,
            &[
                r#"{"type":"response.created","response":{"status":"in_progress","error":null,"output":[]}}"#,
                r#"{"type":"response.in_progress","response":{}}"#,
                r#"{"type":"response.output_item.added","item":{"type":"message"}}"#,
                r#"{"type":"response.output_text.delta","delta":""}"#,
            ],
        );
        all(
            Dialect::Anthropic,
            nothing,
            &[
                r#"{"type":"message_start","message":{"content":[],"usage":{"output_tokens":1}}}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":""}}"#,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":0}}"#,
            ],
        );
        all(
            Dialect::Gemini,
            nothing,
            &[
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]}}]}"#,
                r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9}}"#,
                r#"{"usageMetadata":{"promptTokenCount":9}}"#,
            ],
        );
    }

    #[test]
    fn output_is_text_a_tool_or_a_reason_to_stop() {
        let output = &Meaning::Output;
        all(
            Dialect::Chat,
            output,
            &[
                r#"{"choices":[{"delta":{"content":"H"}}]}"#,
                r#"{"choices":[{"delta":{"role":"assistant","reasoning_content":"hm"}}]}"#,
                r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,
                r#"{"choices":[{"text":"H"}]}"#,
                r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
                r#"{"choices":[],"usage":{"completion_tokens":12}}"#,
                r#"{"something":"else"}"#,
                "not json",
            ],
        );
        all(
            Dialect::Responses,
            output,
            &[
                r#"{"type":"response.output_text.delta","delta":"H"}"#,
                r#"{"type":"response.incomplete","response":{}}"#,
                r#"{"type":"response.completed","response":{"output":[{"type":"message"}]}}"#,
            ],
        );
        all(
            Dialect::Anthropic,
            output,
            &[
                r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
                r#"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":0}}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            ],
        );
        all(
            Dialect::Gemini,
            output,
            &[
                r#"{"candidates":[{"content":{"parts":[{"text":"H"}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}"#,
                r#"{"candidates":[{"finishReason":"SAFETY"}]}"#,
                r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#,
                r#"{"unknown":1}"#,
            ],
        );
        all(Dialect::Unknown, output, &[r#"{"n":1}"#, "tick", ""]);
    }

    #[test]
    fn an_end_is_an_end() {
        for dialect in [Dialect::Chat, Dialect::Responses, Dialect::Unknown] {
            all(dialect, &Meaning::End, &["[DONE]", " [DONE] "]);
        }
        all(Dialect::Anthropic, &Meaning::End, &[r#"{"type":"message_stop"}"#]);
        all(Dialect::Responses, &Meaning::End, &[r#"{"type":"response.completed","response":{"output":[]}}"#]);
    }
}
