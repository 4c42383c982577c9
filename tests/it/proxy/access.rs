//! Who may call what, and how often.

use rondo::model::{
    api_key::{ApiKeyDraft, Scope},
    group::PathPolicy,
    rate_limit::KeyLimits,
    request_log::Outcome,
};

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Provider, json},
};

async fn with_key(world: &World, key: &str, path: &str) -> crate::world::Answer {
    world
        .raw(&format!("GET {path} HTTP/1.1\r\nhost: rondo\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"))
        .await
}

#[tokio::test]
async fn a_request_without_a_known_key_is_refused_and_nothing_is_sent() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let none = world.raw("GET /api/proxy/prod/x HTTP/1.1\r\nhost: rondo\r\nconnection: close\r\n\r\n").await;
    assert_eq!((none.status, none.code().as_str()), (401, "invalid_api_key"));
    let unknown = with_key(&world, "rd_unknown", "/api/proxy/prod/x").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (401, "invalid_api_key"));
    assert!(unknown.header("x-request-id").is_some());
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn an_unknown_group_is_404_and_a_foreign_one_403() {
    let provider = Provider::start(json(200, "{}")).await;
    let mut file = group_of(&[("alpha", provider.address, 100)]);
    file.push_str("  - name: Lab\n    slug: lab\n    providers: [{ provider: alpha }]\n");
    let world = World::start(&file).await;
    assert_eq!(world.get("/api/proxy/nope/x").await.code(), "group_not_found");
    let scope = Scope::Groups(vec![world.group("lab").await]);
    let key = world.new_key(ApiKeyDraft { name: "lab".into(), scope, ..ApiKeyDraft::default() }).await;
    let answer = with_key(&world, &key, "/api/proxy/prod/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "group_forbidden"));
    assert_eq!(with_key(&world, &key, "/api/proxy/lab/v1/models").await.status, 200);
}

#[tokio::test]
async fn a_path_outside_the_policy_is_refused() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace("everything", "inference");
    let world = World::start(&file).await;
    assert_eq!(world.get("/api/proxy/prod/v1/files").await.code(), "path_forbidden");
    assert_eq!(world.get("/api/proxy/prod/v1/models").await.status, 200);
    let draft = ApiKeyDraft { name: "ro".into(), path_policy: Some(PathPolicy::ReadOnly), ..ApiKeyDraft::default() };
    let key = world.new_key(draft).await;
    let post = format!(
        "POST /api/proxy/prod/v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    assert_eq!(world.raw(&post).await.code(), "path_forbidden");
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_key_is_bound_to_addresses_models_and_time() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let elsewhere = ApiKeyDraft { name: "ip".into(), allowed_ips: vec!["10.0.0.0/8".into()], ..ApiKeyDraft::default() };
    let key = world.new_key(elsewhere).await;
    assert_eq!(with_key(&world, &key, "/api/proxy/prod/x").await.code(), "ip_forbidden");
    let models = ApiKeyDraft { name: "models".into(), models: vec!["gpt-4*".into()], ..ApiKeyDraft::default() };
    let key = world.new_key(models).await;
    for (model, status) in [("gpt-4.1", 200), ("o3", 403)] {
        let body = format!("{{\"model\":\"{model}\"}}");
        let post = format!(
            "POST /api/proxy/prod/v1/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(world.raw(&post).await.status, status, "{model}");
    }
}

#[tokio::test]
async fn the_rate_limit_counts_down_and_then_answers_429() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let limits = KeyLimits { rpm: Some(3), ..KeyLimits::default() };
    let key = world.new_key(ApiKeyDraft { name: "slow".into(), limits, ..ApiKeyDraft::default() }).await;
    for left in [2, 1, 0] {
        let answer = with_key(&world, &key, "/api/proxy/prod/x").await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, Some("3")));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    let refused = with_key(&world, &key, "/api/proxy/prod/x").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("a wait");
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(provider.count(), 3);
    // The key was looked for until it was live: those requests are in the log too.
    let outcomes: Vec<Outcome> = world.log_until(Outcome::RateLimited).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Served).count(), 3);
}

#[tokio::test]
async fn a_group_may_be_open_to_everybody_with_its_own_limit() {
    let provider = Provider::start(json(200, "{}")).await;
    let more = "    anonymous: { allowed: true, limits: { rpm: 2 } }\n";
    let world = World::start(&group_with("llm", more, &[("alpha", provider.address, 100)])).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(world.raw("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
}
