//! OpenAI tells the usage of a stream only when asked: `stream_options.include_usage`. Where the client did
//! not ask, the gateway does, by changing exactly those bytes of the body.

use std::ops::Range;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The change to a body that asks for usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// What is replaced; empty where something is put in.
    pub place: Range<usize>,
    /// By what.
    pub text: &'static str,
}

#[derive(Deserialize)]
struct Options<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    include_usage: Option<&'a RawValue>,
}

/// A value that is there, be it null.
pub(in crate::server::proxy) fn present<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(reader).map(Some)
}

impl Injection {
    /// How to ask in this body, an object with a field or more; `options` is its `stream_options`. `None`
    /// where the client asked, or where its options are no options.
    pub fn plan(text: &str, options: Option<&RawValue>) -> Option<Self> {
        let put_in = |at: usize, text| Some(Self { place: at..at, text });
        let Some(options) = options else {
            return put_in(text.find('{')? + 1, r#""stream_options":{"include_usage":true},"#);
        };
        let raw = options.get();
        let whole = place_of(text, raw);
        if raw == "null" || raw.strip_prefix('{').is_some_and(|inside| inside.trim_start() == "}") {
            return Some(Self { place: whole, text: r#"{"include_usage":true}"# });
        }
        match serde_json::from_str::<Options<'_>>(raw).ok()?.include_usage.map(RawValue::get) {
            Some("true") => None,
            Some(other) => Some(Self { place: place_of(text, other), text: "true" }),
            None => put_in(whole.start + 1, r#""include_usage":true,"#),
        }
    }
}

/// A raw value borrows from its body, so their distance is its place.
pub(in crate::server::proxy) fn place_of(text: &str, raw: &str) -> Range<usize> {
    let start = raw.as_ptr() as usize - text.as_ptr() as usize;
    start..start + raw.len()
}
