//! The hold of event streams: what fails before its first output is saved, and nothing of it is seen.

use std::{sync::Arc, time::Duration};

use rondo::model::{
    health::HealthState,
    request_log::{AttemptOutcome, Outcome},
};
use tokio::{io::AsyncReadExt, sync::Notify};

use super::{
    group_with,
    streams::{ask, ask_at, read_until},
};
use crate::world::{
    World,
    provider::{Act, Provider, chunk, json, sse_head},
};

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/m:streamGenerateContent";

const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const MESSAGE_START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n";
const CREATED: &str =
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null}}\n\n";
const GOOD: &str = "data: {\"from\":\"good\"}\n\ndata: [DONE]\n\n";

/// A whole event stream, ended as HTTP says.
fn stream(events: &str) -> Act {
    Act::Send([sse_head(), chunk(events), b"0\r\n\r\n".to_vec()].concat())
}

/// The beginning of one that goes on when told.
fn stalled(events: &str) -> Act {
    Act::InSteps(vec![[sse_head(), chunk(events)].concat(), chunk("never")], Arc::new(Notify::new()))
}

/// A provider that is always drawn first, and a good one behind it.
async fn first_and_good(act: Act, more: &str) -> (Provider, Provider, World) {
    let (first, good) = (Provider::start(act).await, Provider::start(stream(GOOD)).await);
    let more = format!("    strategy: priority\n{more}");
    let world =
        World::start(&group_with("llm", &more, &[("first", first.address, 900), ("good", good.address, 100)])).await;
    (first, good, world)
}

async fn alone(act: Act, more: &str) -> (Provider, World) {
    let only = Provider::start(act).await;
    let world = World::start(&group_with("llm", more, &[("only", only.address, 100)])).await;
    (only, world)
}

#[tokio::test]
async fn an_error_event_before_output_fails_over_in_every_dialect() {
    use AttemptOutcome as O;
    for (path, events, outcome) in [
        (CHAT, [ROLE, "data: {\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n"].concat(), O::RateLimited),
        (CHAT, "data: {\"error\":{\"type\":\"server_error\"}}\n\n".to_owned(), O::StreamError),
        (CHAT, "data: {\"error\":{\"code\":\"model_not_found\"}}\n\n".to_owned(), O::ModelNotFound),
        (
            RESPONSES,
            [CREATED, "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n"]
                .concat(),
            O::StreamError,
        ),
        (
            MESSAGES,
            [MESSAGE_START, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"]
                .concat(),
            O::Overloaded,
        ),
        (GEMINI, "data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}\r\n\r\n".to_owned(), O::Overloaded),
        ("/unknown", "event: error\ndata: gone\n\n".to_owned(), O::StreamError),
    ] {
        let (first, good, world) = first_and_good(stream(&events), "").await;
        let answer = world.post(&format!("/api/proxy/prod{path}"), r#"{"stream":true}"#).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, GOOD), "{path} {events}");
        assert_eq!((first.count(), good.count()), (1, 1), "{path} {events}");
        assert_eq!(answer.header("x-proxy-attempts"), Some("2"));
        let record = world.log(1).await.remove(0);
        assert_eq!((record.row.outcome, record.row.status), (Outcome::Saved, 200));
        let tried: Vec<_> = record.attempts.iter().map(|attempt| (attempt.outcome, attempt.status)).collect();
        assert_eq!(tried, [(outcome, Some(200)), (O::Answered, Some(200))], "{path} {events}");
        assert!(record.attempts[1].first_output_us >= record.attempts[1].first_byte_us, "{record:?}");
    }
}

#[tokio::test]
async fn the_last_error_event_is_the_answer_that_it_stands_for() {
    for (error, status, text) in [
        (r#"{"error":{"code":"rate_limit_exceeded","message":"slow"}}"#, 429, "slow"),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"full"}}"#, 529, "full"),
        (r#"{"error":{"type":"server_error","message":"broken"}}"#, 500, "broken"),
        (r#"{"error":{"message":"what"}}"#, 502, "what"),
        (r#"{"error":{"code":"insufficient_quota"}}"#, 429, "upstream_quota_exhausted"),
        (r#"{"error":{"type":"authentication_error","message":"sk-x"}}"#, 502, "upstream_credentials_exhausted"),
    ] {
        let (only, world) = alone(stream(&format!("data: {error}\n\n")), "").await;
        let answer = world.post(&format!("/api/proxy/prod{CHAT}"), "{}").await;
        assert_eq!(answer.status, status, "{error} {answer:?}");
        assert!(answer.text().contains(text) && !answer.text().contains("sk-x"), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.complete && (answer.header("retry-after").is_some() || ![429, 529].contains(&status)));
        assert_eq!(only.count(), 1);
        let record = world.log(1).await.remove(0);
        assert_eq!((record.row.outcome, record.row.status), (Outcome::Failed, status), "{error}");
    }
}

#[tokio::test]
async fn the_clients_own_mistake_inside_of_a_stream_fails_nobody_over() {
    let error = r#"{"error":{"type":"invalid_request_error","code":"context_length_exceeded"}}"#;
    let (first, good, world) = first_and_good(stream(&format!("data: {error}\n\n")), "").await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
    assert_eq!((answer.status, answer.text().as_str()), (400, error));
    assert_eq!((first.count(), good.count()), (1, 0));
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::ClientError);
    assert!(world.health().await.iter().all(|health| health.state == HealthState::Healthy));
}

#[tokio::test]
async fn five_error_events_trip_a_provider_and_a_rate_limit_only_cools_its_credential() {
    for (error, state) in [("server_error", HealthState::Unhealthy), ("rate_limit", HealthState::Cooling)] {
        let (first, good, world) =
            first_and_good(stream(&format!("data: {{\"error\":{{\"type\":\"{error}\"}}}}\n\n")), "").await;
        for _ in 0..6 {
            assert_eq!(world.post(&format!("/api/proxy/prod{CHAT}"), "{}").await.text(), GOOD);
        }
        assert_eq!(first.count(), if state == HealthState::Unhealthy { 5 } else { 1 });
        assert_eq!(good.count(), 6);
        assert!(world.health().await.iter().any(|health| health.state == state), "{error}");
    }
}

#[tokio::test]
async fn a_stream_without_output_is_a_failure_and_never_an_empty_success() {
    let empty_json =
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n".to_vec());
    let no_chunk = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), b"0\r\n\r\n".to_vec()].concat();
    for act in [
        stream("data: [DONE]\n\n"),
        stream(&[ROLE, "data: [DONE]\n\n"].concat()),
        stream(ROLE),
        Act::SendAndClose([sse_head(), chunk(ROLE)].concat()),
        Act::SendAndClose(sse_head()),
        Act::Send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n".to_vec()),
        empty_json,
        Act::Send(no_chunk),
    ] {
        let (first, good, world) = first_and_good(act.clone(), "").await;
        let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, GOOD));
        assert_eq!((first.count(), good.count()), (1, 1));
        assert_eq!(world.log(1).await[0].attempts[0].outcome, AttemptOutcome::EmptyStream);
        let (_only, world) = alone(act, "").await;
        let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_empty_stream"));
    }
}

#[tokio::test]
async fn an_empty_success_is_fine_where_no_stream_was_asked_for() {
    let (first, good, world) =
        first_and_good(Act::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()), "").await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":false}"#).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!((first.count(), good.count()), (1, 0));
}

#[tokio::test]
async fn an_error_inside_of_a_json_success_is_passed_on_untouched() {
    let (first, good, world) = first_and_good(json(200, r#"{"error":{"code":429}}"#), "").await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"error":{"code":429}}"#));
    assert_eq!((first.count(), good.count()), (1, 0));
}

#[tokio::test]
async fn a_stream_that_says_nothing_in_time_is_given_to_another_provider() {
    let limit = "    failover: { first_output_timeout_ms: 150 }\n";
    let (first, good, world) = first_and_good(stalled(ROLE), limit).await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, GOOD));
    assert_eq!((first.count(), good.count()), (1, 1));
    let record = world.log(1).await.remove(0);
    assert_eq!(record.attempts[0].outcome, AttemptOutcome::FirstByteTimeout);
    assert_eq!(record.attempts[0].detail, "no output within 150 ms");
    assert_eq!(record.attempts[0].status, Some(200));
    let (_only, world) = alone(stalled(ROLE), limit).await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
}

#[tokio::test]
async fn silence_before_output_is_ended_at_the_idle_timeout_and_fails_over() {
    let (_first, good, world) = first_and_good(stalled(ROLE), "").await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), "{}").await;
    assert_eq!((answer.text().as_str(), good.count()), (GOOD, 1));
    assert!(world.log(1).await[0].attempts[0].detail.contains("silence for 400 ms"));
}

#[tokio::test]
async fn any_chunking_arrives_byte_for_byte() {
    let events = [
        "\u{feff}: OPENROUTER PROCESSING\r\n\r\n",
        "event: ping\rdata: {}\r\r",
        ROLE,
        "id: 7\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"月\"}}]}\r\n\r\n",
        "data: [DONE]\n\n",
        ": bye",
    ]
    .concat();
    for size in [1, 2, 3, 7, 64, events.len()] {
        let mut bytes = sse_head();
        for part in events.as_bytes().chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let (_only, world) = alone(Act::Send(bytes), "").await;
        let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
        assert_eq!((answer.text(), answer.complete), (events.clone(), true), "{size}");
        let record = world.log(1).await.remove(0);
        assert_eq!((record.row.outcome, record.row.response_bytes), (Outcome::Served, events.len() as u64));
    }
}

#[tokio::test]
async fn comments_and_pings_are_held_and_then_delivered_with_the_output() {
    let go = Arc::new(Notify::new());
    let before = [": wait\n\n", "event: ping\ndata: {\"type\": \"ping\"}\n\n", MESSAGE_START].concat();
    let output = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"H\"}}\n\n";
    let steps = vec![[sse_head(), chunk(&before)].concat(), [chunk(output), b"0\r\n\r\n".to_vec()].concat()];
    let (only, world) = alone(Act::InSteps(steps, go.clone()), "").await;
    let mut client = ask_at(&world, MESSAGES, r#"{"stream":true}"#).await;
    let early = tokio::time::timeout(Duration::from_millis(100), client.read(&mut [0; 1])).await;
    assert!(early.is_err() && only.count() == 1, "the head is held: {early:?}");
    go.notify_one();
    let answer = read_until(&mut client, "0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let together = answer.replace("\r\n", "\n");
    let (held, rest) = (together.find(": wait").expect("held"), together.find("content_block_delta").expect("output"));
    assert!(held < rest && together.contains("message_start"), "{answer}");
}

#[tokio::test]
async fn a_hold_ends_after_64_events_without_output() {
    let (_only, world) = alone(stalled(&"data: {\"type\":\"ping\"}\n\n".repeat(64)), "").await;
    let mut client = ask_at(&world, MESSAGES, r#"{"stream":true}"#).await;
    let answer = read_until(&mut client, "ping").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_compressed_stream_cannot_be_read_and_is_not_held() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
    let steps = vec![head.to_vec(), chunk("x")];
    let (_only, world) = alone(Act::InSteps(steps, Arc::new(Notify::new())), "").await;
    let mut client = ask(&world).await;
    let answer = read_until(&mut client, "\r\n\r\n").await;
    assert!(answer.contains("content-encoding: gzip"), "{answer}");
}

#[tokio::test]
async fn an_error_event_after_output_is_passed_on_and_never_repeated() {
    let events =
        ["data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n", "data: {\"error\":{\"code\":429}}\n\n"].concat();
    let (first, good, world) = first_and_good(stream(&events), "").await;
    let answer = world.post(&format!("/api/proxy/prod{CHAT}"), r#"{"stream":true}"#).await;
    assert_eq!((answer.status, answer.text()), (200, events));
    assert_eq!((first.count(), good.count()), (1, 0));
}

#[tokio::test]
async fn a_generic_post_is_not_repeated_after_an_error_event() {
    let act = stream("data: {\"error\":{\"type\":\"server_error\"}}\n\n");
    let (first, good) = (Provider::start(act).await, Provider::start(stream(GOOD)).await);
    let more = "    strategy: priority\n";
    let world =
        World::start(&group_with("generic", more, &[("first", first.address, 900), ("good", good.address, 1)])).await;
    assert_eq!(world.post("/api/proxy/prod/x", "{}").await.status, 500);
    assert_eq!((first.count(), good.count()), (1, 0));
    assert_eq!(world.get("/api/proxy/prod/x").await.text(), GOOD, "a GET may be repeated");
}

#[tokio::test]
async fn a_client_that_leaves_during_the_hold_cancels_the_provider_and_blames_nobody() {
    let only = Provider::start(stalled(ROLE)).await;
    let file = group_with("llm", "", &[("only", only.address, 100)]).replace("_ms: 400", "_ms: 60000");
    let world = World::start(&file).await;
    let client = ask_at(&world, CHAT, r#"{"stream":true}"#).await;
    while only.count() == 0 {
        tokio::task::yield_now().await;
    }
    let left = std::time::Instant::now();
    drop(client);
    only.abandoned.notified().await;
    assert!(left.elapsed().as_millis() < 100, "{:?}", left.elapsed());
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.row.status), (Outcome::ClientLeft, 499));
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
}
