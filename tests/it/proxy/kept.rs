//! Bodies beside the log: kept only where somebody asked, as they came and as they went, without secrets.

use rondo::model::{
    api_key::ApiKeyDraft,
    body::RequestBodies,
    error::ApiError,
    id::RequestId,
    rate_limit::KeyLimits,
    request_log::{Outcome, RequestFilter},
    stats::{Range, StatsQuery},
};

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Act, Provider, chunk, json, sse_head, with_headers},
};

const CHAT: &str = "/api/proxy/prod/v1/chat/completions";
const ASKED: &str = r#"{"model":"gpt-4o","api_key":"hunter2","messages":[{"role":"user","content":"Hi 月"}]}"#;
const KEPT: &str = "    log_bodies: true\n";

/// The bodies of a request, once they have been written.
async fn bodies(world: &World, id: RequestId) -> RequestBodies {
    for _ in 0..500 {
        match world.live().requests().bodies(&world.who, id).await {
            Ok(bodies) => return bodies,
            Err(ApiError::NotFound { .. }) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the bodies were not written");
}

fn stream(parts: &[&str]) -> Vec<u8> {
    let mut bytes = sse_head();
    parts.iter().for_each(|part| bytes.extend(chunk(part)));
    bytes
}

#[tokio::test]
async fn nothing_is_kept_where_nobody_asked() {
    let provider = Provider::start(json(200, "{\"a\":1}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    world.post(CHAT, ASKED).await;
    let row = world.log(1).await.remove(0);
    assert_eq!(row.bodies, None);
    let refused = world.live().requests().bodies(&world.who, row.row.id).await;
    assert!(matches!(refused, Err(ApiError::NotFound { .. })));
}

#[tokio::test]
async fn where_no_log_is_kept_neither_rows_nor_bodies_are_and_statistics_go_on() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = group_with("llm", KEPT, &[("alpha", provider.address, 100)]);
    let world = World::start_with(&file, &[("RONDO_REQUEST_LOG_DAYS", "0")]).await;
    assert_eq!(world.post(CHAT, ASKED).await.status, 200);
    // The stop writes whatever is written at all.
    let world = world.restart().await;
    let query = StatsQuery { range: Some(Range::Hour), ..StatsQuery::default() };
    assert_eq!(world.live().stats().find(&world.who, query).await.expect("statistics").totals.counts.total, 1);
    let page = world.live().requests().list(&world.who, RequestFilter::default()).await.expect("a page");
    assert_eq!((page.rows, page.lost), (vec![], 0));
    let store = world.data_dir();
    assert!(!store.join("log").exists() && !store.join("log.bodies").exists(), "no file was made for them");
    world.stop().await;
}

#[tokio::test]
async fn a_group_that_asks_gets_both_bodies_without_their_secrets_and_the_provider_all_of_them() {
    let provider = Provider::start(json(200, r#"{"text":"use sk-proj-AbCdEfGhIjKlMnOpQr"}"#)).await;
    let world = World::start(&group_with("llm", KEPT, &[("alpha", provider.address, 100)])).await;
    let answer = world.post(CHAT, ASKED).await;
    assert_eq!(answer.text(), r#"{"text":"use sk-proj-AbCdEfGhIjKlMnOpQr"}"#);
    assert!(provider.seen()[0].ends_with(ASKED));
    let row = world.log(1).await.remove(0);
    let note = row.bodies.expect("asked for");
    assert!(note.kept && !note.request_truncated && !note.response_truncated);
    assert_eq!((note.request_bytes, note.response_bytes), (ASKED.len() as u64, answer.body.len() as u64));
    let kept = bodies(&world, row.row.id).await;
    assert_eq!(kept.request.text.as_deref(), Some(ASKED.replace("hunter2", "(redacted)").as_str()));
    assert_eq!(kept.response.text.as_deref(), Some(r#"{"text":"use (redacted)"}"#));
    assert_eq!((kept.request.redacted, kept.response.redacted), (1, 1));
    assert_eq!(kept.request.content_type, "application/json");
}

#[tokio::test]
async fn a_key_may_ask_for_itself_alone() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let limits = KeyLimits { rpm: Some(0), ..KeyLimits::default() };
    let draft = ApiKeyDraft { name: "watched".into(), limits, log_bodies: true, ..ApiKeyDraft::default() };
    let key = world.new_key(draft).await;
    world.post(CHAT, ASKED).await;
    let asked = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
    );
    assert_eq!(world.raw(&asked).await.status, 200);
    // What asked whether the key is live was answered 404.
    let mut rows = world.log(2).await;
    for _ in 0..500 {
        if rows.iter().all(|row| row.row.status == 200) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        rows = world.log(2).await;
    }
    let noted: Vec<_> = rows.iter().map(|row| (row.row.api_key_name.as_str(), row.bodies.is_some())).collect();
    assert_eq!(noted, [("watched", true), ("test", false)]);
}

#[tokio::test]
async fn of_a_long_body_the_beginning_is_kept_whether_it_is_held_or_flows() {
    let provider = Provider::start(json(200, &"x".repeat(10_000))).await;
    let file = group_with("llm", KEPT, &[("alpha", provider.address, 100)]);
    for settings in
        [vec![("RONDO_BODY_LOG_LIMIT", "4KiB")], vec![("RONDO_BODY_LOG_LIMIT", "4KiB"), ("RONDO_REPLAY_LIMIT", "5KiB")]]
    {
        let world = World::start_with(&file, &settings).await;
        let body = "月".repeat(3_000);
        assert_eq!(world.post(CHAT, &body).await.body.len(), 10_000);
        let row = world.log(1).await.remove(0);
        let note = row.bodies.expect("asked for");
        assert_eq!((note.request_bytes, note.request_truncated), (4_096, true));
        assert_eq!((note.response_bytes, note.response_truncated), (4_096, true));
        assert_eq!((row.row.request_bytes, row.row.response_bytes), (9_000, 10_000));
        let kept = bodies(&world, row.row.id).await;
        assert_eq!(kept.request.text, Some("月".repeat(1_365)), "half a character is left out");
        assert_eq!(kept.response.text, Some("x".repeat(4_096)));
    }
}

#[tokio::test]
async fn a_stream_is_kept_as_it_went_out_with_the_event_that_says_it_broke() {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let provider = Provider::start(Act::Send(stream(&[event]))).await;
    let world = World::start(&group_with("llm", KEPT, &[("alpha", provider.address, 100)])).await;
    let answer = world.post(CHAT, r#"{"model":"m","stream":true}"#).await;
    let row = world.log(1).await.remove(0);
    assert_eq!(row.row.outcome, Outcome::Interrupted);
    let kept = bodies(&world, row.row.id).await;
    assert_eq!(kept.response.text, Some(answer.text()), "byte for byte what the client saw");
    assert!(answer.text().contains("upstream_interrupted"));
    assert_eq!(kept.response.content_type, "text/event-stream");
    assert_eq!(kept.request.text.as_deref(), Some(r#"{"model":"m","stream":true}"#), "not what was added to it");
}

#[tokio::test]
async fn what_is_no_text_or_compressed_is_kept_by_its_size_alone() {
    let provider = Provider::start(with_headers(200, "content-encoding: gzip\r\n", "sk-not-really-gzip-at-all")).await;
    let world = World::start(&group_with("generic", KEPT, &[("alpha", provider.address, 100)])).await;
    let head = format!(
        "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-type: image/png\r\ncontent-length: 4\r\nconnection: close\r\n\r\n",
        world.key
    );
    assert_eq!(world.raw_bytes(&[head.as_bytes(), b"\x89PNG"].concat()).await.status, 200);
    let row = world.log(1).await.remove(0);
    let kept = bodies(&world, row.row.id).await;
    assert_eq!((kept.request.text, kept.request.bytes, kept.request.content_type.as_str()), (None, 4, "image/png"));
    assert_eq!((kept.response.text, kept.response.bytes), (None, 25));
}

#[tokio::test]
async fn an_error_of_the_gateways_own_is_kept_too() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_with("llm", KEPT, &[("drained", provider.address, 0)])).await;
    let answer = world.post(CHAT, ASKED).await;
    assert_eq!(answer.status, 503);
    let row = world.log(1).await.remove(0);
    let kept = bodies(&world, row.row.id).await;
    assert_eq!(kept.response.text, Some(answer.text()));
    assert_eq!(kept.response.content_type, "application/json");
}

#[tokio::test]
async fn bodies_that_wait_are_written_when_it_stops_and_read_when_it_is_back() {
    let provider = Provider::start(json(200, "{\"a\":1}")).await;
    let world = World::start(&group_with("llm", KEPT, &[("alpha", provider.address, 100)])).await;
    world.post(CHAT, ASKED).await;
    let id = world.log(1).await.remove(0).row.id;
    let world = world.restart().await;
    let kept = world.live().requests().bodies(&world.who, id).await.expect("written at the stop");
    assert_eq!(kept.response.text.as_deref(), Some("{\"a\":1}"));
    let audit = world.admin.audit().list(&world.who, None).await.expect("the trail").rows;
    assert!(audit.iter().any(|row| row.action == "request.read_bodies" && row.object == id.to_string()));
}
