//! Periods, bounds, and what the store is told.

use jiff::tz::TimeZone;

use super::*;
use crate::{
    model::request_log::{AttemptOutcome, Outcome, RequestDetail},
    server::record::{
        intake::Intake,
        sample::{NOON_MS, attempted, group, request},
    },
};

const HOUR_MS: i64 = 60 * MINUTE_MS;

fn ledger() -> Ledger {
    Ledger::new(Calendar::new(TimeZone::UTC))
}

fn take(ledger: &mut Ledger, details: &[RequestDetail]) {
    let intake = Intake::default();
    details.iter().for_each(|detail| intake.add(detail));
    for (minute, counted) in intake.drain() {
        ledger.add(minute, &counted);
    }
}

fn served(number: u128, ended_ms: i64) -> RequestDetail {
    let mut detail = attempted(request(number, ended_ms, Outcome::Served, 1_000), &[(1, AttemptOutcome::Answered)]);
    detail.row.model = Some("gpt-4.1".into());
    detail
}

fn requests(rows: &[RollupRow], step: Step) -> u64 {
    rows.iter().filter(|row| row.step == step && row.provider.is_empty()).map(|row| row.counts.total).sum()
}

#[test]
fn every_request_is_in_one_period_of_each_length() {
    let mut ledger = ledger();
    take(&mut ledger, &[served(1, NOON_MS), served(2, NOON_MS + MINUTE_MS), served(3, NOON_MS + 70 * MINUTE_MS)]);
    let rows = ledger.changed(NOON_MS + 70 * MINUTE_MS);
    for (step, periods) in Step::ALL.into_iter().zip([3, 2, 2, 1]) {
        assert_eq!(requests(&rows, step), 3);
        let attempts = rows.iter().filter(|row| row.step == step && !row.provider.is_empty());
        assert_eq!(attempts.map(|row| row.counts.served).sum::<u64>(), 3);
        assert_eq!(rows.iter().filter(|row| row.step == step && row.provider.is_empty()).count(), periods);
    }
    assert_eq!(ledger.changed(NOON_MS + 70 * MINUTE_MS), [], "told once");
}

#[test]
fn a_row_is_told_again_as_a_whole_when_it_grows() {
    let mut ledger = ledger();
    take(&mut ledger, &[served(1, NOON_MS)]);
    let first = ledger.changed(NOON_MS);
    take(&mut ledger, &[served(2, NOON_MS)]);
    let second = ledger.changed(NOON_MS);
    assert_eq!((first.len(), second.len()), (8, 8));
    assert!(second.iter().all(|row| row.counts.total == 2));
    let key = |row: &RollupRow| (row.step, row.at_ms, row.node, row.part, row.provider.clone());
    assert!(second.iter().all(|row| first.iter().any(|before| key(before) == key(row))));
}

#[test]
fn what_the_store_refused_is_told_again_even_after_its_period() {
    let mut ledger = ledger();
    take(&mut ledger, &[served(1, NOON_MS)]);
    let rows = ledger.changed(NOON_MS);
    ledger.refused(&rows);
    let again = ledger.changed(NOON_MS + 48 * HOUR_MS);
    assert_eq!(again.len(), rows.len());
    assert_eq!(ledger.changed(NOON_MS + 48 * HOUR_MS), []);
    assert!(ledger.books.iter().all(|book| book.pages.is_empty()), "written and over: let go");
}

#[test]
fn a_period_that_was_let_go_is_opened_again_as_another_part() {
    let mut ledger = ledger();
    take(&mut ledger, &[served(1, NOON_MS)]);
    let first = ledger.changed(NOON_MS);
    ledger.changed(NOON_MS + 5 * MINUTE_MS);
    take(&mut ledger, &[served(2, NOON_MS)]);
    let late = ledger.changed(NOON_MS + 5 * MINUTE_MS);
    let minute = |rows: &[RollupRow]| {
        let row = rows.iter().find(|row| row.step == Step::Minute && row.provider.is_empty()).expect("a minute");
        (row.part, row.counts.total)
    };
    assert_ne!(minute(&first).0, minute(&late).0, "or it would replace what was written");
    assert_eq!((minute(&first).1, minute(&late).1), (1, 1));
}

#[test]
fn a_day_is_one_of_the_time_zone() {
    let mut ledger = Ledger::new(Calendar::new(TimeZone::get("Asia/Shanghai").expect("a zone")));
    // 16:00 UTC is midnight there.
    let midnight_ms = NOON_MS + 4 * HOUR_MS;
    take(&mut ledger, &[served(1, midnight_ms - 1), served(2, midnight_ms)]);
    let mut days: Vec<i64> = ledger
        .changed(midnight_ms)
        .iter()
        .filter(|row| row.step == Step::Day && row.provider.is_empty())
        .map(|row| row.at_ms)
        .collect();
    days.sort_unstable();
    assert_eq!(days, [midnight_ms - 24 * HOUR_MS, midnight_ms]);
}

#[test]
fn too_many_series_are_added_up_under_their_group_and_counted() {
    let mut ledger = ledger();
    let details: Vec<RequestDetail> = (0..3_000)
        .map(|number| {
            let mut detail = served(number, NOON_MS);
            detail.row.model = Some(format!("made-up-{number}"));
            detail.row.api_key = Some(ApiKeyId(Uuid::from_u128(number)));
            detail.row.group = Some(group(number % 3));
            detail
        })
        .collect();
    take(&mut ledger, &details);
    let rows = ledger.changed(NOON_MS);
    for step in Step::ALL {
        assert_eq!(requests(&rows, step), 3_000, "{step:?}");
        let series = rows.iter().filter(|row| row.step == step).count();
        assert!(series <= 2 * most(step) + 2, "{step:?}: {series}");
    }
    let many = rows.iter().find(|row| row.step == Step::Minute && row.model == MANY && row.provider.is_empty());
    assert!(many.is_some_and(|row| row.api_key == MANY && row.counts.total > 1), "{many:?}");
    assert!(ledger.merged() > 0);
}

#[test]
fn a_long_name_of_a_model_is_cut_and_one_of_many_has_its_own_series() {
    let mut ledger = ledger();
    let mut detail = served(1, NOON_MS);
    detail.row.model = Some("模".repeat(100));
    take(&mut ledger, &[detail]);
    let rows = ledger.changed(NOON_MS);
    assert!(rows.iter().all(|row| row.model == "模".repeat(40)), "whole characters");
}

#[test]
fn a_store_that_is_gone_for_hours_costs_old_minutes_and_no_hour() {
    let mut ledger = ledger();
    for minute in 0..300 {
        take(&mut ledger, &[served(minute as u128, NOON_MS + minute * MINUTE_MS)]);
        let rows = ledger.changed(NOON_MS + minute * MINUTE_MS);
        ledger.refused(&rows);
    }
    let rows = ledger.changed(NOON_MS + 300 * MINUTE_MS);
    assert_eq!((requests(&rows, Step::Minute), requests(&rows, Step::Hour)), (WAITING as u64, 300));
}

#[test]
fn what_is_open_is_newer_than_what_was_written() {
    let mut ledger = ledger();
    take(&mut ledger, &[served(1, NOON_MS)]);
    let written = ledger.changed(NOON_MS);
    take(&mut ledger, &[served(2, NOON_MS)]);
    let open = ledger.open(Step::Hour, NOON_MS, NOON_MS + HOUR_MS);
    assert_eq!(requests(&open, Step::Hour), 2);
    let hour = written.iter().find(|row| row.step == Step::Hour).expect("an hour");
    assert!(ledger.open_pages(Step::Hour).contains(&(hour.at_ms, hour.part)));
    assert_eq!(ledger.open(Step::Hour, NOON_MS + HOUR_MS, i64::MAX), []);
}
