//! Brings statistics and the history of health to the store, and back what other nodes wrote.

use std::time::Duration;

use super::tasks::Tasks;
use crate::{
    model::health::HealthEvent,
    server::{
        health::{board::Board, clock::Clock},
        record::{Recorder, keep::Keeper},
        routing::Routing,
        store::StoreError,
    },
};

/// How often statistics are written down: what a crash may lose, and how late nodes know of each other's.
const INTERVAL: Duration = Duration::from_secs(10);
/// Every so many intervals all columns are read again where there are other nodes: one may have
/// been without its store for a while.
const ALL: u32 = 90;
/// Every so many intervals what is old goes.
const FORGET: u32 = 30;
/// How long the start waits for the past; it goes on coming in after that.
const PATIENCE: Duration = Duration::from_secs(3);

/// Brings back the past of the charts. A store that is slow or gone costs the start a moment and the
/// charts their past, nothing else.
pub(super) async fn restore(keeper: Keeper, clock: Clock) {
    let reading = tokio::spawn(async move { keeper.restore(unix_ms(clock)).await });
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "statistics of the past cannot be read; charts start empty"),
        Ok(Err(_)) => tracing::error!("reading the statistics of the past broke off"),
        Err(_) => tracing::warn!("statistics of the past are still being read; charts fill up"),
    }
}

impl Tasks {
    /// Writes statistics down until the end, and what is left then.
    pub(crate) fn keep_statistics(
        &mut self,
        keeper: Keeper,
        recorder: Recorder,
        board: Board,
        routing: Routing,
        clock: Clock,
    ) {
        let stop = self.stop();
        self.spawn(async move {
            let mut interval = tokio::time::interval(INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let (mut failing, mut turn) = (false, 0_u32);
            loop {
                let ending = tokio::select! {
                    () = stop.cancelled() => true,
                    _ = interval.tick() => false,
                };
                find_health(&recorder, &board, &routing, clock);
                let kept = keep(&keeper, clock, turn, ending).await;
                match &kept {
                    Err(error) if !failing => {
                        tracing::warn!(%error, "statistics are not written down; counting goes on");
                    }
                    Ok(()) if failing => tracing::info!("statistics are written down again"),
                    _ => {}
                }
                failing = kept.is_err();
                if ending {
                    return;
                }
                turn = turn.wrapping_add(1);
            }
        });
    }
}

async fn keep(keeper: &Keeper, clock: Clock, turn: u32, ending: bool) -> Result<(), StoreError> {
    let now_ms = unix_ms(clock);
    if ending {
        return keeper.end(now_ms).await;
    }
    keeper.flush(now_ms).await?;
    keeper.refresh(turn % ALL == ALL - 1, now_ms).await?;
    if turn % FORGET == FORGET - 1 { keeper.forget(now_ms).await } else { Ok(()) }
}

/// States of providers that were not written down yet, or long ago.
fn find_health(recorder: &Recorder, board: &Board, routing: &Routing, clock: Clock) {
    let (table, now_ms) = (routing.load(), clock.now_ms());
    for provider in table.providers.iter().filter(|one| recorder.is_health_due(one.id, clock.unix_ms(now_ms))) {
        let seen = board.view(provider, &table.stored_groups, now_ms);
        recorder.found(HealthEvent {
            provider: provider.id,
            at_ms: clock.unix_ms(now_ms),
            state: seen.state,
            reason: seen.reason,
        });
    }
}

fn unix_ms(clock: Clock) -> i64 {
    clock.unix_ms(clock.now_ms())
}
