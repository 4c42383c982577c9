//! What a request asks a model for, in the words of the semantic conventions for GenAI.

use crate::model::request_log::{Attempt, AttemptOutcome, Outcome, RequestRow};

/// An operation of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Operation {
    /// `gen_ai.operation.name`.
    pub(super) name: &'static str,
    /// `gen_ai.provider.name`: whose API it is. Who really answers is `rondo.provider`, a name of the operator's.
    pub(super) api: &'static str,
}

impl Operation {
    /// By the end of the path, as everywhere here; a request that names no model asks none.
    pub(super) fn of(row: &RequestRow) -> Option<Self> {
        row.model.as_ref()?;
        let path = row.path.trim_end_matches('/');
        ENDINGS.iter().find(|(ending, ..)| path.ends_with(ending)).map(|&(_, name, api)| Self { name, api })
    }
}

/// End of a path, operation, API. The first that fits holds.
const ENDINGS: [(&str, &str, &str); 11] = [
    ("/chat/completions", "chat", "openai"),
    ("/responses", "chat", "openai"),
    ("/completions", "text_completion", "openai"),
    ("/embeddings", "embeddings", "openai"),
    ("/messages", "chat", "anthropic"),
    (":streamRawPredict", "chat", "gcp.vertex_ai"),
    (":rawPredict", "chat", "gcp.vertex_ai"),
    (":generateContent", "generate_content", "gcp.gen_ai"),
    (":streamGenerateContent", "generate_content", "gcp.gen_ai"),
    (":embedContent", "embeddings", "gcp.gen_ai"),
    (":batchEmbedContents", "embeddings", "gcp.gen_ai"),
];

/// `error.type` of an attempt: the word of the log, for whatever did not bring the answer that was asked for.
pub(super) fn error_of_attempt(attempt: &Attempt) -> Option<&'static str> {
    (attempt.outcome != AttemptOutcome::Answered).then(|| attempt.outcome.as_str())
}

/// `error.type` of a request: our own code, the status, or that the answer broke. A client's own mistake is no
/// error of a server (semantic conventions for HTTP spans).
pub(super) fn error_of_request(row: &RequestRow) -> Option<String> {
    if row.outcome == Outcome::Interrupted {
        return Some(Outcome::Interrupted.as_str().to_owned());
    }
    (row.status >= 500).then(|| row.error_code.clone().unwrap_or_else(|| row.status.to_string()))
}

/// `http.request.method`, of which there is a bounded number.
pub(super) fn method(row: &RequestRow) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == row.method).unwrap_or("_OTHER")
}

/// `http.route`: with the group where there is one; clients may ask for any.
pub(super) fn route(row: &RequestRow) -> String {
    match row.group {
        Some(_) => format!("/api/proxy/{}/{{path}}", row.group_slug),
        None => "/api/proxy/{group}/{path}".to_owned(),
    }
}
