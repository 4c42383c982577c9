//! The log keeps its caps and sessions go when they have ended.

use rondo::{
    model::{
        id::RequestId,
        request_log::{Outcome, RequestDetail, RequestFilter, RequestRow},
    },
    serve::upkeep::tidy,
    server::store::LogLimits,
};
use uuid::{NoContext, Timestamp, Uuid};

use crate::stand::Stand;

const DAY_MS: i64 = 86_400_000;
const NOW_MS: i64 = 1_800_000_000_000;

fn request(at_ms: i64) -> RequestDetail {
    let seconds = u64::try_from(at_ms / 1000).expect("after 1970");
    let row = RequestRow {
        id: RequestId(Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, 0))),
        at_ms,
        group: None,
        group_slug: "prod".into(),
        api_key: None,
        api_key_name: String::new(),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        model: None,
        status: 200,
        outcome: Outcome::Served,
        provider: None,
        provider_name: "alpha".into(),
        attempts: 1,
        first_byte_us: None,
        total_us: 1,
        request_bytes: 0,
        response_bytes: 0,
        error_code: None,
        client_ip: "127.0.0.1".into(),
        streamed: false,
        usage: None,
        cost_nanos: None,
    };
    RequestDetail { row, user_agent: "x".repeat(400), attempts: Vec::new(), bodies: None }
}

async fn kept(stand: &Stand) -> Vec<i64> {
    let filter = RequestFilter { limit: 200, ..RequestFilter::default() };
    let rows = stand.foundation.store.requests(&filter).await.expect("there").rows;
    rows.into_iter().map(|row| (NOW_MS - row.at_ms) / DAY_MS).collect()
}

#[tokio::test]
async fn what_is_older_than_the_days_that_are_kept_goes_with_its_segment() {
    let stand = Stand::new().await;
    let store = &stand.foundation.store;
    store.limit_request_log(LogLimits { days: 30, bytes: u64::MAX });
    let rows: Vec<RequestDetail> = [40, 31].map(|days| request(NOW_MS - days * DAY_MS)).into();
    store.append_requests(&rows, 0).await.expect("written");
    tidy(store, NOW_MS).await.expect("tidied");
    let rows: Vec<RequestDetail> = [29, 1].map(|days| request(NOW_MS - days * DAY_MS)).into();
    store.append_requests(&rows, 0).await.expect("written");
    tidy(store, NOW_MS).await.expect("tidied");
    assert_eq!(kept(&stand).await, [1, 29]);
}
