//! Statistics: computed from every request in memory, never from the log.

use serde::{Deserialize, Serialize};

use super::{
    health::{HealthEvent, ProviderHealth},
    id::{GroupId, ProviderId},
};

/// A stretch of time for charts and totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Range {
    /// The last hour.
    #[default]
    #[serde(rename = "1h")]
    Hour,
    /// The last 24 hours.
    #[serde(rename = "24h")]
    Day,
    /// The last 7 days.
    #[serde(rename = "7d")]
    Week,
    /// The last 30 days.
    #[serde(rename = "30d")]
    Month,
}

impl Range {
    /// All ranges, shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The word in the address bar.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Reads the word in the address bar.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.as_str() == word)
    }

    /// Length in milliseconds.
    pub fn length_ms(self) -> i64 {
        const HOUR: i64 = 3_600_000;
        match self {
            Self::Hour => HOUR,
            Self::Day => 24 * HOUR,
            Self::Week => 7 * 24 * HOUR,
            Self::Month => 30 * 24 * HOUR,
        }
    }
}

/// Quantiles of a latency, microseconds; all zero when there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half were faster.
    pub p50_us: u64,
    /// 95 of 100 were faster.
    pub p95_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
}

/// Requests counted by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// First provider answered.
    pub served: u64,
    /// Another provider answered.
    pub saved: u64,
    /// The client saw a failure (failed or interrupted).
    pub failed: u64,
    /// Refused by a limit of ours.
    pub rate_limited: u64,
    /// Client errors and clients that left.
    pub client: u64,
}

impl Counts {
    /// Success for clients: answered ÷ (answered + failed); `None` without either.
    pub fn success_rate(&self) -> Option<f64> {
        let answered = self.served + self.saved;
        let judged = answered + self.failed;
        (judged > 0).then(|| answered as f64 / judged as f64)
    }
}

/// One column of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Start, unix milliseconds.
    pub at_ms: i64,
    /// What happened.
    pub counts: Counts,
    /// Time to first byte.
    pub first_byte: Quantiles,
    /// Total time.
    pub total: Quantiles,
}

/// One provider's part in a range. Attempts are counted here, not requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProviderStats {
    /// Which provider; `None` until named.
    pub provider: Option<ProviderId>,
    /// Its name.
    pub name: String,
    /// Category colour, 1–8.
    pub color: u8,
    /// Attempts it was given.
    pub attempts: u64,
    /// Attempts that count as success.
    pub answered: u64,
    /// Attempts that count as failure.
    pub failed: u64,
    /// Time to first byte of its attempts.
    pub first_byte: Quantiles,
    /// Attempts per chart column, newest last.
    pub columns: Vec<ProviderColumn>,
}

impl ProviderStats {
    /// Share of judged attempts that succeeded, 0–1; `None` without any.
    pub fn success_rate(&self) -> Option<f64> {
        let judged = self.answered + self.failed;
        (judged > 0).then(|| self.answered as f64 / judged as f64)
    }
}

/// One column of a provider's heat strip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderColumn {
    /// Attempts that count as success.
    pub answered: u32,
    /// Attempts that count as failure.
    pub failed: u32,
    /// Whether the provider was taken out for any part of the column.
    pub taken_out: bool,
    /// P95 of time to first byte, microseconds; 0 = none.
    pub p95_us: u64,
}

/// All the dashboard needs, in one answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Which range.
    pub range: Range,
    /// Group it is about; `None` is all.
    pub group: Option<GroupId>,
    /// Made at, unix milliseconds.
    pub at_ms: i64,
    /// Requests per second over the last ten seconds.
    pub rate_now: f64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Totals of the range.
    pub counts: Counts,
    /// Totals of the range before it, for comparison.
    pub before: Counts,
    /// Time to first byte over the range.
    pub first_byte: Quantiles,
    /// Total time over the range.
    pub total: Quantiles,
    /// Length of one column, milliseconds.
    pub step_ms: i64,
    /// Columns, oldest first, the last one partial.
    pub buckets: Vec<Bucket>,
    /// Providers, busiest first.
    pub providers: Vec<ProviderStats>,
    /// Health now.
    pub health: Vec<ProviderHealth>,
    /// Recent changes of health, newest first.
    pub events: Vec<HealthEvent>,
}
