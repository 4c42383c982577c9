//! One credential: what is in flight on it, whether it cools, whether the provider refuses it.
//!
//! Two refusals within a minute make it a suspect, not yet a failure: clients can cause refusals
//! too, by asking for what the account may not have. A free request of the gateway's own decides
//! ([`super::probe`]), and tries a failed one again every five minutes.

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
/// A request of a client tries it only where the check could not tell, this much later, milliseconds.
const AFTER_CHECK_MS: u64 = 10_000;
/// Least time between two checks of a suspect, milliseconds: clients cannot make many of them.
const RECHECK_MS: u64 = 10_000;
/// An exhausted quota is left alone for so long, milliseconds.
const EXHAUSTED_MS: u64 = 600_000;
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

/// Whose fault a refusal may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401: the credential itself.
    Credential,
    /// 403: the credential, or what the request asks for.
    Perhaps,
}

/// What a check of a credential has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The provider takes it.
    Accepted,
    /// The provider refuses it.
    Refused,
    /// Nothing: no free request is known, or its answer says nothing about the credential.
    Unknown,
}

/// The live state of one credential. Reading it takes no lock: a draw asks for many.
#[derive(Debug)]
pub struct CredentialState {
    id: CredentialId,
    in_flight: AtomicU32,
    cooling_until_ms: AtomicU64,
    failed: AtomicBool,
    retry_at_ms: AtomicU64,
    /// When a check is due; `u64::MAX` while there is nothing to check.
    check_at_ms: AtomicU64,
    /// Whether there is anything for `accepted` to forget.
    marked: AtomicBool,
    /// Guards what only trouble writes; never held across an await.
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    refused_at_ms: Option<u64>,
    /// Whether a refusal was about the credential beyond doubt.
    certain: bool,
    checked_at_ms: Option<u64>,
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
            check_at_ms: AtomicU64::new(u64::MAX),
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

    /// Whether nothing is held against it now.
    pub fn is_ready(&self, now_ms: u64) -> bool {
        self.standing(now_ms) == Standing::Ready
    }

    /// Whether the provider refuses it.
    pub fn has_failed(&self, now_ms: u64) -> bool {
        matches!(self.standing(now_ms), Standing::Failed { .. })
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
            self.retry_at_ms.compare_exchange(due, now_ms.saturating_add(RETRY_MS), Relaxed, Relaxed).ok()?;
        }
        self.in_flight.fetch_add(1, Relaxed);
        Some(CredentialUse { credential: Arc::clone(self) })
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Leaves it alone for so long (within 1 s and 24 h); a longer pause already set stays. Returns
    /// the pause.
    pub fn cool(&self, now_ms: u64, for_ms: u64) -> u64 {
        let for_ms = cooldown::clamp_ms(for_ms);
        self.cooling_until_ms.fetch_max(now_ms.saturating_add(for_ms), Relaxed);
        for_ms
    }

    /// 402: ten minutes, whatever the answer says: quotas are filled by people.
    pub fn exhausted(&self, now_ms: u64) -> u64 {
        tracing::warn!(credential = %self.id, "its quota is used up: left alone for 10 minutes");
        self.cool(now_ms, EXHAUSTED_MS)
    }

    /// 503 and 529: what the upstream asked for, else 5 s doubling up to 60 s until it answers again.
    /// Returns the pause.
    pub fn overloaded(&self, now_ms: u64, retry_after_ms: Option<u64>) -> u64 {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, longest) = OVERLOAD_MS;
        let pause = (first << trouble.overloads.min(8)).min(longest);
        trouble.overloads = trouble.overloads.saturating_add(1);
        self.marked.store(true, Relaxed);
        drop(trouble);
        self.cool(now_ms, retry_after_ms.unwrap_or(pause))
    }

    /// 401 or 403 on it: the second within 60 s asks for a check; a failed one waits five minutes more.
    pub fn refused(&self, now_ms: u64, refusal: Refusal) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let before = trouble.refused_at_ms.replace(now_ms);
        let again = before.is_some_and(|before| now_ms.saturating_sub(before) <= REFUSALS_WITHIN_MS);
        trouble.certain = refusal == Refusal::Credential || (again && trouble.certain);
        self.marked.store(true, Relaxed);
        if self.failed.load(Relaxed) {
            self.fail(now_ms);
        } else if again {
            let soonest = trouble.checked_at_ms.map_or(now_ms, |checked| checked.saturating_add(RECHECK_MS));
            self.check_at_ms.fetch_min(soonest.max(now_ms), Relaxed);
        }
    }

    /// The same refusal from another credential: it was about the request, and is forgotten.
    pub fn pardon(&self) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.refused_at_ms = None;
        if !self.failed.load(Relaxed) {
            self.check_at_ms.store(u64::MAX, Relaxed);
        }
    }

    /// Whether a check is due: a suspect's now, a failed one's every five minutes.
    pub fn needs_check(&self, now_ms: u64) -> bool {
        now_ms >= self.check_at_ms.load(Relaxed)
    }

    /// A check begins: nobody else begins one meanwhile.
    pub fn begin_check(&self, now_ms: u64) -> bool {
        let due_ms = self.check_at_ms.load(Relaxed);
        let next = if self.failed.load(Relaxed) { now_ms.saturating_add(RETRY_MS) } else { u64::MAX };
        let begun = now_ms >= due_ms && self.check_at_ms.compare_exchange(due_ms, next, Relaxed, Relaxed).is_ok();
        if begun {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).checked_at_ms = Some(now_ms);
        }
        begun
    }

    /// Takes what a check found. A suspect that could not be checked stands by its refusals, if one
    /// of them was about the credential beyond doubt; a failed one is then tried by a request.
    pub fn decide(&self, now_ms: u64, finding: Finding) {
        match finding {
            Finding::Accepted => self.accepted(),
            Finding::Refused => self.fail(now_ms),
            Finding::Unknown if self.failed.load(Relaxed) => {}
            Finding::Unknown => {
                let certain = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).certain;
                if certain { self.fail(now_ms) } else { self.accepted() }
            }
        }
    }

    fn fail(&self, now_ms: u64) {
        self.marked.store(true, Relaxed);
        self.retry_at_ms.store(now_ms.saturating_add(RETRY_MS + AFTER_CHECK_MS), Relaxed);
        self.check_at_ms.store(now_ms.saturating_add(RETRY_MS), Relaxed);
        if !self.failed.swap(true, Relaxed) {
            tracing::warn!(credential = %self.id, "the provider refuses it: tried again every 5 minutes");
        }
    }

    /// An answer: it works, whatever was held against it. A cooldown still runs its time.
    pub fn accepted(&self) {
        if !self.marked.load(Relaxed) {
            return;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = Trouble { checked_at_ms: trouble.checked_at_ms, ..Trouble::default() };
        self.check_at_ms.store(u64::MAX, Relaxed);
        if self.failed.swap(false, Relaxed) {
            tracing::info!(credential = %self.id, "the provider takes it again");
        }
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

    /// Refused twice in the same instant, and checked.
    fn checked(refusal: Refusal, finding: Finding) -> Standing {
        let credential = credential();
        (0..2).for_each(|_| credential.refused(0, refusal));
        assert!(credential.begin_check(0));
        credential.decide(0, finding);
        credential.standing(0)
    }

    #[test]
    fn one_refusal_is_an_accident_two_in_a_minute_ask_for_a_check() {
        let credential = credential();
        credential.refused(0, Refusal::Credential);
        credential.refused(60_001, Refusal::Credential);
        assert!(!credential.needs_check(60_001));
        credential.refused(60_002, Refusal::Credential);
        assert!(credential.needs_check(60_002));
        assert_eq!(credential.standing(60_002), Standing::Ready, "a suspect still serves");
    }

    #[test]
    fn a_check_decides_about_a_suspect() {
        let failed = Standing::Failed { retry_at_ms: RETRY_MS + AFTER_CHECK_MS };
        assert_eq!(checked(Refusal::Credential, Finding::Refused), failed);
        assert_eq!(checked(Refusal::Perhaps, Finding::Refused), failed);
        assert_eq!(checked(Refusal::Credential, Finding::Accepted), Standing::Ready);
        assert_eq!(checked(Refusal::Credential, Finding::Unknown), failed, "its refusals stand");
        assert_eq!(checked(Refusal::Perhaps, Finding::Unknown), Standing::Ready, "a client could have caused them");
    }

    #[test]
    fn what_another_credential_is_refused_too_is_no_refusal_of_this_one() {
        let credential = credential();
        for now_ms in 0..10 {
            credential.refused(now_ms, Refusal::Perhaps);
            credential.pardon();
        }
        assert!(!credential.needs_check(10));
    }

    #[test]
    fn clients_cannot_make_more_than_a_check_in_ten_seconds() {
        let credential = credential();
        let mut checks = 0;
        for now_ms in (0..60_000).step_by(100) {
            credential.refused(now_ms, Refusal::Perhaps);
            if credential.needs_check(now_ms) && credential.begin_check(now_ms) {
                credential.decide(now_ms, Finding::Accepted);
                checks += 1;
            }
        }
        assert_eq!(checks, 6);
    }

    #[test]
    fn a_failed_credential_is_tried_every_five_minutes_by_a_check_and_then_by_one_request() {
        let credential = credential();
        credential.fail(0);
        assert!(!credential.needs_check(299_999) && credential.take(299_999).is_none());
        assert!(credential.begin_check(300_000) && !credential.begin_check(300_000));
        credential.decide(300_000, Finding::Unknown);
        assert!(credential.take(310_000).is_some());
        assert!(credential.take(310_000).is_none());
        credential.refused(310_100, Refusal::Perhaps);
        assert_eq!(credential.standing(310_100), Standing::Failed { retry_at_ms: 620_100 });
        credential.accepted();
        assert_eq!(credential.standing(310_100), Standing::Ready);
        assert!(!credential.needs_check(u64::MAX - 1));
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
