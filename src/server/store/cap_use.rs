//! What accounts with a daily or monthly cap used: every node adds, nobody overwrites.
//!
//! The rows lie in the log's database: like the log they are written often and without waiting for
//! the disk, and losing the last seconds is allowed.

use super::{
    Store, StoreError,
    sql::{Statement, composed, record, sql, statements},
};

/// Rows per INSERT: few enough for both databases' limits on placeholders.
const ROWS_PER_INSERT: usize = 64;
const COLUMNS: &str = "account, period, ends_at_ms, requests, tokens";
const COLUMN_COUNT: usize = 5;

/// Use of one account in one period: what is to be added, or the total.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CapUse {
    /// Whose.
    pub account: String,
    /// Name of the day or month.
    pub period: String,
    /// When it ends, unix milliseconds.
    pub ends_at_ms: i64,
    /// Requests; negative where some were given back.
    pub requests: i64,
    /// Tokens.
    pub tokens: i64,
}

statements! {
    CAP_USES = "SELECT account, period, ends_at_ms, requests, tokens FROM cap_uses WHERE period = $1 OR period = $2";
    FORGET_CAP_USES = "DELETE FROM cap_uses WHERE ends_at_ms < $1";
}

record! {
    /// A row of `cap_uses`.
    Row { account: String, period: String, ends_at_ms: i64, requests: i64, tokens: i64 }
}

impl Store {
    /// Adds to what accounts used, in one transaction, and returns the totals after it. Several
    /// nodes may add to the same account: each gets what all have used so far.
    pub async fn add_cap_uses(&self, uses: &[CapUse]) -> Result<Vec<CapUse>, StoreError> {
        // Always in the same order, so that two nodes cannot hold a row each and wait for the other's.
        let mut sorted: Vec<&CapUse> = uses.iter().collect();
        sorted.sort_unstable();
        let mut tx = self.log.write().await?;
        let mut totals = Vec::with_capacity(uses.len());
        for batch in sorted.chunks(ROWS_PER_INSERT) {
            let rows: Vec<Row> = tx.all(batch.iter().fold(composed(add_text(batch.len())), bind)).await?;
            totals.extend(rows.into_iter().map(CapUse::from));
        }
        tx.commit().await?;
        Ok(totals)
    }

    /// What every account used in this day and this month.
    pub async fn cap_uses(&self, day: &str, month: &str) -> Result<Vec<CapUse>, StoreError> {
        let rows: Vec<Row> = self.log.all(sql(CAP_USES).bind(day).bind(month)).await?;
        Ok(rows.into_iter().map(CapUse::from).collect())
    }

    /// What these accounts used in the days and months that have not ended.
    pub async fn cap_uses_of(&self, accounts: &[String], now_ms: i64) -> Result<Vec<CapUse>, StoreError> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let ask = composed(of_text(accounts.len())).bind(now_ms);
        let rows: Vec<Row> = self.log.all(ask.bind_all(accounts.iter().map(|name| name.as_str().into()))).await?;
        Ok(rows.into_iter().map(CapUse::from).collect())
    }

    /// Deletes periods that ended before this moment; returns how many rows went.
    pub async fn forget_cap_uses(&self, before_ms: i64) -> Result<u64, StoreError> {
        self.log.run(sql(FORGET_CAP_USES).bind(before_ms)).await
    }
}

impl From<Row> for CapUse {
    fn from(row: Row) -> Self {
        let Row { account, period, ends_at_ms, requests, tokens } = row;
        Self { account, period, ends_at_ms, requests, tokens }
    }
}

/// `INSERT … VALUES ($1, …), (…) …`: constant text, its length aside.
fn add_text(rows: usize) -> String {
    let mut text = format!("INSERT INTO cap_uses ({COLUMNS}) VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMN_COUNT {
            let comma = if column == 1 { "" } else { ", " };
            text.push_str(&format!("{comma}${}", row * COLUMN_COUNT + column));
        }
        text.push(')');
    }
    text.push_str(
        " ON CONFLICT (account, period) DO UPDATE SET requests = cap_uses.requests + excluded.requests, \
         tokens = cap_uses.tokens + excluded.tokens RETURNING ",
    );
    text.push_str(COLUMNS);
    text
}

/// `SELECT … WHERE … IN ($2, …)`: constant text, its length aside.
fn of_text(accounts: usize) -> String {
    let marks: Vec<String> = (0..accounts).map(|index| format!("${}", index + 2)).collect();
    format!("SELECT {COLUMNS} FROM cap_uses WHERE ends_at_ms > $1 AND account IN ({})", marks.join(", "))
}

fn bind(statement: Statement, one: &&CapUse) -> Statement {
    let statement = statement.bind(one.account.as_str()).bind(one.period.as_str());
    statement.bind(one.ends_at_ms).bind(one.requests).bind(one.tokens)
}

/// The forms of the statement that differ in more than length, for the test that prepares all.
pub(super) fn composed_texts() -> Vec<(String, String)> {
    vec![
        ("addition of one use".to_owned(), add_text(1)),
        ("addition of a batch".to_owned(), add_text(ROWS_PER_INSERT)),
        ("uses of two accounts".to_owned(), of_text(2)),
    ]
}
