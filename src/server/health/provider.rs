//! One provider: its breaker, what is in flight, how fast it is, and the state it last announced.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    board::Feed,
    breaker::{Admission, Breaker, Sample, State},
    credential::{CredentialState, Standing},
    drill::{Course, Met, Switch},
    passive,
    permit::Permit,
};
use crate::model::{
    drill::{Drill, DrillDraft, DrillEnd, DrillReport, Drills},
    health::{HealthEvent, HealthReason, HealthState},
    id::{CredentialId, DrillId, ProviderId},
    request_log::AttemptOutcome,
};

/// Time constant of the moving average, milliseconds.
const EWMA_MS: f64 = 10_000.0;
/// Least part a new sample has in the moving average.
const EWMA_PART: f64 = 0.05;
/// An average this old says nothing any more, milliseconds.
const EWMA_STALE_MS: u64 = 60_000;
/// How long a model stays unknown to a provider, milliseconds.
const MODEL_MISSING_MS: u64 = 600_000;
/// How long a provider that refuses `stream_options` is not sent any of ours.
const USAGE_REFUSED_MS: u64 = 3_600_000;
/// Unknown models remembered per provider.
const MODELS: usize = 256;

/// The live state of one provider. Reads of a healthy one take no lock.
#[derive(Debug)]
pub struct ProviderState {
    id: ProviderId,
    feed: Arc<Feed>,
    in_flight: AtomicU32,
    /// When a request last came this way, monotone milliseconds.
    used_at_ms: AtomicU64,
    /// Mirror of "the breaker is healthy", so that draws need not lock it.
    healthy: AtomicBool,
    /// The state machine is a few words that change together; held for nanoseconds, never across an await.
    breaker: Mutex<Breaker>,
    /// Bits of an `f64`, microseconds.
    ewma_us: AtomicU64,
    ewma_at_ms: AtomicU64,
    /// Models this provider said it does not know; written by that error alone.
    missing_models: Mutex<HashMap<String, u64>>,
    any_model_missing: AtomicBool,
    /// Until when it is not asked for the usage of streams, monotone milliseconds: it refused the field.
    usage_refused_until_ms: AtomicU64,
    /// Stands in for the credential of a provider that needs none.
    keyless: Arc<CredentialState>,
    /// What configuration and history know; read by views and on changes of state, not by draws.
    facts: Mutex<Facts>,
    drill: Switch,
}

/// What the breaker does not know.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) disabled: bool,
    pub(super) drained: bool,
    /// Credentials that are switched on and have weight.
    pub(super) credentials: Vec<Arc<CredentialState>>,
    /// Outcome and time of the last failure.
    pub(super) last_failure: Option<AttemptOutcome>,
    /// Failures that tripped the breaker.
    pub(super) tripping_failures: u32,
    pub(super) announced: HealthState,
    pub(super) since_ms: u64,
    /// Whether a configuration has spoken about it yet.
    pub(super) adopted: bool,
}

impl Facts {
    fn new(keyless: &Arc<CredentialState>) -> Self {
        Self {
            disabled: false,
            drained: false,
            credentials: vec![Arc::clone(keyless)],
            last_failure: None,
            tripping_failures: 0,
            announced: HealthState::Healthy,
            since_ms: 0,
            adopted: false,
        }
    }
}

impl ProviderState {
    pub(super) fn new(id: ProviderId, feed: Arc<Feed>) -> Self {
        let keyless = Arc::new(CredentialState::new(CredentialId(id.0)));
        Self {
            id,
            feed,
            in_flight: AtomicU32::new(0),
            used_at_ms: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
            breaker: Mutex::new(Breaker::new(0)),
            ewma_us: AtomicU64::new(0),
            ewma_at_ms: AtomicU64::new(0),
            missing_models: Mutex::default(),
            any_model_missing: AtomicBool::new(false),
            usage_refused_until_ms: AtomicU64::new(0),
            facts: Mutex::new(Facts::new(&keyless)),
            keyless,
            drill: Switch::default(),
        }
    }

    /// Which provider.
    pub fn id(&self) -> ProviderId {
        self.id
    }

    /// Attempts in flight, until their bodies end.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// When a request last came this way, monotone milliseconds; 0 for never.
    pub fn used_at_ms(&self) -> u64 {
        self.used_at_ms.load(Relaxed)
    }

    /// The stand-in for a credential where none is needed, so that limits can cool there too.
    pub fn keyless(&self) -> &Arc<CredentialState> {
        &self.keyless
    }

    /// What the breaker would allow now; changes nothing.
    pub fn peek(&self, now_ms: u64) -> Admission {
        if self.healthy.load(Relaxed) { Admission::Pass { factor: 1.0 } } else { self.breaker().peek(now_ms) }
    }

    /// Factor on its weight now: 0 unless requests pass freely.
    pub fn factor(&self, now_ms: u64) -> f64 {
        match self.peek(now_ms) {
            Admission::Pass { factor } => factor,
            _ => 0.0,
        }
    }

    /// Lets one attempt through, as a trial if it is time for one.
    pub fn admit(self: &Arc<Self>, now_ms: u64) -> Result<Permit, Admission> {
        self.used_at_ms.store(now_ms, Relaxed);
        if self.healthy.load(Relaxed) {
            return Ok(Permit::new(Arc::clone(self), None));
        }
        self.enter(now_ms, |breaker| breaker.admit(now_ms, &mut rand::rng()))
    }

    /// Lets one attempt through before its time: see [`super::panic`].
    pub fn admit_probe(self: &Arc<Self>, now_ms: u64) -> Result<Permit, Admission> {
        self.enter(now_ms, |breaker| breaker.admit_probe(now_ms, &mut rand::rng()))
    }

    /// Moving average of time to first byte, microseconds; 0 when unknown or stale.
    pub fn ewma_us(&self, now_ms: u64) -> f64 {
        let age_ms = now_ms.saturating_sub(self.ewma_at_ms.load(Relaxed));
        if age_ms > EWMA_STALE_MS { 0.0 } else { f64::from_bits(self.ewma_us.load(Relaxed)) }
    }

    /// The provider refused to be asked for the usage of a stream: left alone with it for an hour.
    pub fn usage_refused(&self, now_ms: u64) {
        self.usage_refused_until_ms.store(now_ms.saturating_add(USAGE_REFUSED_MS), Relaxed);
    }

    /// Whether it did so within the last hour.
    pub fn is_usage_refused(&self, now_ms: u64) -> bool {
        now_ms < self.usage_refused_until_ms.load(Relaxed)
    }

    /// The provider does not know this model: left out of draws for it for 10 minutes.
    pub fn model_missing(&self, model: &str, now_ms: u64) {
        let mut missing = self.missing_models.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.len() >= MODELS {
            missing.retain(|_, until_ms| now_ms < *until_ms);
        }
        if missing.len() < MODELS {
            missing.insert(model.to_owned(), now_ms.saturating_add(MODEL_MISSING_MS));
            self.any_model_missing.store(true, Relaxed);
        }
    }

    /// Whether it said so within the last 10 minutes.
    pub fn is_model_missing(&self, model: &str, now_ms: u64) -> bool {
        self.any_model_missing.load(Relaxed) && {
            let missing = self.missing_models.lock().unwrap_or_else(PoisonError::into_inner);
            missing.get(model).is_some_and(|until_ms| now_ms < *until_ms)
        }
    }

    /// Makes it pretend to fail from now on; `None` while it does already.
    pub fn start_drill(&self, id: DrillId, draft: DrillDraft, by: &str, now_ms: u64) -> Option<Drill> {
        let before = self.breaker().clone();
        self.drill.start(id, draft, by, now_ms, before).map(|course| self.show(course))
    }

    /// Ends its drill and takes back what it did to its health; `None` when none runs.
    pub fn end_drill(&self, now_ms: u64, end: DrillEnd) -> Option<Drill> {
        let (course, before) = self.drill.end(now_ms, end)?;
        {
            let mut breaker = self.breaker();
            breaker.return_to(before);
            self.healthy.store(breaker.state() == State::Healthy, Relaxed);
        }
        self.announce(now_ms);
        Some(self.show(course))
    }

    pub(super) fn is_drill_due(&self, now_ms: u64) -> bool {
        self.drill.is_due(now_ms)
    }

    /// The drill that runs and the last ones; what requests met it is the recorder's to add.
    pub fn drills(&self) -> Drills {
        let (running, past) = self.drill.courses();
        Drills {
            running: running.map(|course| self.show(course)),
            past: past.into_iter().map(|course| self.show(course)).collect(),
        }
    }

    /// Whether an attempt made now meets the fault of a drill.
    pub fn meet_drill(&self, now_ms: u64) -> Option<Met> {
        self.drill.meet(now_ms, &mut rand::rng())
    }

    pub(super) fn drill(&self) -> &Switch {
        &self.drill
    }

    fn show(&self, course: Course) -> Drill {
        let unix_ms = |now_ms| self.feed.unix_ms(now_ms);
        Drill {
            id: course.id,
            provider: self.id,
            draft: course.draft,
            started_by: course.by.to_string(),
            started_at_ms: unix_ms(course.started_ms),
            ends_at_ms: unix_ms(course.ends_ms),
            ended_at_ms: course.ended.map(|(at_ms, _)| unix_ms(at_ms)),
            end: course.ended.map(|(_, end)| end),
            report: DrillReport { taken_out_after: course.taken_out_after, ..DrillReport::default() },
        }
    }

    /// Until when it said so, monotone milliseconds.
    pub fn model_missing_until(&self, model: &str, now_ms: u64) -> Option<u64> {
        let missing = self.missing_models.lock().unwrap_or_else(PoisonError::into_inner);
        missing.get(model).copied().filter(|until_ms| now_ms < *until_ms)
    }

    pub(super) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn breaker_state(&self) -> State {
        if self.healthy.load(Relaxed) { State::Healthy } else { self.breaker().state() }
    }

    pub(super) fn last_failure(&self) -> Option<AttemptOutcome> {
        self.facts().last_failure
    }

    /// See [`Breaker::invite`].
    pub(super) fn invite(&self, now_ms: u64) {
        self.breaker().invite(now_ms, &mut rand::rng());
        self.announce(now_ms);
    }

    /// See [`Breaker::end_row`].
    pub(super) fn end_row(&self) {
        self.breaker().end_row();
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count_in(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub(super) fn count_out(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    pub(super) fn release(&self, trial: u32) {
        self.breaker().release(trial);
    }

    pub(super) fn observe_first_byte(&self, now_ms: u64, first_byte_us: u64) {
        let last_ms = self.ewma_at_ms.swap(now_ms, Relaxed);
        let old = f64::from_bits(self.ewma_us.load(Relaxed));
        let age_ms = now_ms.saturating_sub(last_ms);
        let part = if old > 0.0 { (1.0 - (-(age_ms as f64) / EWMA_MS).exp()).max(EWMA_PART) } else { 1.0 };
        // Two writers at once lose one sample of an average: harmless.
        self.ewma_us.store((old + part * (first_byte_us as f64 - old)).to_bits(), Relaxed);
    }

    pub(super) fn report(&self, now_ms: u64, outcome: AttemptOutcome, trial: Option<u32>) -> Option<Sample> {
        let verdict = passive::verdict(outcome);
        let (report, failures) = {
            let mut breaker = self.breaker();
            let report = breaker.on_result(now_ms, verdict, trial, &mut rand::rng());
            self.healthy.store(breaker.state() == State::Healthy, Relaxed);
            (report, breaker.consecutive_failures())
        };
        self.follow(now_ms, outcome, failures, report.transition.is_some());
        report.sample
    }

    pub(super) fn correct(&self, now_ms: u64, outcome: AttemptOutcome, sample: Sample) {
        let (transition, failures) = {
            let mut breaker = self.breaker();
            let transition = breaker.correct(now_ms, sample, &mut rand::rng());
            self.healthy.store(breaker.state() == State::Healthy, Relaxed);
            (transition, breaker.consecutive_failures())
        };
        self.follow(now_ms, outcome, failures, transition.is_some());
    }

    /// Announces a state that differs from the one announced last.
    pub(super) fn announce(&self, now_ms: u64) {
        let moved = {
            let mut breaker = self.breaker();
            let moved = breaker.advance(now_ms, &mut rand::rng());
            self.healthy.store(breaker.state() == State::Healthy, Relaxed);
            moved
        };
        let mut facts = self.facts();
        if moved.is_some_and(|moved| moved.to == State::Open) {
            facts.last_failure = Some(AttemptOutcome::FirstByteTimeout);
        }
        let (state, reason) = self.judge(&facts, now_ms);
        if facts.announced == state {
            return;
        }
        facts.announced = state;
        facts.since_ms = now_ms;
        drop(facts);
        if matches!(state, HealthState::Unhealthy | HealthState::Cooling) {
            self.drill.taken_out();
        }
        self.feed.publish(HealthEvent { provider: self.id, at_ms: self.feed.unix_ms(now_ms), state, reason });
    }

    /// The worst state that applies, and why.
    pub(super) fn judge(&self, facts: &Facts, now_ms: u64) -> (HealthState, HealthReason) {
        if facts.disabled {
            return (HealthState::Disabled, HealthReason::None);
        }
        if facts.drained {
            return (HealthState::Drained, HealthReason::None);
        }
        let cooling = match credentials(&facts.credentials, now_ms) {
            Credentials::Usable => None,
            Credentials::Failed { count } => return (HealthState::CredentialFailed, HealthReason::Refused { count }),
            Credentials::Cooling { count, until_ms } => {
                Some(HealthReason::Cooling { count, until_ms: self.feed.unix_ms(until_ms) })
            }
        };
        let (state, reason) = self.judge_breaker(facts, now_ms);
        match cooling {
            Some(reason) if state != HealthState::Unhealthy => (HealthState::Cooling, reason),
            _ => (state, reason),
        }
    }

    fn judge_breaker(&self, facts: &Facts, now_ms: u64) -> (HealthState, HealthReason) {
        let breaker = self.breaker();
        match breaker.state() {
            State::Healthy => (HealthState::Healthy, HealthReason::None),
            State::Degraded => {
                let percent = breaker.tally(now_ms).percent();
                (HealthState::Degraded, HealthReason::SuccessRate { percent })
            }
            State::Open => {
                let next_trial_at_ms = self.feed.unix_ms(breaker.reopens_at_ms().unwrap_or(now_ms));
                let outcome = facts.last_failure.map_or("", AttemptOutcome::as_str).to_owned();
                (
                    HealthState::Unhealthy,
                    HealthReason::Failures { count: facts.tripping_failures, outcome, next_trial_at_ms },
                )
            }
            State::HalfOpen => (HealthState::Unhealthy, HealthReason::Trial),
            State::Recovering => {
                let percent = (breaker.factor(now_ms) * 100.0).round() as u8;
                (HealthState::Recovering, HealthReason::Ramp { percent })
            }
        }
    }

    fn enter(self: &Arc<Self>, now_ms: u64, ask: impl FnOnce(&mut Breaker) -> Admission) -> Result<Permit, Admission> {
        let (admission, moved) = {
            let mut breaker = self.breaker();
            let before = breaker.state();
            let admission = ask(&mut breaker);
            self.healthy.store(breaker.state() == State::Healthy, Relaxed);
            (admission, breaker.state() != before)
        };
        if moved {
            self.announce(now_ms);
        }
        match admission {
            Admission::Pass { .. } => Ok(Permit::new(Arc::clone(self), None)),
            Admission::Trial { number } => Ok(Permit::new(Arc::clone(self), Some(number))),
            refused => Err(refused),
        }
    }

    fn follow(&self, now_ms: u64, outcome: AttemptOutcome, failures: u32, moved: bool) {
        if outcome.success() == Some(false) {
            let mut facts = self.facts();
            facts.last_failure = Some(outcome);
            facts.tripping_failures = failures;
        }
        if moved {
            self.announce(now_ms);
        }
    }
}

/// What the credentials of a provider allow together.
enum Credentials {
    Usable,
    Cooling { count: u32, until_ms: u64 },
    Failed { count: u32 },
}

fn credentials(all: &[Arc<CredentialState>], now_ms: u64) -> Credentials {
    let (mut failed, mut cooling, mut earliest) = (0, 0, u64::MAX);
    for credential in all {
        match credential.standing(now_ms) {
            Standing::Ready => return Credentials::Usable,
            Standing::Failed { .. } => failed += 1,
            Standing::Cooling { until_ms } => {
                cooling += 1;
                earliest = earliest.min(until_ms);
            }
        }
    }
    if cooling == 0 {
        Credentials::Failed { count: failed }
    } else {
        Credentials::Cooling { count: cooling, until_ms: earliest }
    }
}

#[cfg(test)]
mod tests;
