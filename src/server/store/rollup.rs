//! Statistics in the store: periods that every process writes for itself and readers add up.
//!
//! The rows lie in the log's database: they are written every few seconds, and losing the last of
//! them is allowed. What a histogram looks like inside is the business of `record`.

use super::{
    Store, StoreError,
    sql::{Statement, Value, composed, record, sql, statements},
};
use crate::model::stats::{Counts, Step, UsageTotals};

/// Rows per INSERT: few enough for both databases' limits on placeholders.
const ROWS_PER_INSERT: usize = 32;
const KEYS: &str = "grain_minutes, at_ms, node, part, provider_id, group_id, api_key_id, model, status_class";
const FIGURES: [&str; 14] = [
    "total",
    "served",
    "saved",
    "failed",
    "rate_limited",
    "client",
    "usage_known",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "priced",
    "cost_nanos",
    "latency",
];
const COLUMN_COUNT: usize = 9 + FIGURES.len();
/// Length of a stretch that is deleted at once: appending never waits long.
const SLICE_MS: i64 = 6 * 3_600_000;

/// What one process counted of one series in one period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollupRow {
    /// Length of the period.
    pub step: Step,
    /// Its start, unix milliseconds.
    pub at_ms: i64,
    /// Which process.
    pub node: i64,
    /// Which of its rows, where it opened the period more than once.
    pub part: i64,
    /// Provider, of attempts; empty for requests. `*` stands for many, here and below.
    pub provider: String,
    /// Group; empty for none.
    pub group: String,
    /// API key; empty for none, and for attempts.
    pub api_key: String,
    /// Model; empty for none.
    pub model: String,
    /// First digit of the status the client saw; 0 for attempts.
    pub status_class: i64,
    /// How they ended; of attempts `served` counts successes.
    pub counts: Counts,
    /// Tokens and cost.
    pub usage: UsageTotals,
    /// Histograms of latencies.
    pub latency: Vec<u8>,
}

/// What a reader wants; an empty condition takes everything.
#[derive(Clone, Debug, Default)]
pub struct RollupFilter {
    /// Length of the periods.
    pub step: Step,
    /// Periods that start here or later, unix milliseconds.
    pub from_ms: i64,
    /// Periods that start before this.
    pub to_ms: i64,
    /// Attempts instead of requests.
    pub attempts: bool,
    /// Only this provider's.
    pub provider: Option<String>,
    /// Only this group's.
    pub group: Option<String>,
    /// Only this API key's.
    pub api_key: Option<String>,
    /// Only this model's.
    pub model: Option<String>,
    /// Only of this class of status.
    pub status_class: Option<i64>,
    /// Rows at most.
    pub limit: i64,
}

/// Requests of one group in one period, of all processes but one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCounts {
    /// Start of the period, unix milliseconds.
    pub at_ms: i64,
    /// Group; empty for none.
    pub group: String,
    /// How they ended.
    pub counts: Counts,
}

statements! {
    ROLLUPS = "SELECT at_ms, node, part, provider_id, group_id, api_key_id, model, status_class, \
               total, served, saved, failed, rate_limited, client, usage_known, input_tokens, output_tokens, \
               cached_tokens, reasoning_tokens, priced, cost_nanos, latency FROM rollups \
               WHERE grain_minutes = $1 AND at_ms >= $2 AND at_ms < $3 AND node <> $4";
    ROLLUP_COUNTS = "SELECT at_ms, group_id, CAST(SUM(total) AS BIGINT) AS total, CAST(SUM(served) AS BIGINT) AS served, \
                     CAST(SUM(saved) AS BIGINT) AS saved, CAST(SUM(failed) AS BIGINT) AS failed, \
                     CAST(SUM(rate_limited) AS BIGINT) AS rate_limited, CAST(SUM(client) AS BIGINT) AS client FROM rollups \
                     WHERE grain_minutes = $1 AND at_ms >= $2 AND at_ms < $3 AND node <> $4 AND provider_id = '' \
                     GROUP BY at_ms, group_id";
    OLDEST_ROLLUP = "SELECT at_ms FROM rollups WHERE grain_minutes = $1 ORDER BY at_ms LIMIT 1";
    FORGET_ROLLUPS = "DELETE FROM rollups WHERE grain_minutes = $1 AND at_ms < $2";
}

record! {
    /// A row of `rollups`.
    Row {
        at_ms: i64, node: i64, part: i64, provider_id: String, group_id: String,
        api_key_id: String, model: String, status_class: i64, total: i64, served: i64, saved: i64, failed: i64,
        rate_limited: i64, client: i64, usage_known: i64, input_tokens: i64, output_tokens: i64, cached_tokens: i64,
        reasoning_tokens: i64, priced: i64, cost_nanos: i64, latency: Vec<u8>,
    }
}

record! {
    /// Sums of one group and period.
    CountsRow {
        at_ms: i64, group_id: String, total: i64, served: i64, saved: i64, failed: i64, rate_limited: i64, client: i64,
    }
}

impl Store {
    /// Writes rows in one transaction, in place of what the same process wrote for the same series and period.
    pub async fn put_rollups(&self, rows: &[RollupRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.log.write().await?;
        for batch in rows.chunks(ROWS_PER_INSERT) {
            tx.run(batch.iter().fold(composed(put_text(batch.len())), bind)).await?;
        }
        tx.commit().await
    }

    /// Rows of periods that start between two moments, of every process but this one.
    pub async fn rollups(&self, step: Step, from_ms: i64, to_ms: i64, but: i64) -> Result<Vec<RollupRow>, StoreError> {
        let wanted = sql(ROLLUPS).bind(step.minutes()).bind(from_ms).bind(to_ms).bind(but);
        let rows: Vec<Row> = self.log.all(wanted).await?;
        Ok(rows.into_iter().map(|row| assemble(row, step)).collect())
    }

    /// How requests ended, by period and group, of every process but this one.
    pub async fn rollup_counts(
        &self,
        step: Step,
        from_ms: i64,
        to_ms: i64,
        but: i64,
    ) -> Result<Vec<GroupCounts>, StoreError> {
        let wanted = sql(ROLLUP_COUNTS).bind(step.minutes()).bind(from_ms).bind(to_ms).bind(but);
        let rows: Vec<CountsRow> = self.log.all(wanted).await?;
        let read = |row: CountsRow| GroupCounts {
            at_ms: row.at_ms,
            group: row.group_id,
            counts: counts([row.total, row.served, row.saved, row.failed, row.rate_limited, row.client]),
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Rows that fit, at most `limit`, in the order of time.
    pub async fn find_rollups(&self, filter: &RollupFilter) -> Result<Vec<RollupRow>, StoreError> {
        let rows: Vec<Row> = self.log.all(select(filter)).await?;
        Ok(rows.into_iter().map(|row| assemble(row, filter.step)).collect())
    }

    /// Deletes periods of this length that started before a moment, a stretch at a time; returns how many rows went.
    pub async fn forget_rollups(&self, step: Step, before_ms: i64) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let oldest: Option<(i64,)> = self.log.one(sql(OLDEST_ROLLUP).bind(step.minutes())).await?;
            let Some((oldest_ms,)) = oldest.filter(|(at_ms,)| *at_ms < before_ms) else { return Ok(gone) };
            let until_ms = before_ms.min(oldest_ms.saturating_add(SLICE_MS * step.minutes().min(60)));
            gone += self.log.run(sql(FORGET_ROLLUPS).bind(step.minutes()).bind(until_ms)).await?;
        }
    }
}

fn assemble(row: Row, step: Step) -> RollupRow {
    RollupRow {
        step,
        at_ms: row.at_ms,
        node: row.node,
        part: row.part,
        provider: row.provider_id,
        group: row.group_id,
        api_key: row.api_key_id,
        model: row.model,
        status_class: row.status_class,
        counts: counts([row.total, row.served, row.saved, row.failed, row.rate_limited, row.client]),
        usage: UsageTotals {
            known: unsigned(row.usage_known),
            input: unsigned(row.input_tokens),
            output: unsigned(row.output_tokens),
            cached: unsigned(row.cached_tokens),
            reasoning: unsigned(row.reasoning_tokens),
            priced: unsigned(row.priced),
            cost_nanos: row.cost_nanos,
        },
        latency: row.latency,
    }
}

fn counts([total, served, saved, failed, rate_limited, client]: [i64; 6]) -> Counts {
    let [total, served, saved, failed, rate_limited, client] =
        [total, served, saved, failed, rate_limited, client].map(unsigned);
    Counts { total, served, saved, failed, rate_limited, client }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// `INSERT … VALUES ($1, …), (…) …`: constant text, its length aside.
fn put_text(rows: usize) -> String {
    let mut text = format!("INSERT INTO rollups ({KEYS}, {}) VALUES ", FIGURES.join(", "));
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMN_COUNT {
            let comma = if column == 1 { "" } else { ", " };
            text.push_str(&format!("{comma}${}", row * COLUMN_COUNT + column));
        }
        text.push(')');
    }
    let replaced: Vec<String> = FIGURES.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    text.push_str(&format!(" ON CONFLICT ({KEYS}) DO UPDATE SET {}", replaced.join(", ")));
    text
}

fn bind(statement: Statement, row: &RollupRow) -> Statement {
    let Counts { total, served, saved, failed, rate_limited, client } = row.counts;
    let UsageTotals { known, input, output, cached, reasoning, priced, cost_nanos } = row.usage;
    let keys = statement.bind(row.step.minutes()).bind(row.at_ms).bind(row.node).bind(row.part);
    let keys = keys.bind(row.provider.as_str()).bind(row.group.as_str()).bind(row.api_key.as_str());
    let keys = keys.bind(row.model.as_str()).bind(row.status_class);
    let figures = [total, served, saved, failed, rate_limited, client, known, input, output, cached, reasoning, priced];
    keys.bind_all(figures.map(Value::count)).bind(cost_nanos).bind(row.latency.clone())
}

/// Puts the reader's statement together: only fixed fragments, every value bound.
fn select(filter: &RollupFilter) -> Statement {
    let keys = KEYS.trim_start_matches("grain_minutes, ");
    let mut text = format!("SELECT {keys}, {} FROM rollups", FIGURES.join(", "));
    text.push_str(" WHERE grain_minutes = $1 AND at_ms >= $2 AND at_ms < $3");
    text.push_str(if filter.attempts { " AND provider_id <> ''" } else { " AND provider_id = ''" });
    let mut values = vec![Value::from(filter.step.minutes()), Value::from(filter.from_ms), Value::from(filter.to_ms)];
    let conditions = [
        ("provider_id", filter.provider.clone().map(Value::from)),
        ("group_id", filter.group.clone().map(Value::from)),
        ("api_key_id", filter.api_key.clone().map(Value::from)),
        ("model", filter.model.clone().map(Value::from)),
        ("status_class", filter.status_class.map(Value::from)),
    ];
    for (column, value) in conditions {
        let Some(value) = value else { continue };
        values.push(value);
        text.push_str(&format!(" AND {column} = ${}", values.len()));
    }
    values.push(Value::from(filter.limit));
    text.push_str(&format!(" ORDER BY at_ms LIMIT ${}", values.len()));
    composed(text).bind_all(values)
}

/// The forms of the statements that differ in more than length, for the test that prepares all.
pub(super) fn composed_texts() -> Vec<(String, String)> {
    let one = || Some("x".to_owned());
    let all = RollupFilter {
        provider: one(),
        group: one(),
        api_key: one(),
        model: one(),
        status_class: Some(2),
        attempts: true,
        ..RollupFilter::default()
    };
    vec![
        ("rollups without a filter".to_owned(), select(&RollupFilter::default()).into_text()),
        ("rollups with every filter".to_owned(), select(&all).into_text()),
        ("one rollup".to_owned(), put_text(1)),
        ("a batch of rollups".to_owned(), put_text(ROWS_PER_INSERT)),
    ]
}
