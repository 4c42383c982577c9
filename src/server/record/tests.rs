//! The recorder as its callers see it.

use super::{
    sample::{NOON_MS, attempted, group, request},
    *,
};
use crate::model::request_log::{AttemptOutcome, Outcome};

#[test]
fn statistics_count_every_request_while_rows_are_dropped() {
    // A queue of ten and nobody who reads it.
    let (recorder, _writer) = Recorder::new(10);
    for number in 0..1_000 {
        recorder.record(request(number, NOON_MS, Outcome::ALL[number as usize % 7], 1_000));
    }
    assert_eq!(recorder.dropped_rows(), 990);
    for range in Range::ALL {
        let overview = recorder.overview(range, None, NOON_MS);
        assert_eq!(overview.counts.total, 1_000);
        let columns: u64 = overview.buckets.iter().map(|bucket| bucket.counts.total).sum();
        assert_eq!(columns, 1_000);
    }
    let totals = recorder.totals(NOON_MS);
    assert_eq!(totals.served + totals.saved + totals.failed + totals.rate_limited + totals.client, totals.total);
}

#[test]
fn threads_that_record_and_threads_that_read_lose_nothing() {
    let (recorder, _writer) = Recorder::new(1);
    std::thread::scope(|scope| {
        for thread in 0..4_u128 {
            let recorder = &recorder;
            scope.spawn(move || {
                for number in 0..500 {
                    recorder.record(request(thread << 64 | number, NOON_MS + number as i64, Outcome::Served, 5));
                }
            });
        }
        scope.spawn(|| {
            (0..50).for_each(|_| assert!(recorder.overview(Range::Hour, None, NOON_MS).counts.total <= 2_000))
        });
    });
    assert_eq!(recorder.overview(Range::Hour, None, NOON_MS).counts.total, 2_000);
}

#[test]
fn the_rate_is_of_the_ten_seconds_before_this_one() {
    let (recorder, _writer) = Recorder::new(1);
    for number in 0..100 {
        recorder.record(request(number, NOON_MS + number as i64 * 100, Outcome::Served, 0));
    }
    assert_eq!(recorder.rate_now(NOON_MS + 10_000), 10.0);
    assert_eq!(recorder.rate_now(NOON_MS + 15_000), 5.0);
    assert_eq!(recorder.rate_now(NOON_MS + 60_000), 0.0);
}

#[test]
fn in_flight_returns_to_zero() {
    let (recorder, _writer) = Recorder::new(1);
    let guards: Vec<_> = (0..3).map(|_| recorder.begin()).collect();
    assert_eq!(recorder.in_flight(), 3);
    drop(guards);
    assert_eq!(recorder.in_flight(), 0);
}

#[test]
fn a_group_is_told_from_the_others() {
    let (recorder, _writer) = Recorder::new(10);
    let served = [(1, AttemptOutcome::Answered)];
    recorder.record(attempted(request(1, NOON_MS, Outcome::Served, 1_000), &served));
    let mut other = attempted(request(2, NOON_MS, Outcome::Failed, 9_000), &[(1, AttemptOutcome::ServerError)]);
    other.row.group = Some(group(2));
    recorder.record(other);
    let mut unknown = request(3, NOON_MS, Outcome::ClientError, 10);
    unknown.row.group = None;
    recorder.record(unknown);

    let one = recorder.overview(Range::Day, Some(group(1)), NOON_MS);
    assert_eq!((one.counts.total, one.counts.served, one.counts.failed), (1, 1, 0));
    assert_eq!((one.providers[0].attempts, one.providers[0].failed), (1, 0));
    let all = recorder.overview(Range::Day, None, NOON_MS);
    assert_eq!((all.counts.total, all.counts.failed, all.counts.client), (3, 1, 1));
    assert_eq!((all.providers[0].attempts, all.providers[0].failed), (2, 1));
}

#[test]
fn what_never_reached_a_provider_does_not_flatter_the_latency() {
    let (recorder, _writer) = Recorder::new(10);
    recorder.record(attempted(request(1, NOON_MS, Outcome::Served, 800_000), &[(1, AttemptOutcome::Answered)]));
    for number in 2..100 {
        recorder.record(request(number, NOON_MS, Outcome::RateLimited, 20));
    }
    let overview = recorder.overview(Range::Hour, None, NOON_MS);
    assert!(overview.total.p50_us.abs_diff(800_000) < 30_000, "{:?}", overview.total);
    assert!(overview.first_byte.p50_us.abs_diff(400_000) < 15_000, "{:?}", overview.first_byte);
}
