//! A sliding window of samples: 12 buckets of 5 seconds.
//!
//! Buckets instead of single samples: constant memory at any rate, and a minute that slides in
//! steps of five seconds is exact enough to judge a provider by.

/// Buckets in the window.
pub const BUCKETS: usize = 12;
/// Length of a bucket, milliseconds.
pub const BUCKET_MS: u64 = 5_000;

/// Samples of the last 60 s.
#[derive(Clone, Debug, Default)]
pub struct Window {
    buckets: [Bucket; BUCKETS],
}

/// One stretch of five seconds; `number` counts them from the start of the clock.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    number: u64,
    successes: u32,
    failures: u32,
}

/// What is in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Samples.
    pub samples: u32,
    /// Successes among them.
    pub successes: u32,
}

impl Tally {
    /// Whether fewer than `percent` of 100 succeeded. Never true of nothing.
    pub fn is_below(&self, percent: u64) -> bool {
        u64::from(self.successes) * 100 < u64::from(self.samples) * percent
    }

    /// Success rate in percent, rounded down; 100 of nothing.
    pub fn percent(&self) -> u8 {
        let percent = (u64::from(self.successes) * 100).checked_div(u64::from(self.samples)).unwrap_or(100);
        u8::try_from(percent).unwrap_or(100)
    }
}

impl Window {
    /// Adds a sample.
    pub fn add(&mut self, now_ms: u64, success: bool) {
        let bucket = self.bucket(now_ms);
        let count = if success { &mut bucket.successes } else { &mut bucket.failures };
        *count = count.saturating_add(1);
    }

    /// Turns a success taken at `taken_ms` into a failure; one that has left the window, or was
    /// cleared from it, becomes a new failure now.
    pub fn correct(&mut self, now_ms: u64, taken_ms: u64) {
        let number = taken_ms / BUCKET_MS;
        let kept = self.buckets.iter_mut().find(|bucket| bucket.number == number && bucket.successes > 0);
        match kept {
            Some(bucket) if now_ms / BUCKET_MS < number + BUCKETS as u64 => {
                bucket.successes -= 1;
                bucket.failures = bucket.failures.saturating_add(1);
            }
            _ => self.add(now_ms, false),
        }
    }

    /// What the last 60 s hold.
    pub fn tally(&self, now_ms: u64) -> Tally {
        let newest = now_ms / BUCKET_MS;
        let recent = self.buckets.iter().filter(|bucket| newest.saturating_sub(bucket.number) < BUCKETS as u64);
        recent.fold(Tally::default(), |tally, bucket| Tally {
            samples: tally.samples.saturating_add(bucket.successes).saturating_add(bucket.failures),
            successes: tally.successes.saturating_add(bucket.successes),
        })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn bucket(&mut self, now_ms: u64) -> &mut Bucket {
        let number = now_ms / BUCKET_MS;
        let bucket = &mut self.buckets[(number % BUCKETS as u64) as usize];
        if bucket.number != number {
            *bucket = Bucket { number, ..Bucket::default() };
        }
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_leave_after_a_minute() {
        let mut window = Window::default();
        window.add(0, true);
        window.add(4_999, false);
        window.add(5_000, false);
        assert_eq!(window.tally(59_999), Tally { samples: 3, successes: 1 });
        assert_eq!(window.tally(60_000), Tally { samples: 1, successes: 0 });
        assert_eq!(window.tally(65_000), Tally::default());
    }

    #[test]
    fn a_bucket_that_comes_round_again_starts_empty() {
        let mut window = Window::default();
        window.add(0, false);
        window.add(60_000, true);
        assert_eq!(window.tally(60_000), Tally { samples: 1, successes: 1 });
    }

    #[test]
    fn a_correction_moves_the_sample_where_it_was_taken() {
        let mut window = Window::default();
        window.add(1_000, true);
        window.correct(30_000, 1_000);
        assert_eq!(window.tally(30_000), Tally { samples: 1, successes: 0 });
        assert_eq!(window.tally(60_000), Tally::default());
    }

    #[test]
    fn a_correction_that_comes_too_late_is_a_failure_now() {
        let mut window = Window::default();
        window.add(1_000, true);
        window.correct(600_000, 1_000);
        assert_eq!(window.tally(600_000), Tally { samples: 1, successes: 0 });
    }

    #[test]
    fn nothing_is_below_nothing() {
        assert!(!Tally::default().is_below(80));
        assert_eq!(Tally::default().percent(), 100);
        assert!(Tally { samples: 10, successes: 4 }.is_below(50));
        assert!(!Tally { samples: 10, successes: 5 }.is_below(50));
    }
}
