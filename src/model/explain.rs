//! What a group would do with the next request, and why: the verdict on every member, before anything is sent.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{
    group::Strategy,
    id::{ApiKeyId, CredentialId, ProviderId},
    problem::{Issue, Problem, Validate, note},
    request_log::SkipReason,
};

/// Draws that the shares are counted over.
pub const DRAWS: u32 = 100;

/// A request that might come next. Everything may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExplainQuery {
    /// Method.
    pub method: String,
    /// Path after the slug, from its `/` on.
    pub path: String,
    /// Model asked for.
    pub model: Option<String>,
    /// Key of the client; `None` asks for no key's leave.
    pub api_key: Option<ApiKeyId>,
    /// Address of the client; `None` asks no address range.
    pub client_ip: Option<IpAddr>,
    /// Value of the header that a sticky group holds on to.
    pub header: Option<String>,
}

impl Default for ExplainQuery {
    fn default() -> Self {
        Self {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            model: None,
            api_key: None,
            client_ip: None,
            header: None,
        }
    }
}

impl Validate for ExplainQuery {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        let method = !self.method.is_empty() && self.method.bytes().all(|byte| byte.is_ascii_uppercase());
        note(problems, at, "method", if method { Ok(()) } else { Err(Issue::InvalidMethod) });
        let path = self.path.starts_with('/') && self.path.bytes().all(|byte| byte.is_ascii_graphic());
        note(problems, at, "path", if path { Ok(()) } else { Err(Issue::InvalidPattern) });
        let header = self.header.as_ref().is_none_or(|value| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        note(problems, at, "header", if header { Ok(()) } else { Err(Issue::InvalidSecret) });
    }
}

/// What would happen now. Nothing was taken, counted or moved to find it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Found out at, unix milliseconds.
    pub at_ms: i64,
    /// Revision of the configuration that serves.
    pub revision: i64,
    /// How members are drawn.
    pub strategy: Strategy,
    /// Distinct providers that are tried at most.
    pub max_attempts: u32,
    /// Set when the request would be refused before any provider is asked.
    pub refused: Option<Refused>,
    /// Every member: first those in line, in their order, then the others.
    pub members: Vec<MemberVerdict>,
}

/// What the client would be told instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Status.
    pub status: u16,
    /// Stable code: `path_forbidden`.
    pub code: String,
    /// In one line.
    pub message: String,
}

/// What the draw makes of one member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberVerdict {
    /// Which provider.
    pub provider: ProviderId,
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: u32,
    /// Its turn if all before it fail: 1 is asked first. `None` when it is not in line.
    pub place: Option<u32>,
    /// Share of the next hundred draws, 0–1, nothing else changing.
    pub share: f64,
    /// Base weight.
    pub priority: u32,
    /// Health factor on it, 0–1.
    pub factor: f64,
    /// Whether the request would be the trial of a provider that was taken out.
    pub trial: bool,
    /// What it is owed at its draw, where the strategy keeps credits.
    pub credit: Option<f64>,
    /// Requests in flight.
    pub in_flight: u32,
    /// How many may be in flight there before others are preferred, where the strategy bounds it.
    pub room: Option<u32>,
    /// The credential it would be asked with.
    pub credential: Option<CredentialId>,
    /// Why it is passed over.
    pub skipped: Option<SkipReason>,
    /// Until when, unix milliseconds, where that is known.
    pub until_ms: Option<i64>,
    /// The limit of its own that is reached.
    pub full: Option<FullLimit>,
}

/// A limit that an upstream has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullLimit {
    /// Which one.
    pub limit: LimitName,
    /// How many it allows.
    pub most: u64,
}

/// Limits of a provider or a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// Requests per minute.
    Rpm,
    /// Requests at once.
    Concurrency,
    /// Requests per day.
    RequestsPerDay,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_needs_to_be_named() {
        let query: ExplainQuery = serde_json::from_str("{}").expect("a query");
        assert_eq!(query, ExplainQuery::default());
        assert!(query.validate().is_ok());
        let strange = ExplainQuery { method: "get".into(), path: "v1 x".into(), ..query };
        assert_eq!(strange.validate().expect_err("two problems").len(), 2);
    }
}
