//! The models of a group: one list of what its members serve, under the names that clients use.

use rondo::model::{
    api_key::ApiKeyDraft,
    request_log::{AttemptOutcome, Outcome},
};
use serde_json::{Value, json};

use super::group_of;
use crate::world::{
    Answer, World,
    provider::{Act, Provider, json as answer, with_headers},
};

fn list(ids: &[&str]) -> Act {
    let data: Vec<Value> = ids.iter().map(|id| json!({"id": id, "object": "model", "owned_by": "them"})).collect();
    answer(200, &json!({"object": "list", "data": data}).to_string())
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list: Value = serde_json::from_slice(&answer.body).expect("JSON");
    list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| model["id"].as_str().expect("an id").to_owned())
        .collect()
}

async fn get_as(world: &World, key: &str, path: &str) -> Answer {
    world.raw(&format!("GET {path} HTTP/1.1\r\nhost: rondo\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_group_lists_what_its_members_serve_once_and_under_the_clients_names() {
    let alpha = Provider::start(list(&["gpt-4.1", "o3", "internal"])).await;
    let beta = Provider::start(list(&["o3", "claude-4"])).await;
    let broken = Provider::start(answer(500, "{}")).await;
    let odd = Provider::start(answer(200, "<html>")).await;
    let file = group_of(&[
        ("alpha", alpha.address, 100),
        ("beta", beta.address, 100),
        ("broken", broken.address, 100),
        ("odd", odd.address, 100),
    ]);
    let rules = "  - name: alpha\n    models: { map: { gpt-4: gpt-4.1, fast: gpt-4.1 }, only: [\"gpt-*\", \"o3\"] }\n";
    let world = World::start(&file.replacen("  - name: alpha\n", rules, 1)).await;
    let first = world.get("/api/proxy/prod/v1/models").await;
    assert_eq!(ids(&first), ["gpt-4.1", "fast", "gpt-4", "o3", "claude-4"]);
    assert!(first.text().contains(r#""owned_by":"them""#), "{}", first.text());
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(first.header("x-proxy-provider"), None);
    for (provider, name) in [(&alpha, "alpha"), (&beta, "beta"), (&broken, "broken"), (&odd, "odd")] {
        let seen = provider.seen();
        assert_eq!(seen.len(), 1, "{name}");
        let request = seen[0].to_ascii_lowercase();
        assert!(request.starts_with("get /base/v1/models http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("authorization: bearer sk-secret-of-{name}")), "{request}");
        assert!(!request.contains(&world.key.to_ascii_lowercase()), "{request}");
    }
    // Kept for a while, and each key sees its own part.
    assert_eq!(ids(&world.get("/api/proxy/prod/v1/models").await).len(), 5);
    let draft = ApiKeyDraft { name: "some".into(), models: vec!["gpt-*".into()], ..ApiKeyDraft::default() };
    let key = world.new_key(draft).await;
    assert_eq!(ids(&get_as(&world, &key, "/api/proxy/prod/v1/models").await), ["gpt-4.1", "gpt-4"]);
    // The new key made a new table, so the members that serve were asked once more; then no more.
    assert!(alpha.count() <= 2, "{}", alpha.count());
}

#[tokio::test]
async fn the_record_of_a_list_has_an_attempt_at_every_member_and_a_kept_one_none() {
    let alpha = Provider::start(list(&["a"])).await;
    let broken = Provider::start(answer(500, "{}")).await;
    let world = World::start(&group_of(&[("alpha", alpha.address, 100), ("broken", broken.address, 100)])).await;
    assert_eq!(ids(&world.get("/api/proxy/prod/v1/models").await), ["a"]);
    let record = world.log(1).await.remove(0);
    let tried: Vec<_> =
        record.attempts.iter().map(|one| (one.provider_name.as_str(), one.outcome, one.status)).collect();
    let wanted = [("alpha", AttemptOutcome::Answered, Some(200)), ("broken", AttemptOutcome::ServerError, Some(500))];
    assert_eq!((record.row.outcome, tried.as_slice()), (Outcome::Served, wanted.as_slice()));
    assert!(record.attempts.iter().all(|one| one.credential.is_some() && one.first_byte_us.is_some()));
    assert_eq!((record.row.attempts, record.row.provider), (2, None), "nobody's own answer");
    assert_eq!(ids(&world.get("/api/proxy/prod/v1/models").await), ["a"]);
    let kept = world.log(2).await.remove(0);
    assert_eq!((kept.row.outcome, kept.row.attempts, kept.attempts.len()), (Outcome::Served, 0, 0));
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_request_to_each_member() {
    let (alpha, beta) = (Provider::start(list(&["a"])).await, Provider::start(list(&["b"])).await);
    let world = World::start(&group_of(&[("alpha", alpha.address, 100), ("beta", beta.address, 100)])).await;
    let asked = (0..20).map(|_| world.get("/api/proxy/prod/models"));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(ids(&answer), ["a", "b"]);
    }
    assert_eq!((alpha.count(), beta.count()), (1, 1));
}

#[tokio::test]
async fn when_no_member_answers_the_request_fails_as_any_other() {
    let limited = with_headers(429, "retry-after: 30\r\n", "{}");
    let (alpha, beta) = (Provider::start(limited.clone()).await, Provider::start(limited).await);
    let world = World::start(&group_of(&[("alpha", alpha.address, 100), ("beta", beta.address, 100)])).await;
    let refused = world.get("/api/proxy/prod/v1/models").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "upstream_rate_limited"));
    assert_eq!((alpha.count(), beta.count()), (1, 1), "they cool: nothing more is sent");
}

#[tokio::test]
async fn the_list_of_a_single_member_passes_as_it_is_unless_the_key_sees_a_part() {
    let text = r#"{ "object":"list",  "data":[{"id":"gpt-4"},{"id":"o3"}], "more": 1.0 }"#;
    let alpha = Provider::start(answer(200, text)).await;
    let world = World::start(&group_of(&[("alpha", alpha.address, 100)])).await;
    let whole = world.get("/api/proxy/prod/v1/models").await;
    assert_eq!((whole.text().as_str(), whole.header("x-proxy-provider")), (text, Some("alpha")));
    let draft = ApiKeyDraft { name: "some".into(), models: vec!["o3".into()], ..ApiKeyDraft::default() };
    let key = world.new_key(draft).await;
    assert_eq!(ids(&get_as(&world, &key, "/api/proxy/prod/v1/models").await), ["o3"]);
}

#[tokio::test]
async fn one_model_a_query_and_other_methods_go_the_ordinary_way() {
    let (alpha, beta) = (Provider::start(list(&["a"])).await, Provider::start(list(&["b"])).await);
    let world = World::start(&group_of(&[("alpha", alpha.address, 100), ("beta", beta.address, 100)])).await;
    for path in ["/v1/models/a", "/v1/models?limit=1", "/fine_tuning/models"] {
        let answer = world.get(&format!("/api/proxy/prod{path}")).await;
        assert!(answer.header("x-proxy-provider").is_some(), "{path}");
    }
    assert!(world.post("/api/proxy/prod/v1/models", "{}").await.header("x-proxy-provider").is_some());
    assert_eq!(alpha.count() + beta.count(), 4);
}

#[tokio::test]
async fn gemini_lists_keep_their_own_shape() {
    let of =
        |name: &str| answer(200, &json!({"models": [{"name": format!("models/{name}"), "version": "1"}]}).to_string());
    let (alpha, beta) = (Provider::start(of("gemini-a")).await, Provider::start(of("gemini-b")).await);
    let world = World::start(&group_of(&[("alpha", alpha.address, 100), ("beta", beta.address, 100)])).await;
    let answer = world.get("/api/proxy/prod/v1beta/models").await;
    let list: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let names: Vec<_> = list["models"].as_array().expect("a list").iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["models/gemini-a", "models/gemini-b"]);
}
