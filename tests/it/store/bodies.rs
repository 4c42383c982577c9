//! Bodies of requests: kept apart from the rows, found by id, gone with days and bytes of their own.

use std::sync::Arc;

use rondo::{
    model::{
        body::{KeptBody, RequestBodies},
        id::RequestId,
        request_log::RequestFilter,
    },
    server::store::{LogLimits, PackedBodies, Store},
};
use uuid::Uuid;

use super::{contracts, log::request, place::Place};

contracts![
    bodies_are_read_as_they_were_appended_and_a_batch_sent_twice_is_stored_once,
    old_bodies_go_and_rows_stay,
    bodies_stay_within_their_bytes_and_keep_the_newest,
    bodies_are_found_after_the_store_was_opened_again,
    old_bodies_go_also_where_none_came_since_the_start,
];

const DAY_MS: i64 = 86_400_000;

fn bodies(text: &str) -> RequestBodies {
    let body = |text: Option<String>| KeptBody {
        content_type: "application/json".into(),
        bytes: 70_000,
        truncated: true,
        text,
        redacted: 2,
    };
    RequestBodies { request: body(Some(text.to_owned())), response: body(None) }
}

fn packed(at_ms: i64, text: &str) -> (RequestId, PackedBodies) {
    let id = request(at_ms).row.id;
    (id, PackedBodies::new(id, &bodies(text)))
}

async fn append(store: &Store, at_ms: i64, text: &str) -> RequestId {
    let (id, packed) = packed(at_ms, text);
    store.append_bodies(&[packed]).await.expect("appended");
    id
}

async fn bodies_are_read_as_they_were_appended_and_a_batch_sent_twice_is_stored_once(store: Store, _: Arc<Place>) {
    store.append_bodies(&[]).await.expect("nothing to do");
    let odd = "{\"a\": \"\\u0000 月 \u{1f980}\"}\r\n";
    let (first, one) = packed(1_700_000_000_000, odd);
    let (second, two) = packed(1_700_000_000_500, "");
    let batch = [two, one];
    store.append_bodies(&batch).await.expect("appended");
    store.append_bodies(&batch).await.expect("again");
    assert_eq!(store.request_bodies(first).await.expect("read"), Some(bodies(odd)));
    assert_eq!(store.request_bodies(second).await.expect("read"), Some(bodies("")));
    assert_eq!(store.request_bodies(RequestId(Uuid::nil())).await.expect("read"), None);
    assert_eq!(store.requests(&RequestFilter::default()).await.expect("read").rows, vec![], "they are no rows");
}

async fn old_bodies_go_and_rows_stay(store: Store, _: Arc<Place>) {
    let now_ms = 1_900_000_000_000;
    store.limit_bodies(LogLimits { days: 7, bytes: u64::MAX });
    let row = request(now_ms - 8 * DAY_MS);
    store.append_requests(std::slice::from_ref(&row), 0).await.expect("appended");
    let id = append(&store, now_ms - 8 * DAY_MS, "{}").await;
    assert_eq!(store.trim_bodies(now_ms - 2 * DAY_MS).await.expect("trimmed"), 0);
    // The id of a row is found again by its time alone.
    assert!(store.request_bodies(id).await.expect("read").is_some());
    assert_eq!(store.trim_bodies(now_ms).await.expect("trimmed"), 1);
    assert_eq!(store.request_bodies(id).await.expect("read"), None);
    assert_eq!(store.trim_requests(now_ms).await.expect("trimmed"), 0);
    assert_eq!(store.request(row.row.id).await.expect("read"), Some(row));
    let id = append(&store, now_ms, "{}").await;
    assert!(store.request_bodies(id).await.expect("read").is_some(), "a new segment is begun");
}

async fn bodies_stay_within_their_bytes_and_keep_the_newest(store: Store, _: Arc<Place>) {
    let cap = 8 << 20;
    store.limit_bodies(LogLimits { days: 7, bytes: cap });
    let noise = || (0..2_000).map(|_| Uuid::now_v7().simple().to_string()).collect::<String>();
    let mut ids = Vec::new();
    let mut largest = 0;
    for batch in 0..60_i64 {
        let (some, packed): (Vec<_>, Vec<_>) =
            (0..10).map(|index| packed(1_700_000_000_000 + batch * 10 + index, &noise())).unzip();
        ids.extend(some);
        store.append_bodies(&packed).await.expect("appended");
        largest = largest.max(store.body_log_bytes().await.expect("told"));
    }
    assert!(largest <= cap + (1 << 20), "never more than one segment above: {largest}");
    assert!(largest > cap / 2, "the room is used: {largest}");
    assert_eq!(store.request_bodies(ids[0]).await.expect("read"), None, "the oldest went");
    for id in ids.iter().rev().take(20) {
        assert!(store.request_bodies(*id).await.expect("read").is_some(), "the newest are there");
    }
}

async fn bodies_are_found_after_the_store_was_opened_again(store: Store, place: Arc<Place>) {
    let id = append(&store, 1_700_000_000_000, "{\"x\":1}").await;
    let again = place.open().await;
    assert_eq!(again.request_bodies(id).await.expect("read"), Some(bodies("{\"x\":1}")));
    again.close().await;
}

async fn old_bodies_go_also_where_none_came_since_the_start(store: Store, place: Arc<Place>) {
    let now_ms = 1_900_000_000_000;
    let id = append(&store, now_ms - 8 * DAY_MS, "{}").await;
    store.close().await;
    let again = place.open().await;
    again.limit_bodies(LogLimits { days: 7, bytes: u64::MAX });
    assert_eq!(again.trim_bodies(now_ms).await.expect("trimmed"), 1);
    assert_eq!(again.request_bodies(id).await.expect("read"), None);
    again.close().await;
}
