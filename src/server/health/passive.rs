//! What an outcome means: for the provider's breaker, and for the credential that was used.
//!
//! The table of `gateway.md` §5 as one pure function, so that the proxy decides nothing by itself.

use super::{
    breaker::Verdict,
    credential::{CredentialState, Refusal},
};
use crate::model::request_log::AttemptOutcome;

/// A 429 that names no time, milliseconds.
const RATE_LIMITED_MS: u64 = 60_000;

/// What the attempt says about its provider.
pub fn verdict(outcome: AttemptOutcome) -> Verdict {
    match outcome.success() {
        Some(true) => Verdict::Success,
        Some(false) => Verdict::Failure,
        None => Verdict::Neutral,
    }
}

/// What an answer brings besides its outcome; nothing where there was no answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Its status.
    pub status: Option<u16>,
    /// What the upstream asked for, milliseconds, as [`super::cooldown`] read it.
    pub retry_after_ms: Option<u64>,
}

/// Applies the outcome to the credential: cooldown, refusal, or proof that it works. Returns the
/// pause, if it is given one, milliseconds.
pub fn learn(credential: &CredentialState, outcome: AttemptOutcome, told: Told, now_ms: u64) -> Option<u64> {
    match outcome {
        AttemptOutcome::RateLimited => Some(credential.cool(now_ms, told.retry_after_ms.unwrap_or(RATE_LIMITED_MS))),
        AttemptOutcome::QuotaExhausted => Some(credential.exhausted(now_ms)),
        AttemptOutcome::Overloaded => Some(credential.overloaded(now_ms, told.retry_after_ms)),
        AttemptOutcome::CredentialRefused => {
            let refusal = if told.status == Some(403) { Refusal::Perhaps } else { Refusal::Credential };
            credential.refused(now_ms, refusal);
            None
        }
        AttemptOutcome::Answered => {
            credential.accepted();
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::id::CredentialId, server::health::credential::Standing};

    fn after(outcome: AttemptOutcome, retry_after_ms: Option<u64>) -> Standing {
        let credential = CredentialState::new(CredentialId(uuid::Uuid::nil()));
        let pause_ms = learn(&credential, outcome, Told { status: None, retry_after_ms }, 1_000);
        let standing = credential.standing(1_000);
        let until_ms = pause_ms.map(|pause_ms| Standing::Cooling { until_ms: 1_000 + pause_ms });
        assert_eq!(until_ms.unwrap_or(Standing::Ready), standing, "the pause told is the pause set");
        standing
    }

    #[test]
    fn limits_cool_a_credential_and_leave_its_provider_alone() {
        assert_eq!(after(AttemptOutcome::RateLimited, Some(5_000)), Standing::Cooling { until_ms: 6_000 });
        assert_eq!(after(AttemptOutcome::RateLimited, None), Standing::Cooling { until_ms: 61_000 });
        assert_eq!(after(AttemptOutcome::QuotaExhausted, None), Standing::Cooling { until_ms: 601_000 });
        assert_eq!(after(AttemptOutcome::QuotaExhausted, Some(5_000)), Standing::Cooling { until_ms: 601_000 });
        assert_eq!(verdict(AttemptOutcome::RateLimited), Verdict::Neutral);
        assert_eq!(verdict(AttemptOutcome::QuotaExhausted), Verdict::Neutral);
    }

    #[test]
    fn an_overloaded_provider_fails_and_its_credential_cools() {
        assert_eq!(after(AttemptOutcome::Overloaded, None), Standing::Cooling { until_ms: 6_000 });
        assert_eq!(verdict(AttemptOutcome::Overloaded), Verdict::Failure);
    }

    #[test]
    fn the_clients_own_mistake_counts_as_an_answer() {
        assert_eq!(after(AttemptOutcome::ClientError, None), Standing::Ready);
        assert_eq!(verdict(AttemptOutcome::ClientError), Verdict::Success);
        assert_eq!(verdict(AttemptOutcome::ClientLeft), Verdict::Neutral);
    }
}
