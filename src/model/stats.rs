//! Statistics: computed from every request in memory, never from the log.

use serde::{Deserialize, Serialize};

use super::{
    health::{HealthEvent, ProviderHealth},
    id::{ApiKeyId, GroupId, ProviderId},
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

/// Length of one column of statistics. Nothing in between is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// A minute.
    #[default]
    #[serde(rename = "1m")]
    Minute,
    /// A quarter of an hour.
    #[serde(rename = "15m")]
    Quarter,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A day of the gateway's time zone: 23 or 25 hours long where its clocks are moved.
    #[serde(rename = "1d")]
    Day,
}

impl Step {
    /// All steps, shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    /// The word in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1m",
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    /// Length in minutes; of a day, the usual one.
    pub fn minutes(self) -> i64 {
        match self {
            Self::Minute => 1,
            Self::Quarter => 15,
            Self::Hour => 60,
            Self::Day => 1_440,
        }
    }

    /// Length in milliseconds; of a day, the usual one.
    pub fn length_ms(self) -> i64 {
        self.minutes() * 60_000
    }

    /// How long columns of this length are kept, milliseconds: 48 hours, 8 days, 62 days, 2 years.
    pub fn kept_ms(self) -> i64 {
        const DAY: i64 = 86_400_000;
        match self {
            Self::Minute => 2 * DAY,
            Self::Quarter => 8 * DAY,
            Self::Hour => 62 * DAY,
            Self::Day => 731 * DAY,
        }
    }
}

/// Tokens and estimated cost of many requests. What is unknown is in none of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageTotals {
    /// Requests whose tokens are known.
    pub known: u64,
    /// Tokens sent to models, those from a cache among them.
    pub input: u64,
    /// Tokens written by models, those of reasoning among them.
    pub output: u64,
    /// Those of `input` that came from a cache.
    pub cached: u64,
    /// Those of `output` that were reasoning.
    pub reasoning: u64,
    /// Requests whose cost could be estimated.
    pub priced: u64,
    /// Estimated cost, billionths of the price table's currency unit.
    pub cost_nanos: i64,
}

impl UsageTotals {
    /// Adds other sums.
    pub fn add(&mut self, other: &Self) {
        self.known += other.known;
        self.input += other.input;
        self.output += other.output;
        self.cached += other.cached;
        self.reasoning += other.reasoning;
        self.priced += other.priced;
        self.cost_nanos = self.cost_nanos.saturating_add(other.cost_nanos);
    }

    /// Input and output together.
    pub fn tokens(&self) -> u64 {
        self.input + self.output
    }
}

/// Quantiles of a latency, microseconds; all zero when there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half were faster.
    pub p50_us: u64,
    /// 90 of 100 were faster.
    #[serde(default)]
    pub p90_us: u64,
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
    /// Adds other counts.
    pub fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.served += other.served;
        self.saved += other.saved;
        self.failed += other.failed;
        self.rate_limited += other.rate_limited;
        self.client += other.client;
    }

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
    /// Tokens in and out, of what is known.
    #[serde(default)]
    pub tokens: u64,
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
    /// Whether no gateway was there to see anything of the column.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unknown: bool,
    /// P95 of time to first byte, microseconds; 0 = none.
    pub p95_us: u64,
}

/// Most columns are known: they do not say so.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
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
    /// Tokens and estimated cost of the range.
    #[serde(default)]
    pub usage: UsageTotals,
    /// Currency of the estimated cost, three letters (ISO 4217).
    #[serde(default)]
    pub currency: String,
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

/// A day, week or month as the gateway's time zone has it, up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Since midnight.
    Today,
    /// Since Monday's midnight.
    Week,
    /// Since midnight of the first.
    Month,
}

/// What series of statistics are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Provider; counts attempts.
    Provider,
    /// Group.
    Group,
    /// API key.
    ApiKey,
    /// Model that clients asked for.
    Model,
    /// Class of the status that clients saw: `2xx`.
    Status,
}

/// What statistics are asked for. Without anything: requests of the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatsQuery {
    /// Not before: RFC 3339, or unix milliseconds.
    pub from: Option<String>,
    /// Before; now if it is missing.
    pub to: Option<String>,
    /// A calendar's period, instead of `from` and `to`.
    pub period: Option<Period>,
    /// A length of time up to now, instead of both.
    pub range: Option<Range>,
    /// Length of a column; the shortest sensible one if it is missing or `auto`.
    pub step: Option<String>,
    /// What to tell apart.
    pub by: Option<Dimension>,
    /// Only of this group.
    pub group: Option<GroupId>,
    /// Only of this API key.
    pub api_key: Option<ApiKeyId>,
    /// Only attempts at this provider.
    pub provider: Option<ProviderId>,
    /// Only of this model, exactly; empty for requests that named none.
    pub model: Option<String>,
    /// Only with this class of status: `2xx`.
    pub status: Option<String>,
    /// Series at most, the busiest first, the others added up as one; 10 if it is missing.
    pub limit: Option<u32>,
}

/// Figures of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// How requests ended. Of attempts `served` counts successes.
    pub counts: Counts,
    /// Tokens and estimated cost.
    pub usage: UsageTotals,
    /// Time to the response head.
    pub first_byte: Quantiles,
    /// Time to the first output of event streams.
    pub first_output: Quantiles,
    /// Time to the end.
    pub total: Quantiles,
}

/// One column of a series; columns in which nothing ended are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsColumn {
    /// Start, unix milliseconds.
    pub at_ms: i64,
    /// What ended in it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsSeries {
    /// Id, model or class of status; empty for none, `*` for all others.
    pub key: String,
    /// Its name where it has one.
    pub name: String,
    /// The whole stretch.
    pub totals: Figures,
    /// Its columns, oldest first.
    pub columns: Vec<StatsColumn>,
}

/// The answer to a [`StatsQuery`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatsAnswer {
    /// Start of the first column: whole columns are answered.
    pub from_ms: i64,
    /// End of the last column.
    pub to_ms: i64,
    /// Length of a column.
    pub step: Step,
    /// Whether attempts are counted, not requests.
    pub attempts: bool,
    /// All together.
    pub totals: Figures,
    /// What was told apart, the busiest first; one series of all where nothing was.
    pub series: Vec<StatsSeries>,
}
