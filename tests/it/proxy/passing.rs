//! A request and its answer when all is well.

use rondo::model::request_log::Outcome;

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Provider, json, with_headers},
};

#[tokio::test]
async fn a_request_reaches_the_provider_with_its_own_credential_and_nothing_of_the_client() {
    let provider = Provider::start(json(200, r#"{"ok":true}"#)).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world
        .raw(&format!(
            "POST /api/proxy/prod/v1/chat%2Fx/y?q=%20+&r HTTP/1.1\r\nhost: rondo\r\nx-api-key: {}\r\ncookie: a=b\r\nx-forwarded-for: 6.6.6.6\r\nvia: x\r\nconnection: x-hop, close\r\nx-hop: 1\r\naccept-encoding: gzip\r\nx-keep: yes\r\ncontent-length: 2\r\n\r\nhi",
            world.key
        ))
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"ok":true}"#));
    let seen = provider.seen().remove(0);
    let lower = seen.to_ascii_lowercase();
    assert!(seen.starts_with("POST /base/v1/chat%2Fx/y?q=%20+&r HTTP/1.1\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\nhi"), "{seen}");
    assert!(lower.contains("authorization: bearer sk-secret-of-alpha"), "{seen}");
    assert!(lower.contains(&format!("host: {}", provider.address)), "{seen}");
    assert!(lower.contains("x-keep: yes") && lower.contains("accept-encoding: identity"), "{seen}");
    assert!(lower.contains("x-request-id: "), "{seen}");
    for gone in ["x-api-key", "cookie", "x-forwarded-for", "via:", "x-hop", "rd_"] {
        assert!(!lower.contains(gone), "{gone} in {seen}");
    }
}

#[tokio::test]
async fn the_answer_names_the_provider_and_the_request() {
    let provider = Provider::start(with_headers(
        201,
        "x-custom: 1\r\nx-custom: 2\r\nset-cookie: a=b\r\nserver: x\r\nlocation: /base/v1/things/1\r\n",
        "{}",
    ))
    .await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world.get("/api/proxy/prod/v1/things").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("x-proxy-provider"), Some("alpha"));
    assert!(answer.header("x-proxy-provider-id").is_some() && answer.header("x-proxy-response-time").is_some());
    assert_eq!(answer.header("x-proxy-attempts"), Some("1"));
    assert_eq!(answer.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!(answer.header("location"), Some("/api/proxy/prod/v1/things/1"));
    assert_eq!(answer.head.matches("x-custom: ").count(), 2, "{}", answer.head);
    assert!(answer.header("set-cookie").is_none() && answer.header("server").is_none());
    let record = world.log(1).await.remove(0);
    assert_eq!(answer.header("x-request-id"), Some(record.row.id.to_string().as_str()));
    assert_eq!((record.row.outcome, record.row.status, record.row.attempts), (Outcome::Served, 201, 1));
    assert_eq!((record.row.path.as_str(), record.row.api_key_name.as_str()), ("/v1/things", "test"));
    assert_eq!(record.row.response_bytes, 2);
}

#[tokio::test]
async fn every_auth_style_is_sent_its_own_way() {
    let provider = Provider::start(json(200, "{}")).await;
    for (style, expected) in [
        ("bearer", "authorization: Bearer s3cret-value-1"),
        ("x-api-key", "x-api-key: s3cret-value-1"),
        ("api-key", "api-key: s3cret-value-1"),
        ("x-goog-api-key", "x-goog-api-key: s3cret-value-1"),
        ("query", "GET /v1/x?a=1&key=s3cret-value-1 HTTP/1.1"),
        (r#"{ header: X-Token, template: "Token {secret}" }"#, "x-token: Token s3cret-value-1"),
    ] {
        let file = format!(
            "providers:\n  - name: a\n    base_url: http://{}\n    auth: {style}\n    credentials: [{{ label: m, secret: s3cret-value-1 }}]\ngroups:\n  - name: P\n    slug: p\n    path_policy: everything\n    providers: [{{ provider: a }}]\n",
            provider.address
        );
        let world = World::start(&file).await;
        assert_eq!(world.get("/api/proxy/p/v1/x?a=1").await.status, 200);
        let seen = provider.seen().pop().expect("a request");
        assert!(seen.contains(expected), "{style}: {seen}");
    }
}

#[tokio::test]
async fn a_model_is_mapped_and_no_other_byte_is_touched() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = group_of(&[("alpha", provider.address, 100)])
        .replace("    timeouts:", "    models: { map: { gpt-4: gpt-4.1 } }\n    timeouts:");
    let world = World::start(&file).await;
    world.post("/api/proxy/prod/v1/x", r#"{ "n": 1.0,"model" : "gpt-4" }"#).await;
    assert!(provider.seen()[0].ends_with(r#"{ "n": 1.0,"model" : "gpt-4.1" }"#));
    assert_eq!(world.log(1).await[0].row.model.as_deref(), Some("gpt-4"));
}

#[tokio::test]
async fn ten_megabytes_pass_both_ways() {
    let body = "x".repeat(10 * 1024 * 1024);
    let provider = Provider::start(json(200, &body)).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world.post("/api/proxy/prod/v1/x", &body).await;
    assert_eq!((answer.status, answer.body.len(), answer.complete), (200, body.len(), true));
    assert!(provider.seen()[0].ends_with(&body));
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.request_bytes, record.row.response_bytes), (body.len() as u64, body.len() as u64));
}

#[tokio::test]
async fn the_base_path_is_never_left() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    for tail in ["/../x", "/%2e%2e/x", "/a/%252e%252e/x", "/a%5c..%5cx", "/..;a/x", "/%00"] {
        let answer = world.get(&format!("/api/proxy/prod{tail}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_path"), "{tail}");
    }
    assert_eq!(provider.count(), 0);
    assert_eq!(world.get("/api/proxy/prod//@evil.example/x").await.status, 200);
    assert!(provider.seen()[0].starts_with("GET /base//@evil.example/x HTTP/1.1"));
}

#[tokio::test]
async fn a_thousand_requests_follow_the_shares_to_a_point() {
    let providers = [
        Provider::start(json(200, "{}")).await,
        Provider::start(json(200, "{}")).await,
        Provider::start(json(200, "{}")).await,
    ];
    let file =
        group_of(&[("a", providers[0].address, 50), ("b", providers[1].address, 30), ("c", providers[2].address, 20)]);
    let world = World::start(&file).await;
    for _ in 0..1_000 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    for (provider, share) in providers.iter().zip([500i64, 300, 200]) {
        assert!((provider.count() as i64 - share).abs() <= 10, "{} of {share}", provider.count());
    }
}

#[tokio::test]
async fn a_group_may_hide_its_providers() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = group_with("llm", "    hide_provider_headers: true\n", &[("alpha", provider.address, 100)]);
    let world = World::start(&file).await;
    let answer = world.get("/api/proxy/prod/x").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("x-proxy-provider").is_none() && answer.header("x-proxy-provider-id").is_none());
}
