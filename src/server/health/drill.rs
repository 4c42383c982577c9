//! Failover drills: a provider that pretends to fail for some minutes.
//!
//! The switch of a drill is part of its provider's state, so it outlives routing tables and dies with
//! the process. While nothing is drilled an attempt pays one relaxed load. What a drill does to the
//! health of its provider is remembered and taken back when it ends: a person who ends a drill expects
//! the service back at once, not after a breaker's patience.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rand::{Rng, RngExt};
use tokio_util::sync::CancellationToken;

use super::{breaker::Breaker, credential::CredentialState};
use crate::model::{
    drill::{DrillDraft, DrillEnd, Fault},
    id::DrillId,
};

/// Drills of one provider that are kept after their end.
const KEPT: usize = 5;
const MINUTE_MS: u64 = 60_000;

/// What is known of a drill. Times are monotone milliseconds.
#[derive(Clone, Debug)]
pub struct Course {
    /// Which drill.
    pub id: DrillId,
    /// What was asked for.
    pub draft: DrillDraft,
    /// Who started it.
    pub by: Arc<str>,
    /// Start.
    pub started_ms: u64,
    /// End, if nobody stops it.
    pub ends_ms: u64,
    /// When and why it ended.
    pub ended: Option<(u64, DrillEnd)>,
    /// Attempts that met the fault before the provider was left alone.
    pub taken_out_after: Option<u32>,
}

/// An attempt's encounter with a drill.
#[derive(Clone, Debug)]
pub struct Met {
    /// Which drill.
    pub drill: DrillId,
    /// What happens to the attempt.
    pub fault: Fault,
    over: CancellationToken,
}

impl Met {
    /// Whether the drill has ended since.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits for the end of the drill.
    pub async fn over(self) {
        self.over.cancelled_owned().await;
    }
}

/// The drill of one provider, if one runs, and its last ones.
#[derive(Debug, Default)]
pub(super) struct Switch {
    /// Mirror of "one runs", so that attempts need no lock.
    armed: AtomicBool,
    /// Met only while a drill runs, and by those who start, end or read one; never held across an await.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: Option<Running>,
    past: VecDeque<Course>,
}

#[derive(Debug)]
struct Running {
    course: Course,
    over: CancellationToken,
    /// What the breaker was when it began.
    before: Breaker,
    /// Attempts that failed by the fault.
    failures: u32,
    /// Credentials that the fault taught something, each with the end of the pause it had before.
    taught: Vec<(Arc<CredentialState>, u64)>,
}

impl Switch {
    /// Starts a drill; `None` while one runs.
    pub(super) fn start(
        &self,
        id: DrillId,
        draft: DrillDraft,
        by: &str,
        now_ms: u64,
        before: Breaker,
    ) -> Option<Course> {
        let mut inner = self.lock();
        if inner.running.is_some() {
            return None;
        }
        let course = Course {
            id,
            draft,
            by: by.into(),
            started_ms: now_ms,
            ends_ms: now_ms.saturating_add(u64::from(draft.minutes) * MINUTE_MS),
            ended: None,
            taken_out_after: None,
        };
        let over = CancellationToken::new();
        inner.running = Some(Running { course: course.clone(), over, before, failures: 0, taught: Vec::new() });
        self.armed.store(true, Relaxed);
        Some(course)
    }

    /// Ends the drill: gives credentials their pauses of before, and returns the breaker's.
    pub(super) fn end(&self, now_ms: u64, end: DrillEnd) -> Option<(Course, Breaker)> {
        if !self.armed.load(Relaxed) {
            return None;
        }
        let mut inner = self.lock();
        let Running { mut course, over, before, taught, .. } = inner.running.take()?;
        self.armed.store(false, Relaxed);
        // First: what is still under way teaches nothing any more.
        over.cancel();
        for (credential, until_ms) in taught {
            credential.pause_until(until_ms);
        }
        course.ended = Some((now_ms, end));
        inner.past.push_front(course.clone());
        inner.past.truncate(KEPT);
        Some((course, before))
    }

    /// Whether a drill runs whose time is over.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.armed.load(Relaxed) && self.lock().running.as_ref().is_some_and(|running| now_ms >= running.course.ends_ms)
    }

    /// Whether this attempt meets the fault of a drill.
    pub(super) fn meet(&self, now_ms: u64, rng: &mut impl Rng) -> Option<Met> {
        if !self.armed.load(Relaxed) {
            return None;
        }
        let inner = self.lock();
        let Running { course, over, .. } = inner.running.as_ref()?;
        let drawn = course.draft.percent >= 100 || rng.random_range(0..100) < course.draft.percent;
        (drawn && now_ms < course.ends_ms).then(|| Met {
            drill: course.id,
            fault: course.draft.fault,
            over: over.clone(),
        })
    }

    /// An attempt failed by the fault.
    pub(super) fn count(&self, drill: DrillId) {
        if let Some(running) = self.lock().running.as_mut().filter(|running| running.course.id == drill) {
            running.failures += 1;
        }
    }

    /// The fault is about to teach this credential something; `false` when the drill is over.
    pub(super) fn teaches(&self, drill: DrillId, credential: &Arc<CredentialState>) -> bool {
        let mut inner = self.lock();
        let Some(running) = inner.running.as_mut().filter(|running| running.course.id == drill) else { return false };
        if running.taught.iter().all(|(known, _)| !Arc::ptr_eq(known, credential)) {
            running.taught.push((Arc::clone(credential), credential.paused_until_ms()));
        }
        true
    }

    /// The provider is left alone from now on.
    pub(super) fn taken_out(&self) {
        if !self.armed.load(Relaxed) {
            return;
        }
        if let Some(running) = self.lock().running.as_mut() {
            running.course.taken_out_after.get_or_insert(running.failures);
        }
    }

    /// The drill that runs, and the last ones, newest first.
    pub(super) fn courses(&self) -> (Option<Course>, Vec<Course>) {
        let inner = self.lock();
        (inner.running.as_ref().map(|running| running.course.clone()), inner.past.iter().cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};
    use uuid::Uuid;

    use super::*;
    use crate::model::id::CredentialId;

    const ID: DrillId = DrillId(Uuid::from_u128(1));

    fn running(draft: DrillDraft) -> Switch {
        let switch = Switch::default();
        assert!(switch.start(ID, draft, "ana", 0, Breaker::new(0)).is_some());
        switch
    }

    #[test]
    fn a_provider_has_one_drill_at_a_time_and_it_ends_by_itself() {
        let switch = running(DrillDraft { minutes: 1, ..DrillDraft::default() });
        let mut rng = StdRng::seed_from_u64(1);
        assert!(switch.start(ID, DrillDraft::default(), "ben", 5, Breaker::new(0)).is_none());
        assert!(switch.meet(59_999, &mut rng).is_some() && !switch.is_due(59_999));
        assert!(switch.meet(60_000, &mut rng).is_none() && switch.is_due(60_000));
        let (course, _) = switch.end(60_500, DrillEnd::TimeOver).expect("it ran");
        assert_eq!(course.ended, Some((60_500, DrillEnd::TimeOver)));
        assert!(switch.end(60_501, DrillEnd::Stopped).is_none() && switch.meet(60_501, &mut rng).is_none());
    }

    #[test]
    fn only_its_share_of_attempts_meets_the_fault() {
        let switch = running(DrillDraft { percent: 30, ..DrillDraft::default() });
        let mut rng = StdRng::seed_from_u64(2);
        let met = (0..1_000).filter(|_| switch.meet(1, &mut rng).is_some()).count();
        assert!((250..350).contains(&met), "{met} of 1,000");
    }

    #[test]
    fn a_credential_gets_the_pause_back_that_it_had_before() {
        let switch = running(DrillDraft::default());
        let credential = Arc::new(CredentialState::new(CredentialId(Uuid::nil())));
        credential.cool(0, 3_000);
        for _ in 0..2 {
            assert!(switch.teaches(ID, &credential));
            credential.cool(0, 60_000);
        }
        let met = switch.meet(1, &mut StdRng::seed_from_u64(3)).expect("every attempt");
        switch.end(2, DrillEnd::Stopped);
        assert_eq!(credential.paused_until_ms(), 3_000);
        assert!(met.is_over() && !switch.teaches(ID, &credential), "a straggler teaches nothing");
    }

    #[test]
    fn the_last_five_are_kept_newest_first() {
        let switch = Switch::default();
        for number in 0..7_u128 {
            switch.start(DrillId(Uuid::from_u128(number)), DrillDraft::default(), "ana", 0, Breaker::new(0));
            switch.end(1, DrillEnd::Stopped);
        }
        let kept: Vec<u128> = switch.courses().1.iter().map(|course| course.id.0.as_u128()).collect();
        assert_eq!(kept, [6, 5, 4, 3, 2]);
    }
}
