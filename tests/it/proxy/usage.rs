//! Tokens read from answers as they pass: what the client gets, what is recorded, what caps make of it.

use rondo::model::{
    api_key::{ApiKeyDraft, KeyUse},
    rate_limit::KeyLimits,
    request_log::{Outcome, RequestRow},
    usage::Usage,
};
use tokio::io::AsyncWriteExt;

use super::{group_of, group_with};
use crate::world::{
    Answer, World,
    provider::{Act, Provider, chunk, json, sse_head},
};

const CHAT: &str = "/api/proxy/prod/v1/chat/completions";
const STREAM: &str = r#"{"model":"gpt-4o","stream":true,"messages":[]}"#;
const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n";
const EXTRA: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":200,\"prompt_tokens_details\":{\"cached_tokens\":400}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";
const PRICES: &str =
    "prices:\n  currency: EUR\n  models:\n    - { model: \"gpt-4*\", input: 2, output: 8, cached_input: 0.5 }\n";

/// A stream of these chunks to its clean end.
fn stream(parts: &[&str]) -> Act {
    let mut bytes = sse_head();
    parts.iter().for_each(|part| bytes.extend(chunk(part)));
    bytes.extend_from_slice(b"0\r\n\r\n");
    Act::Send(bytes)
}

fn answer(usage: &str) -> Act {
    json(200, &format!("{{\"choices\":[{{\"message\":{{\"content\":\"Hi\"}}}}],\"usage\":{usage}}}"))
}

async fn row(world: &World) -> RequestRow {
    world.log(1).await.remove(0).row
}

fn used(input: u64, output: u64, cached: Option<u64>) -> Option<Usage> {
    Some(Usage { input: Some(input), output: Some(output), cached, ..Usage::default() })
}

#[tokio::test]
async fn a_stream_is_asked_for_its_usage_and_the_client_sees_none_of_it() {
    // Split where it hurts.
    let (head, tail) = EXTRA.split_at(31);
    let provider = Provider::start(stream(&[HELLO, head, tail, DONE])).await;
    let world = World::start(&(group_of(&[("alpha", provider.address, 100)]) + PRICES)).await;
    let answer = world.post(CHAT, STREAM).await;
    assert_eq!((answer.text(), answer.complete), (format!("{HELLO}{DONE}"), true));
    let asked = STREAM.replacen('{', r#"{"stream_options":{"include_usage":true},"#, 1);
    assert!(provider.seen()[0].ends_with(&format!("\r\n\r\n{asked}")), "{}", provider.seen()[0]);
    let row = row(&world).await;
    assert_eq!(row.usage, used(1000, 200, Some(400)));
    assert_eq!(row.cost_nanos, Some(600 * 2_000 + 400 * 500 + 200 * 8_000), "an estimate in EUR");
    assert_eq!(row.response_bytes, answer.body.len() as u64);
}

#[tokio::test]
async fn a_client_that_asked_gets_its_usage_and_groups_may_leave_requests_alone() {
    let provider = Provider::start(stream(&[HELLO, EXTRA, DONE])).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let asks = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    let refuses = r#"{"model":"m","stream":true,"stream_options":{"include_usage":false,"x":1}}"#;
    assert_eq!(world.post(CHAT, asks).await.text(), format!("{HELLO}{EXTRA}{DONE}"));
    assert_eq!(world.post(CHAT, refuses).await.text(), format!("{HELLO}{DONE}"));
    assert!(provider.seen()[0].ends_with(asks));
    assert!(provider.seen()[1].ends_with(&refuses.replace("false", "true")));
    world.post(CHAT, r#"{"model":"m","stream":false}"#).await;
    assert!(provider.seen()[2].ends_with(r#"{"model":"m","stream":false}"#), "no stream");
    world.post("/api/proxy/prod/v1/messages", STREAM).await;
    assert!(provider.seen()[3].ends_with(STREAM), "another protocol");
    for other in [
        group_with("llm", "    stream_usage: false\n", &[("alpha", provider.address, 100)]),
        group_with("generic", "", &[("alpha", provider.address, 100)]),
    ] {
        let world = World::start(&other).await;
        assert_eq!(world.post(CHAT, STREAM).await.text(), format!("{HELLO}{EXTRA}{DONE}"));
        assert!(provider.seen().last().expect("a request").ends_with(&format!("\r\n\r\n{STREAM}")));
        assert_eq!(row(&world).await.usage, used(1000, 200, Some(400)), "it is read all the same");
    }
}

#[tokio::test]
async fn a_provider_that_refuses_to_be_asked_costs_the_client_nothing_and_is_not_asked_again() {
    let provider =
        Provider::start(crate::world::provider::each(|turn| match turn.request.contains("stream_options") {
            true => {
                json(422, r#"{"detail":[{"loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#)
            }
            false => stream(&[HELLO, DONE]),
        }))
        .await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    for asked in [2, 3] {
        let answer = world.post(CHAT, STREAM).await;
        assert_eq!((answer.status, answer.text()), (200, format!("{HELLO}{DONE}")));
        assert_eq!(provider.count(), asked);
    }
    let own = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(world.post(CHAT, own).await.status, 422, "what the client wrote itself is the client's");
    assert!(world.log(3).await.iter().all(|request| request.attempts.len() == 1));
}

#[tokio::test]
async fn a_name_that_is_mapped_and_a_stream_that_is_asked_for_usage_are_two_cuts_in_one_body() {
    let provider = Provider::start(stream(&[HELLO, EXTRA, DONE])).await;
    let file = group_of(&[("alpha", provider.address, 100)]);
    let mapped = "  - name: alpha\n    models: { map: { gpt-4o: big } }\n";
    let world = World::start(&file.replacen("  - name: alpha\n", mapped, 1)).await;
    world.post(CHAT, r#"{"stream":true,"model" : "gpt-4o","stream_options":{}}"#).await;
    let sent = r#"{"stream":true,"model" : "big","stream_options":{"include_usage":true}}"#;
    assert!(provider.seen()[0].ends_with(&format!("\r\n\r\n{sent}")), "{}", provider.seen()[0]);
}

#[tokio::test]
async fn what_is_not_told_is_unknown_and_costs_nobody_knows_what() {
    let provider = Provider::start(crate::world::provider::each(|turn| match turn.number {
        1 => answer("null"),
        2 => answer(r#"{"prompt_tokens":-1,"completion_tokens":5}"#),
        3 => json(
            200,
            r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}"}}]}"#,
        ),
        4 => json(400, r#"{"error":{"message":"no"},"usage":{"prompt_tokens":1,"completion_tokens":1}}"#),
        _ => answer(r#"{"prompt_tokens":10,"completion_tokens":0}"#),
    }))
    .await;
    let world = World::start(&(group_of(&[("alpha", provider.address, 100)]) + PRICES)).await;
    for number in 1..=5 {
        world.post(CHAT, r#"{"model":"gpt-4o"}"#).await;
        let row = world.log(number).await.remove(0).row;
        let expected = if number == 5 { (used(10, 0, None), Some(20_000)) } else { (None, None) };
        assert_eq!((row.usage, row.cost_nanos), expected, "request {number}");
    }
    world.post(CHAT, r#"{"model":"o3"}"#).await;
    let row = world.log(6).await.remove(0).row;
    assert_eq!((row.usage, row.cost_nanos), (used(10, 0, None), None), "a model without a price");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_estimated_and_says_so() {
    let mut broken = sse_head();
    (0..4).for_each(|_| broken.extend(chunk(HELLO)));
    let provider = Provider::start(Act::SendAndClose(broken)).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    assert!(!world.post(CHAT, STREAM).await.complete);
    let input = (STREAM.len() as u64).div_ceil(4);
    let estimate = Usage { input: Some(input), output: Some(3), estimated: true, ..Usage::default() };
    assert_eq!(row(&world).await.usage, Some(estimate));
}

async fn ask(world: &World, key: &str) -> Answer {
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: rondo\r\nx-api-key: {key}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{STREAM}",
        STREAM.len()
    );
    world.raw(&request).await
}

#[tokio::test]
async fn a_key_is_refused_once_its_answers_used_up_its_tokens_and_after_a_restart_too() {
    let provider = Provider::start(stream(&[HELLO, EXTRA, DONE])).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let key = |name: &str, tokens_per_day, tokens_per_month| ApiKeyDraft {
        name: name.into(),
        limits: KeyLimits { tokens_per_day, tokens_per_month, ..KeyLimits::default() },
        ..ApiKeyDraft::default()
    };
    let day = world.new_key(key("day", 2_400, 0)).await;
    let month = world.new_key(key("month", 0, 1_201)).await;
    for (key, status) in [(&day, 200), (&day, 200), (&day, 429), (&month, 200), (&month, 200), (&month, 429)] {
        assert_eq!(ask(&world, key).await.status, status);
    }
    let world = world.restart().await;
    let refused = ask(&world, &day).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert!(refused.text().contains("tokens per day"), "{}", refused.text());
    assert!(ask(&world, &month).await.text().contains("tokens per month"));
    assert_eq!(ask(&world, &world.key).await.status, 200, "another key is not concerned");
    let keys = world.admin.api_keys().list(&world.who, Default::default()).await.expect("keys").rows;
    let used = |name: &str| keys.iter().find(|key| key.name == name).and_then(|key| key.used);
    let twice = KeyUse { requests_today: 2, requests_this_month: 2, tokens_today: 2_400, tokens_this_month: 2_400 };
    assert_eq!((used("day"), used("month")), (Some(twice), Some(twice)));
    assert_eq!(keys.iter().filter(|key| key.used.is_some()).count(), 2, "only where something is capped");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_pays_for_what_it_got() {
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let first = [sse_head(), chunk(&HELLO.repeat(40))].concat();
    let provider = Provider::start(Act::InSteps(vec![first, chunk(DONE)], go)).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let limits = KeyLimits { tokens_per_day: 20, ..KeyLimits::default() };
    let key = world.new_key(ApiKeyDraft { name: "leaver".into(), limits, ..ApiKeyDraft::default() }).await;
    let mut client = world.connect().await;
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {}\r\n\r\n{STREAM}",
        STREAM.len()
    );
    client.write_all(request.as_bytes()).await.expect("sent");
    super::streams::read_until(&mut client, "Hi").await;
    drop(client);
    provider.abandoned.notified().await;
    world.log_until(Outcome::ClientLeft).await;
    let row = row(&world).await;
    assert!(row.usage.is_some_and(|usage| usage.estimated && usage.output > Some(20)), "{:?}", row.usage);
    assert_eq!(ask(&world, &key).await.status, 429);
}
