//! What can be asked, what cannot, and how rows become an answer.

use jiff::tz::TimeZone;

use super::*;
use crate::{
    model::{
        id::{ApiKeyId, ProviderId},
        stats::{Counts, Range},
    },
    server::record::sample::NOON_MS,
};

const DAY_MS: i64 = 24 * HOUR_MS;

fn calendar() -> Calendar {
    Calendar::new(TimeZone::get("Asia/Shanghai").expect("a zone"))
}

fn read(query: StatsQuery) -> Result<Inquiry, String> {
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Inquiry::of(query, &calendar(), NOON_MS).map_err(told)
}

fn between(from_ms: i64, to_ms: i64) -> StatsQuery {
    StatsQuery { from: Some(from_ms.to_string()), to: Some(to_ms.to_string()), ..StatsQuery::default() }
}

fn row(at_ms: i64, model: &str, total: u64) -> RollupRow {
    RollupRow {
        step: Step::Quarter,
        at_ms,
        model: model.into(),
        counts: Counts { total, ..Counts::default() },
        ..RollupRow::default()
    }
}

#[test]
fn without_anything_it_is_the_last_day() {
    let inquiry = read(StatsQuery::default()).expect("answered");
    assert_eq!(inquiry.step, Step::Quarter);
    assert!((NOON_MS - inquiry.from_ms - DAY_MS).abs() <= Step::Quarter.length_ms());
    assert!(inquiry.to_ms > NOON_MS && inquiry.to_ms <= NOON_MS + Step::Quarter.length_ms());
}

#[test]
fn periods_are_those_of_the_time_zone() {
    // 20:00 of Thursday, the first of January, in Shanghai.
    let from = |period| {
        let inquiry = read(StatsQuery { period: Some(period), step: Some("15m".into()), ..StatsQuery::default() });
        NOON_MS - inquiry.expect("answered").from_ms
    };
    assert_eq!(from(Period::Today), 20 * HOUR_MS);
    assert_eq!(from(Period::Month), 20 * HOUR_MS);
    assert_eq!(from(Period::Week), 3 * DAY_MS + 20 * HOUR_MS);
}

#[test]
fn a_step_is_chosen_by_the_length_and_by_what_is_kept() {
    for (length_ms, age_ms, step) in [
        (HOUR_MS, 0, Step::Minute),
        (HOUR_MS, 3 * DAY_MS, Step::Quarter),
        (DAY_MS, 0, Step::Quarter),
        (7 * DAY_MS, 0, Step::Hour),
        (HOUR_MS, 30 * DAY_MS, Step::Hour),
        (60 * DAY_MS, 0, Step::Day),
        (700 * DAY_MS, 0, Step::Day),
    ] {
        let to_ms = NOON_MS - age_ms;
        assert_eq!(read(between(to_ms - length_ms, to_ms)).expect("answered").step, step, "{length_ms} {age_ms}");
    }
}

#[test]
fn what_cannot_be_answered_is_told_by_its_field_and_with_what_can() {
    let step = |word: &str, days| StatsQuery { step: Some(word.into()), ..between(NOON_MS - days * DAY_MS, NOON_MS) };
    let key = ApiKeyId(uuid::Uuid::nil());
    for (query, message) in [
        (between(NOON_MS, NOON_MS - 1), "to: lies before from; nothing is in between"),
        (between(NOON_MS + 5, NOON_MS + 9), "from: lies in the future; nothing has happened there yet"),
        (between(0, NOON_MS), "from: lies further back than statistics are kept; ask from 2023-12-31T16:00:00Z on"),
        (
            between(i64::MIN, i64::MAX),
            "from: lies further back than statistics are kept; ask from 2023-12-31T16:00:00Z on",
        ),
        (step("1m", 3), "step: columns of 1m are kept for 2 days and this begins earlier; ask for 15m"),
        (step("1h", 300), "step: columns of 1h are kept for 62 days and this begins earlier; ask for 1d"),
        (step("7m", 1), "step: \"7m\" is none of auto, 1m, 15m, 1h and 1d"),
        (
            StatsQuery { from: Some("yesterday".into()), ..StatsQuery::default() },
            "from: \"yesterday\" is no moment such as 2026-11-23T14:00:00Z, nor unix milliseconds",
        ),
        (
            StatsQuery { period: Some(Period::Today), range: Some(Range::Day), ..StatsQuery::default() },
            "period: say from when either by period, or by range, or by from and to",
        ),
        (
            StatsQuery { status: Some("200".into()), ..StatsQuery::default() },
            "status: \"200\" is no class of status such as 2xx or 5xx",
        ),
        (StatsQuery { limit: Some(0), ..StatsQuery::default() }, "limit: must be between 1 and 50"),
        (
            StatsQuery { by: Some(Dimension::Model), limit: Some(50), ..step("1m", 1) },
            "limit: 50 series of 1441 columns are too many; ask for 20 series or for a longer step",
        ),
        (
            StatsQuery { by: Some(Dimension::Provider), api_key: Some(key), ..StatsQuery::default() },
            "by: statistics of providers count attempts and know no API key or status; ask the request log",
        ),
        (
            StatsQuery { provider: Some(ProviderId(key.0)), by: Some(Dimension::Status), ..StatsQuery::default() },
            "provider: statistics of providers count attempts and know no API key or status; ask the request log",
        ),
    ] {
        assert_eq!(read(query.clone()).expect_err("refused"), message, "{query:?}");
    }
}

#[test]
fn a_long_question_is_asked_in_stretches_that_miss_nothing() {
    let inquiry = read(StatsQuery { step: Some("1m".into()), ..between(NOON_MS - DAY_MS, NOON_MS) }).expect("answered");
    let filters: Vec<RollupFilter> = inquiry.filters().collect();
    assert!(filters.len() > 10);
    assert_eq!((filters[0].from_ms, filters[filters.len() - 1].to_ms), (inquiry.from_ms, inquiry.to_ms));
    assert!(filters.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
}

#[test]
fn the_busiest_series_come_first_and_the_rest_is_one() {
    let query = StatsQuery { by: Some(Dimension::Model), limit: Some(2), ..StatsQuery::default() };
    let inquiry = read(query).expect("answered");
    let mut sums = inquiry.answer();
    for (at_ms, model, total) in [(1, "a", 5), (2, "b", 9), (1, "c", 1), (2, "c", 1), (1, MANY, 100), (3, "a", 1)] {
        sums.add(&row(at_ms, model, total));
    }
    let answer = sums.finish();
    let told: Vec<(&str, u64, usize)> = answer
        .series
        .iter()
        .map(|series| (series.key.as_str(), series.totals.counts.total, series.columns.len()))
        .collect();
    assert_eq!(told, [("b", 9, 1), ("a", 6, 2), ("*", 102, 2)]);
    assert_eq!(answer.totals.counts.total, 117);
}

#[test]
fn rows_in_memory_are_held_to_the_same_filter_as_those_of_the_store() {
    let query = StatsQuery { model: Some("a".into()), status: Some("2xx".into()), ..StatsQuery::default() };
    let inquiry = read(query).expect("answered");
    let fits = RollupRow { status_class: 2, ..row(NOON_MS, "a", 1) };
    assert!(inquiry.takes(&fits));
    let attempts = RollupRow { provider: "x".into(), ..fits.clone() };
    let other = RollupRow { status_class: 5, ..fits.clone() };
    let early = RollupRow { at_ms: inquiry.from_ms - 1, ..fits.clone() };
    for row in [attempts, other, early, row(NOON_MS, "b", 1)] {
        assert!(!inquiry.takes(&row), "{row:?}");
    }
}
