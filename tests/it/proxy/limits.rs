//! Caps by day and month, places in flight, and the numbers every answer carries.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rondo::model::{
    api_key::{ApiKeyDraft, Scope},
    rate_limit::KeyLimits,
};
use tokio::{io::AsyncWriteExt, sync::Notify};

use super::{group_of, group_with};
use crate::world::{
    Answer, World,
    provider::{Act, Provider, chunk, json, sse_head},
    read_answer,
};

async fn with_key(world: &World, key: &str) -> Answer {
    send(world, key, "/api/proxy/prod/x", "{}").await
}

async fn send(world: &World, key: &str, path: &str, body: &str) -> Answer {
    world.raw(&request(key, path, body)).await
}

fn request(key: &str, path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: rondo\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A key that reaches the group `prod` with these limits. Asking whether it is live costs it nothing.
async fn key_with(world: &World, limits: KeyLimits) -> String {
    world.new_key(ApiKeyDraft { name: "capped".into(), limits, ..ApiKeyDraft::default() }).await
}

fn wait_of(answer: &Answer) -> u64 {
    answer.header("retry-after").and_then(|text| text.parse().ok()).expect("a wait")
}

#[tokio::test]
async fn a_day_and_a_month_that_are_used_up_are_429_until_they_end_and_after_a_restart_too() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let day = key_with(&world, KeyLimits { requests_per_day: 2, ..KeyLimits::default() }).await;
    let limits = KeyLimits { requests_per_month: 1, requests_per_day: 9, ..KeyLimits::default() };
    let month = world.new_key(ApiKeyDraft { name: "month".into(), limits, ..ApiKeyDraft::default() }).await;
    for (key, status) in [(&day, 200), (&day, 200), (&month, 200)] {
        assert_eq!(with_key(&world, key).await.status, status);
    }
    let world = world.restart().await;
    let refused = with_key(&world, &day).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert!(refused.text().contains("requests per day"), "{}", refused.text());
    assert!((1..=90_000).contains(&wait_of(&refused)));
    assert_eq!(refused.header("x-ratelimit-limit"), Some("600"));
    let refused = with_key(&world, &month).await;
    assert!(refused.text().contains("requests per month"), "{}", refused.text());
    assert!((1..=31 * 90_000).contains(&wait_of(&refused)));
    assert_eq!(provider.count(), 3);
    world.stop().await;
}

#[tokio::test]
async fn a_request_that_is_not_admitted_costs_nothing_of_the_day_and_one_that_is_counts_whatever_becomes_of_it() {
    let provider = Provider::start(json(200, "{}")).await;
    let world =
        World::start_with(&group_of(&[("alpha", provider.address, 100)]), &[("RONDO_BODY_LIMIT", "1KiB")]).await;
    let limits = KeyLimits { rpm: Some(1), burst: Some(2), requests_per_day: 3, ..KeyLimits::default() };
    let key = key_with(&world, limits).await;
    // 413 after it was admitted: it counts.
    assert_eq!(send(&world, &key, "/api/proxy/prod/x", &"x".repeat(2_000)).await.code(), "body_too_large");
    assert_eq!(send(&world, &key, "/api/proxy/none/x", "{}").await.code(), "group_not_found");
    assert_eq!(with_key(&world, &key).await.status, 200);
    for _ in 0..5 {
        let refused = with_key(&world, &key).await;
        assert!(refused.text().contains("requests per minute"), "the third of the day is left: {}", refused.text());
    }
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn clients_without_a_key_share_the_days_of_their_group() {
    let provider = Provider::start(json(200, "{}")).await;
    let more = "    anonymous: { allowed: true, limits: { requests_per_day: 2 } }\n";
    let file = group_with("llm", more, &[("alpha", provider.address, 100)]);
    let world = World::start_with(&file, &[("RONDO_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let mut answers = Vec::new();
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let head = format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\nconnection: close\r\n\r\n"
        );
        answers.push(world.raw(&head).await);
    }
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 429]);
    assert!(answers[2].text().contains("requests per day of this group without a key"), "{}", answers[2].text());
}

#[tokio::test]
async fn a_place_in_flight_is_given_back_at_the_end_of_the_body_on_error_and_when_the_client_leaves() {
    let go = Arc::new(Notify::new());
    let steps = vec![[sse_head(), chunk("data: 1\n\n")].concat(), b"0\r\n\r\n".to_vec()];
    let whole = Provider::start(Act::InSteps(steps, go.clone())).await;
    let broken = Provider::start(Act::SendAndClose([sse_head(), chunk("data: 1\n\n")].concat())).await;
    let hanging = Provider::start(Act::Hang).await;
    let mut file =
        group_of(&[("whole", whole.address, 100), ("broken", broken.address, 100), ("hanging", hanging.address, 100)]);
    for name in ["whole", "broken", "hanging"] {
        file.push_str(&format!(
            "  - name: {name}\n    slug: {name}\n    kind: generic\n    providers: [{{ provider: {name} }}]\n"
        ));
    }
    file.push_str("  - name: Empty\n    slug: empty\n    path_policy: everything\n    providers: []\n");
    let world = World::start(&file.replace("_ms: 400", "_ms: 20000")).await;
    let key = key_with(&world, KeyLimits { concurrency: 1, ..KeyLimits::default() }).await;
    let path = |group: &str| format!("/api/proxy/{group}/x");

    let mut first = world.connect().await;
    first.write_all(request(&key, &path("whole"), "{}").as_bytes()).await.expect("sent");
    until(|| whole.count() == 1).await;
    let refused = send(&world, &key, &path("whole"), "{}").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert!(refused.text().contains("at once"), "{}", refused.text());
    go.notify_one();
    assert!(read_answer(&mut first).await.complete);

    // The place is free again: this one is admitted, and its body breaks off.
    let answer = admitted(&world, &key, &path("broken")).await;
    assert_eq!((answer.status, answer.complete), (200, false));

    let mut leaving = world.connect().await;
    let sent = request(&key, &path("hanging"), "{}");
    until_admitted(&world, &key).await;
    leaving.write_all(sent.as_bytes()).await.expect("sent");
    until(|| hanging.count() == 1).await;
    drop(leaving);
    hanging.abandoned.notified().await;
    until_admitted(&world, &key).await;
}

/// Sends until it is not refused for being one too many: a guard goes a moment after the answer's last byte.
async fn admitted(world: &World, key: &str, path: &str) -> Answer {
    for _ in 0..200 {
        let answer = send(world, key, path, "{}").await;
        if answer.status != 429 {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the place was not given back")
}

/// Waits until the key's only place is free, by a request that is admitted and answered without a provider.
async fn until_admitted(world: &World, key: &str) {
    assert_eq!(admitted(world, key, "/api/proxy/empty/x").await.code(), "no_provider_available");
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it did not come to pass")
}

#[tokio::test]
async fn every_answer_tells_the_rate_once_the_key_is_known() {
    let provider = Provider::start(json(404, "{}")).await;
    let mut file = group_of(&[("alpha", provider.address, 100)]).replace("everything", "inference");
    file.push_str("  - name: Lab\n    slug: lab\n    providers: [{ provider: alpha }]\n  - name: Empty\n    slug: empty\n    path_policy: everything\n    providers: []\n");
    let world = World::start_with(&file, &[("RONDO_BODY_LIMIT", "1KiB")]).await;
    let scope = Scope::Groups(vec![world.group("prod").await, world.group("empty").await]);
    let limits = KeyLimits { rpm: Some(60), ..KeyLimits::default() };
    let models = vec!["gpt-*".to_owned()];
    let key = world.new_key(ApiKeyDraft { name: "k".into(), scope, limits, models, ..ApiKeyDraft::default() }).await;
    let chat = "/api/proxy/prod/v1/chat/completions";
    let long = format!("{{\"model\":\"gpt-4\",\"x\":\"{}\"}}", "x".repeat(2_000));
    for (path, body, status, code) in [
        ("/api/proxy/none/x", "{}", 404, "group_not_found"),
        ("/api/proxy/lab/v1/models", "", 403, "group_forbidden"),
        ("/api/proxy/prod/v1/files", "{}", 403, "path_forbidden"),
        (chat, r#"{"model":"o3"}"#, 403, "model_forbidden"),
        (chat, long.as_str(), 413, "body_too_large"),
        ("/api/proxy/empty/x", r#"{"model":"gpt-4"}"#, 503, "no_provider_available"),
        (chat, r#"{"model":"gpt-4"}"#, 404, ""),
    ] {
        let answer = send(&world, &key, path, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
        assert_eq!(answer.header("x-ratelimit-limit"), Some("60"), "{path}");
        let left: u32 = answer.header("x-ratelimit-remaining").and_then(|text| text.parse().ok()).expect("a number");
        assert!(left < 60 && answer.header("x-ratelimit-reset").is_some(), "{path}: {left}");
    }
    let unknown = send(&world, "rd_unknown", chat, "{}").await;
    assert_eq!((unknown.status, unknown.header("x-ratelimit-limit")), (401, None));
}

#[tokio::test]
async fn a_key_is_bound_to_addresses_in_either_spelling_and_to_its_time() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    for (number, (range, status)) in
        [("127.0.0.0/8", 200), ("::ffff:127.0.0.0/104", 200), ("::ffff:127.0.0.1", 200), ("::/96", 403), ("::1", 403)]
            .into_iter()
            .enumerate()
    {
        let draft =
            ApiKeyDraft { name: format!("ip {number}"), allowed_ips: vec![range.to_owned()], ..ApiKeyDraft::default() };
        let key = world.new_key(draft).await;
        assert_eq!(with_key(&world, &key).await.status, status, "{range}");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let soon_ms = i64::try_from((now + Duration::from_secs(2)).as_millis()).expect("a date of this age");
    let expiring = ApiKeyDraft {
        name: "expiring".into(),
        expires_at_ms: Some(soon_ms),
        limits: KeyLimits { rpm: Some(0), ..KeyLimits::default() },
        ..ApiKeyDraft::default()
    };
    let key = world.new_key(expiring).await;
    let mut answer = with_key(&world, &key).await;
    while answer.status == 200 {
        answer = with_key(&world, &key).await;
    }
    assert_eq!(answer.code(), "key_expired");
    let lasting = ApiKeyDraft { name: "lasting".into(), expires_at_ms: Some(i64::MAX), ..ApiKeyDraft::default() };
    let key = world.new_key(lasting).await;
    assert_eq!(with_key(&world, &key).await.status, 200);
}

#[tokio::test]
async fn a_key_for_some_models_reads_them_from_a_form_too() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = group_of(&[("alpha", provider.address, 100)]);
    let rules = "  - name: alpha\n    models: { map: { whisper: whisper-large-v3 } }\n";
    let world = World::start(&file.replacen("  - name: alpha\n", rules, 1)).await;
    let draft = ApiKeyDraft { name: "audio".into(), models: vec!["whisper*".into()], ..ApiKeyDraft::default() };
    let key = world.new_key(draft).await;
    let form = |model: &str| {
        let part =
            |head: &str, value: &str| format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n");
        let file = part("name=\"file\"; filename=\"a.wav\"", "RIFF\r\n--\r\n");
        format!("{file}{}--B--\r\n", part("name=\"model\"", model))
    };
    let upload = |body: String| {
        format!(
            "POST /api/proxy/prod/v1/audio/transcriptions HTTP/1.1\r\nhost: rondo\r\nx-api-key: {key}\r\ncontent-type: multipart/form-data; boundary=B\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    assert_eq!(world.raw(&upload(form("whisper"))).await.status, 200);
    assert!(provider.seen()[0].ends_with(&form("whisper-large-v3")), "{}", provider.seen()[0]);
    assert_eq!(world.raw(&upload(form("gpt-4o"))).await.code(), "model_forbidden");
    assert_eq!(world.raw(&upload("--B--\r\n".to_owned())).await.code(), "model_forbidden");
    assert_eq!(world.log(1).await[0].row.model, None);
    assert_eq!(provider.count(), 1);
}
