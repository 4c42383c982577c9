//! Brings daily and monthly use to the store and back, some seconds after it was counted.
//!
//! Requests count in memory and never wait. What this task did not bring to the store when the
//! process is killed is lost, so the interval is what a crash may cost.

use std::time::Duration;

use super::tasks::Tasks;
use crate::server::{
    health::clock::Clock,
    limit::{
        calendar::{Period, Today},
        caps::{Amount, Caps, Use},
    },
    store::{CapUse, Store, StoreError},
};

/// How often use is written down: what a crash may lose, and how late nodes know of each other's.
const INTERVAL: Duration = Duration::from_secs(5);
/// A step of the clock that is worth a line; smaller ones are the everyday work of keeping it right.
const MOVED_MS: u64 = 60_000;
/// How long rows stay after their period, for a node whose time zone or clock differs.
const KEPT_MS: i64 = 2 * 86_400_000;

/// Brings back what was used of this day and month before the process started.
pub(super) async fn restore(store: &Store, caps: &Caps, clock: Clock) -> Result<(), StoreError> {
    let now_ns = clock.now_ns();
    let today = caps.today(now_ns);
    let rows = store.cap_uses(&today.day.to_string(), &today.month.to_string()).await?;
    let totals: Vec<Use> = rows.iter().filter_map(|row| read(row, &today)).collect();
    caps.learn(&totals, now_ns);
    Ok(())
}

/// Adds what was used since the last visit to the store and learns the totals.
async fn flush(store: &Store, caps: &Caps, clock: Clock) -> Result<(), StoreError> {
    let uses = caps.drain();
    if uses.is_empty() {
        return Ok(());
    }
    let rows: Vec<CapUse> = uses.iter().map(write).collect();
    let added = store.add_cap_uses(&rows).await;
    let now_ns = clock.now_ns();
    match added {
        Ok(rows) => {
            let today = caps.today(now_ns);
            let totals: Vec<Use> = rows.iter().filter_map(|row| read(row, &today)).collect();
            caps.learn(&totals, now_ns);
            Ok(())
        }
        Err(error) => {
            caps.keep(&uses, now_ns);
            Err(error)
        }
    }
}

impl Tasks {
    /// Writes use down until the end, and what is left then.
    pub(crate) fn keep_caps(&mut self, store: Store, caps: Caps, clock: Clock) {
        let stop = self.stop();
        self.spawn(async move {
            let mut interval = tokio::time::interval(INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut failing = false;
            let mut day = None;
            loop {
                let ending = tokio::select! {
                    () = stop.cancelled() => true,
                    _ = interval.tick() => false,
                };
                let moved_ms = caps.follow(clock.epoch_by_wall_ms());
                if moved_ms.unsigned_abs() > MOVED_MS {
                    tracing::info!(moved_ms, "the clock of this machine was set: days of caps follow it");
                }
                let written = flush(&store, &caps, clock).await;
                if let Err(error) = &written
                    && !failing
                {
                    tracing::warn!(%error, "use of daily and monthly caps is not written down; counting goes on");
                }
                failing = written.is_err();
                let today = caps.today(clock.now_ns()).day;
                if !failing && day.replace(today) != Some(today) {
                    forget(&store, today).await;
                }
                if ending {
                    return;
                }
            }
        });
    }
}

/// Once a day, rows of periods long over go.
async fn forget(store: &Store, today: Period) {
    if let Err(error) = store.forget_cap_uses(today.starts_at_ms.saturating_sub(KEPT_MS)).await {
        tracing::warn!(%error, "use of past days stays in the store for now");
    }
}

fn write(one: &Use) -> CapUse {
    CapUse {
        account: one.account.to_string(),
        period: one.period.to_string(),
        ends_at_ms: one.period.ends_at_ms,
        requests: one.amount.requests,
        tokens: one.amount.tokens,
    }
}

/// A row of today or this month; older ones say nothing any more.
fn read(row: &CapUse, today: &Today) -> Option<Use> {
    let period = [today.day, today.month].into_iter().find(|period| period.to_string() == row.period)?;
    let amount = Amount { requests: row.requests, tokens: row.tokens };
    Some(Use { account: row.account.parse().ok()?, period, amount })
}
