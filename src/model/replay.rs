//! Sending a recorded request again, to see what becomes of it now.

use serde::{Deserialize, Serialize};

use super::{
    body::KeptBody,
    id::{ProviderId, RequestId},
    problem::{Issue, Problem, Validate, note},
};

/// Largest body that can be pasted, bytes.
pub const PASTED_MAX: u32 = 4 << 20;

/// What is to be sent, beside what the log knows of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayDraft {
    /// To this member of the group alone; `None` goes through the group as a client's request would.
    pub provider: Option<ProviderId>,
    /// The body; `None` sends the one that was kept.
    pub body: Option<String>,
    /// Its `Content-Type`; `None` is that of the body that was kept, else JSON.
    pub content_type: Option<String>,
}

impl Validate for ReplayDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        if self.body.as_ref().is_some_and(|body| body.len() > PASTED_MAX as usize) {
            note(problems, at, "body", Err(Issue::TooLong { max: PASTED_MAX }));
        }
        let plain = |text: &String| text.len() <= 200 && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if !self.content_type.as_ref().is_none_or(plain) {
            note(problems, at, "content_type", Err(Issue::InvalidHeader));
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// It is a request of its own in the log, with its attempts and reasons.
    pub id: RequestId,
    /// Status that a client would have seen.
    pub status: u16,
    /// Headers that a client would have seen, in their order.
    pub headers: Vec<(String, String)>,
    /// Time to the head of the answer, microseconds.
    pub head_us: u64,
    /// Time to its end, microseconds.
    pub total_us: u64,
    /// Whether it came to its end.
    pub complete: bool,
    /// Its body, without the secrets that can be recognised in it.
    pub body: KeptBody,
}
