//! Taken out, probed and brought back: the panic rules and the credentials, through real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rondo::model::health::{CredentialState, HealthReason, HealthState};

use super::group_with;
use crate::world::{
    World,
    provider::{Act, Provider, each, json},
};

/// Answers 500 until the switch is on.
fn broken_until(mended: &Arc<AtomicBool>) -> Act {
    let mended = mended.clone();
    each(move |_| if mended.load(Relaxed) { json(200, "{}") } else { json(500, "{}") })
}

/// Waits until the credentials of a provider are in a state.
async fn until_credential(world: &World, name: &str, wanted: &CredentialState) {
    for _ in 0..500 {
        if world.health_of(name).await.credentials.iter().any(|one| one.state == *wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no credential of {name} is {wanted:?}");
}

#[tokio::test]
async fn when_every_provider_is_out_a_trickle_probes_and_the_rest_is_told_when_to_come_back() {
    let mended = Arc::new(AtomicBool::new(false));
    let (a, b) = (Provider::start(broken_until(&mended)).await, Provider::start(broken_until(&mended)).await);
    let world = World::start(&group_with("llm", "", &[("a", a.address, 100), ("b", b.address, 100)])).await;
    while [world.health_of("a").await, world.health_of("b").await].iter().any(|one| one.state != HealthState::Unhealthy)
    {
        world.post("/api/proxy/prod/v1/x", "{}").await;
    }
    let (before, started) = (a.count() + b.count(), Instant::now());
    let mut turned_away = 0;
    for _ in 0..200 {
        let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
        if answer.status == 503 {
            assert_eq!(answer.code(), "no_provider_available");
            let wait: u64 = answer.header("retry-after").and_then(|wait| wait.parse().ok()).expect("a wait");
            assert!((1..=30).contains(&wait), "{wait}");
            turned_away += 1;
        }
    }
    let probes = a.count() + b.count() - before;
    let most = 20 + started.elapsed().as_secs() as usize + 1;
    assert!((10..=most).contains(&probes), "{probes} probes, at most {most}");
    assert!(turned_away >= 200 - most, "{turned_away}");
    mended.store(true, Relaxed);
    let started = Instant::now();
    while world.post("/api/proxy/prod/v1/x", "{}").await.status != 200 {}
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_group_whose_clients_only_post_recovers_too() {
    let mended = Arc::new(AtomicBool::new(false));
    let only = Provider::start(broken_until(&mended)).await;
    let world = World::start(&group_with("generic", "", &[("only", only.address, 100)])).await;
    while world.health_of("only").await.state != HealthState::Unhealthy {
        world.post("/api/proxy/prod/x", "{}").await;
    }
    mended.store(true, Relaxed);
    let started = Instant::now();
    while world.post("/api/proxy/prod/x", "{}").await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(5), "it was never probed");
    }
    while world.health_of("only").await.state != HealthState::Recovering {
        world.post("/api/proxy/prod/x", "{}").await;
    }
}

#[tokio::test]
async fn a_credential_refused_twice_is_checked_for_free_and_then_left_alone() {
    let only = Provider::start(json(401, "{}")).await;
    let world = World::start(&group_with("llm", "", &[("only", only.address, 100)])).await;
    for _ in 0..2 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.code(), "upstream_credentials_exhausted");
    }
    until_credential(&world, "only", &CredentialState::Failed).await;
    let seen = only.seen();
    let check = seen.last().expect("a check");
    assert!(check.starts_with("GET /base/v1/models HTTP/1.1\r\n"), "{check}");
    assert!(check.contains("authorization: Bearer sk-secret-of-only"), "{check}");
    let health = world.health_of("only").await;
    assert_eq!((health.state, health.reason), (HealthState::CredentialFailed, HealthReason::Refused { count: 1 }));
    assert_eq!((health.consecutive_failures, health.samples), (0, 0));
    let count = only.count();
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 503);
    assert_eq!(only.count(), count, "nobody asks with it");
    let file = group_with("llm", "", &[("only", only.address, 100)]).replace("sk-secret-of-only", "sk-another-secret");
    world.apply(&file).await;
    until_credential(&world, "only", &CredentialState::Ready).await;
}

#[tokio::test]
async fn a_client_cannot_have_a_credential_taken_out_by_asking_for_what_is_forbidden() {
    for (kind, checked) in [("llm", true), ("generic", false)] {
        let only = Provider::start(each(|turn| match turn.request.starts_with("GET /base/v1/models") {
            true => json(200, r#"{"data":[]}"#),
            false => json(403, r#"{"error":"not yours"}"#),
        }))
        .await;
        let world = World::start(&group_with(kind, "", &[("only", only.address, 100)])).await;
        for _ in 0..6 {
            assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 403);
        }
        // The sweep that decides comes once a second.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let checks = only.seen().iter().filter(|seen| seen.starts_with("GET /base/v1/models")).count();
        assert_eq!(checks > 0, checked, "{kind}");
        assert_eq!(world.health_of("only").await.credentials[0].state, CredentialState::Ready, "{kind}");
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 403, "it still serves");
    }
}

#[tokio::test]
async fn changes_of_health_are_told_with_their_reasons() {
    let mended = Arc::new(AtomicBool::new(false));
    let (only, other) = (Provider::start(broken_until(&mended)).await, Provider::start(json(200, "{}")).await);
    let more = "    strategy: priority\n";
    let world =
        World::start(&group_with("llm", more, &[("only", only.address, 900), ("other", other.address, 1)])).await;
    for _ in 0..5 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    let events = world.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].state, HealthState::Unhealthy);
    let HealthReason::Failures { count: 5, outcome, .. } = &events[0].reason else { panic!("{events:?}") };
    assert_eq!(outcome, "server_error");
}
