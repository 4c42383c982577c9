//! The request log: appended in batches, paged by id.
//!
//! An id is a UUID of version 7, made when the request began, so ids order by time: a page is a range of the
//! primary key, and so is a stretch of time or a day to be deleted.

use std::borrow::Borrow;

use crate::model::{
    id::RequestId,
    page::{PAGE_MAX, Stretch},
    request_log::{Attempt, Outcome, RequestDetail, RequestFilter, RequestRow},
    usage::Usage,
};

use super::{
    Store, StoreError,
    column::{Reader, json},
    database::{Pools, Tx},
    sql::{Statement, Value, composed, record, sql, statements},
};

/// Rows per INSERT of a batch: few enough for both databases' limits on placeholders.
const ROWS_PER_INSERT: usize = 32;
const COLUMNS: &str = "id, at_ms, group_id, group_slug, api_key_id, api_key_name, method, path, model, status, outcome, \
                       provider_id, provider_name, attempt_count, first_byte_us, total_us, request_bytes, response_bytes, \
                       error_code, client_ip, streamed, user_agent, attempts, \
                       tokens_in, tokens_out, tokens_cached, tokens_reasoning, tokens_estimated, cost_nanos";
const COLUMN_COUNT: usize = 29;
/// An id may have been made this much before or after the time noted in its row.
const ID_SLACK_MS: i64 = 60_000;

/// Rows that were lost before they could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Before when, unix milliseconds.
    pub at_ms: i64,
    /// How many.
    pub lost: u64,
}

statements! {
    ONE_REQUEST = "SELECT id, at_ms, group_id, group_slug, api_key_id, api_key_name, method, path, model, status, outcome, \
                   provider_id, provider_name, attempt_count, first_byte_us, total_us, request_bytes, response_bytes, \
                   error_code, client_ip, streamed, user_agent, attempts, \
                   tokens_in, tokens_out, tokens_cached, tokens_reasoning, tokens_estimated, cost_nanos FROM requests WHERE id = $1";
    PUT_GAP = "INSERT INTO request_gaps (id, at_ms, lost) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    GAPS = "SELECT at_ms, lost FROM request_gaps WHERE at_ms >= $1 AND at_ms < $2 ORDER BY id DESC LIMIT 1000";
    FORGET = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE id < $1 ORDER BY id LIMIT $2)";
    FORGET_GAPS = "DELETE FROM request_gaps WHERE id < $1";
}

/// Pages in use: deleted rows leave free pages behind, which the next rows fill before the file grows.
const SQLITE_BYTES: &str = "SELECT (page_count - freelist_count) * page_size \
                            FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";

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
    /// Appends requests in one transaction. `gap` counts rows that were lost before these; it leaves a row of
    /// its own. A batch that is sent again after an error whose outcome is unknown writes nothing twice.
    pub async fn append_requests(
        &self,
        requests: &[impl Borrow<RequestDetail> + Sync],
        gap: u64,
    ) -> Result<(), StoreError> {
        if requests.is_empty() && gap == 0 {
            return Ok(());
        }
        let mut tx = self.log.write().await?;
        if gap > 0 {
            put_gap(&mut tx, requests.first().map(|request| &request.borrow().row), gap).await?;
        }
        let marks = match self.log.pools {
            Pools::Sqlite { .. } => Marks::Bare,
            Pools::Postgres { .. } => Marks::Numbered,
        };
        let (many, few) = (insert_text(ROWS_PER_INSERT, marks), insert_text(1, marks));
        let mut batches = requests.chunks_exact(ROWS_PER_INSERT);
        for batch in &mut batches {
            let rows = batch.iter().map(Borrow::borrow);
            tx.run(rows.fold(composed(many.clone()), bind_row)).await?;
        }
        for request in batches.remainder() {
            tx.run(bind_row(composed(few.clone()), request.borrow())).await?;
        }
        tx.commit().await
    }

    /// Requests, newest first, by filter. `older` of the answer is the id to pass as `before` for the next page.
    pub async fn requests(&self, filter: &RequestFilter) -> Result<Stretch<RequestRow>, StoreError> {
        let limit = if filter.limit == 0 { 50 } else { filter.limit.min(PAGE_MAX) } as usize;
        let rows: Vec<Row> = self.log.all(select(filter, limit + 1)).await?;
        let mut rows = rows.into_iter().map(assemble).collect::<Result<Vec<RequestRow>, _>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let older = if more { rows.last().map(|row| row.id.to_string()) } else { None };
        Ok(Stretch { rows, older })
    }

    /// One request with its attempts.
    pub async fn request(&self, id: RequestId) -> Result<Option<RequestDetail>, StoreError> {
        let Some(Whole(row, rest)) = self.log.one(sql(ONE_REQUEST).bind(Value::text(id))).await? else {
            return Ok(None);
        };
        let read = Reader { what: "request", id: &row.id };
        let attempts: Vec<Attempt> = read.json(&rest.attempts)?;
        Ok(Some(RequestDetail { row: assemble(row)?, user_agent: rest.user_agent, attempts }))
    }

    /// Gaps of the log in a stretch of time, newest first.
    pub async fn request_gaps(&self, from_ms: i64, to_ms: i64) -> Result<Vec<Gap>, StoreError> {
        let rows: Vec<(i64, i64)> = self.log.all(sql(GAPS).bind(from_ms).bind(to_ms)).await?;
        Ok(rows.into_iter().map(|(at_ms, lost)| Gap { at_ms, lost: lost.unsigned_abs() }).collect())
    }

    /// Bytes that the log uses of its SQLite file; `None` on PostgreSQL, whose tables keep their size.
    pub async fn request_log_bytes(&self) -> Result<Option<u64>, StoreError> {
        if matches!(self.log.pools, Pools::Postgres { .. }) {
            return Ok(None);
        }
        let found: Option<(i64,)> = self.log.one(sql(SQLITE_BYTES)).await?;
        Ok(found.map(|(bytes,)| bytes.unsigned_abs()))
    }

    /// Deletes requests from before `at_ms`, oldest first, `most` at a time so that appending never waits long.
    /// Returns how many went; call again until it is 0.
    pub async fn forget_requests(&self, at_ms: i64, most: u32) -> Result<u64, StoreError> {
        let before = first_id_at(at_ms);
        let gone = self.log.run(sql(FORGET).bind(before.as_str()).bind(most)).await?;
        if gone == 0 {
            self.log.run(sql(FORGET_GAPS).bind(before)).await?;
        }
        Ok(gone)
    }
}

/// A gap takes the id of the request it comes before, so that a batch sent twice tells of it once.
async fn put_gap(tx: &mut Tx, before: Option<&RequestRow>, lost: u64) -> Result<(), StoreError> {
    let (id, at_ms) = match before {
        Some(row) => (row.id.0, row.at_ms),
        None => {
            let id = uuid::Uuid::now_v7();
            (id, millis_of(id))
        }
    };
    tx.run(sql(PUT_GAP).bind(Value::text(id.as_hyphenated())).bind(at_ms).bind(Value::count(lost))).await.map(drop)
}

fn millis_of(id: uuid::Uuid) -> i64 {
    id.get_timestamp().map_or(0, |at| {
        let (seconds, nanos) = at.to_unix();
        i64::try_from(seconds * 1000 + u64::from(nanos) / 1_000_000).unwrap_or(i64::MAX)
    })
}

/// How the places of values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    /// `?`: SQLite looks every other kind up by name, for each value through all names, which for a batch
    /// cost more than a third of the insert.
    Bare,
    /// `$1`, as PostgreSQL asks for.
    Numbered,
}

/// `INSERT … VALUES ($1, …), (…) …`: constant text, its length aside.
fn insert_text(rows: usize, marks: Marks) -> String {
    let mut text = format!("INSERT INTO requests ({COLUMNS}) VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMN_COUNT {
            let comma = if column == 1 { "" } else { ", " };
            match marks {
                Marks::Bare => text.push_str(&format!("{comma}?")),
                Marks::Numbered => text.push_str(&format!("{comma}${}", row * COLUMN_COUNT + column)),
            }
        }
        text.push(')');
    }
    text.push_str(" ON CONFLICT (id) DO NOTHING");
    text
}

fn bind_row(statement: Statement, request: &RequestDetail) -> Statement {
    let row = &request.row;
    let usage = row.usage.unwrap_or_default();
    statement
        .bind(Value::text(row.id))
        .bind(row.at_ms)
        .bind(row.group.map(|id| id.to_string()))
        .bind(row.group_slug.as_str())
        .bind(row.api_key.map(|id| id.to_string()))
        .bind(row.api_key_name.as_str())
        .bind(row.method.as_str())
        .bind(row.path.as_str())
        .bind(row.model.clone())
        .bind(i64::from(row.status))
        .bind(row.outcome.as_str())
        .bind(row.provider.map(|id| id.to_string()))
        .bind(row.provider_name.as_str())
        .bind(row.attempts)
        .bind(count(row.first_byte_us))
        .bind(Value::count(row.total_us))
        .bind(Value::count(row.request_bytes))
        .bind(Value::count(row.response_bytes))
        .bind(row.error_code.clone())
        .bind(row.client_ip.as_str())
        .bind(row.streamed)
        .bind(request.user_agent.as_str())
        .bind(json(&request.attempts))
        .bind(count(usage.input))
        .bind(count(usage.output))
        .bind(count(usage.cached))
        .bind(count(usage.reasoning))
        .bind(row.usage.map(|usage| usage.estimated))
        .bind(row.cost_nanos)
}

fn count(value: Option<u64>) -> Option<i64> {
    value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))
}

/// Puts the list's statement together: only fixed fragments, every value bound.
fn select(filter: &RequestFilter, limit: usize) -> Statement {
    let conditions: [(&str, Option<Value>); 11] = [
        ("id < ", filter.before.map(Value::text)),
        ("id >= ", filter.from_ms.map(|ms| Value::from(first_id_at(ms.saturating_sub(ID_SLACK_MS))))),
        ("id < ", filter.to_ms.map(|ms| Value::from(first_id_at(ms.saturating_add(ID_SLACK_MS))))),
        ("at_ms >= ", filter.from_ms.map(Value::from)),
        ("at_ms < ", filter.to_ms.map(Value::from)),
        ("group_id = ", filter.group.map(Value::text)),
        ("provider_id = ", filter.provider.map(Value::text)),
        ("api_key_id = ", filter.api_key.map(Value::text)),
        ("outcome = ", filter.outcome.map(|outcome| Value::from(outcome.as_str()))),
        ("status = ", filter.status.map(|status| Value::from(i64::from(status)))),
        ("model = ", filter.model.clone().map(Value::from)),
    ];
    let mut text = format!("SELECT {COLUMNS} FROM requests");
    let mut values = Vec::new();
    for (condition, value) in conditions {
        let Some(value) = value else { continue };
        values.push(value);
        text.push_str(if values.len() == 1 { " WHERE " } else { " AND " });
        text.push_str(&format!("{condition}${}", values.len()));
    }
    values.push(Value::Int(i64::try_from(limit).ok()));
    text.push_str(&format!(" ORDER BY id DESC LIMIT ${}", values.len()));
    composed(text).bind_all(values)
}

/// The smallest UUID of version 7 made at that millisecond, as text: RFC 9562 §5.7 puts the time first.
fn first_id_at(ms: i64) -> String {
    const LATEST: u64 = (1 << 48) - 1;
    let ms = u64::try_from(ms).unwrap_or(0).min(LATEST);
    uuid::Uuid::from_u128((u128::from(ms) << 80) | (0x7 << 76) | (0x2 << 62)).as_hyphenated().to_string()
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

/// Every form of the list's statement that differs in more than a condition left out, for the test that
/// prepares all statements.
pub(super) fn composed_texts() -> Vec<(String, String)> {
    use crate::model::id::{ApiKeyId, GroupId, ProviderId};
    let nil = uuid::Uuid::nil();
    let all = RequestFilter {
        from_ms: Some(0),
        to_ms: Some(1),
        group: Some(GroupId(nil)),
        provider: Some(ProviderId(nil)),
        api_key: Some(ApiKeyId(nil)),
        outcome: Some(Outcome::Served),
        status: Some(200),
        model: Some(String::new()),
        before: Some(RequestId(nil)),
        limit: 1,
    };
    vec![
        ("requests without a filter".to_owned(), select(&RequestFilter::default(), 1).into_text()),
        ("requests with every filter".to_owned(), select(&all, 1).into_text()),
        ("insert of one request".to_owned(), insert_text(1, Marks::Numbered)),
        ("insert of a batch".to_owned(), insert_text(ROWS_PER_INSERT, Marks::Numbered)),
    ]
}
