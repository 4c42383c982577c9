//! Columns, comparison, memory.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;
use crate::{
    model::{
        health::HealthReason,
        request_log::{AttemptOutcome, Outcome},
        usage::Usage,
    },
    server::record::{
        Recorder,
        intake::Intake,
        sample::{NOON_MS, attempted, provider, request},
    },
};

const MINUTE: i64 = MINUTE_MS;

fn recorder() -> Recorder {
    Recorder::new(1).0
}

fn served(recorder: &Recorder, number: u128, ended_ms: i64) {
    recorder.record(attempted(request(number, ended_ms, Outcome::Served, 1_000), &[(1, AttemptOutcome::Answered)]));
}

#[test]
fn every_range_has_its_columns_oldest_first() {
    let recorder = recorder();
    served(&recorder, 1, NOON_MS);
    for (range, columns) in [(Range::Hour, 60), (Range::Day, 96), (Range::Week, 84), (Range::Month, 90)] {
        let overview = recorder.overview(range, None, NOON_MS);
        assert_eq!(overview.buckets.len(), columns);
        assert_eq!(overview.step_ms * columns as i64, range.length_ms());
        assert!(overview.buckets.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == overview.step_ms));
        let last = overview.buckets[columns - 1];
        assert!((last.at_ms..last.at_ms + overview.step_ms).contains(&NOON_MS));
        assert_eq!(last.counts.total, 1);
        assert_eq!(overview.providers[0].columns.len(), columns);
        assert_eq!(overview.providers[0].columns[columns - 1].answered, 1);
    }
}

#[test]
fn a_request_counts_in_the_minute_it_ended_in() {
    let recorder = recorder();
    // Ten minutes long, ended two minutes ago.
    recorder.record(request(1, NOON_MS - 2 * MINUTE, Outcome::Served, 600_000_000));
    let overview = recorder.overview(Range::Hour, None, NOON_MS);
    assert_eq!(overview.buckets[57].counts.total, 1);
}

#[test]
fn the_range_before_is_compared_with() {
    let recorder = recorder();
    for minute in 0..120 {
        served(&recorder, minute as u128, NOON_MS - (119 - minute) * MINUTE);
        recorder.totals(NOON_MS - (119 - minute) * MINUTE);
    }
    let overview = recorder.overview(Range::Hour, None, NOON_MS);
    assert_eq!((overview.counts.total, overview.before.total), (60, 60));
    let later = recorder.overview(Range::Hour, None, NOON_MS + 30 * MINUTE);
    assert_eq!((later.counts.total, later.before.total), (30, 60));
    assert_eq!(later.first_byte.p50_us, overview.first_byte.p50_us);
}

#[test]
fn after_days_of_silence_old_columns_are_gone_and_totals_are_not() {
    let recorder = recorder();
    served(&recorder, 1, NOON_MS);
    let much_later = NOON_MS + 100 * 24 * 60 * MINUTE;
    served(&recorder, 2, much_later);
    for range in Range::ALL {
        let overview = recorder.overview(range, None, much_later);
        assert_eq!((overview.counts.total, overview.before.total), (1, 0));
    }
    assert_eq!(recorder.totals(much_later).total, 2);
}

#[test]
fn a_wall_clock_set_back_loses_nothing() {
    let recorder = recorder();
    served(&recorder, 1, NOON_MS + 30 * MINUTE);
    served(&recorder, 2, NOON_MS);
    assert_eq!(recorder.overview(Range::Hour, None, NOON_MS).counts.total, 2);
}

#[test]
fn attempts_are_counted_by_what_they_say_about_the_provider() {
    let recorder = recorder();
    let attempts = [
        (1, AttemptOutcome::RateLimited),
        (1, AttemptOutcome::ConnectTimeout),
        (2, AttemptOutcome::ClientError),
        (2, AttemptOutcome::Answered),
        (2, AttemptOutcome::BodyBroken),
    ];
    recorder.record(attempted(request(1, NOON_MS, Outcome::Saved, 1_000), &attempts));
    let overview = recorder.overview(Range::Hour, None, NOON_MS);
    let of =
        |number| overview.providers.iter().find(|stats| stats.provider == Some(provider(number))).expect("attempted");
    assert_eq!((of(1).attempts, of(1).answered, of(1).failed), (2, 0, 1));
    assert_eq!((of(2).attempts, of(2).answered, of(2).failed), (3, 2, 1));
    assert_eq!(overview.providers[0].provider, Some(provider(2)), "the busiest first");
}

#[test]
fn columns_in_which_a_provider_was_out_are_marked() {
    let recorder = recorder();
    served(&recorder, 1, NOON_MS);
    let event = |at_ms, state| HealthEvent { provider: provider(1), at_ms, state, reason: HealthReason::None };
    recorder.note(&event(NOON_MS - 10 * MINUTE, HealthState::Unhealthy));
    recorder.note(&event(NOON_MS - 9 * MINUTE, HealthState::Cooling));
    recorder.note(&event(NOON_MS - 7 * MINUTE - 1, HealthState::Recovering));
    recorder.note(&event(NOON_MS - 2 * MINUTE, HealthState::Unhealthy));
    let overview = recorder.overview(Range::Hour, None, NOON_MS);
    let out: Vec<usize> = (0..60).filter(|column| overview.providers[0].columns[*column].taken_out).collect();
    assert_eq!(out, [49, 50, 51, 57, 58, 59]);
}

#[test]
fn a_summary_says_the_same_as_an_overview() {
    let recorder = recorder();
    for number in 0..200 {
        served(&recorder, number, NOON_MS - number as i64 * MINUTE / 4);
    }
    for range in Range::ALL {
        let (summary, overview) = (recorder.summary(range, None, NOON_MS), recorder.overview(range, None, NOON_MS));
        assert_eq!(
            (summary.counts, summary.first_byte, summary.total),
            (overview.counts, overview.first_byte, overview.total)
        );
        assert_eq!(summary.providers[0].attempts, overview.providers[0].attempts);
    }
}

#[test]
fn the_number_of_series_is_bounded_and_sums_stay_exact() {
    let recorder = recorder();
    for number in 0..3_000 {
        let mut detail = request(number, NOON_MS, Outcome::Served, 10);
        detail.row.group = Some(GroupId(uuid::Uuid::from_u128(number)));
        recorder.record(detail);
    }
    assert_eq!(recorder.overview(Range::Hour, None, NOON_MS).counts.total, 3_000);
    let series = recorder.shared.folded().rollup.grains[0].kept.back().map_or(0, |column| column.own.requests.len());
    assert!(series <= SERIES + 1, "{series}");
}

#[test]
fn what_the_store_knows_lies_beside_what_was_counted_here_and_is_replaced_as_a_whole() {
    let recorder = recorder();
    served(&recorder, 1, NOON_MS);
    let row = |total| RollupRow {
        step: Step::Quarter,
        at_ms: NOON_MS - 30 * MINUTE,
        counts: Counts { total, served: total, ..Counts::default() },
        ..RollupRow::default()
    };
    for total in [5, 7] {
        let wanted = recorder.shared.folded().rollup.wanted(true, NOON_MS);
        recorder.shared.folded().rollup.learn(wanted[1], &[row(total)]);
        let overview = recorder.overview(Range::Day, None, NOON_MS);
        assert_eq!((overview.counts.total, overview.buckets[93].counts.total), (1 + total, total));
    }
    let last_two = recorder.shared.folded().rollup.wanted(false, NOON_MS)[1];
    assert_eq!((last_two.from_ms, last_two.to_ms), (NOON_MS - 15 * MINUTE, NOON_MS + 15 * MINUTE));
    recorder.shared.folded().rollup.learn(last_two, &[]);
    assert_eq!(recorder.overview(Range::Day, None, NOON_MS).counts.total, 8, "older columns stay");
}

#[test]
fn tokens_and_their_cost_are_added_up_and_unknown_ones_are_not_zero() {
    let recorder = recorder();
    served(&recorder, 1, NOON_MS);
    let mut known = attempted(request(2, NOON_MS, Outcome::Served, 1_000), &[(1, AttemptOutcome::Answered)]);
    known.row.usage = Some(Usage { input: Some(100), output: Some(20), cached: Some(40), ..Usage::default() });
    known.row.cost_nanos = Some(5_000);
    recorder.record(known);
    let overview = recorder.overview(Range::Hour, None, NOON_MS);
    let usage = overview.usage;
    assert_eq!((usage.known, usage.input, usage.output, usage.cached), (1, 100, 20, 40));
    assert_eq!((usage.priced, usage.cost_nanos), (1, 5_000));
    assert_eq!(overview.buckets[59].tokens, 120);
}

#[test]
fn memory_does_not_grow_with_time() {
    let mut rollup = Rollup::default();
    for day in 0..200 {
        let intake = Intake::default();
        intake.add(&request(1, day * 24 * 60 * MINUTE, Outcome::Served, 1_000));
        for (minute, counted) in intake.drain() {
            rollup.add(minute, &counted, i64::MAX);
        }
    }
    for grain in &rollup.grains {
        assert_eq!(grain.kept.len(), 2 * grain.columns);
    }
    assert_eq!(rollup.totals().total, 200);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn columns_add_up_to_the_requests_of_the_range(ages_ms in prop::collection::vec(0_i64..40 * 24 * 3_600_000, 1..200), fold in any::<bool>()) {
        let recorder = recorder();
        let mut ended: Vec<i64> = ages_ms.iter().map(|age| NOON_MS - age).collect();
        ended.sort_unstable();
        for (number, ended_ms) in ended.iter().enumerate() {
            served(&recorder, number as u128, *ended_ms);
            if fold {
                recorder.totals(*ended_ms);
            }
        }
        for range in Range::ALL {
            let overview = recorder.overview(range, None, NOON_MS);
            let start_ms = overview.buckets[0].at_ms;
            let before_ms = start_ms - range.length_ms();
            let within = ended.iter().filter(|at| **at >= start_ms).count() as u64;
            let before = ended.iter().filter(|at| (before_ms..start_ms).contains(*at)).count() as u64;
            prop_assert_eq!(overview.counts.total, within);
            prop_assert_eq!(overview.before.total, before);
            prop_assert_eq!(overview.providers.iter().map(|stats| stats.attempts).sum::<u64>(), within);
            let columns: u32 = overview.providers.iter().flat_map(|stats| &stats.columns).map(|column| column.answered).sum();
            prop_assert_eq!(u64::from(columns), within);
        }
        prop_assert_eq!(recorder.totals(NOON_MS).total, ended.len() as u64);
    }
}
