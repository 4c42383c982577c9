//! What to do with a request, as JSON: `{"status": 503, "headers": [["retry-after", "5"]], "body": {"text": "busy"}}`.
//!
//! Everything has a default, so a script says only what is out of the ordinary; a field that does not
//! exist is an error, because a misspelt fault would be a test that cannot fail.

use serde::{Deserialize, Serialize};

/// One answer, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Only the provider of this name does it: a request passes several when one fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Wait before the first byte, milliseconds.
    pub delay_ms: u64,
    /// Status; any three digits.
    pub status: u16,
    /// Headers beside those of the body; names may repeat.
    pub headers: Vec<(String, String)>,
    /// A header of so many bytes more.
    pub head_bytes: u64,
    /// What the answer says.
    pub body: Content,
    /// How the end of the body is told.
    pub framing: Framing,
    /// Speed of the body, bytes a second; 0 is as fast as it goes.
    pub bytes_per_second: u64,
    /// Where the answer breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Closes the connection so long after a whole answer, without having said that it would, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close_after_ms: Option<u64>,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// What the API that the path names would answer, streamed where the request asks for it.
    Api(Words),
    /// An event stream of this form, whatever was asked.
    Events(Events),
    /// What was received, as JSON: method, target, headers, length and hash of the body.
    Echo,
    /// This text.
    Text(String),
    /// So many bytes.
    Bytes(u64),
    /// The whole answer byte for byte, its head included.
    Raw(String),
}

/// A stream of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Whose events.
    pub form: Form,
    /// How many, how fast.
    pub words: Words,
}

/// Content of an answer, word by word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// How many; of a stream without any, nothing but the head is sent.
    pub count: u32,
    /// Pause between two, milliseconds.
    pub interval_ms: u64,
    /// After so many, an error event ends the stream; 0: it is the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_after: Option<u32>,
    /// Words are the time they are sent at, unix microseconds: to measure what a gateway adds.
    pub stamp: bool,
}

/// Whose events a stream speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Chat completions: `data: {…}`, then `data: [DONE]`.
    #[default]
    Openai,
    /// Messages: named events from `message_start` to `message_stop`.
    Anthropic,
    /// `streamGenerateContent?alt=sse`: `data: {"candidates": …}`.
    Gemini,
    /// `data: word`, a schema that nobody knows.
    Plain,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Chunks for streams, a length for everything else.
    #[default]
    Auto,
    /// Chunks.
    Chunked,
    /// `Content-Length`, where the length is known.
    Length,
    /// The connection's end.
    Close,
}

/// Where an answer breaks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// How.
    pub by: CutBy,
    /// Behind so many bytes of the body, at the latest in place of its end; without: before the head.
    #[serde(default)]
    pub after_bytes: Option<u64>,
}

/// How an answer breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutBy {
    /// Nothing more comes; the connection stays open.
    Hang,
    /// A reset.
    Reset,
    /// The connection is closed.
    Close,
    /// Nothing more will come, but it still listens.
    HalfClose,
    /// A chunk whose size is no number.
    BadChunk,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            on: None,
            delay_ms: 0,
            status: 200,
            headers: Vec::new(),
            head_bytes: 0,
            body: Content::Api(Words::default()),
            framing: Framing::Auto,
            bytes_per_second: 0,
            cut: None,
            close_after_ms: None,
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self { count: 8, interval_ms: 0, error_after: None, stamp: false }
    }
}

impl Script {
    /// An answer with this status and text.
    pub fn status(status: u16, text: &str) -> Self {
        Self { status, body: Content::Text(text.to_owned()), ..Self::default() }
    }

    /// An ordinary answer that breaks before its first byte.
    pub fn cut(by: CutBy) -> Self {
        Self { cut: Some(Cut { by, after_bytes: None }), ..Self::default() }
    }

    /// An ordinary answer that breaks behind so many bytes of its body.
    pub fn cut_after(after_bytes: u64, by: CutBy) -> Self {
        Self { cut: Some(Cut { by, after_bytes: Some(after_bytes) }), ..Self::default() }
    }

    /// These bytes and nothing else.
    pub fn raw(bytes: &str) -> Self {
        Self { body: Content::Raw(bytes.to_owned()), ..Self::default() }
    }

    /// A stream of `form`.
    pub fn events(form: Form, words: Words) -> Self {
        Self { body: Content::Events(Events { form, words }), ..Self::default() }
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Reads one script, or a list of them.
pub(super) fn read(text: &[u8]) -> serde_json::Result<Vec<Script>> {
    if text.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice(text)
    } else {
        serde_json::from_slice(text).map(|script| vec![script])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_only_what_is_out_of_the_ordinary() {
        let script: Script = serde_json::from_str(r#"{"status":429,"headers":[["retry-after","5"]]}"#).expect("valid");
        assert_eq!((script.status, script.headers.len(), script.cut), (429, 1, None));
        let script: Script = serde_json::from_str(r#"{"cut":{"by":"reset","after_bytes":10}}"#).expect("valid");
        assert_eq!(script, Script::cut_after(10, CutBy::Reset));
        let script: Script = serde_json::from_str(r#"{"body":"echo"}"#).expect("valid");
        assert_eq!(script.body, Content::Echo);
        let text = r#"{"body":{"events":{"form":"anthropic","words":{"count":3,"error_after":1}}}}"#;
        let script: Script = serde_json::from_str(text).expect("valid");
        let words = Words { count: 3, error_after: Some(1), ..Words::default() };
        assert_eq!(script, Script::events(Form::Anthropic, words));
    }

    #[test]
    fn several_scripts_are_a_list() {
        assert_eq!(read(b"{}").expect("valid"), [Script::default()]);
        let statuses: Vec<u16> = read(b" [{\"status\":500},{}]").expect("valid").iter().map(|one| one.status).collect();
        assert_eq!(statuses, [500, 200]);
        let error = read(b"[{\"statsu\":500}]").expect_err("misspelt").to_string();
        assert!(error.contains("statsu"), "{error}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let script = Script { on: Some("a".into()), ..Script::raw("x").with_header("a", "b") };
        let text = serde_json::to_string(&script).expect("JSON");
        assert_eq!(serde_json::from_str::<Script>(&text).expect("valid"), script);
    }

    #[test]
    fn a_misspelt_fault_is_an_error() {
        for text in [r#"{"statsu":500}"#, r#"{"cut":{"by":"magic"}}"#, r#"{"cut":{"by":"reset","bytes":1}}"#] {
            assert!(serde_json::from_str::<Script>(text).is_err(), "{text}");
        }
    }
}
