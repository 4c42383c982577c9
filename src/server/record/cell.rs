//! What the requests, or the attempts, of one series came to in one period.

use super::histogram::Histogram;
use crate::model::{
    request_log::{AttemptOutcome, Outcome, RequestRow},
    stats::{Counts, UsageTotals},
};

/// Counts, usage and latencies. Of attempts, `served` counts successes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) counts: Counts,
    pub(super) usage: UsageTotals,
    pub(super) latency: Latency,
}

/// Latencies of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) first_byte: Histogram,
    pub(super) first_output: Histogram,
    pub(super) total: Histogram,
}

impl Cell {
    /// Adds all of another.
    pub(super) fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.usage.add(&other.usage);
        self.latency.merge(&other.latency);
    }
}

impl Latency {
    pub(super) fn merge(&mut self, other: &Self) {
        self.first_byte.merge(&other.first_byte);
        self.first_output.merge(&other.first_output);
        self.total.merge(&other.total);
    }

    /// Gives back memory that growing left over.
    pub(super) fn shrink(&mut self) {
        self.first_byte.shrink();
        self.first_output.shrink();
        self.total.shrink();
    }

    /// As the store keeps it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.first_byte.write(&mut bytes);
        self.first_output.write(&mut bytes);
        self.total.write(&mut bytes);
        bytes
    }

    /// What the store kept; what cannot be read is none, for a count is worth more than its latencies.
    pub(super) fn of_bytes(mut bytes: &[u8]) -> Self {
        let mut next = || Histogram::read(&mut bytes).unwrap_or_default();
        Self { first_byte: next(), first_output: next(), total: next() }
    }
}

/// So many requests that ended this way.
pub(super) fn requests(outcome: Outcome, count: u64) -> Counts {
    let mut counts = Counts { total: count, ..Counts::default() };
    match outcome {
        Outcome::Served => counts.served = count,
        Outcome::Saved => counts.saved = count,
        Outcome::Failed | Outcome::Interrupted => counts.failed = count,
        Outcome::RateLimited => counts.rate_limited = count,
        Outcome::ClientLeft | Outcome::ClientError => counts.client = count,
    }
    counts
}

/// So many attempts that ended this way.
pub(super) fn attempts(outcome: AttemptOutcome, count: u64) -> Counts {
    let mut counts = Counts { total: count, ..Counts::default() };
    match (outcome, outcome.success()) {
        (_, Some(true)) => counts.served = count,
        (_, Some(false)) => counts.failed = count,
        (AttemptOutcome::RateLimited | AttemptOutcome::QuotaExhausted, None) => counts.rate_limited = count,
        (_, None) => counts.client = count,
    }
    counts
}

/// Tokens and cost of one request; what is unknown adds nothing.
pub(super) fn usage(row: &RequestRow) -> UsageTotals {
    let known = row.usage.filter(|usage| usage.total().is_some()).unwrap_or_default();
    UsageTotals {
        known: u64::from(known.total().is_some()),
        input: known.input.unwrap_or(0),
        output: known.output.unwrap_or(0),
        cached: known.cached.unwrap_or(0),
        reasoning: known.reasoning.unwrap_or(0),
        priced: u64::from(row.cost_nanos.is_some()),
        cost_nanos: row.cost_nanos.unwrap_or(0),
    }
}
