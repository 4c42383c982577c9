//! Health of providers over time, as every process saw it, and when each of them ran.

use super::{
    Store, StoreError,
    column::{Reader, json, word},
    sql::{Statement, composed, record, sql, statements},
};
use crate::model::{
    health::{HealthEvent, HealthReason, HealthState},
    id::ProviderId,
};

/// Rows per INSERT.
const ROWS_PER_INSERT: usize = 64;
const COLUMNS: &str = "provider_id, at_ms, node, number, state, reason, changed";
const COLUMN_COUNT: usize = 7;

/// What one process saw of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRow {
    /// Which process.
    pub node: i64,
    /// Its how many-th row.
    pub number: i64,
    /// Whether it is a change; else it is what the process found.
    pub changed: bool,
    /// Provider, time, state and reason.
    pub event: HealthEvent,
}

/// When one process ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRun {
    /// Which process.
    pub node: i64,
    /// Its start, unix milliseconds.
    pub started_ms: i64,
    /// When it last said that it is there.
    pub seen_ms: i64,
}

/// A process as the others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// When it ran.
    pub run: NodeRun,
    /// The machine it runs on; empty where that has no name.
    pub host: String,
    /// It ended as it should.
    pub ended: bool,
}

statements! {
    SEE_RUN = "INSERT INTO node_runs (node, started_ms, seen_ms, host, ended) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (node) DO UPDATE SET seen_ms = excluded.seen_ms, ended = excluded.ended";
    PRESENCES = "SELECT node, started_ms, seen_ms, host, ended FROM node_runs WHERE seen_ms >= $1 \
                 ORDER BY started_ms, node";
    RUNS = "SELECT node, started_ms, seen_ms FROM node_runs WHERE seen_ms >= $1 ORDER BY started_ms, node";
    EVENTS_OF = "SELECT provider_id, at_ms, node, number, state, reason, changed FROM health_events \
                 WHERE provider_id = $1 AND at_ms >= $2 ORDER BY at_ms, node, number";
    EVENTS = "SELECT provider_id, at_ms, node, number, state, reason, changed FROM health_events \
              WHERE at_ms >= $1 ORDER BY at_ms, node, number";
    CHANGES = "SELECT provider_id, at_ms, node, number, state, reason, changed FROM health_events \
               WHERE at_ms < $1 AND changed ORDER BY at_ms DESC, node DESC, number DESC LIMIT $2";
    FORGET_EVENTS = "DELETE FROM health_events WHERE at_ms < $1";
    FORGET_RUNS = "DELETE FROM node_runs WHERE seen_ms < $1";
}

record! {
    /// A row of `health_events`.
    Row { provider_id: String, at_ms: i64, node: i64, number: i64, state: String, reason: String, changed: bool }
}

record! {
    /// A row of `node_runs`.
    RunRow { node: i64, started_ms: i64, seen_ms: i64 }
}

record! {
    /// A row of `node_runs` in full.
    PresenceRow { node: i64, started_ms: i64, seen_ms: i64, host: String, ended: bool }
}

impl Store {
    /// Notes that a process is there, and what it saw since the last time; one transaction.
    pub async fn note_health(&self, presence: &Presence, rows: &[HealthRow]) -> Result<(), StoreError> {
        let Presence { run, host, ended } = presence;
        let mut tx = self.log.write().await?;
        let see = sql(SEE_RUN).bind(run.node).bind(run.started_ms).bind(run.seen_ms);
        tx.run(see.bind(host.as_str()).bind(*ended)).await?;
        for batch in rows.chunks(ROWS_PER_INSERT) {
            tx.run(batch.iter().fold(composed(put_text(batch.len())), bind)).await?;
        }
        tx.commit().await
    }

    /// Processes that were there at this moment or later, in the order of their starts.
    pub async fn node_runs(&self, since_ms: i64) -> Result<Vec<NodeRun>, StoreError> {
        let rows: Vec<RunRow> = self.log.all(sql(RUNS).bind(since_ms)).await?;
        Ok(rows.into_iter().map(|RunRow { node, started_ms, seen_ms }| NodeRun { node, started_ms, seen_ms }).collect())
    }

    /// The same with where they ran and how they ended.
    pub async fn presences(&self, since_ms: i64) -> Result<Vec<Presence>, StoreError> {
        let rows: Vec<PresenceRow> = self.log.all(sql(PRESENCES).bind(since_ms)).await?;
        let presence = |PresenceRow { node, started_ms, seen_ms, host, ended }| Presence {
            run: NodeRun { node, started_ms, seen_ms },
            host,
            ended,
        };
        Ok(rows.into_iter().map(presence).collect())
    }

    /// What was seen of one provider, or of all, from this moment on, oldest first.
    pub async fn health_since(
        &self,
        provider: Option<ProviderId>,
        since_ms: i64,
    ) -> Result<Vec<HealthRow>, StoreError> {
        let rows: Vec<Row> = match provider {
            Some(provider) => self.log.all(sql(EVENTS_OF).bind(provider.to_string()).bind(since_ms)).await?,
            None => self.log.all(sql(EVENTS).bind(since_ms)).await?,
        };
        rows.into_iter().map(assemble).collect()
    }

    /// The last changes before a moment, newest first.
    pub async fn health_changes(&self, before_ms: i64, most: u32) -> Result<Vec<HealthEvent>, StoreError> {
        let rows: Vec<Row> = self.log.all(sql(CHANGES).bind(before_ms).bind(most)).await?;
        rows.into_iter().map(|row| assemble(row).map(|row| row.event)).collect()
    }

    /// Deletes what was seen before a moment, and processes that ended before it.
    pub async fn forget_health(&self, before_ms: i64) -> Result<u64, StoreError> {
        let events = self.log.run(sql(FORGET_EVENTS).bind(before_ms)).await?;
        Ok(events + self.log.run(sql(FORGET_RUNS).bind(before_ms)).await?)
    }
}

fn assemble(row: Row) -> Result<HealthRow, StoreError> {
    let read = Reader { what: "change of health of provider", id: &row.provider_id };
    let event = HealthEvent {
        provider: read.parse(&row.provider_id)?,
        at_ms: row.at_ms,
        state: read.word::<HealthState>(&row.state)?,
        reason: read.json::<HealthReason>(&row.reason)?,
    };
    Ok(HealthRow { node: row.node, number: row.number, changed: row.changed, event })
}

fn put_text(rows: usize) -> String {
    let mut text = format!("INSERT INTO health_events ({COLUMNS}) VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=COLUMN_COUNT {
            let comma = if column == 1 { "" } else { ", " };
            text.push_str(&format!("{comma}${}", row * COLUMN_COUNT + column));
        }
        text.push(')');
    }
    text.push_str(" ON CONFLICT (provider_id, at_ms, node, number) DO NOTHING");
    text
}

fn bind(statement: Statement, row: &HealthRow) -> Statement {
    let HealthEvent { provider, at_ms, state, reason } = &row.event;
    let keys = statement.bind(provider.to_string()).bind(*at_ms).bind(row.node).bind(row.number);
    keys.bind(word(state)).bind(json(reason)).bind(row.changed)
}

/// The forms of the statement that differ in more than length, for the test that prepares all.
pub(super) fn composed_texts() -> Vec<(String, String)> {
    vec![("one change of health".to_owned(), put_text(1)), ("a batch of them".to_owned(), put_text(ROWS_PER_INSERT))]
}
