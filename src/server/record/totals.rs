//! Counters since start, for `/metrics`: they only grow, and there is a bounded number of them.

use std::collections::BTreeMap;

use super::{cell::Latency, intake::Counted};
use crate::model::{
    id::{GroupId, ProviderId},
    request_log::{AttemptOutcome, Outcome},
    stats::UsageTotals,
};

/// Groups and providers with counters of their own; later ones share those of "none".
const SUBJECTS: usize = 500;

/// Everything since start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Requests by group; those without one, and of groups beyond the bound, under `None`.
    pub groups: BTreeMap<Option<GroupId>, GroupTotals>,
    /// Attempts by provider; those beyond the bound under `None`.
    pub providers: BTreeMap<Option<ProviderId>, ProviderTotals>,
}

/// Requests of one group since start.
#[derive(Clone, Debug, Default)]
pub struct GroupTotals {
    /// By how they ended and the first digit of the status the client saw.
    pub requests: BTreeMap<(&'static str, u8), u64>,
    /// Tokens and cost.
    pub usage: UsageTotals,
    latency: Latency,
}

/// Attempts at one provider since start.
#[derive(Clone, Debug, Default)]
pub struct ProviderTotals {
    /// By how they ended.
    pub attempts: BTreeMap<&'static str, u64>,
    /// Tokens and cost of the requests it answered.
    pub usage: UsageTotals,
    latency: Latency,
}

/// A histogram as Prometheus wants it: how many values lie at or under each bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Cumulative {
    /// Counts, one for each of the bounds asked for.
    pub buckets: Vec<u64>,
    /// All values.
    pub count: u64,
    /// Their sum, seconds.
    pub sum_s: f64,
}

/// One of the latencies that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Response head of the provider.
    FirstByte,
    /// First output of an event stream.
    FirstOutput,
    /// End of the answer.
    Total,
}

impl Totals {
    /// Adds what a shard counted.
    pub(super) fn add(&mut self, counted: &Counted) {
        for (key, tally) in &counted.requests {
            let fits = self.groups.len() < SUBJECTS || self.groups.contains_key(&key.group);
            let group = self.groups.entry(key.group.filter(|_| fits)).or_default();
            *group.requests.entry((Outcome::as_str(key.outcome), key.status_class)).or_default() += tally.count;
            group.usage.add(&tally.usage);
            group.latency.merge(&tally.latency);
        }
        for (key, tally) in &counted.attempts {
            let known = Some(key.provider);
            let fits = self.providers.len() < SUBJECTS || self.providers.contains_key(&known);
            let provider = self.providers.entry(known.filter(|_| fits)).or_default();
            *provider.attempts.entry(AttemptOutcome::as_str(key.outcome)).or_default() += tally.count;
            provider.usage.add(&tally.usage);
            provider.latency.merge(&tally.latency);
        }
    }
}

impl GroupTotals {
    /// A latency of its requests against these bounds, seconds.
    pub fn latency(&self, measure: Measure, bounds_s: &[f64]) -> Cumulative {
        self.latency.cumulative(measure, bounds_s)
    }
}

impl ProviderTotals {
    /// A latency of its attempts against these bounds, seconds.
    pub fn latency(&self, measure: Measure, bounds_s: &[f64]) -> Cumulative {
        self.latency.cumulative(measure, bounds_s)
    }
}

impl Latency {
    fn cumulative(&self, measure: Measure, bounds_s: &[f64]) -> Cumulative {
        let histogram = match measure {
            Measure::FirstByte => &self.first_byte,
            Measure::FirstOutput => &self.first_output,
            Measure::Total => &self.total,
        };
        Cumulative {
            buckets: bounds_s.iter().map(|bound| histogram.count_up_to((bound * 1e6) as u64)).collect(),
            count: histogram.count(),
            sum_s: histogram.sum_us() as f64 / 1e6,
        }
    }
}
