//! The log as it was before it had segments: one table with a row per request. What it holds is moved into
//! segments, oldest first, and the table stays empty from then on.

use super::{
    super::{
        Store, StoreError,
        column::Reader,
        sql::{Value, record, sql, statements},
    },
    Lane,
};
use crate::model::{
    request_log::{Attempt, Outcome, RequestDetail, RequestRow},
    usage::Usage,
};

/// Rows moved at once.
const AT_ONCE: i64 = 1_000;

statements! {
    OLDEST = "SELECT id, at_ms, group_id, group_slug, api_key_id, api_key_name, method, path, model, status, outcome, \
              provider_id, provider_name, attempt_count, first_byte_us, total_us, request_bytes, response_bytes, \
              error_code, client_ip, streamed, user_agent, attempts, tokens_in, tokens_out, tokens_cached, \
              tokens_reasoning, tokens_estimated, cost_nanos FROM requests ORDER BY id LIMIT $1";
    FORGET = "DELETE FROM requests WHERE id <= $1";
}

record! {
    /// A row of `requests` as the list needs it.
    Row {
        id: String, at_ms: i64, group_id: Option<String>, group_slug: String, api_key_id: Option<String>,
        api_key_name: String, method: String, path: String, model: Option<String>, status: i64, outcome: String,
        provider_id: Option<String>, provider_name: String, attempt_count: i64, first_byte_us: Option<i64>,
        total_us: i64, request_bytes: i64, response_bytes: i64, error_code: Option<String>, client_ip: String,
        streamed: bool, tokens_in: Option<i64>, tokens_out: Option<i64>, tokens_cached: Option<i64>,
        tokens_reasoning: Option<i64>, tokens_estimated: Option<bool>, cost_nanos: Option<i64>,
    }
}

record! {
    /// What a detail has beside the row.
    Rest { user_agent: String, attempts: String }
}

/// A row and the rest of it, read from one database row.
struct Whole(Row, Rest);

impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for Whole
where
    Row: sqlx::FromRow<'r, R>,
    Rest: sqlx::FromRow<'r, R>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self(Row::from_row(row)?, Rest::from_row(row)?))
    }
}

impl Store {
    /// Moves the rows of the old table into segments of their own; returns how many there were. Stopped in the
    /// middle it goes on the next time, and writes nothing twice.
    pub async fn move_old_requests(&self) -> Result<u64, StoreError> {
        let mut lane = Lane::default();
        let mut moved = 0;
        let done = loop {
            match self.move_some(&mut lane).await {
                Ok(0) => break Ok(moved),
                Ok(some) => moved += some,
                Err(error) => break Err(error),
            }
        };
        self.finish_old_requests(lane).await?;
        done
    }

    async fn move_some(&self, lane: &mut Lane) -> Result<u64, StoreError> {
        let rows: Vec<Whole> = self.log.all(sql(OLDEST).bind(AT_ONCE)).await?;
        let Some(last) = rows.last().map(|Whole(row, _)| row.id.clone()) else { return Ok(0) };
        let count = rows.len() as u64;
        // A row that cannot be understood would stop the rest for ever: it is told and left behind.
        let details: Vec<RequestDetail> = rows
            .into_iter()
            .filter_map(|row| match whole(row) {
                Ok(detail) => Some(detail),
                Err(error) => {
                    tracing::warn!(%error, "a row of the old request log was not moved");
                    None
                }
            })
            .collect();
        self.append_old_requests(lane, &details).await?;
        self.log.run(sql(FORGET).bind(Value::from(last))).await?;
        Ok(count)
    }
}

fn whole(Whole(row, rest): Whole) -> Result<RequestDetail, StoreError> {
    let read = Reader { what: "request", id: &row.id };
    let attempts: Vec<Attempt> = read.json(&rest.attempts)?;
    Ok(RequestDetail { row: assemble(row)?, user_agent: rest.user_agent, attempts, bodies: None })
}

fn assemble(row: Row) -> Result<RequestRow, StoreError> {
    let read = Reader { what: "request", id: &row.id };
    let usage = usage(&row, &read)?;
    Ok(RequestRow {
        id: read.parse(&row.id)?,
        at_ms: row.at_ms,
        group: read.parse_optional(row.group_id.as_deref())?,
        group_slug: row.group_slug,
        api_key: read.parse_optional(row.api_key_id.as_deref())?,
        api_key_name: row.api_key_name,
        method: row.method,
        path: row.path,
        model: row.model,
        status: read.number(row.status)?,
        outcome: Outcome::parse(&row.outcome)
            .ok_or_else(|| read.damaged(format!("unknown outcome `{}`", row.outcome)))?,
        provider: read.parse_optional(row.provider_id.as_deref())?,
        provider_name: row.provider_name,
        attempts: read.number(row.attempt_count)?,
        first_byte_us: read.number_optional(row.first_byte_us)?,
        total_us: read.number(row.total_us)?,
        request_bytes: read.number(row.request_bytes)?,
        response_bytes: read.number(row.response_bytes)?,
        error_code: row.error_code,
        client_ip: row.client_ip,
        streamed: row.streamed,
        usage,
        cost_nanos: row.cost_nanos,
    })
}

/// Without the word whether they were estimated there are no tokens.
fn usage(row: &Row, read: &Reader<'_>) -> Result<Option<Usage>, StoreError> {
    let Some(estimated) = row.tokens_estimated else { return Ok(None) };
    Ok(Some(Usage {
        input: read.number_optional(row.tokens_in)?,
        output: read.number_optional(row.tokens_out)?,
        cached: read.number_optional(row.tokens_cached)?,
        reasoning: read.number_optional(row.tokens_reasoning)?,
        estimated,
    }))
}
