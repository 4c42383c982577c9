//! What happens when a provider fails: who is asked next, what the client sees, what is remembered.

use std::sync::Arc;

use rondo::model::{
    health::HealthState,
    request_log::{AttemptOutcome, Outcome, SkipReason},
};
use tokio::sync::Notify;

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Act, Provider, json, with_headers},
};

/// One faulty provider that is always drawn first, and a good one.
async fn faulty_first(act: Act) -> (Provider, Provider, World) {
    let (bad, good) = (Provider::start(act).await, Provider::start(json(200, r#"{"from":"good"}"#)).await);
    let more = "    strategy: priority\n";
    let file = group_with("llm", more, &[("bad", bad.address, 900), ("good", good.address, 100)]);
    let world = World::start(&file).await;
    (bad, good, world)
}

async fn state_of(world: &World, name: &str) -> HealthState {
    let providers = world.admin.providers().list(&world.who, Default::default()).await.expect("providers").rows;
    let id = providers.iter().find(|row| row.provider.name == name).expect("the provider").provider.id;
    let health = world.health().await;
    health.into_iter().find(|health| health.provider == id).expect("its health").state
}

#[tokio::test]
async fn a_failure_before_content_is_saved_by_another_provider_with_the_same_body() {
    for (act, outcome) in [
        (json(500, "{}"), AttemptOutcome::ServerError),
        (json(502, "{}"), AttemptOutcome::ServerError),
        (json(503, "{}"), AttemptOutcome::Overloaded),
        (json(529, "{}"), AttemptOutcome::Overloaded),
        (json(429, "{}"), AttemptOutcome::RateLimited),
        (json(402, "{}"), AttemptOutcome::QuotaExhausted),
        (json(401, "{}"), AttemptOutcome::CredentialRefused),
        (json(404, r#"{"error":{"code":"model_not_found"}}"#), AttemptOutcome::ModelNotFound),
        (Act::Close, AttemptOutcome::Reset),
        (Act::Reset, AttemptOutcome::Reset),
        (Act::Hang, AttemptOutcome::FirstByteTimeout),
        (Act::SendAndClose(b"SSH-2.0-x\r\n".to_vec()), AttemptOutcome::InvalidResponse),
    ] {
        let (bad, good, world) = faulty_first(act).await;
        let answer = world.post("/api/proxy/prod/v1/x", r#"{"model":"m"}"#).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"from":"good"}"#), "{outcome:?}");
        assert_eq!((bad.count(), good.count()), (1, 1), "{outcome:?}");
        assert!(good.seen()[0].ends_with(r#"{"model":"m"}"#), "{outcome:?}");
        assert_eq!(answer.header("x-proxy-attempts"), Some("2"));
        let record = world.log(1).await.remove(0);
        assert_eq!(record.row.outcome, Outcome::Saved, "{outcome:?}");
        let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [outcome, AttemptOutcome::Answered]);
        let second = &record.attempts[1];
        let drawn = record.attempts.iter().filter_map(|attempt| Some(attempt.choice?.weight)).collect::<Vec<_>>();
        assert_eq!(drawn, [900, 100], "each tells why it was the one");
        assert!(
            second.skipped.iter().any(|skip| skip.provider == "bad" && skip.reason == SkipReason::Tried),
            "{second:?}"
        );
    }
}

#[tokio::test]
async fn one_of_three_refuses_connections_and_no_client_notices_in_a_thousand_requests() {
    let (a, b) = (Provider::start(json(200, "{}")).await, Provider::start(json(200, "{}")).await);
    let nowhere = Provider::nowhere().await;
    let world = World::start(&group_of(&[("a", a.address, 100), ("dead", nowhere, 100), ("b", b.address, 100)])).await;
    for _ in 0..1_000 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!(a.count() + b.count(), 1_000);
    assert_eq!(state_of(&world, "dead").await, HealthState::Unhealthy);
    let failed: usize = world.log(200).await.iter().map(|record| record.attempts.len() - 1).sum();
    assert!(failed <= 2, "a tripped provider is only probed: {failed}");
}

#[tokio::test]
async fn a_client_mistake_is_passed_on_and_blames_nobody() {
    for status in [400, 404, 409, 422] {
        let (bad, good, world) = faulty_first(json(status, r#"{"error":"yours"}"#)).await;
        let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
        assert_eq!((answer.status, answer.text().as_str()), (status, r#"{"error":"yours"}"#));
        assert_eq!((bad.count(), good.count()), (1, 0));
        assert_eq!(state_of(&world, "bad").await, HealthState::Healthy);
        assert_eq!(world.log(1).await[0].row.outcome, Outcome::ClientError);
    }
}

#[tokio::test]
async fn a_generic_post_that_may_have_been_done_is_not_repeated() {
    for (act, code) in [(Act::Close, "upstream_ambiguous"), (Act::Hang, "upstream_ambiguous")] {
        let (bad, good) = (Provider::start(act).await, Provider::start(json(200, "{}")).await);
        let file =
            group_with("generic", "    strategy: priority\n", &[("bad", bad.address, 900), ("good", good.address, 1)]);
        let world = World::start(&file).await;
        let answer = world.post("/api/proxy/prod/x", "{}").await;
        assert_eq!(answer.code(), code);
        assert_eq!((bad.count(), good.count()), (1, 0));
        assert_eq!(world.get("/api/proxy/prod/x").await.status, 200, "a GET may be repeated");
    }
}

#[tokio::test]
async fn a_generic_500_is_passed_on_and_an_idempotency_key_changes_that() {
    let (bad, good) = (Provider::start(json(500, "{}")).await, Provider::start(json(200, "{}")).await);
    let file =
        group_with("generic", "    strategy: priority\n", &[("bad", bad.address, 900), ("good", good.address, 1)]);
    let world = World::start(&file).await;
    assert_eq!(world.post("/api/proxy/prod/x", "{}").await.status, 500);
    let keyed = format!(
        "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nidempotency-key: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}",
        world.key
    );
    assert_eq!(world.raw(&keyed).await.status, 200);
}

#[tokio::test]
async fn a_429_cools_the_credential_for_as_long_as_the_provider_asks() {
    let (bad, good, world) = faulty_first(with_headers(429, "retry-after: 5\r\n", "{}")).await;
    for _ in 0..20 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!((bad.count(), good.count()), (1, 20));
    assert_eq!(state_of(&world, "bad").await, HealthState::Cooling);
    let passed_over = world.log(20).await.remove(0).attempts.remove(0).skipped.remove(0);
    assert_eq!(passed_over.reason, SkipReason::Cooling);
    assert!(passed_over.wait_ms.is_some_and(|wait_ms| wait_ms <= 5_000), "{passed_over:?}");
}

#[tokio::test]
async fn when_everybody_is_cooling_the_answer_is_an_immediate_429_without_traffic() {
    let only = Provider::start(with_headers(429, "retry-after: 7\r\n", r#"{"error":"slow down"}"#)).await;
    let world = World::start(&group_of(&[("only", only.address, 100)])).await;
    let first = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!((first.status, first.header("retry-after")), (429, Some("7")));
    assert_eq!(first.text(), r#"{"error":"slow down"}"#);
    let second = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!((second.status, second.code().as_str()), (429, "upstream_rate_limited"));
    assert!(second.header("retry-after").is_some_and(|wait| matches!(wait, "6" | "7")));
    assert_eq!(only.count(), 1);
}

#[tokio::test]
async fn a_refused_credential_is_never_a_raw_401() {
    let only = Provider::start(json(401, r#"{"error":"bad key sk-secret"}"#)).await;
    let world = World::start(&group_of(&[("only", only.address, 100)])).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_credentials_exhausted"));
    assert!(!answer.text().contains("sk-secret"));
}

#[tokio::test]
async fn a_second_credential_of_the_same_provider_is_tried_before_giving_up() {
    let provider = Provider::start(json(429, "{}")).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace(
        "[{ label: main, secret: sk-secret-of-alpha }]",
        "[{ label: one, secret: sk-one-one-one }, { label: two, secret: sk-two-two-two }]",
    );
    let world = World::start(&file).await;
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 429);
    let seen = provider.seen().join("\n");
    assert!(seen.contains("sk-one-one-one") && seen.contains("sk-two-two-two"), "{seen}");
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn five_failures_in_a_row_take_a_provider_out() {
    let (bad, _good, world) = faulty_first(json(500, "{}")).await;
    for _ in 0..30 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!(bad.count(), 5);
    assert_eq!(state_of(&world, "bad").await, HealthState::Unhealthy);
}

#[tokio::test]
async fn the_last_failure_is_what_the_client_sees() {
    let (a, b) = (Provider::start(json(500, r#"{"a":1}"#)).await, Provider::start(json(500, r#"{"b":1}"#)).await);
    let world = World::start(&group_of(&[("a", a.address, 100), ("b", b.address, 100)])).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!(answer.status, 500);
    assert_eq!((a.count(), b.count()), (1, 1));
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.attempts.len()), (Outcome::Failed, 2));
}

#[tokio::test]
async fn nothing_answers_and_the_client_is_told_why() {
    let nowhere = Provider::nowhere().await;
    let world = World::start(&group_of(&[("dead", nowhere, 100)])).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_connect"));
    let empty = World::start("groups:\n  - name: E\n    slug: empty\n    path_policy: everything\n").await;
    let answer = empty.get("/api/proxy/empty/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_provider_available"));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_costs_no_client_an_error() {
    let provider = Provider::start(Act::SendAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec())).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    for _ in 0..200 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_provider_and_blames_nobody() {
    let provider = Provider::start(Act::Hang).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace("first_byte_ms: 400", "first_byte_ms: 60000");
    let world = World::start(&file).await;
    let mut stream = world.connect().await;
    let request = format!(
        "POST /api/proxy/prod/v1/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 2\r\n\r\n{{}}",
        world.key
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.expect("sent");
    while provider.count() == 0 {
        tokio::task::yield_now().await;
    }
    let abandoned: Arc<Notify> = provider.abandoned.clone();
    let left = std::time::Instant::now();
    drop(stream);
    abandoned.notified().await;
    assert!(left.elapsed().as_millis() < 100, "{:?}", left.elapsed());
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.row.status), (Outcome::ClientLeft, 499));
    assert_eq!(state_of(&world, "alpha").await, HealthState::Healthy);
}
