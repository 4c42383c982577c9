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

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn rate(per_minute: u32, burst: Option<u32>) -> Rate {
        Rate::per_minute(per_minute, burst).expect("it is limited")
    }

    #[test]
    fn a_bucket_of_600_admits_600_at_once_and_then_ten_a_second() {
        let (rate, mut bucket) = (rate(600, None), Bucket::default());
        let at_once = (0..1_000).filter(|_| bucket.take(rate, 0).allowed).count();
        assert_eq!(at_once, 600);
        for second in 1..=20 {
            let admitted = (0..100).filter(|_| bucket.take(rate, second * SECOND_NS).allowed).count();
            assert_eq!(admitted, 10, "second {second}");
        }
    }

    #[test]
    fn remaining_counts_down_from_the_burst() {
        let (rate, mut bucket) = (rate(600, None), Bucket::default());
        for left in (0..600).rev() {
            assert_eq!(bucket.take(rate, 0).remaining, left);
        }
        assert_eq!(bucket.take(rate, 0).remaining, 0);
    }

    #[test]
    fn a_refusal_says_when_to_come_back_and_is_right() {
        let (rate, mut bucket) = (rate(7, Some(3)), Bucket::default());
        (0..3).for_each(|_| assert!(bucket.take(rate, 0).allowed));
        let refusal = bucket.take(rate, 0);
        assert!(!refusal.allowed);
        let back_ns = u64::try_from(refusal.retry_after.as_nanos()).expect("a short time");
        assert!(!bucket.take(rate, back_ns - 1).allowed);
        assert!(bucket.take(rate, back_ns).allowed);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_minute_admits_no_more_than_it_says() {
        let (rate, mut bucket) = (rate(7, Some(1)), Bucket::default());
        assert!(bucket.take(rate, 0).allowed);
        let mut now_ns = 0;
        let admitted = std::iter::from_fn(|| {
            now_ns += u64::try_from(bucket.check(rate, now_ns).retry_after.as_nanos()).ok()?;
            bucket.take(rate, now_ns).allowed.then_some(now_ns)
        });
        assert_eq!(admitted.take_while(|at_ns| *at_ns < MINUTE_NS).count(), 6);
    }

    #[test]
    fn a_refusal_takes_nothing() {
        let (rate, mut bucket) = (rate(60, Some(1)), Bucket::default());
        assert!(bucket.take(rate, 0).allowed);
        (0..1_000).for_each(|_| assert!(!bucket.take(rate, 1).allowed));
        assert!(bucket.take(rate, SECOND_NS).allowed);
    }

    #[test]
    fn reset_is_when_the_bucket_is_full_again() {
        let (rate, mut bucket) = (rate(60, None), Bucket::default());
        assert_eq!(bucket.take(rate, 0).reset, Duration::from_secs(1));
        assert_eq!(bucket.take(rate, 0).reset, Duration::from_secs(2));
        assert!(!bucket.is_full(2 * SECOND_NS - 1));
        assert!(bucket.is_full(2 * SECOND_NS));
    }

    #[test]
    fn zero_is_no_limit_and_a_burst_is_at_least_one() {
        assert_eq!(Rate::per_minute(0, Some(5)), None);
        assert_eq!(rate(60, Some(0)).burst(), 1);
    }

    #[test]
    fn several_limits_are_taken_all_or_none() {
        let (wide, narrow) = (rate(600, None), rate(60, Some(1)));
        let (mut first, mut second) = (Bucket::default(), Bucket::default());
        let answer = take_all(&mut [(&mut first, wide), (&mut second, narrow)], 0).expect("two limits");
        assert_eq!((answer.allowed, answer.remaining), (true, 0));
        let before = first;
        let answer = take_all(&mut [(&mut first, wide), (&mut second, narrow)], 0).expect("two limits");
        assert_eq!((answer.allowed, answer.retry_after), (false, Duration::from_secs(1)));
        assert_eq!(first, before, "the wide limit lost nothing to the narrow one's refusal");
        assert_eq!(take_all(&mut [], 0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(3), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_more_than_the_limit_and_nearly_all_of_it(
            per_minute in 1_u32..20_000,
            burst in prop::option::of(1_u32..2_000),
            waits in prop::collection::vec(0_u64..2_000_000_000, 1..400),
        ) {
            let (rate, mut bucket) = (rate(per_minute, burst), Bucket::default());
            let (mut now_ns, mut admitted) = (0_u64, 0_u64);
            for wait_ns in waits {
                now_ns += wait_ns;
                // Always one more than fits: the bucket is empty after each wait.
                while bucket.take(rate, now_ns).allowed { admitted += 1; }
                let most = rate.burst() + (u128::from(now_ns) * u128::from(per_minute) / u128::from(MINUTE_NS)) as u64;
                prop_assert!(admitted <= most, "{admitted} of {most}");
            }
        }

        #[test]
        fn asked_steadily_it_admits_the_whole_limit(per_minute in 1_u32..3_000, minutes in 1_u64..4) {
            let (rate, mut bucket) = (rate(per_minute, None), Bucket::default());
            let step_ns = MINUTE_NS / (u64::from(per_minute) * 2);
            let asked = 2 * minutes * u64::from(per_minute);
            let admitted = (0..asked).filter(|number| bucket.take(rate, number * step_ns).allowed).count() as u64;
            prop_assert!(admitted * 100 >= 98 * minutes * u64::from(per_minute));
        }

        #[test]
        fn no_numbers_cause_a_panic(per_minute in any::<u32>(), burst in any::<Option<u32>>(), times in prop::collection::vec(any::<u64>(), 1..20)) {
            let Some(rate) = Rate::per_minute(per_minute, burst) else { return Ok(()) };
            let mut bucket = Bucket::default();
            for now_ns in times {
                let answer = bucket.take(rate, now_ns);
                prop_assert!(answer.remaining <= rate.burst());
                prop_assert_eq!(answer.allowed, answer.retry_after.is_zero());
            }
        }
    }
}
