//! The request log: appended in batches, read by pages and filters.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rondo::{
    model::{
        body::BodyNote,
        id::{ApiKeyId, CredentialId, GroupId, ProviderId, RequestId},
        request_log::{
            Attempt, AttemptOutcome, Choice, Outcome, RequestCount, RequestDetail, RequestFilter, RequestRow,
            SkipReason, Skipped,
        },
        usage::Usage,
    },
    server::{
        record::{QUEUE, Recorder, writer::Sink},
        store::{Gap, Lane, LogLimits, Store},
    },
};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Notify, oneshot};
use uuid::{NoContext, Timestamp, Uuid};

use super::{contracts, place::Place};

contracts![
    a_request_is_read_as_it_was_appended,
    tokens_that_are_unknown_are_not_read_back_as_none_used,
    a_batch_of_any_size_is_appended_whole,
    pages_follow_each_other_without_a_gap_or_a_double,
    each_filter_finds_its_own,
    a_batch_sent_twice_is_stored_once,
    lost_rows_leave_a_gap,
    text_no_database_likes_is_stored_all_the_same,
    segments_go_whole_when_all_in_them_is_too_old,
    the_log_stays_within_its_bytes_and_keeps_the_newest,
    rows_are_found_across_segments_in_the_order_of_their_ids,
    a_clock_that_jumps_loses_no_row_and_keeps_the_order_of_ids,
    text_is_looked_for_as_it_is_written,
    counting_is_exact_up_to_its_end,
    a_search_that_finds_little_stops_and_goes_on_from_there,
    a_search_without_patience_still_comes_to_the_end,
    rows_of_the_old_table_are_moved_and_none_is_lost,
];

/// A request that began `at_ms`, every field set.
pub(crate) fn request(at_ms: i64) -> RequestDetail {
    let at = u64::try_from(at_ms).expect("after 1970");
    let id =
        Uuid::new_v7(Timestamp::from_unix(NoContext, at / 1000, u32::try_from(at % 1000).expect("small") * 1_000_000));
    RequestDetail {
        row: RequestRow {
            id: RequestId(id),
            at_ms,
            group: Some(GroupId(Uuid::from_u128(1))),
            group_slug: "prod".into(),
            api_key: Some(ApiKeyId(Uuid::from_u128(2))),
            api_key_name: "ci".into(),
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            model: Some("gpt-4.1".into()),
            status: 200,
            outcome: Outcome::Saved,
            provider: Some(ProviderId(Uuid::from_u128(3))),
            provider_name: "alpha".into(),
            attempts: 2,
            first_byte_us: Some(123_456),
            total_us: 9_876_543,
            request_bytes: 1_024,
            response_bytes: 5_000_000_000,
            error_code: Some("upstream_timeout".into()),
            client_ip: "2001:db8::1".into(),
            streamed: true,
            usage: Some(Usage {
                input: Some(1_200),
                output: Some(340),
                cached: Some(1_024),
                reasoning: Some(0),
                estimated: true,
            }),
            cost_nanos: Some(12_345_678),
        },
        user_agent: "curl/8".into(),
        attempts: vec![Attempt {
            provider: ProviderId(Uuid::from_u128(3)),
            provider_name: "alpha".into(),
            credential: Some(CredentialId(Uuid::from_u128(4))),
            outcome: AttemptOutcome::Answered,
            status: Some(200),
            started_us: 10,
            first_byte_us: Some(20),
            first_output_us: None,
            ended_us: 30,
            choice: Some(Choice {
                tier: 1,
                weight: 50,
                factor_percent: 50,
                credit: Some(-3),
                in_flight: 2,
                trial: true,
                out_of: Some(1_000),
            }),
            chosen: "credits".into(),
            detail: String::new(),
            drill: None,
            skipped: vec![Skipped { provider: "beta".into(), reason: SkipReason::Cooling, wait_ms: Some(7) }],
        }],
        bodies: Some(BodyNote {
            kept: true,
            request_bytes: 1_024,
            request_truncated: false,
            response_bytes: 65_536,
            response_truncated: true,
        }),
    }
}

fn all() -> RequestFilter {
    RequestFilter { limit: 200, ..RequestFilter::default() }
}

async fn a_request_is_read_as_it_was_appended(store: Store, _: Arc<Place>) {
    let full = request(1_700_000_000_000);
    let mut bare = request(1_700_000_000_001);
    (bare.row.group, bare.row.api_key, bare.row.provider, bare.row.model) = (None, None, None, None);
    (bare.row.first_byte_us, bare.row.error_code, bare.row.streamed) = (None, None, false);
    (bare.attempts, bare.row.total_us) = (Vec::new(), 0);
    (bare.row.usage, bare.row.cost_nanos, bare.bodies) = (None, None, None);
    store.append_requests(&[full.clone(), bare.clone()], 0).await.expect("appended");
    assert_eq!(store.request(full.row.id).await.expect("read"), Some(full.clone()));
    assert_eq!(store.request(bare.row.id).await.expect("read"), Some(bare.clone()));
    assert_eq!(store.request(RequestId(Uuid::nil())).await.expect("read"), None);
    assert_eq!(store.requests(&all()).await.expect("read").rows, vec![bare.row, full.row]);
}

async fn tokens_that_are_unknown_are_not_read_back_as_none_used(store: Store, _: Arc<Place>) {
    let kinds = [
        None,
        Some(Usage::default()),
        Some(Usage { output: Some(7), ..Usage::default() }),
        Some(Usage { input: Some(0), output: Some(0), cached: Some(0), ..Usage::default() }),
    ];
    for (index, usage) in (0..).zip(kinds) {
        let mut request = request(1_700_000_000_000 + index);
        request.row.usage = usage;
        store.append_requests(std::slice::from_ref(&request), 0).await.expect("appended");
        assert_eq!(store.request(request.row.id).await.expect("read"), Some(request));
    }
}

async fn a_batch_of_any_size_is_appended_whole(store: Store, _: Arc<Place>) {
    for size in [0, 1, 31, 32, 33, 100] {
        let batch: Vec<_> = (0..size).map(|index| request(1_700_000_000_000 + index)).collect();
        store.append_requests(&batch, 0).await.expect("appended");
        assert_eq!(store.requests(&all()).await.expect("read").rows.len(), batch.len(), "batch of {size}");
        store.trim_requests(1_900_000_000_000).await.expect("forgotten");
    }
}

async fn pages_follow_each_other_without_a_gap_or_a_double(store: Store, _: Arc<Place>) {
    let batch: Vec<_> = (0..25).map(|index| request(1_700_000_000_000 + index / 5)).collect();
    store.append_requests(&batch, 0).await.expect("appended");
    let mut seen = Vec::new();
    let mut filter = RequestFilter { limit: 10, ..RequestFilter::default() };
    loop {
        let page = store.requests(&filter).await.expect("read");
        seen.extend(page.rows.into_iter().map(|row| row.id));
        match page.older {
            Some(older) => filter.before = Some(older.parse().expect("an id")),
            None => break,
        }
    }
    let mut expected: Vec<_> = batch.iter().map(|request| request.row.id).collect();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(seen, expected);
}

async fn each_filter_finds_its_own(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    let mut odd = request(start + 1_000);
    odd.row.group = Some(GroupId(Uuid::from_u128(11)));
    odd.row.api_key = Some(ApiKeyId(Uuid::from_u128(12)));
    odd.row.provider = Some(ProviderId(Uuid::from_u128(13)));
    (odd.row.status, odd.row.outcome, odd.row.model) = (502, Outcome::Failed, Some("other".into()));
    store.append_requests(&[request(start), odd.clone(), request(start + 2_000)], 0).await.expect("appended");
    let only = [
        RequestFilter { group: odd.row.group, ..all() },
        RequestFilter { api_key: odd.row.api_key, ..all() },
        RequestFilter { provider: odd.row.provider, ..all() },
        RequestFilter { outcome: Some(Outcome::Failed), ..all() },
        RequestFilter { status: Some(502), ..all() },
        RequestFilter { model: Some("other".into()), ..all() },
        RequestFilter { from_ms: Some(start + 1_000), to_ms: Some(start + 2_000), ..all() },
        RequestFilter {
            status: Some(502),
            outcome: Some(Outcome::Failed),
            model: Some("other".into()),
            from_ms: Some(start),
            ..all()
        },
    ];
    for filter in only {
        let rows = store.requests(&filter).await.expect("read").rows;
        assert_eq!(rows, vec![odd.row.clone()], "{filter:?}");
    }
    let count = async |filter: RequestFilter| store.requests(&filter).await.expect("read").rows.len();
    assert_eq!(count(RequestFilter { from_ms: Some(start + 1), ..all() }).await, 2);
    assert_eq!(count(RequestFilter { to_ms: Some(start + 1), ..all() }).await, 1);
    assert_eq!(count(RequestFilter { status: Some(200), outcome: Some(Outcome::Failed), ..all() }).await, 0);
    assert_eq!(count(RequestFilter { from_ms: Some(i64::MIN), to_ms: Some(i64::MAX), ..all() }).await, 3);
}

async fn a_batch_sent_twice_is_stored_once(store: Store, _: Arc<Place>) {
    let batch: Vec<_> = (0..40).map(|index| request(1_700_000_000_000 + index)).collect();
    for _ in 0..2 {
        store.append_requests(&batch, 7).await.expect("appended");
    }
    assert_eq!(store.requests(&all()).await.expect("read").rows.len(), 40);
    assert_eq!(store.request_gaps(0, i64::MAX).await.expect("read").len(), 1);
}

async fn lost_rows_leave_a_gap(store: Store, _: Arc<Place>) {
    let at_ms = 1_700_000_000_000;
    store.append_requests(&[request(at_ms)], 17).await.expect("appended");
    assert_eq!(store.request_gaps(at_ms, at_ms + 1).await.expect("read"), vec![Gap { at_ms, lost: 17 }]);
    assert_eq!(store.request_gaps(0, at_ms).await.expect("read"), vec![]);
    store.append_requests(&[] as &[RequestDetail], 3).await.expect("a gap alone");
    assert_eq!(store.request_gaps(at_ms + 1, i64::MAX).await.expect("read")[0].lost, 3);
}

async fn text_no_database_likes_is_stored_all_the_same(store: Store, _: Arc<Place>) {
    let mut odd = request(1_700_000_000_000);
    odd.row.model = Some("a\0b".into());
    odd.user_agent = "'; DROP TABLE requests; -- \u{1F600}".into();
    odd.attempts[0].detail = "nul \0 here".into();
    store.append_requests(&[odd.clone()], 0).await.expect("appended");
    assert_eq!(store.request(odd.row.id).await.expect("read"), Some(odd));
}

/// Far enough apart that no slack of the clock is left between two days.
const DAY_MS: i64 = 86_400_000;

async fn segments_go_whole_when_all_in_them_is_too_old(store: Store, _: Arc<Place>) {
    let now_ms = 1_900_000_000_000;
    store.limit_request_log(LogLimits { days: 30, bytes: u64::MAX });
    store.append_requests(&[request(now_ms - 40 * DAY_MS), request(now_ms - 31 * DAY_MS)], 5).await.expect("appended");
    assert_eq!(store.trim_requests(now_ms - 2 * DAY_MS).await.expect("trimmed"), 0, "one of them is young enough");
    assert_eq!(store.requests(&all()).await.expect("read").rows.len(), 2);
    assert_eq!(store.trim_requests(now_ms).await.expect("trimmed"), 1);
    assert_eq!(store.requests(&all()).await.expect("read").rows, vec![]);
    assert_eq!(store.request_gaps(0, i64::MAX).await.expect("read"), vec![], "gaps go with the rows around them");
    store.append_requests(&[request(now_ms)], 0).await.expect("a new segment is begun");
    assert_eq!(store.requests(&all()).await.expect("read").rows.len(), 1);
}

/// A store behind the recorder's writer, looked at after every batch.
struct Watched {
    store: Store,
    /// Where SQLite's segments lie.
    directory: Option<PathBuf>,
    largest: Arc<AtomicU64>,
    /// Told after every batch.
    written: Arc<Notify>,
}

impl Sink for Watched {
    async fn append(&self, rows: &[Arc<RequestDetail>], gap: u64) -> Result<(), String> {
        self.store.append_requests(rows, gap).await.map_err(|error| error.to_string())?;
        let told = self.store.request_log_bytes().await.map_err(|error| error.to_string())?;
        let found = self.directory.as_deref().map_or(0, bytes_in);
        self.largest.fetch_max(told.max(found), Relaxed);
        self.written.notify_one();
        Ok(())
    }
}

/// Bytes of all files in a directory, whoever made them.
fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|told| told.len()).sum()
}

async fn the_log_stays_within_its_bytes_and_keeps_the_newest(store: Store, place: Arc<Place>) {
    // At length: 256 MB and five million requests within a day.
    let soak = std::env::var_os("RONDO_SOAK").is_some();
    let (cap, requests) = if soak { (256 << 20, 5_000_000) } else { (8 << 20, 30_000) };
    store.limit_request_log(LogLimits { days: 30, bytes: cap });
    let (recorder, writer) = Recorder::new(QUEUE);
    let (largest, written) = (Arc::<AtomicU64>::default(), Arc::<Notify>::default());
    let directory = place.server().is_none().then(|| place.data_dir().join("log"));
    let sink = Watched { store: store.clone(), directory, largest: largest.clone(), written: written.clone() };
    let (stop, stopped) = oneshot::channel::<()>();
    let writing = tokio::spawn(writer.run(sink, async { _ = stopped.await }));
    let start = 1_700_000_000_000;
    for number in 0..requests {
        // None is lost: this is about the room they take.
        while recorder.queued_rows() >= QUEUE / 2 {
            written.notified().await;
        }
        recorder.record(bulky(start + number));
    }
    stop.send(()).expect("the writer runs");
    writing.await.expect("the writer ended");
    assert_eq!(recorder.dropped_rows(), 0);
    let largest = largest.load(Relaxed);
    assert!(largest <= cap + (cap / 16).max(1 << 20), "never more than one segment above: {largest}");
    assert!(largest > cap / 2, "the room is used: {largest}");
    let newest = walk(&store, 2_000).await;
    let expected: Vec<_> = (0..2_000).map(|back| start + requests - 1 - back).collect();
    assert_eq!(newest, expected, "the newest are complete");
    let first = RequestFilter { to_ms: Some(start + 250), ..all() };
    assert_eq!(store.requests(&first).await.expect("read").rows, vec![], "the oldest went");
}

/// A request whose row cannot be packed well.
fn bulky(at_ms: i64) -> RequestDetail {
    let mut one = request(at_ms);
    let noise = || Uuid::now_v7().simple().to_string();
    one.user_agent = (0..8).map(|_| noise()).collect();
    one.row.path = (0..8).map(|_| noise()).collect();
    one
}

/// Times of the newest rows, page by page.
async fn walk(store: &Store, most: usize) -> Vec<i64> {
    let (mut filter, mut seen) = (all(), Vec::new());
    while seen.len() < most {
        let page = store.requests(&filter).await.expect("read");
        seen.extend(page.rows.into_iter().map(|row| row.at_ms));
        let Some(older) = page.older else { break };
        filter.before = Some(older.parse().expect("an id"));
    }
    seen.truncate(most);
    seen
}

async fn rows_are_found_across_segments_in_the_order_of_their_ids(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    store.limit_request_log(LogLimits { days: 30, bytes: 16 << 20 });
    // Long streams end, and are written, long after they began: out of order, and into later segments.
    let mut expected = Vec::new();
    for batch in 0..24_i64 {
        let rows: Vec<_> =
            (0..250).map(|index| bulky(start + (batch * 250 + index) * 40 - (index % 5) * 60_000)).collect();
        expected.extend(rows.iter().map(|detail| detail.row.clone()));
        store.append_requests(&rows, 0).await.expect("appended");
    }
    expected.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    let (mut filter, mut seen) = (all(), Vec::new());
    loop {
        let page = store.requests(&filter).await.expect("read");
        seen.extend(page.rows);
        let Some(older) = page.older else { break };
        filter.before = Some(older.parse().expect("an id"));
    }
    assert_eq!(seen.len(), expected.len());
    assert!(seen == expected, "every row once, newest first");
    for row in expected.iter().step_by(997) {
        assert_eq!(store.request(row.id).await.expect("read").map(|detail| detail.row).as_ref(), Some(row));
    }
}

async fn a_clock_that_jumps_loses_no_row_and_keeps_the_order_of_ids(store: Store, _: Arc<Place>) {
    let now = 1_700_000_000_000;
    let year = 365 * DAY_MS;
    let times = [now, now + year, now + 1, now - year, now + 2, 1, now + 3];
    for at_ms in times {
        store.append_requests(&[request(at_ms)], 0).await.expect("appended");
    }
    let mut expected = times;
    expected.sort_unstable_by_key(|at_ms| std::cmp::Reverse(*at_ms));
    assert_eq!(walk(&store, 10).await, expected);
}

async fn text_is_looked_for_as_it_is_written(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    let mut odd = request(start);
    odd.attempts[0].detail = "100%_done \\ Zertifikat ABGELAUFEN".into();
    let mut plain = request(start + 1);
    plain.row.path = "/v1/models".into();
    store.append_requests(&[odd.clone(), plain.clone()], 0).await.expect("appended");
    let find = async |text: &str| {
        let found = store.requests(&RequestFilter { text: Some(text.into()), ..all() }).await.expect("read");
        found.rows.into_iter().map(|row| row.at_ms - start).collect::<Vec<_>>()
    };
    for text in ["100%_done", "%", "_done", "\\", "abgelaufen", "ZERTIFIKAT"] {
        assert_eq!(find(text).await, [0], "{text}");
    }
    assert_eq!(find("/V1/MODELS").await, [1]);
    assert_eq!(find("curl/8").await, [1, 0], "the client's name");
    assert_eq!(find("v1%models").await, [] as [i64; 0], "a per cent sign is itself");
    assert_eq!(find("").await, [1, 0], "no text is no filter");
    let one = RequestFilter { id: Some(odd.row.id), ..all() };
    assert_eq!(store.requests(&one).await.expect("read").rows, vec![odd.row.clone()]);
    let other = RequestFilter { status: Some(418), ..one };
    assert_eq!(store.requests(&other).await.expect("read").rows, vec![], "the other filters hold too");
}

async fn counting_is_exact_up_to_its_end(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    for batch in 0..21_i64 {
        let rows: Vec<_> = (0..500)
            .map(|index| {
                let mut one = request(start + batch * 500 + index);
                one.row.status = if index % 50 == 0 { 503 } else { 200 };
                one
            })
            .collect();
        store.append_requests(&rows, 0).await.expect("appended");
    }
    let count = async |filter: RequestFilter| {
        let RequestCount { rows, more } = store.count_requests(&filter).await.expect("counted");
        (rows, more)
    };
    assert_eq!(count(all()).await, (10_000, true));
    assert_eq!(count(RequestFilter { status: Some(200), ..all() }).await, (10_000, true));
    assert_eq!(count(RequestFilter { status: Some(503), ..all() }).await, (210, false));
    assert_eq!(count(RequestFilter { status: Some(503), outcome: Some(Outcome::Saved), ..all() }).await, (210, false));
    let half = RequestFilter { from_ms: Some(start + 250), to_ms: Some(start + 750), ..all() };
    assert_eq!(count(half.clone()).await, (500, false));
    assert_eq!(count(RequestFilter { status: Some(503), ..half }).await, (10, false));
    assert_eq!(count(RequestFilter { text: Some("nowhere".into()), ..all() }).await, (0, false));
}

async fn a_search_that_finds_little_stops_and_goes_on_from_there(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    // Small batches: a block each, more of them than one search reads.
    let mut needle = request(start);
    needle.row.path = "/needle".into();
    store.append_requests(std::slice::from_ref(&needle), 0).await.expect("appended");
    for index in 1..1_700 {
        store.append_requests(&[request(start + index * 10_000)], 0).await.expect("appended");
    }
    let filter = RequestFilter { text: Some("needle".into()), ..all() };
    let first = store.search(&filter).await.expect("searched");
    assert_eq!(first.requests, vec![], "it is further back");
    assert!(first.reached_ms.is_some_and(|at| at > start), "{first:?}");
    let second = store.search(&RequestFilter { before: first.older, ..filter }).await.expect("searched");
    assert_eq!((second.requests, second.older, second.reached_ms), (vec![needle], None, None));
}

async fn a_search_without_patience_still_comes_to_the_end(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    for index in 0..30 {
        store.append_requests(&[request(start + index * 10_000)], 0).await.expect("appended");
    }
    store.limit_search(std::time::Duration::ZERO);
    let mut filter = RequestFilter { text: Some("nowhere".into()), ..all() };
    let mut asks = 1;
    while let Some(older) = store.search(&filter).await.expect("searched").older {
        filter.before = Some(older);
        asks += 1;
    }
    assert!((2..=31).contains(&asks), "{asks} times");
}

async fn rows_of_the_old_table_are_moved_and_none_is_lost(store: Store, place: Arc<Place>) {
    let at = |n: i64| format!("018bcfe5-6800-7000-8000-{n:012x}");
    let values: Vec<String> = (0..2_500)
        .map(|n| {
            format!(
                "('{}', {}, NULL, 'prod', NULL, '', 'POST', '/old', NULL, 200, 'served', NULL, '', 0, NULL, {n}, 0, 0, NULL, '::1', \
                 'curl', {}, '[]', NULL, NULL, NULL, NULL, NULL, NULL)",
                at(n),
                1_700_000_000_000_i64 + n,
                if place.server().is_some() { "false" } else { "0" }
            )
        })
        .collect();
    place.raw_log(&format!("INSERT INTO requests VALUES {}", values.join(", "))).await;
    store.append_requests(&[request(1_800_000_000_000)], 0).await.expect("appended");
    assert_eq!(store.move_old_requests().await.expect("moved"), 2_500);
    assert_eq!(store.move_old_requests().await.expect("nothing left"), 0);
    let old = RequestFilter { text: Some("/old".into()), ..all() };
    assert_eq!(store.count_requests(&old).await.expect("counted").rows, 2_500);
    let one = store.request(at(1_234).parse().expect("an id")).await.expect("read").expect("there");
    assert_eq!((one.row.total_us, one.user_agent.as_str()), (1_234, "curl"));
}

#[tokio::test]
async fn a_damaged_segment_is_set_aside_and_nothing_else_is_lost() {
    let place = Place::sqlite();
    let store = place.open().await;
    let now = 1_700_000_000_000;
    store.limit_request_log(LogLimits { days: 30, bytes: 16 << 20 });
    let mut at_ms = now;
    while segments(&place).len() < 3 {
        let batch: Vec<_> = (0..250).map(|index| bulky(at_ms + index)).collect();
        store.append_requests(&batch, 0).await.expect("appended");
        at_ms += 250;
    }
    let all_rows = walk(&store, usize::MAX).await.len();
    store.close().await;
    let files = segments(&place);
    // One is cut off in the middle, one is no database any more.
    let bytes = std::fs::read(&files[0]).expect("read");
    std::fs::write(&files[0], &bytes[..bytes.len() / 2]).expect("written");
    std::fs::write(&files[1], vec![0x55; 4_096]).expect("written");
    let store = place.open().await;
    let left = walk(&store, usize::MAX).await;
    assert!(!left.is_empty() && left.len() < all_rows / 2, "{} of {all_rows}", left.len());
    assert_eq!(left[0], at_ms - 1, "the newest are there");
    let aside = store.damaged_segments().await.expect("told");
    assert_eq!(aside.len(), 2, "{aside:?}");
    assert!(files[0].ends_with(&aside[0].name), "{aside:?}");
    store.append_requests(&[request(at_ms)], 0).await.expect("the log goes on");
    store.close().await;
    // It is remembered by the file's name.
    let store = place.open().await;
    assert_eq!(store.damaged_segments().await.expect("told"), aside);
    assert_eq!(walk(&store, usize::MAX).await.len(), left.len() + 1);
    store.close().await;
}

/// What each of these filters finds, page by page, and how many it counts.
async fn answers(store: &Store, filters: &[RequestFilter]) -> Vec<(Vec<RequestId>, RequestCount)> {
    let mut answers = Vec::new();
    for filter in filters {
        let (mut ids, mut before) = (Vec::new(), filter.before);
        loop {
            let found = store.search(&RequestFilter { before, limit: 50, ..filter.clone() }).await.expect("searched");
            ids.extend(found.requests.iter().map(|detail| detail.row.id));
            before = found.older;
            if before.is_none() {
                break;
            }
        }
        answers.push((ids, store.count_requests(filter).await.expect("counted")));
    }
    answers
}

/// The newest file may be written on after a start: with one more, those before it are the log's past.
async fn one_more_segment(store: &Store) {
    let mut lane = Lane::default();
    store.append_old_requests(&mut lane, &[request(1_699_000_000_000)]).await.expect("appended");
    store.finish_old_requests(lane).await.expect("sealed");
}

#[tokio::test]
async fn rows_of_slow_times_are_packed_anew_and_found_as_before() {
    let place = Place::sqlite();
    let store = place.open().await;
    let now = 1_700_000_000_000;
    let (mut lane, mut ids) = (Lane::default(), Vec::new());
    for n in 0..1_200 {
        // One comes in a second, each a batch of its own; some lasted for minutes.
        let mut one = request(now + n * 1_000 - if n % 50 == 0 { 200_000 } else { 0 });
        one.row.status = if n % 7 == 0 { 502 } else { 200 };
        one.attempts[0].detail = format!("line {n}");
        ids.push(one.row.id);
        store.append_old_requests(&mut lane, &[one]).await.expect("appended");
    }
    store.finish_old_requests(lane).await.expect("sealed");
    one_more_segment(&store).await;
    let filters = [
        all(),
        RequestFilter { status: Some(502), ..all() },
        RequestFilter { status: Some(418), ..all() },
        RequestFilter { text: Some("LINE 77".into()), ..all() },
        RequestFilter { from_ms: Some(now + 300_000), to_ms: Some(now + 900_000), ..all() },
        RequestFilter { before: Some(ids[613]), group: Some(GroupId(Uuid::from_u128(1))), ..all() },
        RequestFilter { id: Some(ids[250]), ..all() },
    ];
    let (before, bytes) = (answers(&store, &filters).await, store.request_log_bytes().await.expect("told"));
    assert_eq!((before[0].0.len(), before[1].0.len(), before[6].0.as_slice()), (1_201, 172, &ids[250..=250]));
    let reading = store.requests(&all()).await.expect("read");
    assert!(store.merge_requests().await.expect("merged"));
    let merged = store.request_log_bytes().await.expect("told");
    assert!(merged * 4 < bytes, "{merged} of {bytes} bytes are left");
    assert_eq!(answers(&store, &filters).await, before);
    assert_eq!(store.requests(&all()).await.expect("read"), reading);
    assert!(!store.merge_requests().await.expect("looked at"), "once is enough");
    store.close().await;
    let store = place.open().await;
    assert_eq!(answers(&store, &filters).await, before, "and after a start");
    assert!(!store.merge_requests().await.expect("looked at"), "its blocks are large");
    store.close().await;
}

#[tokio::test]
async fn pages_that_a_merge_could_not_give_back_count_for_the_bytes_of_the_log() {
    let place = Place::sqlite();
    let store = place.open().await;
    let now = 1_700_000_000_000;
    store.limit_request_log(LogLimits { days: 30, bytes: 16 << 20 });
    let mut lane = Lane::default();
    store.append_old_requests(&mut lane, &[request(now)]).await.expect("appended");
    store.finish_old_requests(lane).await.expect("sealed");
    one_more_segment(&store).await;
    let before = store.request_log_bytes().await.expect("told");
    // What a merge leaves behind whose VACUUM failed: free pages, more than the log may have.
    let file = segments(&place).into_iter().find(|file| file.to_string_lossy().ends_with("-000001.db"));
    let address = format!("sqlite://{}", file.expect("the first that was begun").display());
    let mut connection = SqliteConnection::connect(&address).await.expect("connects");
    let text = "CREATE TABLE gone (filling BLOB); INSERT INTO gone VALUES (zeroblob(20971520)); DROP TABLE gone";
    sqlx::raw_sql(text).execute(&mut connection).await.expect("runs");
    connection.close().await.expect("closes");
    assert!(store.request_log_bytes().await.expect("told") >= before + (20 << 20));
    assert_eq!(store.trim_requests(now).await.expect("trimmed"), 1, "it is the oldest, and too large");
    assert!(store.request_log_bytes().await.expect("told") < before);
    assert_eq!(store.requests(&all()).await.expect("read").rows.len(), 1, "the newest is there");
    store.close().await;
}

#[tokio::test]
async fn a_torn_block_keeps_its_segment_from_being_packed_anew_and_nothing_else_is_lost() {
    let place = Place::sqlite();
    let store = place.open().await;
    let mut lane = Lane::default();
    for n in 0..40 {
        store.append_old_requests(&mut lane, &[request(1_700_000_000_000 + n * 1_000)]).await.expect("appended");
    }
    store.finish_old_requests(lane).await.expect("sealed");
    one_more_segment(&store).await;
    store.close().await;
    let mut torn = 0;
    for file in segments(&place) {
        let mut connection = SqliteConnection::connect(&file.display().to_string()).await.expect("opened");
        let update = sqlx::query("UPDATE blocks SET body = x'0100' WHERE rowid = 7");
        torn += update.execute(&mut connection).await.expect("torn").rows_affected();
        connection.close().await.expect("closed");
    }
    assert_eq!(torn, 1, "only one segment has so many blocks");
    let store = place.open().await;
    assert!(!store.merge_requests().await.expect("left alone"));
    assert_eq!(walk(&store, usize::MAX).await.len(), 40, "all but the torn one, and the new one");
    store.close().await;
}

#[tokio::test]
async fn a_start_after_a_stop_goes_on_in_the_same_segment() {
    let place = Place::sqlite();
    for n in 0..3 {
        let store = place.open().await;
        store.append_requests(&[request(1_700_000_000_000 + n)], 0).await.expect("appended");
        assert_eq!(walk(&store, 10).await.len() as i64, n + 1);
        store.close().await;
    }
    assert_eq!(segments(&place).len(), 1);
}

#[tokio::test]
async fn files_that_somebody_removes_take_no_later_row_with_them() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.append_requests(&[request(1_700_000_000_000)], 0).await.expect("appended");
    std::fs::remove_dir_all(place.data_dir().join("log")).expect("removed");
    store.append_requests(&[request(1_700_000_000_001)], 0).await.expect("appended to a new segment");
    assert_eq!(walk(&store, 10).await, [1_700_000_000_001]);
    store.close().await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_refuses_rows_and_takes_them_again_later() {
    let place = Place::sqlite();
    let store = place.open().await;
    let log = place.data_dir().join("log");
    // A file where the directory belongs: nothing can be made in it, whoever runs this.
    std::fs::write(&log, "in the way").expect("written");
    let error = store.append_requests(&[request(1_700_000_000_000)], 0).await.expect_err("refused");
    assert!(error.to_string().contains("log"), "{error}");
    std::fs::remove_file(&log).expect("removed");
    store.append_requests(&[request(1_700_000_000_000)], 3).await.expect("appended");
    assert_eq!(walk(&store, 10).await.len(), 1);
    assert_eq!(store.request_gaps(0, i64::MAX).await.expect("read")[0].lost, 3);
    store.close().await;
}

/// Files of segments, oldest first.
fn segments(place: &Place) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(place.data_dir().join("log")).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "db"));
    files.sort_unstable();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_write_into_one_segment_and_cut_it_once() {
    let place = Place::postgres().await;
    let nodes = [place.open().await, place.open().await];
    for node in &nodes {
        node.limit_request_log(LogLimits { days: 30, bytes: 16 << 20 });
    }
    let mut writing = tokio::task::JoinSet::new();
    for (node, store) in (0_i64..).zip(nodes.clone()) {
        writing.spawn(async move {
            for batch in 0..30 {
                let start = 1_700_000_000_000 + node * 100_000_000 + batch * 250;
                let rows: Vec<_> = (0..250).map(|index| bulky(start + index)).collect();
                store.append_requests(&rows, 0).await.expect("appended");
            }
        });
    }
    writing.join_all().await;
    for store in &nodes {
        assert_eq!(walk(store, usize::MAX).await.len(), 15_000);
    }
    nodes[0].limit_request_log(LogLimits { days: 30, bytes: 1 << 20 });
    assert!(nodes[0].trim_requests(1_700_000_000_000).await.expect("trimmed") > 2);
    nodes[1].append_requests(&[request(1_800_000_000_000)], 0).await.expect("the other goes on");
    assert_eq!(walk(&nodes[1], 1).await, [1_800_000_000_000]);
}
