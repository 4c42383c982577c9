//! Clients that leave or send nonsense: their own fault, and nobody else's.

use std::time::{Duration, Instant};

use rondo::{
    model::{health::HealthState, request_log::Outcome},
    serve::chaos::{Chaos, Content, CutBy, Script, Words},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{PATH, SILENCE_MS, alone, long};
use crate::world::World;

/// How soon the provider must be left after its client has.
const SOON: Duration = Duration::from_millis(100);

/// A provider that never times out, because nobody but the client may end an exchange here.
async fn patient(script: Script) -> (Chaos, World) {
    let provider = super::chaos("bad").await;
    provider.play(script);
    let file = super::file("llm", &[("bad", format!("http://{}", provider.address))]);
    let silence = format!("first_byte_ms: {SILENCE_MS}, idle_ms: {SILENCE_MS}");
    let world = World::start(&file.replace(&silence, "first_byte_ms: 60000, idle_ms: 60000")).await;
    (provider, world)
}

async fn ask(world: &World) -> TcpStream {
    let mut stream = world.connect().await;
    let body = r#"{"stream":true}"#;
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
        world.key,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

/// Waits until the provider was left so often; how long that took.
async fn left(provider: &Chaos, times: u64) -> Duration {
    let since = Instant::now();
    provider.until(|counters| counters.left >= times).await;
    since.elapsed()
}

async fn nobody_is_blamed(world: &World) {
    world.log_until(Outcome::ClientLeft).await;
    for _ in 0..200 {
        let health = world.health().await;
        if health[0].in_flight == 0 {
            assert_eq!(health[0].state, HealthState::Healthy);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("requests are still in flight: {:?}", world.health().await);
}

#[tokio::test]
async fn a_thousand_clients_that_leave_before_the_answer_free_their_provider_within_a_tenth_of_a_second() {
    let (provider, world) = patient(Script::cut(CutBy::Hang)).await;
    for round in 1..=long(500, 1_000) {
        let client = ask(&world).await;
        provider.until(|counters| counters.cut >= round).await;
        drop(client);
        let took = left(&provider, round).await;
        assert!(took <= SOON, "{took:?} in round {round}");
    }
    nobody_is_blamed(&world).await;
}

#[tokio::test]
async fn a_thousand_clients_that_leave_during_the_answer_free_their_provider_within_a_tenth_of_a_second() {
    let words = Words { count: 1_000, interval_ms: 60_000, ..Words::default() };
    let (provider, world) = patient(Script { body: Content::Api(words), ..Script::default() }).await;
    let mut buffer = vec![0; 16 * 1024];
    for round in 1..=long(500, 1_000) {
        let mut client = ask(&world).await;
        let mut seen = String::new();
        while !seen.contains("round ") {
            let count = client.read(&mut buffer).await.expect("a read");
            assert!(count > 0, "the answer ended early: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        drop(client);
        let took = left(&provider, round).await;
        assert!(took <= SOON, "{took:?} in round {round}");
    }
    nobody_is_blamed(&world).await;
}

#[tokio::test]
async fn a_thousand_malformed_chunks_are_400_and_reach_nobody() {
    let (provider, world) = alone("llm", Script::default()).await;
    for chunk in ["zz\r\nhello\r\n", "5\r\nhelloX\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "5;\nhello\r\n"] {
        for _ in 0..long(200, 2_000) {
            let answer = world
                .raw(&format!(
                    "POST {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n",
                    world.key
                ))
                .await;
            assert_eq!(answer.status, 400, "{chunk:?}: {answer:?}");
        }
    }
    assert_eq!(provider.counters().requests, 0);
    assert_eq!(world.health().await[0].state, HealthState::Healthy);
}
