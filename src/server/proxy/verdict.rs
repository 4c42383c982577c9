//! The decision table: what an attempt's end means for the next one (gateway.md §5 and §6). Pure.
//!
//! How it is called is said by `health::outcome`, what it means for health by `health::passive`;
//! what the client sees when it was the last is [`last_word`].

use super::error::ProxyError;
use crate::model::{group::GroupKind, request_log::AttemptOutcome};

/// Who may be asked after this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody: this is the answer.
    Nobody,
    /// Another credential, of this provider too.
    AnyOther,
    /// Another provider.
    OtherProvider,
}

/// Whether repeating a request that may have been carried out is allowed: the methods and the key
/// that make it safe, or a language model, where it costs but does no harm.
pub fn may_repeat(kind: GroupKind, idempotent: bool) -> bool {
    kind == GroupKind::Llm || idempotent
}

/// The table.
pub fn next(outcome: AttemptOutcome, may_repeat: bool) -> Next {
    use AttemptOutcome as O;
    match outcome {
        O::Answered | O::ClientError | O::ClientLeft => Next::Nobody,
        // Nothing was sent.
        O::Dns | O::AddressRefused | O::Connect | O::ConnectTimeout | O::Tls => Next::OtherProvider,
        // It was refused, not done.
        O::RateLimited | O::QuotaExhausted | O::CredentialRefused => Next::AnyOther,
        O::Overloaded | O::ModelNotFound => Next::OtherProvider,
        // It may have been done.
        O::Reset | O::FirstByteTimeout | O::InvalidResponse | O::ServerError | O::StreamError | O::EmptyStream => {
            if may_repeat {
                Next::OtherProvider
            } else {
                Next::Nobody
            }
        }
        // Content went out.
        O::BodyBroken | O::IdleTimeout | O::TotalTimeout => Next::Nobody,
    }
}

/// What the client sees when the last attempt brought no answer that could be passed on.
pub fn last_word(outcome: AttemptOutcome, detail: &str, may_repeat: bool) -> ProxyError {
    use AttemptOutcome as O;
    let upstream =
        |code: &'static str, timeout: bool| ProxyError::Upstream { code, message: detail.to_owned(), timeout };
    let ambiguous = !may_repeat;
    match outcome {
        O::ClientLeft => ProxyError::ClientLeft,
        O::CredentialRefused => ProxyError::CredentialsExhausted,
        O::Dns | O::AddressRefused | O::Connect => upstream("upstream_connect", false),
        O::Tls => upstream("upstream_tls", false),
        O::ConnectTimeout => upstream("upstream_timeout", true),
        O::FirstByteTimeout | O::TotalTimeout | O::IdleTimeout => {
            upstream(if ambiguous { "upstream_ambiguous" } else { "upstream_timeout" }, true)
        }
        O::Reset if ambiguous => upstream("upstream_ambiguous", false),
        O::Reset => upstream("upstream_reset", false),
        O::InvalidResponse => upstream("upstream_invalid_response", false),
        O::EmptyStream => upstream("upstream_empty_stream", false),
        _ => upstream("upstream_error", false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_repeated_only_where_that_is_harmless() {
        for outcome in [
            AttemptOutcome::Reset,
            AttemptOutcome::FirstByteTimeout,
            AttemptOutcome::ServerError,
            AttemptOutcome::StreamError,
            AttemptOutcome::EmptyStream,
        ] {
            assert_eq!(next(outcome, may_repeat(GroupKind::Llm, false)), Next::OtherProvider);
            assert_eq!(next(outcome, may_repeat(GroupKind::Generic, true)), Next::OtherProvider);
            assert_eq!(next(outcome, may_repeat(GroupKind::Generic, false)), Next::Nobody);
        }
        assert_eq!(next(AttemptOutcome::Connect, false), Next::OtherProvider);
        assert_eq!(next(AttemptOutcome::ClientError, true), Next::Nobody);
        assert_eq!(next(AttemptOutcome::BodyBroken, true), Next::Nobody);
    }

    #[test]
    fn a_refused_credential_is_never_a_raw_401() {
        assert_eq!(last_word(AttemptOutcome::CredentialRefused, "", true).status(), 502);
        assert_eq!(last_word(AttemptOutcome::FirstByteTimeout, "", false).code(), "upstream_ambiguous");
        assert_eq!(last_word(AttemptOutcome::ConnectTimeout, "", true).status(), 504);
    }
}
