//! Statistics outlive a restart: a small file beside the databases, written every few minutes and at the end.
//!
//! They are worth a file, not a table: nobody queries them, a month of columns is some hundred
//! kilobytes, and a crash may cost the last minutes of a chart, never a row of the log. A file that
//! cannot be read is left behind with a warning; a gateway starts without its past.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Shared, rollup::Rollup};

/// Of the file's form; another is not read.
const VERSION: u32 = 1;

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Kept<R> {
    version: u32,
    saved_at_ms: i64,
    rollup: R,
}

/// Where statistics are kept.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    path: PathBuf,
}

impl Keep {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Brings back what was kept, behind what has been counted since the start.
    pub(super) fn restore(&self, shared: &Shared) {
        match read(&self.path) {
            Ok(Some(kept)) => shared.rollup().resume(kept.rollup, kept.saved_at_ms),
            Ok(None) => {}
            Err(reason) => {
                let path = self.path.display();
                tracing::warn!(%path, %reason, "statistics of the past cannot be read; charts start empty");
            }
        }
    }

    /// Writes the file, on a thread that may wait for the disk.
    pub(super) async fn save(&self, shared: Arc<Shared>, now_ms: i64) {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &shared, now_ms)).await;
        if let Ok(Err(reason)) = written {
            tracing::warn!(path = %self.path.display(), %reason, "statistics cannot be kept; charts will miss them after a restart");
        }
    }
}

fn read(path: &Path) -> Result<Option<Kept<Rollup>>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let kept: Kept<Rollup> = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if kept.version == VERSION { Ok(Some(kept)) } else { Err(format!("it has version {}", kept.version)) }
}

/// Beside the old file first: a reader finds the old one or the new one, whole.
fn write(path: &Path, shared: &Shared, now_ms: i64) -> io::Result<()> {
    let bytes = {
        let rollup = shared.fold(now_ms);
        serde_json::to_vec(&Kept { version: VERSION, saved_at_ms: now_ms, rollup: &*rollup })?
    };
    let beside = path.with_extension("new");
    fs::write(&beside, bytes)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            health::{HealthEvent, HealthReason, HealthState},
            request_log::{AttemptOutcome, Outcome},
            stats::Range,
        },
        server::record::{
            Recorder,
            sample::{NOON_MS, attempted, provider, request},
        },
    };

    const MINUTE_MS: i64 = 60_000;

    fn served(recorder: &Recorder, number: u128, ended_ms: i64) {
        recorder.record(attempted(request(number, ended_ms, Outcome::Served, 1_000), &[(1, AttemptOutcome::Answered)]));
    }

    /// The recorder after a restart.
    fn restarted(keep: &Keep) -> Recorder {
        let (recorder, _) = Recorder::new(1);
        keep.restore(&recorder.shared);
        recorder
    }

    #[tokio::test]
    async fn charts_are_the_same_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::at(folder.path().join("statistics.json"));
        let (before, _) = Recorder::new(1);
        for number in 0..500 {
            served(&before, number, NOON_MS - (500 - number as i64) * 20 * MINUTE_MS);
            before.totals(NOON_MS - (500 - number as i64) * 20 * MINUTE_MS);
        }
        keep.save(Arc::clone(&before.shared), NOON_MS).await;
        let after = restarted(&keep);
        for range in Range::ALL {
            assert_eq!(after.overview(range, None, NOON_MS), before.overview(range, None, NOON_MS));
        }
        served(&after, 1_000, NOON_MS);
        assert_eq!(
            after.overview(Range::Month, None, NOON_MS).counts.total,
            before.overview(Range::Month, None, NOON_MS).counts.total + 1
        );
        assert_eq!(after.totals(NOON_MS).total, 1, "since start");
    }

    #[tokio::test]
    async fn requests_counted_before_the_file_was_read_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::at(folder.path().join("statistics.json"));
        let (before, _) = Recorder::new(1);
        served(&before, 1, NOON_MS);
        keep.save(Arc::clone(&before.shared), NOON_MS).await;
        let (after, _) = Recorder::new(1);
        served(&after, 2, NOON_MS + MINUTE_MS);
        after.totals(NOON_MS + MINUTE_MS);
        keep.restore(&after.shared);
        assert_eq!(after.overview(Range::Hour, None, NOON_MS + MINUTE_MS).counts.total, 2);
    }

    #[tokio::test]
    async fn an_outage_under_way_ends_with_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::at(folder.path().join("statistics.json"));
        let (before, _) = Recorder::new(1);
        served(&before, 1, NOON_MS);
        let out = HealthState::Unhealthy;
        before.note(&HealthEvent { provider: provider(1), at_ms: NOON_MS, state: out, reason: HealthReason::None });
        keep.save(Arc::clone(&before.shared), NOON_MS + 1).await;
        let later = restarted(&keep).overview(Range::Hour, None, NOON_MS + 5 * MINUTE_MS);
        let marked: Vec<bool> = later.providers[0].columns.iter().map(|column| column.taken_out).collect();
        assert_eq!(marked.iter().filter(|out| **out).count(), 1);
        assert!(marked[54]);
    }

    #[test]
    fn a_file_that_is_missing_torn_or_foreign_leaves_the_charts_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("statistics.json");
        let grains = r#"{"version":1,"saved_at_ms":0,"rollup":{"grains":[],"outages":[]}}"#;
        for text in [None, Some(""), Some("{"), Some(r#"{"version":9}"#), Some(grains), Some("[1,2,3]")] {
            if let Some(text) = text {
                fs::write(&path, text).expect("a file");
            }
            let recorder = restarted(&Keep::at(path.clone()));
            assert_eq!(recorder.overview(Range::Hour, None, NOON_MS).counts.total, 0);
        }
    }
}
