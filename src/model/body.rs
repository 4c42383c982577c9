//! Bodies of requests and answers, kept beside the request log where a group or a key asks for it.

use serde::{Deserialize, Serialize};

/// What a row of the log says of the bodies of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyNote {
    /// They were handed on to be kept. `false`: they were dropped, because too much waited to be written.
    pub kept: bool,
    /// Bytes of the request's body that were taken.
    pub request_bytes: u64,
    /// The request's body was longer; only its beginning was taken.
    pub request_truncated: bool,
    /// Bytes of the answer that were taken.
    pub response_bytes: u64,
    /// The answer was longer; only its beginning was taken.
    pub response_truncated: bool,
}

/// Both bodies of one request as they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestBodies {
    /// What the client sent.
    pub request: KeptBody,
    /// What the client was sent.
    pub response: KeptBody,
}

/// A body as it is kept: without the secrets that could be recognised in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBody {
    /// `Content-Type` it was sent with; empty where there was none.
    pub content_type: String,
    /// Bytes that were taken, secrets included.
    pub bytes: u64,
    /// It was longer; only its beginning was taken.
    pub truncated: bool,
    /// Its text; `None` where it is none (an image, or compressed): what cannot be read cannot be rid of secrets, and
    /// is not kept.
    pub text: Option<String>,
    /// Secrets that were taken out of the text.
    pub redacted: u32,
}
