//! Leave to make one attempt at a provider: counts it while it runs and reports how it went.

use std::sync::Arc;

use super::{breaker::Sample, credential::CredentialState, drill::Met, provider::ProviderState};
use crate::model::{drill::Fault, request_log::AttemptOutcome};

/// One attempt in flight. Safe to drop at any point: an attempt without a report says nothing
/// about the provider, and its trial, if it was one, is given back.
#[derive(Debug)]
pub struct Permit {
    provider: Arc<ProviderState>,
    trial: Option<u32>,
    sample: Option<Sample>,
    reported: bool,
    /// The drill whose fault the attempt meets.
    met: Option<Met>,
}

impl Permit {
    pub(super) fn new(provider: Arc<ProviderState>, trial: Option<u32>) -> Self {
        provider.count_in();
        Self { provider, trial, sample: None, reported: false, met: None }
    }

    /// The provider.
    pub fn provider(&self) -> &Arc<ProviderState> {
        &self.provider
    }

    /// Whether this attempt decides about a tripped provider.
    pub fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Meets the fault of a drill, if one runs and it is this attempt's turn; call it once, before the attempt.
    pub fn meet_drill(&mut self, now_ms: u64) {
        self.met = self.provider.meet_drill(now_ms);
    }

    /// The drill whose fault this attempt meets.
    pub fn met(&self) -> Option<&Met> {
        self.met.as_ref()
    }

    /// Whether the outcome may teach this credential anything: not after the drill that made it.
    pub fn may_teach(&self, credential: &Arc<CredentialState>) -> bool {
        self.met.as_ref().is_none_or(|met| self.provider.drill().teaches(met.drill, credential))
    }

    /// Reports the outcome known at the first byte, or the failure to get there. The first report
    /// counts; a failure after a success corrects it ([`Permit::broke`]).
    pub fn report(&mut self, now_ms: u64, outcome: AttemptOutcome) {
        if let Some(met) = &self.met {
            // What was pretended says nothing any more once the pretence has ended.
            if met.is_over() {
                return;
            }
            let pretended = if met.fault == Fault::Truncate { outcome == AttemptOutcome::BodyBroken } else { true };
            if pretended {
                self.provider.drill().count(met.drill);
            }
        }
        if !std::mem::replace(&mut self.reported, true) {
            self.sample = self.provider.report(now_ms, outcome, self.trial.take());
        } else if outcome.success() == Some(false) {
            self.broke(now_ms, outcome);
        }
    }

    /// Adds the time to first byte of a success to the provider's moving average.
    pub fn first_byte(&self, now_ms: u64, first_byte_us: u64) {
        self.provider.observe_first_byte(now_ms, first_byte_us);
    }

    /// The body broke after the success was reported: the sample becomes a failure.
    pub fn broke(&mut self, now_ms: u64, outcome: AttemptOutcome) {
        if let Some(sample) = self.sample.take() {
            self.provider.correct(now_ms, outcome, sample);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(trial) = self.trial.take() {
            self.provider.release(trial);
        }
        self.provider.count_out();
    }
}
