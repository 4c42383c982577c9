//! The circuit breaker of one provider: pure, fed with a monotone `now_ms` and a random source.
//!
//! ```text
//! HEALTHY    5 failures in a row, or >= 10 samples in 60 s and success < 50 %  -> OPEN
//! HEALTHY    >= 10 samples and success < 80 %  -> DEGRADED (half weight)
//! DEGRADED   success >= 90 %, or 60 s without a sample  -> HEALTHY
//! DEGRADED, RECOVERING trip to OPEN by the same rule as HEALTHY
//! OPEN       for min(300 s, 10 s · 2^k), equal jitter  -> HALF_OPEN
//! HALF_OPEN  one real request in flight: 2 successes -> RECOVERING (window cleared);
//!            1 failure, or silence beyond the first-byte timeout -> OPEN with k + 1
//! RECOVERING weight ramps max(0.1, t / 30 s)  -> HEALTHY
//! ```
//! `k` returns to 0 after 10 minutes of health, and a provider that stands alone in a group is
//! never out for longer than 30 s.
//!
//! Why two trip rules: a row of failures catches a provider that is gone within five requests at
//! any traffic; the rate catches one that fails two of three, whose rows never get long. Why equal
//! jitter (half fixed, half random): many gateways must not come back in the same instant, yet none
//! may come back at once.
//!
//! A sample is taken at the first byte, because a stream may run for minutes, and corrected with
//! [`Breaker::correct`] when the body breaks later.

use rand::{Rng, RngExt};

use super::window::{Tally, Window};

const CONSECUTIVE: u32 = 5;
const SAMPLES: u32 = 10;
const TRIP_PERCENT: u64 = 50;
const DEGRADE_PERCENT: u64 = 80;
const HEAL_PERCENT: u64 = 90;
const DEGRADED_FACTOR: f64 = 0.5;
const QUIET_MS: u64 = 60_000;
const OPEN_MS: u64 = 10_000;
const OPEN_LONGEST_MS: u64 = 300_000;
const OPEN_ALONE_MS: u64 = 30_000;
const TRIALS: u32 = 2;
const RAMP_MS: u64 = 30_000;
const RAMP_LOWEST: f64 = 0.1;
const FORGIVEN_MS: u64 = 600_000;
/// First-byte timeout until [`Breaker::configure`] says another, milliseconds.
const FIRST_BYTE_MS: u64 = 120_000;

/// Where the breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Passing, full weight.
    Healthy,
    /// Passing, half weight.
    Degraded,
    /// Tripped: nothing passes.
    Open,
    /// Probing with one request at a time.
    HalfOpen,
    /// Passing, weight ramps up.
    Recovering,
}

/// What a provider may be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Admission {
    /// Any request; this part of its weight counts.
    Pass {
        /// Factor on the weight, above 0 to 1.
        factor: f64,
    },
    /// One replayable request, now: the trial. Report its result with this number.
    Trial {
        /// Which trial.
        number: u32,
    },
    /// Nothing: the trial is under way.
    Busy,
    /// Nothing before then.
    Refuse {
        /// Monotone milliseconds.
        until_ms: u64,
    },
}

/// What an attempt says about its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It fails.
    Failure,
    /// Nothing: a limit, a refused credential, a client that left.
    Neutral,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: State,
    /// Now.
    pub to: State,
}

/// A sample that may have to be corrected: see [`Breaker::correct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    taken_ms: u64,
    serial: u64,
    consecutive_before: u32,
    /// Set for a trial: which outage it was meant to end.
    outage: Option<u32>,
}

/// What came of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The sample taken, if it was a success that the rest of the stream may belie.
    pub sample: Option<Sample>,
    /// The change of state, if it caused one.
    pub transition: Option<Transition>,
}

/// The state machine. See the module for its table.
#[derive(Clone, Debug)]
pub struct Breaker {
    phase: Phase,
    since_ms: u64,
    window: Window,
    consecutive: u32,
    last_sample_ms: u64,
    serial: u64,
    /// `k`: how often it opened since it was last healthy for ten minutes.
    openings: u32,
    /// How often it opened in all: names an outage.
    outage: u32,
    next_trial: u32,
    first_byte_timeout_ms: u64,
    alone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Healthy,
    Degraded,
    Open { until_ms: u64, probe: Option<Trial> },
    HalfOpen { trial: Option<Trial>, successes: u32 },
    Recovering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trial {
    number: u32,
    started_ms: u64,
    /// Cleared when the outage it was to end became a new one: it still holds the only place.
    decides: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Breaker {
    /// Healthy from `now_ms` on: a process start is no recovery.
    pub fn new(now_ms: u64) -> Self {
        Self {
            phase: Phase::Healthy,
            since_ms: now_ms,
            window: Window::default(),
            consecutive: 0,
            last_sample_ms: now_ms,
            serial: 0,
            openings: 0,
            outage: 0,
            next_trial: 0,
            first_byte_timeout_ms: FIRST_BYTE_MS,
            alone: false,
        }
    }

    /// Sets what the configuration knows: how long a trial may be silent, and whether the provider
    /// is the single member of a group (then it is never out for longer than 30 s).
    pub fn configure(&mut self, first_byte_timeout_ms: u64, alone: bool) {
        self.first_byte_timeout_ms = first_byte_timeout_ms;
        self.alone = alone;
    }

    /// What it would be given now. Changes nothing: safe for members that may not be drawn.
    pub fn peek(&self, now_ms: u64) -> Admission {
        match self.phase {
            Phase::Healthy => Admission::Pass { factor: 1.0 },
            Phase::Degraded if self.has_healed(now_ms) => Admission::Pass { factor: 1.0 },
            Phase::Degraded => Admission::Pass { factor: DEGRADED_FACTOR },
            Phase::Recovering => Admission::Pass { factor: self.ramp(now_ms) },
            Phase::Open { until_ms, probe } => {
                let until_ms = self.capped(until_ms);
                match probe.filter(|probe| !self.is_silent(*probe, now_ms)) {
                    _ if now_ms < until_ms => Admission::Refuse { until_ms },
                    Some(_) => Admission::Busy,
                    None => Admission::Trial { number: self.next_trial },
                }
            }
            Phase::HalfOpen { trial: None, .. } => Admission::Trial { number: self.next_trial },
            // A silent trial opens the breaker at the next touch; nothing passes meanwhile.
            Phase::HalfOpen { .. } => Admission::Busy,
        }
    }

    /// Asks for a request to be let through. A [`Admission::Trial`] is then in flight until its
    /// result comes, of whatever kind.
    pub fn admit(&mut self, now_ms: u64, rng: &mut impl Rng) -> Admission {
        self.advance(now_ms, rng);
        let admission = self.peek(now_ms);
        if let (Admission::Trial { .. }, Phase::HalfOpen { successes, .. }) = (admission, self.phase) {
            let trial = self.start_trial(now_ms);
            self.phase = Phase::HalfOpen { trial: Some(trial), successes };
        }
        admission
    }

    /// Panic: every member of a group is out, so one probe at a time is let through before its
    /// time. Its success half-opens the breaker, its failure prolongs nothing.
    pub fn admit_probe(&mut self, now_ms: u64, rng: &mut impl Rng) -> Admission {
        self.advance(now_ms, rng);
        match self.phase {
            Phase::Open { probe: Some(_), .. } => Admission::Busy,
            Phase::Open { until_ms, probe: None } => {
                let probe = self.start_trial(now_ms);
                self.phase = Phase::Open { until_ms, probe: Some(probe) };
                Admission::Trial { number: probe.number }
            }
            _ => self.admit(now_ms, rng),
        }
    }

    /// An active check has shown that what tripped it is over: the trial may come before its time,
    /// yet never sooner than any breaker may reopen. Only requests close it, and `k` stays.
    pub fn invite(&mut self, now_ms: u64, rng: &mut impl Rng) -> Option<Transition> {
        let passed = self.advance(now_ms, rng);
        let caused = match self.phase {
            Phase::Open { probe, .. } if now_ms.saturating_sub(self.since_ms) >= OPEN_MS / 2 => {
                Some(self.enter(Phase::HalfOpen { trial: probe, successes: 0 }, now_ms))
            }
            _ => None,
        };
        joined(passed, caused)
    }

    /// Takes the result of an attempt; `trial` is the number it was admitted with, if it was one.
    pub fn on_result(&mut self, now_ms: u64, verdict: Verdict, trial: Option<u32>, rng: &mut impl Rng) -> Report {
        let passed = self.advance(now_ms, rng);
        let ours = self.end_trial(trial);
        if verdict == Verdict::Neutral {
            return Report { sample: None, transition: passed };
        }
        let success = verdict == Verdict::Success;
        let sample = self.take(now_ms, success, ours);
        let caused = match (self.phase, ours) {
            (Phase::Open { .. }, true) if success => {
                Some(self.enter(Phase::HalfOpen { trial: None, successes: 1 }, now_ms))
            }
            (Phase::HalfOpen { trial, successes }, true) if success => self.count_success(now_ms, trial, successes + 1),
            (Phase::HalfOpen { .. }, true) => Some(self.trip(now_ms, rng)),
            // Out of the trial's way: answers to requests sent before the breaker tripped.
            (Phase::Open { .. } | Phase::HalfOpen { .. }, _) => None,
            _ => self.judge(now_ms, rng),
        };
        Report { sample: success.then_some(sample), transition: joined(passed, caused) }
    }

    /// The body broke after a success had been taken: makes it a failure, in the bucket it was taken in.
    pub fn correct(&mut self, now_ms: u64, sample: Sample, rng: &mut impl Rng) -> Option<Transition> {
        let passed = self.advance(now_ms, rng);
        self.window.correct(now_ms, sample.taken_ms);
        // Nothing came between: the success that ended the row never was one.
        let before = if self.serial == sample.serial { sample.consecutive_before } else { self.consecutive };
        self.consecutive = before.saturating_add(1);
        self.last_sample_ms = now_ms;
        self.serial += 1;
        let caused = match self.phase {
            Phase::HalfOpen { .. } if sample.outage == Some(self.outage) => Some(self.trip(now_ms, rng)),
            Phase::Open { .. } | Phase::HalfOpen { .. } => None,
            _ => self.judge(now_ms, rng),
        };
        joined(passed, caused)
    }

    /// A connection after connections had failed: those failures are a row no more. It is no sample:
    /// nothing was asked.
    pub fn end_row(&mut self) {
        self.consecutive = 0;
    }

    /// Gives a trial back without a result: the request never reached the provider.
    pub fn release(&mut self, trial: u32) {
        self.end_trial(Some(trial));
    }

    /// Moves on what time alone moves: the end of being open, of the ramp, of a quiet minute, and
    /// of patience with a silent trial.
    pub fn advance(&mut self, now_ms: u64, rng: &mut impl Rng) -> Option<Transition> {
        match self.phase {
            Phase::Open { until_ms, probe } => {
                let trial = probe.filter(|probe| !self.is_silent(*probe, now_ms));
                if now_ms >= self.capped(until_ms) {
                    return Some(self.enter(Phase::HalfOpen { trial, successes: 0 }, now_ms));
                }
                self.phase = Phase::Open { until_ms, probe: trial };
                None
            }
            Phase::HalfOpen { trial: Some(trial), .. } if self.is_silent(trial, now_ms) => Some(self.trip(now_ms, rng)),
            Phase::Recovering if now_ms >= self.since_ms + RAMP_MS => {
                let ended_ms = self.since_ms + RAMP_MS;
                Some(self.enter(Phase::Healthy, ended_ms))
            }
            Phase::Degraded if self.has_healed(now_ms) => Some(self.enter(Phase::Healthy, now_ms)),
            _ => None,
        }
    }

    /// Goes back to what it was `before`: what came since was pretended. Trials of before have been
    /// answered or given up meanwhile; those in flight now decide nothing more.
    pub fn return_to(&mut self, before: Self) {
        let phase = match before.phase {
            Phase::Open { until_ms, .. } => Phase::Open { until_ms, probe: None },
            Phase::HalfOpen { successes, .. } => Phase::HalfOpen { trial: None, successes },
            passing => passing,
        };
        *self = Self {
            phase,
            serial: self.serial + 1,
            outage: self.outage.wrapping_add(1),
            next_trial: self.next_trial,
            first_byte_timeout_ms: self.first_byte_timeout_ms,
            alone: self.alone,
            ..before
        };
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Healthy => State::Healthy,
            Phase::Degraded => State::Degraded,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Recovering => State::Recovering,
        }
    }

    /// Since when, monotone milliseconds.
    pub fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Factor on the weight now: 0 unless requests pass freely.
    pub fn factor(&self, now_ms: u64) -> f64 {
        match self.peek(now_ms) {
            Admission::Pass { factor } => factor,
            _ => 0.0,
        }
    }

    /// When it reopens, monotone milliseconds; `None` unless it is open.
    pub fn reopens_at_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Open { until_ms, .. } => Some(self.capped(until_ms)),
            _ => None,
        }
    }

    /// Whether a trial (or a panic probe) is in flight.
    pub fn has_trial_in_flight(&self) -> bool {
        matches!(self.phase, Phase::Open { probe: Some(_), .. } | Phase::HalfOpen { trial: Some(_), .. })
    }

    /// Samples of the last 60 s.
    pub fn tally(&self, now_ms: u64) -> Tally {
        self.window.tally(now_ms)
    }

    /// Failures in a row.
    pub fn consecutive_failures(&self) -> u32 {
        self.consecutive
    }

    fn take(&mut self, now_ms: u64, success: bool, trial: bool) -> Sample {
        self.window.add(now_ms, success);
        let consecutive_before = self.consecutive;
        self.consecutive = if success { 0 } else { self.consecutive.saturating_add(1) };
        self.last_sample_ms = now_ms;
        self.serial += 1;
        let outage = trial.then_some(self.outage);
        Sample { taken_ms: now_ms, serial: self.serial, consecutive_before, outage }
    }

    /// The rules of the states in which requests pass.
    fn judge(&mut self, now_ms: u64, rng: &mut impl Rng) -> Option<Transition> {
        let tally = self.window.tally(now_ms);
        let enough = tally.samples >= SAMPLES;
        if self.consecutive >= CONSECUTIVE || (enough && tally.is_below(TRIP_PERCENT)) {
            return Some(self.trip(now_ms, rng));
        }
        match self.phase {
            Phase::Healthy if enough && tally.is_below(DEGRADE_PERCENT) => {
                self.forgive(now_ms);
                Some(self.enter(Phase::Degraded, now_ms))
            }
            Phase::Degraded if self.has_healed(now_ms) => Some(self.enter(Phase::Healthy, now_ms)),
            _ => None,
        }
    }

    fn trip(&mut self, now_ms: u64, rng: &mut impl Rng) -> Transition {
        self.forgive(now_ms);
        let doubled = OPEN_MS.saturating_mul(1 << self.openings.min(16)).min(OPEN_LONGEST_MS);
        let longest = if self.alone { doubled.min(OPEN_ALONE_MS) } else { doubled };
        let length = longest / 2 + rng.random_range(0..=longest / 2);
        self.openings = self.openings.saturating_add(1);
        self.outage = self.outage.wrapping_add(1);
        // A trial still in flight keeps its place, so that there are never two, but decides nothing more.
        let left = match self.phase {
            Phase::HalfOpen { trial: Some(trial), .. } if !self.is_silent(trial, now_ms) => Some(trial),
            _ => None,
        };
        let probe = left.map(|trial| Trial { decides: false, ..trial });
        self.enter(Phase::Open { until_ms: now_ms + length, probe }, now_ms)
    }

    fn count_success(&mut self, now_ms: u64, trial: Option<Trial>, successes: u32) -> Option<Transition> {
        if successes < TRIALS {
            self.phase = Phase::HalfOpen { trial, successes };
            return None;
        }
        self.window.clear();
        self.consecutive = 0;
        Some(self.enter(Phase::Recovering, now_ms))
    }

    fn enter(&mut self, phase: Phase, now_ms: u64) -> Transition {
        let from = self.state();
        self.phase = phase;
        self.since_ms = now_ms;
        Transition { from, to: self.state() }
    }

    /// Ten minutes of health make up for earlier outages. Call it before leaving HEALTHY, be it by
    /// tripping or by declining first.
    fn forgive(&mut self, now_ms: u64) {
        if self.phase == Phase::Healthy && now_ms.saturating_sub(self.since_ms) >= FORGIVEN_MS {
            self.openings = 0;
        }
    }

    fn start_trial(&mut self, now_ms: u64) -> Trial {
        let number = self.next_trial;
        self.next_trial = self.next_trial.wrapping_add(1);
        Trial { number, started_ms: now_ms, decides: true }
    }

    /// Ends the trial in flight if `number` is its number; an older one has already been given up.
    fn end_trial(&mut self, number: Option<u32>) -> bool {
        let (Phase::Open { probe: slot, .. } | Phase::HalfOpen { trial: slot, .. }) = &mut self.phase else {
            return false;
        };
        slot.take_if(|trial| Some(trial.number) == number).is_some_and(|trial| trial.decides)
    }

    fn is_silent(&self, trial: Trial, now_ms: u64) -> bool {
        now_ms > trial.started_ms.saturating_add(self.first_byte_timeout_ms)
    }

    fn has_healed(&self, now_ms: u64) -> bool {
        let tally = self.window.tally(now_ms);
        let quiet = now_ms.saturating_sub(self.last_sample_ms) >= QUIET_MS;
        quiet || (tally.samples > 0 && !tally.is_below(HEAL_PERCENT))
    }

    fn ramp(&self, now_ms: u64) -> f64 {
        let part = now_ms.saturating_sub(self.since_ms) as f64 / RAMP_MS as f64;
        part.clamp(RAMP_LOWEST, 1.0)
    }

    /// The end of being open under the cap of a provider that stands alone.
    fn capped(&self, until_ms: u64) -> u64 {
        if self.alone { until_ms.min(self.since_ms + OPEN_ALONE_MS) } else { until_ms }
    }
}

/// Two changes in one step, told as one.
fn joined(first: Option<Transition>, second: Option<Transition>) -> Option<Transition> {
    match (first, second) {
        (Some(first), Some(second)) => Some(Transition { from: first.from, to: second.to }),
        (first, second) => second.or(first),
    }
}

#[cfg(test)]
mod tests;
