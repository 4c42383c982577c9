//! One credential: what is in flight on it, whether it cools, whether the provider refuses it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use super::cooldown;
use crate::model::id::CredentialId;

/// Refusals that count together, milliseconds.
const REFUSALS_WITHIN_MS: u64 = 60_000;
/// How often a failed credential is tried again, milliseconds.
const RETRY_MS: u64 = 300_000;
/// First and longest pause of an overloaded upstream that names no time, milliseconds.
const OVERLOAD_MS: (u64, u64) = (5_000, 60_000);

/// Whether a credential may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Now.
    Ready,
    /// Not before then.
    Cooling {
        /// Monotone milliseconds.
        until_ms: u64,
    },
    /// Refused by the provider; one request tries it again then.
    Failed {
        /// Monotone milliseconds.
        retry_at_ms: u64,
    },
}

/// The live state of one credential. Reading it takes no lock: a draw asks for many.
#[derive(Debug)]
pub struct CredentialState {
    id: CredentialId,
    in_flight: AtomicU32,
    cooling_until_ms: AtomicU64,
    failed: AtomicBool,
    retry_at_ms: AtomicU64,
    /// Whether there is anything for `accepted` to forget.
    marked: AtomicBool,
    /// Guards what only trouble writes; never held across an await.
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    refused_at_ms: Option<u64>,
    overloads: u32,
}

impl CredentialState {
    /// Ready, with nothing in flight.
    pub fn new(id: CredentialId) -> Self {
        Self {
            id,
            in_flight: AtomicU32::new(0),
            cooling_until_ms: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            retry_at_ms: AtomicU64::new(0),
            marked: AtomicBool::new(false),
            trouble: Mutex::default(),
        }
    }

    /// Which credential.
    pub fn id(&self) -> CredentialId {
        self.id
    }

    /// Whether it may be used now.
    pub fn standing(&self, now_ms: u64) -> Standing {
        let (until_ms, retry_at_ms) = (self.cooling_until_ms.load(Relaxed), self.retry_at_ms.load(Relaxed));
        if self.failed.load(Relaxed) {
            return Standing::Failed { retry_at_ms };
        }
        if now_ms < until_ms { Standing::Cooling { until_ms } } else { Standing::Ready }
    }

    /// Whether a request may take it now; a failed one once every five minutes.
    pub fn is_usable(&self, now_ms: u64) -> bool {
        match self.standing(now_ms) {
            Standing::Ready => true,
            Standing::Cooling { .. } => false,
            Standing::Failed { retry_at_ms } => now_ms >= retry_at_ms,
        }
    }

    /// Takes it for one request, until the guard is dropped; `None` when it may not be used.
    pub fn take(self: &Arc<Self>, now_ms: u64) -> Option<CredentialUse> {
        if !self.is_usable(now_ms) {
            return None;
        }
        if self.failed.load(Relaxed) {
            // Whoever moves the time on is the one that tries.
            let due = self.retry_at_ms.load(Relaxed);
            self.retry_at_ms.compare_exchange(due, now_ms + RETRY_MS, Relaxed, Relaxed).ok()?;
        }
        self.in_flight.fetch_add(1, Relaxed);
        Some(CredentialUse { credential: Arc::clone(self) })
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Leaves it alone for so long (within 1 s and 24 h); a longer pause already set stays.
    pub fn cool(&self, now_ms: u64, for_ms: u64) {
        let for_ms = cooldown::clamp_ms(for_ms);
        self.cooling_until_ms.fetch_max(now_ms.saturating_add(for_ms), Relaxed);
    }

    /// 503 and 529: what the upstream asked for, else 5 s doubling up to 60 s until it answers again.
    pub fn overloaded(&self, now_ms: u64, retry_after_ms: Option<u64>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, longest) = OVERLOAD_MS;
        let pause = (first << trouble.overloads.min(8)).min(longest);
        trouble.overloads = trouble.overloads.saturating_add(1);
        self.marked.store(true, Relaxed);
        drop(trouble);
        self.cool(now_ms, retry_after_ms.unwrap_or(pause));
    }

    /// 401 or 403 on it: the second within 60 s fails it; a failed one waits five minutes more.
    pub fn refused(&self, now_ms: u64) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let before = trouble.refused_at_ms.replace(now_ms);
        let again = before.is_some_and(|before| now_ms.saturating_sub(before) <= REFUSALS_WITHIN_MS);
        self.marked.store(true, Relaxed);
        if again || self.failed.load(Relaxed) {
            self.retry_at_ms.store(now_ms.saturating_add(RETRY_MS), Relaxed);
            self.failed.store(true, Relaxed);
        }
    }

    /// An answer: it works, whatever was held against it. A cooldown still runs its time.
    pub fn accepted(&self) {
        if !self.marked.load(Relaxed) {
            return;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = Trouble::default();
        self.failed.store(false, Relaxed);
        self.marked.store(false, Relaxed);
    }

    /// When its pause ends, or ended; monotone milliseconds.
    pub(super) fn paused_until_ms(&self) -> u64 {
        self.cooling_until_ms.load(Relaxed)
    }

    /// Sets the end of its pause, shorter than the present one too, and forgets how often it was overloaded.
    pub(super) fn pause_until(&self, until_ms: u64) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).overloads = 0;
        self.cooling_until_ms.store(until_ms, Relaxed);
    }

    /// Forgets cooldown and refusals: its secret was entered again, or a person said so.
    pub fn reset(&self) {
        self.cooling_until_ms.store(0, Relaxed);
        self.marked.store(true, Relaxed);
        self.accepted();
    }
}

/// One request's use of a credential; gives its place back when dropped.
#[derive(Debug)]
pub struct CredentialUse {
    credential: Arc<CredentialState>,
}

impl CredentialUse {
    /// The credential.
    pub fn credential(&self) -> &Arc<CredentialState> {
        &self.credential
    }
}

impl Drop for CredentialUse {
    fn drop(&mut self) {
        self.credential.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Arc<CredentialState> {
        Arc::new(CredentialState::new(CredentialId(uuid::Uuid::nil())))
    }

    #[test]
    fn a_cooling_credential_is_not_taken_before_its_time() {
        let credential = credential();
        credential.cool(0, 5_000);
        assert!(credential.take(4_999).is_none());
        assert!(credential.take(5_000).is_some());
    }

    #[test]
    fn a_shorter_pause_does_not_end_a_longer_one() {
        let credential = credential();
        credential.cool(0, 60_000);
        credential.cool(1_000, 5_000);
        assert_eq!(credential.standing(10_000), Standing::Cooling { until_ms: 60_000 });
    }

    #[test]
    fn one_refusal_is_an_accident_two_in_a_minute_are_not() {
        let credential = credential();
        credential.refused(0);
        assert_eq!(credential.standing(0), Standing::Ready);
        credential.refused(60_001);
        assert_eq!(credential.standing(60_001), Standing::Ready);
        credential.refused(60_002);
        assert_eq!(credential.standing(60_002), Standing::Failed { retry_at_ms: 360_002 });
    }

    #[test]
    fn a_failed_credential_is_tried_by_one_request_every_five_minutes() {
        let credential = credential();
        credential.refused(0);
        credential.refused(0);
        assert!(credential.take(299_999).is_none());
        assert!(credential.take(300_000).is_some());
        assert!(credential.take(300_000).is_none());
        credential.refused(300_100);
        assert_eq!(credential.standing(300_100), Standing::Failed { retry_at_ms: 600_100 });
        credential.accepted();
        assert_eq!(credential.standing(300_100), Standing::Ready);
    }

    #[test]
    fn pauses_of_an_overloaded_upstream_double_up_to_a_minute_and_start_again_after_an_answer() {
        let credential = credential();
        let mut now_ms = 0;
        for expected in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
            credential.overloaded(now_ms, None);
            assert_eq!(credential.standing(now_ms), Standing::Cooling { until_ms: now_ms + expected });
            now_ms += expected;
        }
        credential.accepted();
        credential.overloaded(now_ms, None);
        assert_eq!(credential.standing(now_ms), Standing::Cooling { until_ms: now_ms + 5_000 });
    }

    #[test]
    fn in_flight_returns_to_zero() {
        let credential = credential();
        let uses: Vec<_> = (0..3).filter_map(|_| credential.take(0)).collect();
        assert_eq!(credential.in_flight(), 3);
        drop(uses);
        assert_eq!(credential.in_flight(), 0);
    }
}
