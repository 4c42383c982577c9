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

    /// Unix milliseconds at the start by what the wall clock says now: another number once somebody has set it.
    pub fn epoch_by_wall_ms(&self) -> i64 {
        let now = Self::start();
        now.epoch_unix_ms.saturating_sub(i64::try_from(self.now_ms()).unwrap_or(i64::MAX))
    }

    /// Unix milliseconds at the start: what turns a reading into wall time.
    pub fn epoch_unix_ms(&self) -> i64 {
        self.epoch_unix_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_nobody_sets_tells_the_same_start() {
        let clock = Clock::start();
        assert!((clock.epoch_by_wall_ms() - clock.epoch_unix_ms()).abs() < 500);
    }

    #[test]
    fn a_wall_clock_that_was_set_tells_another_start() {
        let clock = Clock { epoch_unix_ms: Clock::start().epoch_unix_ms - 3_600_000, ..Clock::start() };
        assert!((clock.epoch_by_wall_ms() - clock.epoch_unix_ms() - 3_600_000).abs() < 500);
    }
}
