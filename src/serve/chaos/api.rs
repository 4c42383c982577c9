//! What the APIs of OpenAI, Anthropic and Gemini answer, whole and as events.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{
    received::Received,
    script::{Form, Words},
};

const WORDS: [&str; 8] = ["round", "and", "round", "the", "theme", "comes", "home", "again"];

/// A part of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// An event as it is.
    Event(String),
    /// The word of this number; the pause comes before it.
    Word(u32),
}

/// Whose API a request speaks, by its path, and whether it asks for a stream.
pub(super) fn asked(request: &Received) -> Option<(Form, bool)> {
    let path = request.path();
    let streams = || request.json()["stream"] == json!(true);
    if path.ends_with("/chat/completions") {
        Some((Form::Openai, streams()))
    } else if path.ends_with("/messages") {
        Some((Form::Anthropic, streams()))
    } else if path.ends_with(":streamGenerateContent") {
        Some((Form::Gemini, true))
    } else {
        path.ends_with(":generateContent").then_some((Form::Gemini, false))
    }
}

/// Whether a request asks which models there are.
pub(super) fn asks_for_models(request: &Received) -> bool {
    request.path().ends_with("/models")
}

/// The list of models.
pub(super) fn models() -> Value {
    json!({ "object": "list", "data": [{ "id": "demo-1", "object": "model", "created": 1, "owned_by": "rondo" }] })
}

/// An answer that is not streamed.
pub(super) fn whole(form: Form, words: &Words) -> Value {
    let text = (0..words.count).map(|index| word(words, index)).collect::<Vec<_>>().join(" ");
    match form {
        Form::Openai => json!({
            "id": "chatcmpl-demo", "object": "chat.completion", "created": 1, "model": "demo-1",
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
            "usage": openai_usage(words),
        }),
        Form::Anthropic => anthropic_message(&json!([{ "type": "text", "text": text }]), words.count),
        Form::Gemini => gemini(&text, Some(words)),
        Form::Plain => json!({ "text": text }),
    }
}

/// The events of a stream, in their order.
pub(super) fn beats(form: Form, words: &Words) -> Vec<Beat> {
    let said = words.error_after.map_or(words.count, |after| after.min(words.count));
    let mut beats = Vec::with_capacity(said as usize + 4);
    if words.error_after == Some(0) {
        return vec![Beat::Event(error(form))];
    }
    if said == 0 {
        return beats;
    }
    beats.extend(before(form).into_iter().map(Beat::Event));
    beats.extend((0..said).map(Beat::Word));
    if words.error_after.is_some() {
        beats.push(Beat::Event(error(form)));
    } else {
        beats.extend(after(form, words).into_iter().map(Beat::Event));
    }
    beats
}

/// The event of one word.
pub(super) fn event(form: Form, words: &Words, index: u32) -> String {
    let text = format!("{} ", word(words, index));
    match form {
        Form::Openai => openai_chunk(&json!({ "content": text }), &Value::Null, &Value::Null),
        Form::Anthropic => {
            named("content_block_delta", json!({ "index": 0, "delta": { "type": "text_delta", "text": text } }))
        }
        Form::Gemini => format!("data: {}\n\n", gemini(&text, None)),
        Form::Plain => format!("data: {text}\n\n"),
    }
}

fn before(form: Form) -> Vec<String> {
    match form {
        Form::Openai => vec![openai_chunk(&json!({ "role": "assistant", "content": "" }), &Value::Null, &Value::Null)],
        Form::Anthropic => vec![
            named("message_start", json!({ "message": anthropic_message(&json!([]), 0) })),
            named("content_block_start", json!({ "index": 0, "content_block": { "type": "text", "text": "" } })),
        ],
        Form::Gemini | Form::Plain => Vec::new(),
    }
}

fn after(form: Form, words: &Words) -> Vec<String> {
    match form {
        Form::Openai => {
            vec![openai_chunk(&json!({}), &json!("stop"), &openai_usage(words)), "data: [DONE]\n\n".to_owned()]
        }
        Form::Anthropic => vec![
            named("content_block_stop", json!({ "index": 0 })),
            named(
                "message_delta",
                json!({ "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": words.count } }),
            ),
            named("message_stop", json!({})),
        ],
        Form::Gemini => vec![format!("data: {}\n\n", gemini("", Some(words)))],
        Form::Plain => vec!["data: end\n\n".to_owned()],
    }
}

/// The error event of a provider that is overloaded.
fn error(form: Form) -> String {
    match form {
        Form::Openai => {
            let error = json!({ "error": { "type": "server_error", "code": "server_error", "message": "overloaded" } });
            format!("data: {error}\n\n")
        }
        Form::Anthropic => named("error", json!({ "error": { "type": "overloaded_error", "message": "Overloaded" } })),
        Form::Gemini => {
            let error = json!({ "error": { "code": 503, "message": "overloaded", "status": "UNAVAILABLE" } });
            format!("data: {error}\n\n")
        }
        Form::Plain => "event: error\ndata: overloaded\n\n".to_owned(),
    }
}

fn word(words: &Words, index: u32) -> String {
    if words.stamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        return now.as_micros().to_string();
    }
    WORDS[index as usize % WORDS.len()].to_owned()
}

fn openai_chunk(delta: &Value, finish: &Value, usage: &Value) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let chunk = json!({
        "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 1, "model": "demo-1",
        "choices": [choice], "usage": usage,
    });
    format!("data: {chunk}\n\n")
}

fn openai_usage(words: &Words) -> Value {
    json!({ "prompt_tokens": 12, "completion_tokens": words.count, "total_tokens": 12 + words.count })
}

fn anthropic_message(content: &Value, output_tokens: u32) -> Value {
    json!({
        "id": "msg_demo", "type": "message", "role": "assistant", "model": "demo-1", "content": content,
        "stop_reason": (output_tokens > 0).then_some("end_turn"), "stop_sequence": null,
        "usage": { "input_tokens": 12, "output_tokens": output_tokens },
    })
}

fn gemini(text: &str, end: Option<&Words>) -> Value {
    let mut candidate = json!({ "index": 0, "content": { "role": "model", "parts": [{ "text": text }] } });
    let mut answer = json!({ "modelVersion": "demo-1" });
    if let Some(words) = end {
        candidate["finishReason"] = json!("STOP");
        answer["usageMetadata"] = json!({
            "promptTokenCount": 12, "candidatesTokenCount": words.count, "totalTokenCount": 12 + words.count,
        });
    }
    answer["candidates"] = json!([candidate]);
    answer
}

/// A named event: its name stands in its data again, as Anthropic has it.
fn named(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(form: Form, words: &Words) -> String {
        let beats = beats(form, words).into_iter();
        beats
            .map(|beat| match beat {
                Beat::Event(text) => text,
                Beat::Word(index) => event(form, words, index),
            })
            .collect()
    }

    #[test]
    fn each_form_ends_as_its_api_does() {
        let words = Words { count: 2, ..Words::default() };
        assert!(told(Form::Openai, &words).ends_with("data: [DONE]\n\n"));
        assert!(told(Form::Anthropic, &words).ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
        assert!(told(Form::Gemini, &words).contains("\"finishReason\":\"STOP\""));
        for form in [Form::Openai, Form::Anthropic, Form::Gemini, Form::Plain] {
            let text = told(form, &words);
            assert!(text.contains("round ") && text.contains("and ") && !text.contains("overloaded"), "{text}");
        }
    }

    #[test]
    fn an_error_is_the_first_event_or_comes_after_content_and_nothing_follows() {
        for form in [Form::Openai, Form::Anthropic, Form::Gemini, Form::Plain] {
            let first = told(form, &Words { error_after: Some(0), ..Words::default() });
            assert!(first.to_lowercase().contains("overloaded") && !first.contains("round"), "{first}");
            let later = told(form, &Words { error_after: Some(2), ..Words::default() });
            assert!(later.contains("and ") && !later.contains("the ") && !later.contains("[DONE]"), "{later}");
            assert!(later.ends_with(&first), "{later}");
            assert_eq!(told(form, &Words { count: 0, ..Words::default() }), "", "an empty stream");
        }
    }
}
