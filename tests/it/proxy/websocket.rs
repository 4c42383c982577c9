//! WebSocket: switched only after the provider has, then bytes both ways.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rondo::model::{
    health::HealthState,
    request_log::{AttemptOutcome, Outcome},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Provider, json},
};

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\nset-cookie: a=b\r\n\r\n";

/// A provider that answers an upgrade with these bytes, then sends back what it gets; `bye` ends it well
/// and `reset` badly.
struct Echo {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl Echo {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heads, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        tokio::spawn({
            let (heads, open) = (heads.clone(), open.clone());
            async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let (heads, open) = (heads.clone(), open.clone());
                    tokio::spawn(async move {
                        let head = read_head(&mut stream).await;
                        heads.lock().expect("not poisoned").push(head);
                        open.fetch_add(1, Relaxed);
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let mut buffer = [0; 16 * 1024];
                        while let Ok(count) = stream.read(&mut buffer).await {
                            let part = &buffer[..count];
                            if part == b"reset" {
                                let _ = stream.set_zero_linger();
                                break;
                            }
                            if count == 0 || part == b"bye" || stream.write_all(part).await.is_err() {
                                break;
                            }
                        }
                        open.fetch_sub(1, Relaxed);
                    });
                }
            }
        });
        Self { address, heads, open }
    }

    async fn all_gone(&self) {
        while self.open.load(Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { break };
        head.push(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

fn file(providers: &[(&str, SocketAddr, u32)]) -> String {
    group_with("llm", "    websocket: true\n    strategy: priority\n", providers)
}

/// Asks for a WebSocket; the socket and the head of the answer.
async fn upgrade(world: &World) -> (TcpStream, String) {
    let mut stream = world.connect().await;
    let request = format!(
        "GET /api/proxy/prod/v1/realtime?model=m HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: chat\r\n\r\n",
        world.key
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let head = timeout(Duration::from_secs(10), read_head(&mut stream)).await.expect("an answer");
    (stream, head)
}

async fn say(stream: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    stream.write_all(text).await.expect("sent");
    let mut heard = vec![0; text.len()];
    timeout(Duration::from_secs(10), stream.read_exact(&mut heard)).await.expect("in time").expect("heard");
    heard
}

#[tokio::test]
async fn a_websocket_is_passed_after_the_providers_101_and_recorded_at_its_end() {
    let echo = Echo::start(SWITCH).await;
    let world = World::start(&file(&[("alpha", echo.address, 100)])).await;
    let (mut stream, head) = upgrade(&world).await;
    let lower = head.to_ascii_lowercase();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for line in ["upgrade: websocket", "connection: upgrade", "sec-websocket-protocol: chat", "x-proxy-provider: alpha"]
    {
        assert!(lower.contains(line), "{line} in {head}");
    }
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") && !lower.contains("set-cookie"), "{head}");
    let seen = echo.heads.lock().expect("not poisoned")[0].to_ascii_lowercase();
    for line in [
        "get /base/v1/realtime?model=m http/1.1",
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-key: dghlihnhbxbszsbub25jzq==",
        "authorization: bearer sk-secret-of-alpha",
    ] {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    assert!(!seen.contains("x-api-key") && !seen.contains("rd_"), "{seen}");
    assert_eq!(say(&mut stream, b"hello").await, b"hello");
    assert_eq!(world.health().await[0].in_flight, 1);
    let long: Vec<u8> = (0..3_000_000u32).map(|index| (index % 251) as u8).collect();
    let (mut reader, mut writer) = stream.split();
    let mut heard = vec![0; long.len()];
    let (sent, read) = tokio::join!(writer.write_all(&long), reader.read_exact(&mut heard));
    assert!(sent.is_ok() && read.is_ok() && heard == long);
    drop(stream);
    echo.all_gone().await;
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.status, record.row.outcome, record.row.attempts), (101, Outcome::Served, 1));
    assert_eq!((record.row.request_bytes, record.row.response_bytes), (3_000_005, 3_000_005));
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
}

#[tokio::test]
async fn bytes_sent_with_the_101_are_not_lost() {
    let echo =
        Echo::start("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nearly words")
            .await;
    let world = World::start(&file(&[("alpha", echo.address, 100)])).await;
    let (mut stream, head) = upgrade(&world).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut early = [0; 11];
    stream.read_exact(&mut early).await.expect("read");
    assert_eq!(&early, b"early words");
}

#[tokio::test]
async fn a_group_that_passes_no_websockets_says_so() {
    let echo = Echo::start(SWITCH).await;
    let world = World::start(&group_of(&[("alpha", echo.address, 100)])).await;
    let (mut stream, head) = upgrade(&world).await;
    let mut body = [0; 4096];
    let count = stream.read(&mut body).await.expect("read");
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
    assert!(String::from_utf8_lossy(&body[..count]).contains("upgrade_not_allowed"));
    assert!(echo.heads.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn another_upgrade_is_no_upgrade() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&file(&[("alpha", provider.address, 100)])).await;
    let answer = world
        .raw(&format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close, upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n",
            world.key
        ))
        .await;
    assert_eq!(answer.status, 200);
    assert!(!provider.seen()[0].to_ascii_lowercase().contains("upgrade"), "{:?}", provider.seen());
}

#[tokio::test]
async fn before_the_101_a_websocket_fails_over_like_any_request() {
    let (echo, dead) = (Echo::start(SWITCH).await, Provider::nowhere().await);
    let failing = Provider::start(json(503, "{}")).await;
    let providers = [("dead", dead, 900), ("failing", failing.address, 800), ("alpha", echo.address, 100)];
    let world = World::start(&file(&providers)).await;
    let (mut stream, head) = upgrade(&world).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("x-proxy-attempts: 3"), "{head}");
    assert_eq!(say(&mut stream, b"hello").await, b"hello");
    stream.write_all(b"bye").await.expect("sent");
    assert_eq!(stream.read(&mut [0; 16]).await.expect("read"), 0, "the provider's end is the client's");
    drop(stream);
    let record = world.log(1).await.remove(0);
    assert_eq!(record.row.outcome, Outcome::Saved);
    let outcomes: Vec<_> = record.attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Connect, AttemptOutcome::Overloaded, AttemptOutcome::Answered]);
}

#[tokio::test]
async fn an_answer_other_than_101_is_passed_as_it_is() {
    let provider = Provider::start(json(426, r#"{"error":"not like this"}"#)).await;
    let world = World::start(&file(&[("alpha", provider.address, 100)])).await;
    let (mut stream, head) = upgrade(&world).await;
    assert!(head.starts_with("HTTP/1.1 426 ") && !head.to_ascii_lowercase().contains("upgrade"), "{head}");
    let mut body = [0; 25];
    stream.read_exact(&mut body).await.expect("read");
    assert_eq!(&body, br#"{"error":"not like this"}"#);
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::ClientError);
}

#[tokio::test]
async fn a_provider_of_http_2_is_asked_for_a_websocket_in_http_1() {
    let echo = Echo::start(SWITCH).await;
    let file = file(&[("alpha", echo.address, 100)])
        .replace("    timeouts:", "    connection: { protocol: http2 }\n    timeouts:");
    let world = World::start(&file).await;
    let (mut stream, head) = upgrade(&world).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(say(&mut stream, b"hello").await, b"hello");
}

#[tokio::test]
async fn a_silent_websocket_is_ended_and_blames_nobody() {
    let echo = Echo::start(SWITCH).await;
    let world = World::start(&file(&[("alpha", echo.address, 100)])).await;
    let (mut stream, _) = upgrade(&world).await;
    assert_eq!(say(&mut stream, b"hello").await, b"hello");
    let silent = Instant::now();
    assert_eq!(timeout(Duration::from_secs(10), stream.read(&mut [0; 16])).await.expect("in time").unwrap_or(0), 0);
    assert!(silent.elapsed() >= Duration::from_millis(350), "{:?}", silent.elapsed());
    echo.all_gone().await;
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.attempts[0].outcome), (Outcome::Interrupted, AttemptOutcome::IdleTimeout));
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
}

#[tokio::test]
async fn a_websocket_that_the_provider_breaks_is_its_failure() {
    let echo = Echo::start(SWITCH).await;
    let world = World::start(&file(&[("alpha", echo.address, 100)])).await;
    let (mut stream, _) = upgrade(&world).await;
    assert_eq!(say(&mut stream, b"hello").await, b"hello");
    stream.write_all(b"reset").await.expect("sent");
    assert_eq!(timeout(Duration::from_secs(10), stream.read(&mut [0; 16])).await.expect("in time").unwrap_or(0), 0);
    let record = world.log(1).await.remove(0);
    assert_eq!((record.row.outcome, record.attempts[0].outcome), (Outcome::Interrupted, AttemptOutcome::BodyBroken));
    assert_eq!(world.health().await[0].in_flight, 0);
}

#[tokio::test]
async fn a_stop_ends_websockets_at_the_end_of_the_drain() {
    let echo = Echo::start(SWITCH).await;
    let file = file(&[("alpha", echo.address, 100)]).replace("idle_ms: 400", "idle_ms: 60000");
    let world = World::start_with(&file, &[("RONDO_DRAIN_SECONDS", "1")]).await;
    let (mut stream, _) = upgrade(&world).await;
    let asked = Instant::now();
    let stopping = tokio::spawn(world.stop());
    assert_eq!(say(&mut stream, b"still here").await, b"still here");
    assert_eq!(timeout(Duration::from_secs(10), stream.read(&mut [0; 16])).await.expect("in time").unwrap_or(0), 0);
    stopping.await.expect("stopped");
    assert!((900..2_500).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    echo.all_gone().await;
}
