//! Statistics in the store: exact, added to by every node, the same after a restart.

use std::sync::Arc;

use rondo::{
    model::{
        health::{HealthEvent, HealthReason, HealthState},
        id::{GroupId, ProviderId, RequestId},
        request_log::{Attempt, AttemptOutcome, Outcome, RequestDetail, RequestRow},
        stats::{Range, Step},
        usage::Usage,
    },
    server::{
        record::{Recorder, history},
        store::{RollupFilter, Store},
    },
};
use uuid::Uuid;

use super::{contracts, place::Place};

contracts![
    the_sum_of_rollups_is_the_requests_sent_while_rows_of_the_log_are_dropped,
    charts_are_the_same_after_a_restart,
    a_crash_loses_what_was_not_flushed_and_nothing_else,
    several_nodes_add_up_and_none_counts_twice,
    columns_go_when_they_are_old_and_longer_ones_stay,
    health_survives_a_restart_and_the_gap_is_unknown,
];

/// Noon, 2026-01-01 UTC.
const NOON_MS: i64 = 1_767_268_800_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const PROVIDER: ProviderId = ProviderId(Uuid::from_u128(7));

fn request(number: u128, ended_ms: i64) -> RequestDetail {
    let attempt = Attempt {
        provider: PROVIDER,
        provider_name: "alpha".into(),
        credential: None,
        outcome: AttemptOutcome::Answered,
        status: Some(200),
        started_us: 0,
        first_byte_us: Some(400_000 + number as u64 * 1_000),
        first_output_us: Some(500_000),
        ended_us: 900_000,
        choice: None,
        chosen: String::new(),
        detail: String::new(),
        drill: None,
        skipped: Vec::new(),
    };
    let row = RequestRow {
        id: RequestId(Uuid::from_u128(number)),
        at_ms: ended_ms - 900,
        group: Some(GroupId(Uuid::from_u128(number % 3))),
        group_slug: "prod".into(),
        api_key: None,
        api_key_name: String::new(),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        model: Some("gpt-4.1".into()),
        status: 200,
        outcome: Outcome::ALL[(number % 7) as usize],
        provider: Some(PROVIDER),
        provider_name: "alpha".into(),
        attempts: 1,
        first_byte_us: attempt.first_byte_us,
        total_us: 900_000,
        request_bytes: 0,
        response_bytes: 0,
        error_code: None,
        client_ip: "127.0.0.1".into(),
        streamed: true,
        usage: Some(Usage { input: Some(10), output: Some(5), ..Usage::default() }),
        cost_nanos: Some(1_000),
    };
    RequestDetail { row, user_agent: String::new(), attempts: vec![attempt], bodies: None }
}

async fn stored(store: &Store, step: Step) -> (u64, u64, i64) {
    let filter = RollupFilter { step, to_ms: i64::MAX, limit: 100_000, ..RollupFilter::default() };
    let rows = store.find_rollups(&filter).await.expect("read");
    let sum = |pick: fn(&rondo::server::store::RollupRow) -> u64| rows.iter().map(pick).sum::<u64>();
    (sum(|row| row.counts.total), sum(|row| row.usage.tokens()), rows.iter().map(|row| row.usage.cost_nanos).sum())
}

async fn the_sum_of_rollups_is_the_requests_sent_while_rows_of_the_log_are_dropped(store: Store, _: Arc<Place>) {
    // A queue of ten and nobody who reads it.
    let (recorder, _writer) = Recorder::new(10);
    let keeper = recorder.keeper(store.clone(), NOON_MS);
    for number in 0..5_000_u128 {
        recorder.record(request(number, NOON_MS + number as i64 * 100));
        if number % 500 == 0 {
            keeper.flush(NOON_MS + number as i64 * 100).await.expect("flushed");
        }
    }
    keeper.flush(NOON_MS + 600_000).await.expect("flushed");
    assert_eq!(recorder.dropped_rows(), 4_990);
    for step in Step::ALL {
        assert_eq!(stored(&store, step).await, (5_000, 75_000, 5_000_000), "{step:?}");
    }
}

async fn charts_are_the_same_after_a_restart(store: Store, _: Arc<Place>) {
    let (before, _writer) = Recorder::new(10);
    let keeper = before.keeper(store.clone(), NOON_MS - 80 * DAY_MS);
    for number in 0..300_i64 {
        let ended_ms = NOON_MS - (300 - number) * 5 * 60 * MINUTE_MS;
        before.record(request(number as u128, ended_ms));
        keeper.flush(ended_ms).await.expect("flushed");
    }
    for number in 300..340 {
        before.record(request(number, NOON_MS - (340 - number as i64) * 3 * MINUTE_MS));
    }
    keeper.flush(NOON_MS).await.expect("flushed");
    let (after, _writer) = Recorder::new(10);
    after.keeper(store.clone(), NOON_MS).restore(NOON_MS).await.expect("restored");
    for range in Range::ALL {
        let (was, is) = (before.overview(range, None, NOON_MS), after.overview(range, None, NOON_MS));
        assert_eq!(is, was, "{range:?}");
        assert!(is.counts.total > 0 && is.before.total > 0, "{range:?} has something to compare");
    }
    assert_eq!(after.totals(NOON_MS).total, 0, "since start");
    after.record(request(1_000, NOON_MS));
    let month = |recorder: &Recorder| recorder.overview(Range::Month, None, NOON_MS).counts.total;
    assert_eq!(month(&after), month(&before) + 1);
}

async fn a_crash_loses_what_was_not_flushed_and_nothing_else(store: Store, _: Arc<Place>) {
    let (recorder, writer) = Recorder::new(10);
    let keeper = recorder.keeper(store.clone(), NOON_MS);
    for number in 0..10 {
        recorder.record(request(number, NOON_MS));
    }
    keeper.flush(NOON_MS).await.expect("flushed");
    for number in 10..13 {
        recorder.record(request(number, NOON_MS));
    }
    drop((recorder, keeper, writer));
    assert_eq!(stored(&store, Step::Day).await.0, 10);
    // The next process goes on in the same minute, beside the rows of the one that is gone.
    let (next, _writer) = Recorder::new(10);
    let keeper = next.keeper(store.clone(), NOON_MS);
    keeper.restore(NOON_MS).await.expect("restored");
    next.record(request(20, NOON_MS + 1_000));
    keeper.flush(NOON_MS + 1_000).await.expect("flushed");
    assert_eq!(stored(&store, Step::Minute).await.0, 11);
    assert_eq!(next.overview(Range::Hour, None, NOON_MS + 1_000).counts.total, 11);
}

async fn several_nodes_add_up_and_none_counts_twice(store: Store, place: Arc<Place>) {
    let other = place.open().await;
    let nodes: Vec<_> = [&store, &other]
        .map(|store| {
            let (recorder, _) = Recorder::new(10);
            let keeper = recorder.keeper(store.clone(), NOON_MS);
            (recorder, keeper)
        })
        .into();
    for round in 0..5_i64 {
        for (at, (recorder, keeper)) in nodes.iter().enumerate() {
            let now_ms = NOON_MS + round * 10_000;
            recorder.record(request((round * 2 + at as i64) as u128, now_ms));
            keeper.flush(now_ms).await.expect("flushed");
            keeper.refresh(false, now_ms).await.expect("refreshed");
        }
    }
    assert_eq!(stored(&store, Step::Minute).await.0, 10);
    let now_ms = NOON_MS + 50_000;
    for (recorder, keeper) in &nodes {
        keeper.refresh(true, now_ms).await.expect("refreshed");
        for range in Range::ALL {
            assert_eq!(recorder.overview(range, None, now_ms).counts.total, 10, "{range:?}");
        }
    }
    other.close().await;
}

async fn columns_go_when_they_are_old_and_longer_ones_stay(store: Store, _: Arc<Place>) {
    let (recorder, _writer) = Recorder::new(10);
    let keeper = recorder.keeper(store.clone(), NOON_MS);
    for (number, age_ms) in [0, 3 * DAY_MS, 10 * DAY_MS, 70 * DAY_MS, 800 * DAY_MS].into_iter().enumerate() {
        recorder.record(request(number as u128, NOON_MS - age_ms));
    }
    keeper.flush(NOON_MS).await.expect("flushed");
    keeper.forget(NOON_MS).await.expect("forgotten");
    let mut left = Vec::new();
    for step in Step::ALL {
        left.push(stored(&store, step).await.0);
    }
    assert_eq!(left, [1, 2, 3, 4]);
}

async fn health_survives_a_restart_and_the_gap_is_unknown(store: Store, _: Arc<Place>) {
    let event = |at_ms, state| HealthEvent { provider: PROVIDER, at_ms, state, reason: HealthReason::Trial };
    let (recorder, _writer) = Recorder::new(10);
    let keeper = recorder.keeper(store.clone(), NOON_MS);
    recorder.found(event(NOON_MS, HealthState::Healthy));
    recorder.note(&event(NOON_MS + 10 * MINUTE_MS, HealthState::Unhealthy));
    recorder.note(&event(NOON_MS + 15 * MINUTE_MS, HealthState::Recovering));
    keeper.flush(NOON_MS + 20 * MINUTE_MS).await.expect("flushed");
    assert_eq!(recorder.unwritten_health(None).1, []);
    drop((recorder, keeper));
    // Ten minutes later another process begins.
    let (next, _writer) = Recorder::new(10);
    let started_ms = NOON_MS + 30 * MINUTE_MS;
    let keeper = next.keeper(store.clone(), started_ms);
    keeper.restore(started_ms).await.expect("restored");
    next.record(request(1, started_ms));
    let columns = &next.overview(Range::Hour, None, started_ms).providers[0].columns;
    let out: Vec<usize> = (0..60).filter(|column| columns[*column].taken_out).collect();
    assert_eq!(out, [39, 40, 41, 42, 43], "and not until the restart");
    next.found(event(started_ms, HealthState::Healthy));
    keeper.flush(NOON_MS + 40 * MINUTE_MS).await.expect("flushed");
    let rows = store.health_since(Some(PROVIDER), 0).await.expect("read");
    let runs = store.node_runs(0).await.expect("read");
    assert_eq!((rows.len(), runs.len()), (4, 2));
    let sum = history::uptime(&history::stretches(&rows, &runs), NOON_MS, NOON_MS + 40 * MINUTE_MS);
    let minutes = [sum.up_ms, sum.down_ms, sum.unknown_ms, sum.off_ms].map(|ms| ms / MINUTE_MS);
    assert_eq!(minutes, [25, 5, 10, 0]);
    let changes = store.health_changes(i64::MAX, 10).await.expect("read");
    assert_eq!(
        changes,
        [
            event(NOON_MS + 15 * MINUTE_MS, HealthState::Recovering),
            event(NOON_MS + 10 * MINUTE_MS, HealthState::Unhealthy),
        ]
    );
    assert!(store.forget_health(i64::MAX).await.expect("forgotten") >= 6);
}
