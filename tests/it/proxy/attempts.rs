//! When another attempt is made, with whom, and when it is not.

use std::time::Duration;

use rondo::model::{
    health::CredentialState,
    request_log::{AttemptOutcome, Outcome},
};
use tokio::io::AsyncWriteExt;

use super::group_with;
use crate::world::{
    World,
    provider::{Act, Provider, each, json, with_headers},
    read_answer,
};

const PRIORITY: &str = "    strategy: priority\n";

/// A file with this many credentials for each provider.
fn with_credentials(file: String, count: usize) -> String {
    let (mut text, mut name) = (String::new(), String::new());
    for line in file.lines() {
        if let Some(found) = line.trim().strip_prefix("- name: ") {
            name = found.to_owned();
        }
        if line.trim().starts_with("credentials:") {
            let all: Vec<String> =
                (0..count).map(|number| format!("{{ label: c{number}, secret: sk-secret-{name}-{number} }}")).collect();
            text.push_str(&format!("    credentials: [{}]\n", all.join(", ")));
        } else {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

/// A provider that closes every connection when a second request comes on it, without a byte.
fn once_per_connection() -> Act {
    each(|turn| if turn.on_connection == 1 { json(200, "{}") } else { Act::Close })
}

#[tokio::test]
async fn no_more_than_three_providers_are_asked_whatever_they_answer() {
    for (status, name) in [(500, "failures"), (429, "limits"), (401, "refusals")] {
        let mut providers = Vec::new();
        for _ in 0..5 {
            providers.push(Provider::start(json(status, "{}")).await);
        }
        let names = ["a", "b", "c", "d", "e"];
        let members: Vec<_> = names.iter().zip(&providers).map(|(name, one)| (*name, one.address, 100)).collect();
        let world = World::start(&group_with("llm", "", &members)).await;
        world.post("/api/proxy/prod/v1/x", "{}").await;
        let asked: usize = providers.iter().map(Provider::count).sum();
        assert_eq!(asked, 3, "{name}");
    }
}

#[tokio::test]
async fn rotating_credentials_is_bounded_by_the_pool_and_by_eight() {
    for (credentials, asked) in [(5, 5), (10, 8)] {
        let (bad, good) = (Provider::start(json(429, "{}")).await, Provider::start(json(200, "{}")).await);
        let more = format!("{PRIORITY}    failover: {{ max_attempts: 1 }}\n");
        let file = group_with("llm", &more, &[("bad", bad.address, 900), ("good", good.address, 1)]);
        let world = World::start(&with_credentials(file, credentials)).await;
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 429);
        assert_eq!((bad.count(), good.count()), (asked, 0));
        let seen: std::collections::HashSet<String> = bad.seen().into_iter().collect();
        assert!(seen.len() >= asked, "each credential once");
    }
}

#[tokio::test]
async fn a_provider_that_failed_is_not_asked_again_with_another_credential() {
    let (bad, good) = (Provider::start(json(500, "{}")).await, Provider::start(json(200, "{}")).await);
    let file = group_with("llm", PRIORITY, &[("bad", bad.address, 900), ("good", good.address, 1)]);
    let world = World::start(&with_credentials(file, 3)).await;
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    assert_eq!((bad.count(), good.count()), (1, 1));
}

#[tokio::test]
async fn the_same_403_from_two_credentials_is_about_the_request() {
    let forbidden = json(403, r#"{"error":"not for your region"}"#);
    let (bad, good) = (Provider::start(forbidden).await, Provider::start(json(200, "{}")).await);
    let file = group_with("llm", PRIORITY, &[("bad", bad.address, 900), ("good", good.address, 1)]);
    let world = World::start(&with_credentials(file, 2)).await;
    for _ in 0..4 {
        let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
        assert_eq!((answer.status, answer.text().as_str()), (403, r#"{"error":"not for your region"}"#));
    }
    assert_eq!((bad.count(), good.count()), (8, 0), "two credentials a request, nobody else");
    let health = world.health_of("bad").await;
    assert!(health.credentials.iter().all(|one| one.state == CredentialState::Ready), "{health:?}");
    assert_eq!(health.consecutive_failures, 0);
}

#[tokio::test]
async fn the_smallest_wait_of_those_tried_is_passed_on() {
    let wait = |seconds: &str| with_headers(429, &format!("retry-after: {seconds}\r\n"), "{}");
    let (a, b) = (Provider::start(wait("4")).await, Provider::start(wait("9")).await);
    let world = World::start(&group_with("llm", PRIORITY, &[("a", a.address, 900), ("b", b.address, 1)])).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("4")));
}

#[tokio::test]
async fn another_try_needs_time_for_its_first_byte() {
    for (total_ms, status) in [(600, 504), (60_000, 200)] {
        let (bad, good) = (Provider::start(Act::Hang).await, Provider::start(json(200, "{}")).await);
        let file = group_with("llm", PRIORITY, &[("bad", bad.address, 900), ("good", good.address, 1)])
            .replace("idle_ms: 400", &format!("idle_ms: 400, total_ms: {total_ms}"));
        let world = World::start(&file).await;
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, status, "{total_ms} ms in all");
    }
}

#[tokio::test]
async fn retries_are_a_fifth_of_the_requests_and_two_a_second() {
    // It fails over and says nothing about health, so nothing but the budget ends it.
    let missing = json(404, r#"{"error":{"code":"model_not_found"}}"#);
    let (bad, good) = (Provider::start(missing).await, Provider::start(json(200, "{}")).await);
    let world =
        World::start(&group_with("llm", PRIORITY, &[("bad", bad.address, 900), ("good", good.address, 1)])).await;
    let started = std::time::Instant::now();
    let mut saved = 0;
    for _ in 0..200 {
        saved += u32::from(world.post("/api/proxy/prod/v1/x", "{}").await.status == 200);
    }
    // It starts with ten seconds' worth, and what passed since the start of the server.
    let most = 20.0 + 200.0 * 0.2 + 2.0 * (started.elapsed().as_secs_f64() + 10.0);
    assert!(saved >= 59 && f64::from(saved) <= most, "{saved} of at most {most}");
    assert_eq!(bad.count(), 200);
}

#[tokio::test]
async fn a_reused_connection_that_was_closed_is_replaced_once_at_the_same_provider() {
    let (only, other) = (Provider::start(once_per_connection()).await, Provider::start(json(200, "{}")).await);
    let world =
        World::start(&group_with("llm", PRIORITY, &[("only", only.address, 900), ("other", other.address, 1)])).await;
    for _ in 0..10 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!(other.count(), 0);
    let health = world.health_of("only").await;
    assert_eq!((health.consecutive_failures, health.samples, health.successes), (0, 10, 10));
    assert!(world.log(10).await.iter().all(|record| record.row.outcome == Outcome::Served));
}

#[tokio::test]
async fn when_the_fresh_connection_fails_too_it_counts_once_and_another_provider_answers() {
    let fading = each(|turn| if turn.number == 1 { json(200, "{}") } else { Act::Close });
    let (bad, good) = (Provider::start(fading).await, Provider::start(json(200, "{}")).await);
    let world =
        World::start(&group_with("llm", PRIORITY, &[("bad", bad.address, 900), ("good", good.address, 1)])).await;
    for _ in 0..2 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!((bad.count(), good.count()), (3, 1));
    let health = world.health_of("bad").await;
    assert_eq!((health.consecutive_failures, health.samples, health.successes), (1, 2, 1));
}

#[tokio::test]
async fn a_generic_post_on_a_reused_connection_that_was_closed_is_not_sent_twice() {
    let only = Provider::start(once_per_connection()).await;
    let world = World::start(&group_with("generic", "", &[("only", only.address, 100)])).await;
    assert_eq!(world.post("/api/proxy/prod/x", "{}").await.status, 200);
    let answer = world.post("/api/proxy/prod/x", "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_ambiguous"));
    assert_eq!(only.count(), 2);
    assert_eq!(world.get("/api/proxy/prod/x").await.status, 200, "a GET may be repeated");
}

/// Requests with this body, beyond the replay limit.
async fn large(act: Option<Act>) -> (Option<Provider>, Provider, World) {
    let bad = match act {
        Some(act) => Some(Provider::start(act).await),
        None => None,
    };
    let good = Provider::start(json(200, "{}")).await;
    let address = match &bad {
        Some(bad) => bad.address,
        None => Provider::nowhere().await,
    };
    let file = group_with("llm", PRIORITY, &[("bad", address, 900), ("good", good.address, 1)]);
    let world = World::start_with(&file, &[("RONDO_REPLAY_LIMIT", "1KiB")]).await;
    (bad, good, world)
}

#[tokio::test]
async fn a_body_too_large_to_hold_fails_over_only_where_no_connection_came_about() {
    let body = "x".repeat(100_000);
    let (_, good, world) = large(None).await;
    assert_eq!(world.post("/api/proxy/prod/v1/x", &body).await.status, 200);
    assert!(good.seen()[0].ends_with(&body) && good.seen()[0].contains("content-length: 100000"));
    for (act, status) in [(json(500, "{}"), 500), (json(429, "{}"), 429), (Act::Close, 502), (json(401, "{}"), 502)] {
        let (bad, good, world) = large(Some(act)).await;
        assert_eq!(world.post("/api/proxy/prod/v1/x", &body).await.status, status);
        assert_eq!((bad.map(|bad| bad.count()), good.count()), (Some(1), 0), "{status}");
    }
}

/// Begins a `POST` of `length` bytes by hand.
async fn begin(world: &World, length: &str) -> tokio::net::TcpStream {
    let mut stream = world.connect().await;
    let head = format!(
        "POST /api/proxy/prod/v1/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n{length}\r\nconnection: close\r\n\r\n",
        world.key
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream
}

async fn untouched(world: &World, name: &str) {
    let health = world.health_of(name).await;
    assert_eq!((health.consecutive_failures, health.samples, health.in_flight), (0, 0, 0));
}

#[tokio::test]
async fn a_malformed_body_is_the_clients_fault_held_or_flowing() {
    for (before, reached) in [(10, 0), (5_000, 1)] {
        let (bad, good, world) = large(Some(json(200, "{}"))).await;
        let mut stream = begin(&world, "transfer-encoding: chunked").await;
        let body = format!("{before:x}\r\n{}\r\nnot a size\r\n", "x".repeat(before));
        stream.write_all(body.as_bytes()).await.expect("sent");
        let answer = read_answer(&mut stream).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_body"), "{before} bytes before");
        assert_eq!(good.count(), 0);
        assert!(bad.is_some_and(|bad| bad.count() <= reached));
        untouched(&world, "bad").await;
        let record = world.log(1).await.remove(0);
        assert_eq!((record.row.outcome, record.row.status), (Outcome::ClientError, 400));
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_the_clients_fault_held_or_flowing() {
    for before in [10, 5_000] {
        let (_bad, good, world) = large(Some(json(200, "{}"))).await;
        let mut stream = begin(&world, "content-length: 9000").await;
        stream.write_all("x".repeat(before).as_bytes()).await.expect("sent");
        // Half a minute of silence passes at once.
        tokio::time::pause();
        let answer = read_answer(&mut stream).await;
        tokio::time::resume();
        assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"), "{before} bytes before");
        assert_eq!(good.count(), 0);
        untouched(&world, "bad").await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_blames_nobody() {
    for before in [10, 5_000] {
        let (_bad, good, world) = large(Some(json(200, "{}"))).await;
        let mut stream = begin(&world, "content-length: 9000").await;
        stream.write_all("x".repeat(before).as_bytes()).await.expect("sent");
        drop(stream);
        let record = world.log(1).await.remove(0);
        assert_eq!((record.row.outcome, record.row.status), (Outcome::ClientLeft, 499), "{before} bytes before");
        assert_eq!(good.count(), 0);
        untouched(&world, "bad").await;
    }
}

#[tokio::test]
async fn the_time_a_client_takes_for_its_body_is_not_the_providers() {
    let (bad, good, world) = large(Some(json(200, "{}"))).await;
    let mut stream = begin(&world, "content-length: 9000").await;
    for _ in 0..3 {
        stream.write_all("x".repeat(3_000).as_bytes()).await.expect("sent");
        // Longer than the provider's first-byte timeout: what is tested is a slow client.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(read_answer(&mut stream).await.status, 200);
    assert_eq!((bad.map(|bad| bad.count()), good.count()), (Some(1), 0));
    assert_eq!(world.health_of("bad").await.consecutive_failures, 0);
}

#[tokio::test]
async fn a_provider_that_hangs_after_a_flowing_body_is_given_its_time_and_no_more() {
    let (_bad, _good, world) = large(Some(Act::Hang)).await;
    let started = std::time::Instant::now();
    let answer = world.post("/api/proxy/prod/v1/x", &"x".repeat(50_000)).await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream_timeout"));
    assert!(started.elapsed() < Duration::from_millis(1_200), "{:?}", started.elapsed());
    assert_eq!(world.health_of("bad").await.consecutive_failures, 1);
}

#[tokio::test]
async fn the_rules_of_an_operator_come_before_the_table() {
    let rules = "    outcome_rules:\n      - { status_from: 400, status_to: 499, body_contains: no capacity, outcome: overloaded }\n      - { status_from: 418, status_to: 418, header: 'x-reason: billing', outcome: quota_exhausted }\n      - { status_from: 200, status_to: 200, header: x-broken, outcome: server_error }\n      - { status_from: 500, status_to: 500, outcome: client_error }\n";
    let more = format!("{PRIORITY}{rules}");
    for (act, outcome, attempts, consecutive, cooling_s) in [
        (json(422, r#"{"detail":"No Capacity left"}"#), AttemptOutcome::Overloaded, 2, 1, Some(5)),
        (with_headers(418, "x-reason: Billing stopped\r\n", "{}"), AttemptOutcome::QuotaExhausted, 2, 0, Some(600)),
        (with_headers(200, "x-broken: 1\r\n", "{}"), AttemptOutcome::ServerError, 2, 1, None),
        (json(500, "{}"), AttemptOutcome::ClientError, 1, 0, None),
        (json(422, "{}"), AttemptOutcome::ClientError, 1, 0, None),
        (json(503, "{}"), AttemptOutcome::Overloaded, 2, 1, Some(5)),
    ] {
        let (bad, good) = (Provider::start(act).await, Provider::start(json(200, "{}")).await);
        let file = group_with("llm", &more, &[("bad", bad.address, 900), ("good", good.address, 1)]);
        let world = World::start(&file).await;
        world.post("/api/proxy/prod/v1/x", "{}").await;
        let record = world.log(1).await.remove(0);
        assert_eq!((record.attempts[0].outcome, record.attempts.len()), (outcome, attempts));
        let health = world.health_of("bad").await;
        assert_eq!(health.consecutive_failures, consecutive, "{outcome:?}");
        let cools = matches!(health.credentials[0].state, CredentialState::Cooling { .. });
        assert_eq!(cools, cooling_s.is_some(), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_model_that_a_provider_does_not_know_is_not_asked_of_it_again() {
    let picky = each(|turn| match turn.request.contains("\"m\"") {
        true => json(404, r#"{"error":{"code":"model_not_found"}}"#),
        false => json(200, "{}"),
    });
    let (bad, good) = (Provider::start(picky).await, Provider::start(json(200, "{}")).await);
    let world =
        World::start(&group_with("llm", PRIORITY, &[("bad", bad.address, 900), ("good", good.address, 1)])).await;
    for _ in 0..3 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", r#"{"model":"m"}"#).await.status, 200);
    }
    assert_eq!((bad.count(), good.count()), (1, 3));
    assert_eq!(world.post("/api/proxy/prod/v1/x", r#"{"model":"other"}"#).await.status, 200);
    assert_eq!(bad.count(), 2, "other models are its own");
}
