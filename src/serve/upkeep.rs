//! Keeping the house: last uses of keys, sessions that ended, and a request
//! log that cannot fill the disk.

use std::{collections::HashMap, time::Duration};

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::tasks::Tasks;
use crate::{
    model::id::ApiKeyId,
    server::{
        config::Log,
        record::Recorder,
        store::{LogLimits, Store, StoreError},
    },
};

/// How often old rows and ended sessions go.
const SWEEP: Duration = Duration::from_secs(300);
/// How often last uses are written down.
const NOTE: Duration = Duration::from_secs(30);
const DAY_MS: i64 = 86_400_000;
/// Days that alerts which are over, and messages about them, are kept.
const ALERT_DAYS: i64 = 90;

impl Tasks {
    /// Starts all of it.
    pub(crate) fn keep_house(&mut self, store: &Store, recorder: &Recorder, log: &Log) {
        self.spawn(note_uses(store.clone(), recorder.clone(), self.stop()));
        store.limit_request_log(LogLimits { days: log.request_days, bytes: log.request_bytes });
        store.limit_bodies(LogLimits { days: log.body_days, bytes: log.body_bytes });
        let (store, stop) = (store.clone(), self.stop());
        self.spawn(async move {
            match stop.run_until_cancelled(store.move_old_requests()).await {
                Some(Ok(0)) | None => {}
                Some(Ok(rows)) => tracing::info!(rows, "the request log of an older version was moved into segments"),
                Some(Err(error)) => {
                    tracing::warn!(%error, "the request log of an older version waits for the next start")
                }
            }
            let mut sweep = tokio::time::interval(SWEEP);
            sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = sweep.tick() => {}
                }
                if let Err(error) = tidy(&store, now_ms()).await {
                    tracing::warn!(%error, "old rows and sessions stay for now");
                }
            }
        });
    }
}

/// Deletes sessions that ended, drops segments of the log until days and bytes are within their caps, and packs
/// one that was written in slow times.
pub async fn tidy(store: &Store, now_ms: i64) -> Result<(), StoreError> {
    store.sweep_sessions(now_ms).await?;
    store.forget_alerts(now_ms - ALERT_DAYS * DAY_MS).await?;
    let gone = store.trim_requests(now_ms).await?;
    if gone > 0 {
        tracing::info!(segments = gone, "the oldest part of the request log was dropped");
    }
    let gone = store.trim_bodies(now_ms).await?;
    if gone > 0 {
        tracing::info!(segments = gone, "the oldest bodies of requests were dropped");
    }
    // Last: it needs room on the disk, which the rest makes.
    if store.merge_requests().await? {
        tracing::debug!("a part of the request log was packed anew");
    }
    Ok(())
}

/// Writes down when keys were last used, from the rows of the log, some times a minute.
async fn note_uses(store: Store, recorder: Recorder, stop: CancellationToken) {
    let mut rows = recorder.subscribe();
    let mut used: HashMap<ApiKeyId, i64> = HashMap::new();
    let mut note = tokio::time::interval(NOTE);
    note.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let ending = tokio::select! {
            () = stop.cancelled() => true,
            _ = note.tick() => false,
            row = rows.recv() => match row {
                Ok(detail) => {
                    if let Some(key) = detail.row.api_key {
                        used.entry(key).and_modify(|at| *at = (*at).max(detail.row.at_ms)).or_insert(detail.row.at_ms);
                    }
                    continue;
                }
                // A busy key shows up again in a moment.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => true,
            },
        };
        let seen: Vec<(ApiKeyId, i64)> = used.drain().collect();
        if !seen.is_empty()
            && let Err(error) = store.touch_api_keys(&seen).await
        {
            tracing::warn!(%error, "last uses of keys were not written down");
        }
        if ending {
            return;
        }
    }
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
