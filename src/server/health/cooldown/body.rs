//! What the JSON of an error says about waiting.

use serde_json::Value;

use super::span;

/// Bodies above this are not searched.
const LONGEST: usize = 64 * 1024;
/// What announces a span: OpenAI writes "Please try again in 6m0s.", Azure "Please retry after 26
/// seconds.", Google "Please retry in 37.5s."
const SENTENCES: [&str; 3] = ["try again in ", "retry after ", "retry in "];

/// The pause an error body names, milliseconds. Any bytes will do: what is no such body says nothing.
pub fn pause_ms(body: &[u8]) -> Option<u64> {
    if body.len() > LONGEST {
        return None;
    }
    // The parser bounds the depth, so the walk below is bounded too.
    find(&serde_json::from_slice(body).ok()?)
}

fn find(value: &Value) -> Option<u64> {
    match value {
        Value::Object(fields) => {
            let named = fields.iter().find_map(|(name, value)| field_ms(name, value));
            named.or_else(|| fields.values().find_map(find))
        }
        Value::Array(items) => items.iter().find_map(find),
        _ => None,
    }
}

fn field_ms(name: &str, value: &Value) -> Option<u64> {
    match (name, value) {
        ("retryDelay", Value::String(text)) => span::span_ms(text),
        ("retry_after" | "retryAfter", Value::Number(number)) => span::decimal(&number.to_string(), 1_000),
        ("retry_after_ms", Value::Number(number)) => span::decimal(&number.to_string(), 1),
        ("message", Value::String(text)) => sentence_ms(text),
        _ => None,
    }
}

fn sentence_ms(text: &str) -> Option<u64> {
    let rest = SENTENCES.iter().find_map(|sentence| text.split_once(sentence))?.1;
    let word = rest.split_whitespace().next()?;
    let next = rest.split_whitespace().nth(1).unwrap_or_default();
    let trim = |word: &str| word.trim_end_matches(['.', ',', '!', ')']).to_owned();
    span::span_ms(&trim(word)).or_else(|| span::span_ms(&format!("{word} {}", trim(next))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_is_found() {
        let cases = [
            (r#"[{"error":{"details":[{"reason":"x"},{"retryDelay":"37.5s"}]}}]"#, 37_500),
            (r#"{"retry_after":1.25}"#, 1_250),
            (r#"{"error":{"retry_after_ms":90000}}"#, 90_000),
            (r#"{"error":{"message":"Rate limit reached. Please try again in 6m0s. Visit …"}}"#, 360_000),
            (r#"{"error":{"message":"Please try again in 20 seconds."}}"#, 20_000),
            (r#"{"message":"try again in 250ms"}"#, 250),
        ];
        for (body, expected) in cases {
            assert_eq!(pause_ms(body.as_bytes()), Some(expected), "{body}");
        }
    }

    #[test]
    fn other_bodies_say_nothing() {
        for body in [
            "",
            "{",
            "null",
            r#"{"error":{"message":"try again in "}}"#,
            r#"{"retryDelay":37}"#,
            r#"{"retry_after":-1}"#,
        ] {
            assert_eq!(pause_ms(body.as_bytes()), None, "{body}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(pause_ms(deep.as_bytes()), None);
    }
}
