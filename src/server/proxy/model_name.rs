//! The model a request asks for: found in the body without rewriting it, mapped by cutting exactly
//! the bytes of its value. Everything else stays byte for byte.

use std::{borrow::Cow, ops::Range};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    dialect::Dialect,
    multipart,
    usage::include::{Injection, place_of, present},
};

/// Where the body names the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    /// The name.
    pub name: String,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// The JSON string in the body, quotes included.
    Json(Range<usize>),
    /// The value of a part of a form.
    Part(Range<usize>),
    /// In the path, which is not rewritten.
    Path,
}

/// What a body asks for, read in one pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The model.
    pub model: Option<ModelName>,
    /// `"stream": true`.
    pub stream: bool,
    /// How to ask for the usage of the stream, where the client does not and its protocol has to be asked.
    pub injection: Option<Injection>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    stream_options: Option<&'a RawValue>,
}

impl Wish {
    /// Reads the top-level `model` and `stream` of a JSON body, the field `model` of a form, or
    /// `…/models/{name}:{verb}` of the path.
    pub fn read(headers: &HeaderMap, tail: &str, body: &Bytes) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let in_body = match kind.get(..10) {
            _ if body.is_empty() => None,
            Some(start) if start.eq_ignore_ascii_case("multipart/") => {
                Some(Self { model: ModelName::in_form(kind, body), ..Self::default() })
            }
            _ if kind.is_empty() || kind.contains("json") => Self::in_json(tail, body),
            _ => None,
        };
        let wish = in_body.unwrap_or_default();
        Self { model: wish.model.or_else(|| ModelName::in_path(tail)), ..wish }
    }

    fn in_json(tail: &str, body: &Bytes) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let named = serde_json::from_str::<Named<'_>>(text).ok()?;
        let stream = named.stream.is_some_and(|raw| raw.get() == "true");
        let must_ask = stream && Dialect::of(tail) == Dialect::Chat;
        let injection = must_ask.then(|| Injection::plan(text, named.stream_options)).flatten();
        Some(Self { model: named.model.and_then(|raw| ModelName::at(text, raw.get())), stream, injection })
    }
}

impl ModelName {
    /// Reads what [`Wish::read`] does, and the model alone.
    pub fn find(headers: &HeaderMap, tail: &str, body: &Bytes) -> Option<Self> {
        Wish::read(headers, tail, body).model
    }

    fn in_form(kind: &str, body: &Bytes) -> Option<Self> {
        let place = multipart::field(kind, body, "model")?;
        let name = std::str::from_utf8(&body[place.clone()]).ok()?.to_owned();
        Some(Self { name, place: Place::Part(place) })
    }

    fn at(text: &str, raw: &str) -> Option<Self> {
        let name: Cow<'_, str> = serde_json::from_str(raw).ok()?;
        Some(Self { name: name.into_owned(), place: Place::Json(place_of(text, raw)) })
    }

    fn in_path(tail: &str) -> Option<Self> {
        let last = tail.rsplit_once("/models/")?.1;
        let name = last.rsplit_once(':').map(|(name, _)| name)?;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), place: Place::Path })
    }

    /// The change to a body that puts another name in the same place; `None` where that is the path.
    pub fn renamed(&self, other: &str) -> Option<Edit> {
        match &self.place {
            Place::Json(place) => Some((place.clone(), serde_json::Value::from(other).to_string().into())),
            Place::Part(place) => Some((place.clone(), other.to_owned().into())),
            Place::Path => None,
        }
    }
}

/// Bytes of a body, and what stands there instead.
pub type Edit = (Range<usize>, Cow<'static, str>);

/// The body with these changes, which do not overlap; every other byte stays.
pub fn edited(body: &Bytes, mut edits: Vec<Edit>) -> Bytes {
    edits.sort_by_key(|(place, _)| place.start);
    let more: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = BytesMut::with_capacity(body.len() + more);
    let mut at = 0;
    for (place, text) in edits {
        out.extend_from_slice(&body[at..place.start]);
        out.extend_from_slice(text.as_bytes());
        at = place.end;
    }
    out.extend_from_slice(&body[at..]);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_a_model_touches_no_other_byte() {
        let body = Bytes::from_static(b"{ \"a\" : 1.0e2,\"model\" : \"gpt-4\" , \"x\":{\"model\":\"no\"} }");
        let found = ModelName::find(&HeaderMap::new(), "/v1/x", &body).expect("a model");
        assert_eq!(found.name, "gpt-4");
        let mapped = edited(&body, found.renamed("gpt-4.1 \"q\"").into_iter().collect());
        assert_eq!(&mapped[..], b"{ \"a\" : 1.0e2,\"model\" : \"gpt-4.1 \\\"q\\\"\" , \"x\":{\"model\":\"no\"} }");
    }

    #[test]
    fn a_stream_is_asked_for_by_true_and_nothing_else() {
        let asks = |body: &'static str| Wish::read(&HeaderMap::new(), "", &Bytes::from_static(body.as_bytes())).stream;
        assert!(asks(r#"{"model":"m","stream": true }"#));
        for body in [r#"{"stream":false}"#, r#"{"stream":"true"}"#, r#"{"x":{"stream":true}}"#, "{}", "", "[true]"] {
            assert!(!asks(body), "{body}");
        }
    }

    #[test]
    fn a_form_is_mapped_by_the_value_of_its_field_alone() {
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static("multipart/form-data; boundary=B"),
        )]);
        let form = |model: &str| {
            let model = format!("--B\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n");
            Bytes::from(format!(
                "{model}--B\r\ncontent-disposition: form-data; name=file; filename=a\r\n\r\n\0\r\n--B--\r\n"
            ))
        };
        let found = ModelName::find(&headers, "/v1/audio/transcriptions", &form("whisper")).expect("a model");
        assert_eq!(found.name, "whisper");
        let mapped = edited(&form("whisper"), found.renamed("whisper-large-v3").into_iter().collect());
        assert_eq!(mapped, form("whisper-large-v3"));
    }

    #[test]
    fn a_model_may_stand_in_the_path() {
        let found = ModelName::find(&HeaderMap::new(), "/v1beta/models/gemini-pro:generateContent", &Bytes::new());
        assert_eq!(found.map(|model| model.name), Some("gemini-pro".to_owned()));
        assert_eq!(ModelName::find(&HeaderMap::new(), "/v1/models", &Bytes::new()), None);
    }

    #[test]
    fn a_body_that_is_no_json_names_no_model() {
        let find = |body: &'static str| ModelName::find(&HeaderMap::new(), "", &Bytes::from_static(body.as_bytes()));
        assert_eq!(find("{\"model\":"), None);
        assert_eq!(find("{\"model\":5}"), None);
        assert_eq!(find("[1]"), None);
    }
}
