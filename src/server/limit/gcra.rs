//! The generic cell rate algorithm (ITU-T I.371) in whole nanoseconds: pure.
//!
//! One number per bucket: the theoretical arrival time, at which the bucket is full again. A
//! request moves it on by one interval and is admitted while it stays within `burst` intervals of
//! now. So a bucket of 600 a minute admits 600 at once and then ten a second, needs no timer to
//! refill, and says exactly when to come back.

use std::time::Duration;

const MINUTE_NS: u64 = 60_000_000_000;

/// A rate: so many a minute, so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_minute: u32,
    interval_ns: u64,
    burst: u64,
}

impl Rate {
    /// `per_minute` requests, `burst` of them at once (at least one). `None` when nothing is limited.
    pub fn per_minute(per_minute: u32, burst: Option<u32>) -> Option<Self> {
        if per_minute == 0 {
            return None;
        }
        // Rounded up: an interval a nanosecond too long never admits more than the limit.
        let interval_ns = MINUTE_NS.div_ceil(u64::from(per_minute));
        Some(Self { per_minute, interval_ns, burst: u64::from(burst.unwrap_or(per_minute)).max(1) })
    }

    /// Requests a minute, as configured.
    pub fn requests_per_minute(&self) -> u64 {
        u64::from(self.per_minute)
    }

    /// Requests admitted at once by a full bucket.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    fn tolerance_ns(&self) -> u64 {
        self.interval_ns.saturating_mul(self.burst)
    }
}

/// A bucket: when it is full again. Starts full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at_ns: u64,
}

/// What a bucket says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is admitted.
    pub allowed: bool,
    /// Requests that would still be admitted now.
    pub remaining: u64,
    /// Until the bucket is full.
    pub reset: Duration,
    /// Until the next request is admitted; zero when one is.
    pub retry_after: Duration,
}

impl Bucket {
    /// What it would say, as if the request were taken when allowed. Changes nothing.
    pub fn check(self, rate: Rate, now_ns: u64) -> Answer {
        let after = self.after(rate, now_ns);
        let tolerance_ns = rate.tolerance_ns();
        let used_ns = after.full_at_ns.saturating_sub(now_ns);
        if used_ns <= tolerance_ns { after.answer(rate, now_ns, true) } else { self.answer(rate, now_ns, false) }
    }

    /// Takes one request from it, whether or not it was allowed: [`Bucket::check`] first.
    pub fn commit(&mut self, rate: Rate, now_ns: u64) {
        *self = self.after(rate, now_ns);
    }

    /// Checks, and takes the request if it is allowed.
    pub fn take(&mut self, rate: Rate, now_ns: u64) -> Answer {
        let answer = self.check(rate, now_ns);
        if answer.allowed {
            self.commit(rate, now_ns);
        }
        answer
    }

    /// Whether it is full, so that forgetting it changes nothing.
    pub fn is_full(self, now_ns: u64) -> bool {
        self.full_at_ns <= now_ns
    }

    /// When it is full again, nanoseconds on the clock of `now_ns`.
    pub fn full_at_ns(self) -> u64 {
        self.full_at_ns
    }

    fn after(self, rate: Rate, now_ns: u64) -> Self {
        Self { full_at_ns: self.full_at_ns.max(now_ns).saturating_add(rate.interval_ns) }
    }

    fn answer(self, rate: Rate, now_ns: u64, allowed: bool) -> Answer {
        let used_ns = self.full_at_ns.saturating_sub(now_ns);
        let remaining = rate.tolerance_ns().saturating_sub(used_ns) / rate.interval_ns;
        let over_ns = used_ns.saturating_add(rate.interval_ns).saturating_sub(rate.tolerance_ns());
        let retry_after = if allowed { Duration::ZERO } else { Duration::from_nanos(over_ns) };
        Answer { allowed, remaining, reset: Duration::from_nanos(used_ns), retry_after }
    }
}

/// Takes one request from every bucket, or, when one of them refuses, from none.
///
/// Returns the answer that limits most: the refusal with the longest wait, else the fewest
/// remaining. `None` without buckets.
pub fn take_all(buckets: &mut [(&mut Bucket, Rate)], now_ns: u64) -> Option<Answer> {
    let answers = buckets.iter().map(|(bucket, rate)| bucket.check(*rate, now_ns));
    let tightest = answers.reduce(|left, right| {
        let right_is_tighter = match (left.allowed, right.allowed) {
            (true, false) => true,
            (false, true) => false,
            (false, false) => right.retry_after > left.retry_after,
            (true, true) => right.remaining < left.remaining,
        };
        if right_is_tighter { right } else { left }
    })?;
    if tightest.allowed {
        for (bucket, rate) in buckets {
            bucket.commit(*rate, now_ns);
        }
    }
    Some(tightest)
}
