//! Keep-alive: comments while providers are still asked, and an honest end behind them.

use std::{sync::Arc, time::Instant};

use rondo::model::{
    api_key::{ApiKeyDraft, Scope},
    health::HealthState,
    rate_limit::KeyLimits,
    request_log::{AttemptOutcome, Outcome},
};
use tokio::sync::Notify;

use super::{
    group_with,
    streams::{ask_at, read_until},
};
use crate::world::{
    Answer, World,
    provider::{Act, Provider, chunk, json, sse_head, with_headers},
    read_answer,
};

const CHAT: &str = "/v1/chat/completions";
const STREAM: &str = r#"{"stream":true}"#;
const EARLY: &str = "    strategy: priority\n    failover: { keepalive_after_ms: 60 }\n";
const GOOD: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\ndata: [DONE]\n\n";

fn good() -> Act {
    Act::Send([sse_head(), chunk(GOOD), b"0\r\n\r\n".to_vec()].concat())
}

/// An answer that is not begun before it is told to.
fn later(act: Act) -> (Act, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let Act::Send(bytes) = act else { panic!("only what is sent can be sent later") };
    (Act::InSteps(vec![Vec::new(), bytes], go.clone()), go)
}

/// These providers, the first drawn first, in a group that sends comments early.
async fn group(more: &str, acts: Vec<(&str, Act)>) -> (World, Vec<Provider>) {
    let mut providers = Vec::new();
    for (_, act) in &acts {
        providers.push(Provider::start(act.clone()).await);
    }
    let members: Vec<_> = acts
        .iter()
        .zip(&providers)
        .enumerate()
        .map(|(place, ((name, _), provider))| (*name, provider.address, 900 - place as u32))
        .collect();
    let file = group_with("llm", &format!("{EARLY}{more}"), &members).replace("_ms: 400", "_ms: 60000");
    (World::start(&file).await, providers)
}

/// Asks, waits for two comments, lets the provider go on, reads the rest.
async fn answer_after_comments(world: &World, path: &str, go: &Notify) -> (String, Answer) {
    let mut client = ask_at(world, path, STREAM).await;
    let mut head = read_until(&mut client, ": keepalive\n\n").await;
    if head.matches(": keepalive").count() < 2 {
        head.push_str(&read_until(&mut client, ": keepalive\n\n").await);
    }
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
    assert!(!head.contains("x-proxy-provider"), "nobody has answered yet: {head}");
    go.notify_one();
    // The rest of a chunked body reads as a body of its own.
    let mut rest = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    loop {
        let mut part = vec![0; 4096];
        match tokio::io::AsyncReadExt::read(&mut client, &mut part).await {
            Ok(0) | Err(_) => break,
            Ok(count) => rest.extend_from_slice(&part[..count]),
        }
    }
    (head, crate::world::parse(&rest))
}

fn without_comments(answer: &Answer) -> String {
    answer.text().replace(": keepalive\n\n", "")
}

#[tokio::test]
async fn failover_goes_on_behind_the_comments_and_the_stream_follows() {
    let (slow, go) = later(json(503, "{}"));
    let (world, providers) = group("", vec![("slow", slow), ("good", good())]).await;
    let (head, answer) = answer_after_comments(&world, CHAT, &go).await;
    assert!(head.contains("x-request-id"), "{head}");
    assert_eq!(without_comments(&answer), format!("{GOOD}: rondo provider=good attempts=2\n"));
    assert!(answer.complete);
    assert_eq!((providers[0].count(), providers[1].count()), (1, 1));
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.row.status, record.row.streamed), (Outcome::Saved, 200, true));
    assert_eq!(record.row.provider_name, "good");
    let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Overloaded, AttemptOutcome::Answered]);
}

#[tokio::test]
async fn a_final_failure_is_an_error_event_of_the_dialect_and_an_abort() {
    for (path, begins) in [
        (CHAT, "data: {\"error\":{"),
        ("/v1/messages", "event: error\ndata: {"),
        ("/v1/responses", "event: error\ndata: {"),
        ("/v1beta/models/m:streamGenerateContent", "data: {\"error\":{\"code\":503"),
    ] {
        let (slow, go) = later(json(503, "{\"error\":{\"type\":\"x\",\n\"message\":\"all full\"}}"));
        let (world, _providers) = group("", vec![("slow", slow)]).await;
        let (_, answer) = answer_after_comments(&world, path, &go).await;
        let text = without_comments(&answer);
        assert!(text.starts_with(begins), "{path}: {text}");
        assert!(text.contains("all full") && text.ends_with("\n\n: rondo provider=slow attempts=1\n"), "{text}");
        assert!(!text.contains("[DONE]") && !answer.complete, "the client must notice");
        let record = world.log(1).await.remove(0);
        assert_eq!((record.row.outcome, record.row.status), (Outcome::Failed, 503), "{path}");
    }
}

#[tokio::test]
async fn an_error_event_says_when_to_try_again_as_the_head_would_have() {
    let limited = || with_headers(429, "retry-after: 7\r\n", r#"{"error":{"type":"x","message":"slow down"}}"#);
    for path in [CHAT, "/v1/messages", "/v1/responses", "/v1beta/models/m:streamGenerateContent"] {
        let (slow, go) = later(limited());
        let (world, _providers) = group("", vec![("slow", slow)]).await;
        let (_, answer) = answer_after_comments(&world, path, &go).await;
        assert!(without_comments(&answer).contains(r#""retry_after":7"#), "{path}: {}", answer.text());
    }
    // In words of the gateway's own: the quota that is used up everywhere.
    let (slow, go) = later(with_headers(402, "retry-after: 30\r\n", "{}"));
    let (world, _providers) = group("", vec![("slow", slow)]).await;
    let (_, answer) = answer_after_comments(&world, CHAT, &go).await;
    let text = without_comments(&answer);
    assert!(text.contains("upstream_quota_exhausted") && text.contains(r#""retry_after":"#), "{text}");
}

#[tokio::test]
async fn a_failure_of_the_gateway_is_told_in_its_own_words() {
    let (world, _providers) = {
        let silent = Provider::start(Act::Hang).await;
        let file = group_with("llm", EARLY, &[("silent", silent.address, 100)]);
        (World::start(&file).await, silent)
    };
    let mut client = ask_at(&world, CHAT, STREAM).await;
    let answer = read_answer(&mut client).await;
    let text = without_comments(&answer);
    assert!(answer.status == 200 && text.contains("\"code\":\"upstream_timeout\""), "{text}");
    assert!(text.contains("\"attempts\":1") && !answer.complete, "{text}");
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.row.status), (Outcome::Failed, 504));
    assert_eq!(record.row.error_code.as_deref(), Some("upstream_timeout"));
}

#[tokio::test]
async fn an_answer_that_is_no_stream_becomes_one_event() {
    let (slow, go) = later(json(200, "{\n  \"a\": 1\r\n}"));
    let (world, _providers) = group("", vec![("slow", slow)]).await;
    let (_, answer) = answer_after_comments(&world, CHAT, &go).await;
    let text = without_comments(&answer);
    assert_eq!(text, "data: {\ndata:   \"a\": 1\ndata: }\n\n: rondo provider=slow attempts=1\n");
    assert!(answer.complete);
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.row.status), (Outcome::Served, 200));
}

#[tokio::test]
async fn a_group_that_hides_its_providers_names_none_in_comments() {
    let (slow, go) = later(good());
    let (world, _providers) = group("    hide_provider_headers: true\n", vec![("slow", slow)]).await;
    let (_, answer) = answer_after_comments(&world, CHAT, &go).await;
    assert_eq!((without_comments(&answer).as_str(), answer.complete), (GOOD, true));
}

#[tokio::test]
async fn a_stream_that_breaks_behind_the_comments_is_interrupted_like_any_other() {
    let content = "data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\n\n";
    let go = Arc::new(Notify::new());
    let broken =
        Act::InSteps(vec![Vec::new(), [sse_head(), chunk(content), b"nonsense\r\n".to_vec()].concat()], go.clone());
    let (world, _providers) = group("", vec![("slow", broken)]).await;
    let (_, answer) = answer_after_comments(&world, CHAT, &go).await;
    let text = answer.text();
    assert!(text.contains("upstream_interrupted") && text.ends_with(": rondo provider=slow attempts=1\n"), "{text}");
    assert!(!answer.complete && text.matches("upstream_interrupted").count() == 1);
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn a_client_that_did_not_ask_for_a_stream_gets_no_comments() {
    let (slow, go) = later(json(200, "{}"));
    let (world, _providers) = group("", vec![("slow", slow)]).await;
    let mut client = ask_at(&world, CHAT, r#"{"stream":false}"#).await;
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), client.readable()).await;
    assert!(early.is_err(), "three times the wait, and not a byte");
    go.notify_one();
    let answer = read_answer(&mut client).await;
    assert_eq!((answer.text().as_str(), answer.header("x-proxy-provider")), ("{}", Some("slow")));
}

#[tokio::test]
async fn a_client_that_leaves_behind_comments_cancels_the_provider_and_gives_all_counts_back() {
    let (mut world, providers) = group("", vec![("slow", Act::Hang)]).await;
    let limits = KeyLimits { rpm: Some(0), concurrency: 1, ..KeyLimits::default() };
    let draft = ApiKeyDraft { name: "one".into(), scope: Scope::Global, limits, ..ApiKeyDraft::default() };
    world.key = world.new_key(draft).await;
    let mut client = ask_at(&world, CHAT, STREAM).await;
    read_until(&mut client, ": keepalive").await;
    assert_eq!(world.post(&format!("/api/proxy/prod{CHAT}"), STREAM).await.status, 429, "one at a time");
    let left = Instant::now();
    drop(client);
    providers[0].abandoned.notified().await;
    assert!(left.elapsed().as_millis() < 100, "{:?}", left.elapsed());
    assert!(world.log_until(Outcome::ClientLeft).await.contains(&Outcome::ClientLeft));
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
    let mut next = ask_at(&world, CHAT, STREAM).await;
    assert!(read_until(&mut next, ": keepalive").await.starts_with("HTTP/1.1 200"), "the place is free again");
}

#[tokio::test]
async fn a_wait_that_outlives_draining_ends_with_an_error_event() {
    let silent = Provider::start(Act::Hang).await;
    let file = group_with("llm", EARLY, &[("silent", silent.address, 100)]).replace("_ms: 400", "_ms: 60000");
    let world = World::start_with(&file, &[("RONDO_DRAIN_SECONDS", "1")]).await;
    let mut client = ask_at(&world, CHAT, STREAM).await;
    read_until(&mut client, ": keepalive").await;
    let stopping = tokio::spawn(world.stop());
    let rest = read_until(&mut client, "the gateway is stopping").await;
    assert!(rest.contains("data: {\"error\":"), "{rest}");
    stopping.await.expect("stopped");
}
