//! The one clock of health and limits: monotone, in milliseconds, with a fixed relation to wall time.
//!
//! Steps of the wall clock move neither cooldowns nor breakers. The pure parts take its readings as
//! plain numbers.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads monotone time since its making.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    epoch_unix_ms: i64,
}

impl Clock {
    /// Starts at 0 now.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: Instant::now(), epoch_unix_ms: i64::try_from(unix.as_millis()).unwrap_or(i64::MAX) }
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A reading as wall time, unix milliseconds.
    pub fn unix_ms(&self, now_ms: u64) -> i64 {
        self.epoch_unix_ms.saturating_add(i64::try_from(now_ms).unwrap_or(i64::MAX))
    }

    /// Unix milliseconds at the start: what turns a reading into wall time.
    pub fn epoch_unix_ms(&self) -> i64 {
        self.epoch_unix_ms
    }
}
