//! The request log: appended in batches, read by pages and filters.

use std::sync::Arc;

use rondo::{
    model::{
        id::{ApiKeyId, CredentialId, GroupId, ProviderId, RequestId},
        request_log::{
            Attempt, AttemptOutcome, Choice, Outcome, RequestDetail, RequestFilter, RequestRow, SkipReason, Skipped,
        },
        usage::Usage,
    },
    server::store::{Gap, Store},
};
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
    old_requests_go_oldest_first,
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
    (bare.row.usage, bare.row.cost_nanos) = (None, None);
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
        while store.forget_requests(1_800_000_000_000, 64).await.expect("forgotten") > 0 {}
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
    let stored = store.request(odd.row.id).await.expect("read").expect("there");
    assert_eq!(stored.row.model.as_deref(), Some("a\u{fffd}b"));
    assert_eq!((stored.user_agent, stored.attempts), (odd.user_agent, odd.attempts));
}

async fn old_requests_go_oldest_first(store: Store, _: Arc<Place>) {
    let start = 1_700_000_000_000;
    let batch: Vec<_> = (0..20).map(|index| request(start + index)).collect();
    store.append_requests(&batch, 5).await.expect("appended");
    assert_eq!(store.forget_requests(start + 15, 10).await.expect("forgotten"), 10);
    let left = store.requests(&all()).await.expect("read").rows;
    assert_eq!((left.len(), left.last().map(|row| row.at_ms)), (10, Some(start + 10)));
    assert_eq!(store.forget_requests(start + 15, 10).await.expect("forgotten"), 5);
    assert_eq!(store.forget_requests(start + 15, 10).await.expect("forgotten"), 0);
    assert_eq!(store.requests(&all()).await.expect("read").rows.len(), 5);
}
