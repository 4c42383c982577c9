//! Event streams: nothing held back, nothing invented, an honest end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rondo::model::{
    health::HealthState,
    request_log::{AttemptOutcome, Outcome},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use super::group_of;
use crate::world::{
    Answer, World,
    provider::{Act, Provider, chunk, sse_head},
    read_answer,
};

pub(super) async fn ask(world: &World) -> TcpStream {
    ask_at(world, "/v1/chat/completions", "{}").await
}

/// A connection on which this was asked and nothing read.
pub(super) async fn ask_at(world: &World, path: &str, body: &str) -> TcpStream {
    ask_with(world, "HTTP/1.1", "connection: close\r\n", path, body).await
}

async fn ask_with(world: &World, version: &str, headers: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = world.connect().await;
    let request = format!(
        "POST /api/proxy/prod{path} {version}\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        world.key,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

pub(super) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let count = stream.read(&mut buffer).await.expect("a read");
        assert!(count > 0, "the answer ended early: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    seen
}

#[tokio::test]
async fn an_event_reaches_the_client_before_the_provider_sends_the_next() {
    let go = Arc::new(Notify::new());
    let first = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let steps = vec![first, chunk("data: {\"n\":2}\n\n"), [chunk("data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat()];
    let provider = Provider::start(Act::InSteps(steps, go.clone())).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let mut client = ask(&world).await;
    let asked = Instant::now();
    let head = read_until(&mut client, "{\"n\":1}").await;
    assert!(head.contains("text/event-stream") && !head.contains("{\"n\":2}"), "{head}");
    // Without TCP_NODELAY on both sides this takes 40 ms.
    assert!(asked.elapsed().as_millis() < 200, "{:?}", asked.elapsed());
    let told = Instant::now();
    go.notify_one();
    read_until(&mut client, "{\"n\":2}").await;
    assert!(told.elapsed().as_millis() < 20, "{:?}", told.elapsed());
    go.notify_one();
    let rest = read_until(&mut client, "0\r\n\r\n").await;
    assert!(rest.contains("[DONE]"), "{rest}");
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.row.streamed), (Outcome::Served, true));
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_with_an_error_event_and_no_clean_end() {
    let broken = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let (provider, other) = (Provider::start(Act::SendAndClose(broken)).await, Provider::start(Act::Close).await);
    let file = group_of(&[("alpha", provider.address, 100), ("other", other.address, 0)]);
    let world = World::start(&file).await;
    let answer = read_answer(&mut ask(&world).await).await;
    let text = answer.text();
    assert_eq!(answer.status, 200);
    assert!(text.contains("{\"n\":1}") && text.contains("upstream_interrupted") && !text.contains("[DONE]"), "{text}");
    assert!(!answer.complete, "the client must notice");
    assert_eq!((provider.count(), other.count()), (1, 0));
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.attempts.len()), (Outcome::Interrupted, 1));
    assert_eq!(record.attempts[0].outcome, AttemptOutcome::BodyBroken);
}

#[tokio::test]
async fn every_dialect_has_its_own_error_event() {
    for (path, event) in [
        ("/v1/chat/completions", "\n\ndata: {\"error\":{\"code\":\"upstream_interrupted\""),
        ("/v1/messages", "\n\nevent: error\ndata: {\"error\":{\"code\":\"upstream_interrupted\""),
        ("/v1/responses", "\n\nevent: error\ndata: {\"code\":\"upstream_interrupted\""),
        ("/v1beta/models/m:streamGenerateContent", "\n\ndata: {\"error\":{\"code\":502"),
        ("/whatever", "\n\ndata: {\"error\":{\"code\":\"upstream_interrupted\""),
    ] {
        let broken = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
        let provider = Provider::start(Act::SendAndClose(broken)).await;
        let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
        let answer = read_answer(&mut ask_at(&world, path, "{}").await).await;
        let text = answer.text();
        assert!(text.contains(event) && text.matches("data: ").count() == 2, "{path}: {text}");
        assert!(!answer.complete && text.starts_with("data: {\"n\":1}\n\n"), "{path}: {text}");
    }
}

#[tokio::test]
async fn streams_that_break_count_as_failures_of_their_provider() {
    let broken = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let provider = Provider::start(Act::SendAndClose(broken)).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    for _ in 0..5 {
        assert_eq!(read_answer(&mut ask(&world).await).await.status, 200);
    }
    assert_eq!(world.health().await[0].state, HealthState::Unhealthy);
}

#[tokio::test]
async fn an_exchange_that_takes_too_long_is_ended_by_the_timeout_of_its_kind() {
    let json_head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    for (head, chunks, timeouts) in [
        (json_head.as_bytes().to_vec(), "[1,", "idle_ms: 60000, total_ms: 300, stream_total_ms: 60000"),
        (sse_head(), "data: {\"n\":1}\n\n", "idle_ms: 60000, total_ms: 60000, stream_total_ms: 300"),
    ] {
        let begun = Act::InSteps(vec![[head, chunk(chunks)].concat(), chunk("never")], Arc::new(Notify::new()));
        let provider = Provider::start(begun).await;
        let file = group_of(&[("alpha", provider.address, 100)]).replace("idle_ms: 400", timeouts);
        let world = World::start(&file).await;
        let asked = Instant::now();
        let answer = read_answer(&mut ask(&world).await).await;
        assert!((300..3_000).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
        assert!(answer.text().starts_with(chunks) && !answer.complete, "{answer:?}");
        let record = world.log(1).await.remove(0);
        assert_eq!(record.row.outcome, Outcome::Interrupted);
        assert_eq!(record.attempts[0].outcome, AttemptOutcome::TotalTimeout, "{timeouts}");
    }
}

#[tokio::test]
async fn an_answer_with_a_length_that_falls_silent_is_aborted_at_the_idle_timeout() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this".to_vec();
    let provider = Provider::start(Act::InSteps(vec![begun, chunk("never")], Arc::new(Notify::new()))).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = read_answer(&mut ask(&world).await).await;
    assert!(!answer.complete && answer.text() == "only this", "{answer:?}");
    assert_eq!(world.log(1).await[0].attempts[0].outcome, AttemptOutcome::IdleTimeout);
}

#[tokio::test]
async fn trailers_reach_a_client_that_reads_them_and_nobody_else() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie\r\n\r\n\
                  2\r\nhi\r\n0\r\nx-sum: 7\r\nset-cookie: a=1\r\n\r\n";
    let provider = Provider::start(Act::Send(answer.as_bytes().to_vec())).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let clients = [
        ("HTTP/1.1", "te: trailers\r\nconnection: te, close\r\n", true),
        ("HTTP/1.1", "connection: close\r\n", false),
        ("HTTP/1.1", "te: trailers\r\nconnection: close\r\n", false),
        ("HTTP/1.0", "te: trailers\r\nconnection: te\r\n", false),
    ];
    for (before, (version, headers, passes)) in clients.into_iter().enumerate() {
        let mut client = ask_with(&world, version, headers, "/x", "{}").await;
        let mut seen = String::new();
        client.read_to_string(&mut seen).await.expect("an answer");
        assert!(seen.contains("hi") && !seen.contains("a=1"), "{seen}");
        assert_eq!(seen.contains("x-sum: 7"), passes, "{version} {headers}: {seen}");
        assert_eq!(
            provider.seen().last().expect("a request").contains("te: trailers"),
            headers.contains("connection: te")
        );
        let record = world.log(before + 1).await.remove(0);
        assert_eq!(record.row.outcome, Outcome::Served, "{version} {headers}");
    }
    assert_eq!(provider.connections(), 1, "trailers end a body well: the connection is kept");
}

#[tokio::test]
async fn an_answer_with_a_length_that_breaks_is_aborted() {
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this".to_vec();
    let provider = Provider::start(Act::SendAndClose(short)).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert!(!answer.complete && answer.text() == "only this", "{answer:?}");
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_ended_at_the_idle_timeout() {
    let stalled = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let provider = Provider::start(Act::InSteps(vec![stalled, chunk("never")], Arc::new(Notify::new()))).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = read_answer(&mut ask(&world).await).await;
    assert!(answer.text().contains("upstream_interrupted") && !answer.complete);
    assert_eq!(world.log(1).await[0].attempts[0].outcome, AttemptOutcome::IdleTimeout);
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_closes_the_provider_within_a_tenth_of_a_second() {
    let first = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let provider = Provider::start(Act::InSteps(vec![first, chunk("never")], Arc::new(Notify::new()))).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace("idle_ms: 400", "idle_ms: 60000");
    let world = World::start(&file).await;
    let mut client = ask(&world).await;
    read_until(&mut client, "{\"n\":1}").await;
    let abandoned = provider.abandoned.clone();
    let left = Instant::now();
    drop(client);
    abandoned.notified().await;
    assert!(left.elapsed().as_millis() < 100, "{:?}", left.elapsed());
    let record = world.log(1).await.remove(0);
    assert_eq!(record.row.outcome, Outcome::ClientLeft);
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
}

#[tokio::test]
async fn a_stream_that_outlives_draining_ends_with_an_error_event() {
    let first = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let provider = Provider::start(Act::InSteps(vec![first, chunk("never")], Arc::new(Notify::new()))).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace("idle_ms: 400", "idle_ms: 60000");
    let world = World::start_with(&file, &[("RONDO_DRAIN_SECONDS", "1")]).await;
    let mut client = ask(&world).await;
    read_until(&mut client, "{\"n\":1}").await;
    let stopping = tokio::spawn(world.stop());
    let rest = read_until(&mut client, "upstream_interrupted").await;
    assert!(!rest.contains("0\r\n\r\n"), "no clean end: {rest}");
    stopping.await.expect("stopped");
}

#[tokio::test]
async fn a_stream_may_end_in_peace_while_the_server_drains() {
    let go = Arc::new(Notify::new());
    let first = [sse_head(), chunk("data: {\"n\":1}\n\n")].concat();
    let steps = vec![first, [chunk("data: [DONE]\n\n"), b"0\r\n\r\n".to_vec()].concat()];
    let provider = Provider::start(Act::InSteps(steps, go.clone())).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace("idle_ms: 400", "idle_ms: 60000");
    let world = World::start(&file).await;
    let mut client = ask(&world).await;
    read_until(&mut client, "{\"n\":1}").await;
    let address = world.address;
    let stopping = tokio::spawn(world.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    let rest = read_until(&mut client, "0\r\n\r\n").await;
    assert!(rest.contains("[DONE]"), "{rest}");
    stopping.await.expect("stopped");
}

/// A provider that sends more than sockets hold, and its last byte when it is told to.
async fn large(timeouts: &str) -> (World, Provider, Arc<Notify>) {
    const LARGE: usize = 24 << 20;
    let go = Arc::new(Notify::new());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", LARGE + 1);
    let steps = vec![[head.into_bytes(), vec![b'x'; LARGE]].concat(), b"y".to_vec()];
    let provider = Provider::start(Act::InSteps(steps, go.clone())).await;
    let file = group_of(&[("alpha", provider.address, 100)]);
    let world = World::start(&file.replace("first_byte_ms: 400, idle_ms: 400", timeouts)).await;
    (world, provider, go)
}

/// Asks, reads nothing for so long, then reads on; the answer as far as it came.
async fn read_slowly(world: &World, pause_ms: u64, go: Option<Arc<Notify>>) -> Answer {
    let mut client = world.connect().await;
    let request =
        format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n\r\n", world.key);
    client.write_all(request.as_bytes()).await.expect("sent");
    // What is tested is the time that this client takes.
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    let mut bytes = Vec::new();
    let mut part = vec![0; 1 << 20];
    loop {
        match client.read(&mut part).await {
            Ok(0) | Err(_) => return crate::world::parse(&bytes),
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
        if let Some(go) = go.as_ref().filter(|_| bytes.len() > 24 << 20) {
            go.notify_one();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_total_timeout_that_the_client_used_up_by_reading_slowly_is_not_the_providers_failure() {
    let (world, _provider, _go) = large("first_byte_ms: 400, idle_ms: 60000, total_ms: 1000").await;
    // Most of the exchange, also where a busy machine takes a second to fill the buffers and one to empty them.
    let answer = read_slowly(&world, 3_000, None).await;
    assert!(!answer.complete && answer.status == 200, "{}", answer.head);
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.attempts[0].outcome), (Outcome::ClientLeft, AttemptOutcome::ClientLeft));
    assert!(record.attempts[0].detail.contains("the client read so slowly"), "{}", record.attempts[0].detail);
    assert!(world.events().is_empty(), "its health is as it was: {:?}", world.events());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_not_idle_while_its_client_reads() {
    let (world, _provider, go) = large("first_byte_ms: 400, idle_ms: 600").await;
    let answer = read_slowly(&world, 1_200, Some(go)).await;
    assert!(answer.complete, "{} bytes came", answer.body.len());
    assert_eq!(world.log(1).await.remove(0).row.outcome, Outcome::Served);
}
