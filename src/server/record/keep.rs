//! Statistics outlive the process: they go to the store every few seconds and come back at the start.
//!
//! A crash loses what was counted since the last flush, and nothing of what was flushed: rows are
//! replaced as a whole, in one transaction. Other processes on the same database write rows of their
//! own; what they wrote is read back into the charts here, so that each node shows the sum of all.

use std::sync::{Arc, PoisonError};

use super::{Recorder, Shared, history, rollup::Wanted};
use crate::{
    model::{
        health::{HealthEvent, Standing},
        id::ProviderId,
        stats::Step,
    },
    server::store::{NodeRun, Presence, RollupRow, Store, StoreError},
};

/// How long health is kept: what 30 days of uptime need.
const HEALTH_KEPT_MS: i64 = 35 * 86_400_000;
/// Another process that said so within this time is there.
const ALIVE_MS: i64 = 60_000;
/// Rows of statistics written in one transaction: appending to the log never waits long.
const AT_ONCE: usize = 512;

/// Carries statistics between memory and the store.
#[derive(Clone, Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    store: Store,
    started_ms: i64,
    host: String,
}

impl Recorder {
    /// What carries these statistics to the store and back.
    pub fn keeper(&self, store: Store, started_ms: i64) -> Keeper {
        Keeper { shared: Arc::clone(&self.shared), store, started_ms, host: String::new() }
    }

    /// Whether a provider's state has to be written down, see [`Recorder::found`].
    pub fn is_health_due(&self, provider: ProviderId, now_ms: i64) -> bool {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).is_due(provider, now_ms)
    }

    /// Writes down a state as it is now, which is no change.
    pub fn found(&self, event: HealthEvent) {
        let node = self.shared.folded().ledger.node();
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).add(node, event, false);
    }
}

impl Keeper {
    /// The same on a machine of this name, by which others tell of it when it is lost.
    pub fn on(self, host: String) -> Self {
        Self { host, ..self }
    }

    /// This process, to the store.
    fn node(&self) -> i64 {
        self.shared.folded().ledger.node()
    }

    /// Brings back every column that dashboards show, and when providers were out.
    pub async fn restore(&self, now_ms: i64) -> Result<(), StoreError> {
        self.read(true, now_ms).await?;
        let before = self.shared.folded().rollup.wanted_before();
        for wanted in before {
            let rows = self.store.rollup_counts(wanted.step, wanted.from_ms, wanted.to_ms, self.node()).await?;
            self.shared.folded().rollup.learn_counts(wanted, &rows);
        }
        self.restore_outages(now_ms).await
    }

    async fn restore_outages(&self, now_ms: i64) -> Result<(), StoreError> {
        let since_ms = now_ms - HEALTH_KEPT_MS;
        let runs = self.store.node_runs(since_ms).await?;
        let rows = self.store.health_since(None, since_ms).await?;
        let mut providers: Vec<ProviderId> = rows.iter().map(|row| row.event.provider).collect();
        providers.sort_unstable();
        providers.dedup();
        for provider in providers {
            let own: Vec<_> = rows.iter().filter(|row| row.event.provider == provider).cloned().collect();
            let out = history::stretches(&own, &runs).into_iter();
            let out = out.filter(|stretch| Standing::of(stretch.state) == Standing::Down);
            let out: Vec<(i64, i64)> = out.map(|stretch| (stretch.from_ms, stretch.to_ms)).collect();
            self.shared.folded().rollup.was_out(provider, &out);
        }
        Ok(())
    }

    /// Writes what changed since the last time. What the store refuses is kept and written next time.
    pub async fn flush(&self, now_ms: i64) -> Result<(), StoreError> {
        self.write(now_ms, false).await
    }

    /// The same at the end, which it says: this process is not lost.
    pub async fn end(&self, now_ms: i64) -> Result<(), StoreError> {
        self.write(now_ms, true).await
    }

    async fn write(&self, now_ms: i64, ended: bool) -> Result<(), StoreError> {
        let rows = self.shared.fold(now_ms).ledger.changed(now_ms);
        for (at, batch) in rows.chunks(AT_ONCE).enumerate() {
            if let Err(error) = self.store.put_rollups(batch).await {
                self.shared.folded().ledger.refused(&rows[at * AT_ONCE..]);
                return Err(error);
            }
        }
        self.write_health(now_ms, ended).await
    }

    async fn write_health(&self, now_ms: i64, ended: bool) -> Result<(), StoreError> {
        let waiting = self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).waiting();
        let run = NodeRun { node: self.node(), started_ms: self.started_ms, seen_ms: now_ms };
        let presence = Presence { run, host: self.host.clone(), ended };
        self.store.note_health(&presence, &waiting).await?;
        if let Some(last) = waiting.last() {
            self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).written(last.number);
        }
        Ok(())
    }

    /// Reads what other processes wrote, if there are any: the newest columns, or all of them.
    pub async fn refresh(&self, all: bool, now_ms: i64) -> Result<(), StoreError> {
        let node = self.node();
        let others = self.store.node_runs(now_ms - ALIVE_MS).await?.iter().any(|run| run.node != node);
        if others { self.read(all, now_ms).await } else { Ok(()) }
    }

    async fn read(&self, all: bool, now_ms: i64) -> Result<(), StoreError> {
        let wanted = self.shared.folded().rollup.wanted(all, now_ms);
        for one in wanted {
            let rows = self.rows(one).await?;
            self.shared.folded().rollup.learn(one, &rows);
        }
        Ok(())
    }

    async fn rows(&self, wanted: Wanted) -> Result<Vec<RollupRow>, StoreError> {
        self.store.rollups(wanted.step, wanted.from_ms, wanted.to_ms, self.node()).await
    }

    /// Deletes what is older than it is kept.
    pub async fn forget(&self, now_ms: i64) -> Result<(), StoreError> {
        for step in Step::ALL {
            self.store.forget_rollups(step, now_ms - step.kept_ms()).await?;
        }
        self.store.forget_health(now_ms - HEALTH_KEPT_MS).await.map(drop)
    }
}
