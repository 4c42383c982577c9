//! What a client may do wrong: refused from its side of the wire, and nobody else is blamed.

use std::time::{Duration, Instant};

use rondo::model::{health::HealthState, request_log::Outcome};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::group_of;
use crate::world::{
    Answer, World,
    provider::{Act, Provider, json},
    read_answer,
};

const SHORT: Duration = Duration::from_millis(300);

async fn world() -> (Provider, World) {
    let provider = Provider::start(json(200, "{}")).await;
    let world =
        World::start_with(&group_of(&[("alpha", provider.address, 100)]), &[("RONDO_BODY_LIMIT", "1048576")]).await;
    (provider, world)
}

/// A world whose patience with clients is short.
async fn impatient(provider: &Provider, settings: &[(&str, &str)]) -> World {
    World::start_changed(&group_of(&[("alpha", provider.address, 100)]), settings, |settings| {
        settings.web.patience.head = SHORT;
        settings.web.patience.body = SHORT;
        settings.web.patience.write = SHORT;
    })
    .await
}

/// Sends the bytes and reads until the server closes, which it must.
async fn to_the_end(world: &World, what: &str, request: &[u8]) -> Answer {
    timeout(Duration::from_secs(10), world.raw_bytes(request)).await.unwrap_or_else(|_| panic!("{what}: left open"))
}

/// No provider was asked, none is blamed, and the next good request works.
async fn nobody_else_is_concerned(provider: &Provider, world: &World, asked: usize) {
    assert_eq!(provider.count(), asked);
    assert_eq!(world.health().await[0].state, HealthState::Healthy);
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
}

#[tokio::test]
async fn a_head_that_two_servers_could_read_differently_is_400_and_the_end_of_the_connection() {
    let (provider, world) = world().await;
    let key = &world.key;
    // After `POST /api/proxy/prod/x HTTP/1.1`, a host and the key; a body of two bytes follows.
    for (what, lines) in [
        ("two lengths", "content-length: 2\r\ncontent-length: 3\r\n"),
        ("a list of lengths", "content-length: 2, 2\r\n"),
        ("a negative length", "content-length: -2\r\n"),
        ("a length with a plus", "content-length: +2\r\n"),
        ("a hexadecimal length", "content-length: 0x2\r\n"),
        ("two numbers", "content-length: 2 2\r\n"),
        ("no number", "content-length: \r\n"),
        ("an endless length", "content-length: 99999999999999999999\r\n"),
        ("another coding", "transfer-encoding: gzip\r\n"),
        ("a coding below chunked", "transfer-encoding: gzip, chunked\r\n"),
        ("chunked twice", "transfer-encoding: chunked, chunked\r\n"),
        ("chunked on two lines", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"),
        ("identity and chunked", "transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n"),
        ("chunked and identity", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
        ("nearly chunked", "transfer-encoding: xchunked\r\n"),
        ("chunked with a parameter", "transfer-encoding: chunked;q=1\r\n"),
        ("a space before the colon", "transfer-encoding : chunked\r\n"),
        ("a vertical tab", "transfer-encoding:\x0bchunked\r\n"),
        ("a NUL in a value", "x-a: b\0c\r\ncontent-length: 2\r\n"),
        ("a NUL in a name", "x-\0a: b\r\ncontent-length: 2\r\n"),
        ("a bare CR in a value", "x-a: b\rc\r\ncontent-length: 2\r\n"),
        ("a bare CR for a line end", "x-a: b\rtransfer-encoding: chunked\r\n"),
        ("a folded line", "x-a: b\r\n c\r\ncontent-length: 2\r\n"),
        ("a line folded with a tab", "x-a: b\r\n\ttransfer-encoding: chunked\r\n"),
        ("no name", ": b\r\ncontent-length: 2\r\n"),
        ("a name that is none", "x(a): b\r\ncontent-length: 2\r\n"),
        ("a line without a colon", "nonsense\r\ncontent-length: 2\r\n"),
        ("a second host", "host: y\r\ncontent-length: 2\r\n"),
    ] {
        let request = format!("POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{lines}\r\n{{}}");
        assert_eq!(to_the_end(&world, what, request.as_bytes()).await.status, 400, "{what}");
    }
    nobody_else_is_concerned(&provider, &world, 0).await;
}

#[tokio::test]
async fn a_request_line_or_host_that_is_not_plain_is_refused() {
    let (provider, world) = world().await;
    let key = &world.key;
    for (what, head, status) in [
        ("no host", "GET /api/proxy/prod/x HTTP/1.1\r\n", 400),
        ("an empty host", "GET /api/proxy/prod/x HTTP/1.1\r\nhost:\r\n", 400),
        ("a host with a user", "GET /api/proxy/prod/x HTTP/1.1\r\nhost: a@b\r\n", 400),
        ("a host with a path", "GET /api/proxy/prod/x HTTP/1.1\r\nhost: a/b\r\n", 400),
        ("a host with a space", "GET /api/proxy/prod/x HTTP/1.1\r\nhost: a b\r\n", 400),
        ("two in one host", "GET /api/proxy/prod/x HTTP/1.1\r\nhost: a, b\r\n", 400),
        ("a port that is none", "GET /api/proxy/prod/x HTTP/1.1\r\nhost: a:b\r\n", 400),
        ("another authority", "GET http://evil/api/proxy/prod/x HTTP/1.1\r\nhost: x\r\n", 400),
        ("a user in the target", "GET http://u@x/api/proxy/prod/x HTTP/1.1\r\nhost: x\r\n", 400),
        ("two spaces", "GET  /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\n", 400),
        ("a space in the path", "GET /api/proxy/prod/a b HTTP/1.1\r\nhost: x\r\n", 400),
        ("another version", "GET /api/proxy/prod/x HTTP/3.0\r\nhost: x\r\n", 400),
        ("no version", "GET /api/proxy/prod/x\r\nhost: x\r\n", 400),
        ("a coding on 1.0", "POST /api/proxy/prod/x HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n", 400),
        ("CONNECT", "CONNECT evil:443 HTTP/1.1\r\nhost: evil:443\r\n", 405),
        ("TRACE", "TRACE /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\n", 405),
    ] {
        let request = format!("{head}x-api-key: {key}\r\n\r\n");
        let answer = to_the_end(&world, what, request.as_bytes()).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert!(status != 405 || answer.header("allow").is_some_and(|allow| allow.contains("POST")), "{answer:?}");
    }
    nobody_else_is_concerned(&provider, &world, 0).await;
}

#[tokio::test]
async fn an_absolute_form_of_our_own_authority_and_http_1_0_are_fine() {
    let (provider, world) = world().await;
    let key = &world.key;
    for head in [
        "GET http://x/api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n",
        "GET /api/proxy/prod/x HTTP/1.0\r\n",
    ] {
        let answer = world.raw(&format!("{head}x-api-key: {key}\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{head}");
    }
    assert!(provider.seen().iter().all(|seen| seen.starts_with("GET /base/x HTTP/1.1\r\n")), "{:?}", provider.seen());
}

#[tokio::test]
async fn a_coding_beside_a_length_wins_and_what_follows_is_never_read_as_a_request() {
    let (provider, world) = world().await;
    let key = &world.key;
    let hidden = format!("GET /api/proxy/prod/hidden HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n");
    for lines in
        ["content-length: 4\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 4\r\n"]
    {
        let request = format!(
            "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{lines}\r\n2\r\n{{}}\r\n0\r\n\r\n{hidden}"
        );
        let answer = to_the_end(&world, lines, request.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.text().contains("HTTP/1.1"), "one answer only: {answer:?}");
    }
    assert_eq!(provider.count(), 2);
    for seen in provider.seen() {
        assert!(seen.starts_with("POST /base/x ") && seen.ends_with("\r\n\r\n{}"), "{seen}");
        assert!(!seen.to_ascii_lowercase().contains("transfer-encoding"), "{seen}");
    }
}

#[tokio::test]
async fn lines_that_end_in_a_bare_line_feed_are_read_once_and_sent_on_well_formed() {
    // RFC 9112 §2.2 lets a server take a bare LF for a line end; what the provider gets is written anew.
    let (provider, world) = world().await;
    let request = format!(
        "POST /api/proxy/prod/x HTTP/1.1\nhost: x\nx-api-key: {}\nconnection: close\ncontent-length: 2\n\n{{}}",
        world.key
    );
    assert_eq!(to_the_end(&world, "bare LF", request.as_bytes()).await.status, 200);
    let seen = provider.seen().remove(0);
    assert_eq!(seen.matches('\n').count(), seen.matches("\r\n").count(), "{seen}");
}

#[tokio::test]
async fn equal_lengths_are_one_length() {
    // RFC 9110 §8.6: equal values may be read as one; the provider sees one.
    let (provider, world) = world().await;
    let request = format!(
        "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{{}}",
        world.key
    );
    assert_eq!(to_the_end(&world, "equal lengths", request.as_bytes()).await.status, 200);
    assert_eq!(provider.seen()[0].to_ascii_lowercase().matches("content-length").count(), 1);
}

#[tokio::test]
async fn bad_chunking_is_the_clients_fault() {
    let (provider, world) = world().await;
    let long = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20 * 1024));
    for (what, body) in [
        ("no number", "zz\r\nhello\r\n0\r\n\r\n"),
        ("a negative size", "-2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a plus", "+2\r\n{}\r\n0\r\n\r\n"),
        ("a size with a prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("an endless size", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("a bare LF behind the size", "2\n{}\r\n0\r\n\r\n"),
        ("a longer chunk than told", "2\r\n{}}\r\n0\r\n\r\n"),
        ("a line feed in an extension", "2;a\nb\r\n{}\r\n0\r\n\r\n"),
        ("an endless extension", long.as_str()),
    ] {
        let request = format!(
            "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n{body}",
            world.key
        );
        let answer = to_the_end(&world, what, request.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_body"), "{what}: {answer:?}");
    }
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::ClientError);
    nobody_else_is_concerned(&provider, &world, 0).await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_even_for_a_client_that_sends_on() {
    let (provider, world) = world().await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for (what, lines, part) in [
        ("a length", "content-length: 3000000\r\n", "x".repeat(0x10000)),
        ("chunks", "transfer-encoding: chunked\r\n", chunk),
    ] {
        let (mut reader, mut writer) = world.connect().await.into_split();
        let head = format!("POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n{lines}\r\n", world.key);
        let sending = tokio::spawn(async move {
            let _ = writer.write_all(head.as_bytes()).await;
            for _ in 0..45 {
                if writer.write_all(part.as_bytes()).await.is_err() {
                    break;
                }
            }
            // Open until the answer is read, as a client's socket is.
            writer
        });
        let mut answer = Vec::new();
        let ended = timeout(Duration::from_secs(10), reader.read_to_end(&mut answer)).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(ended.is_ok_and(|read| read.is_ok()), "{what}: reset under the answer: {text}");
        assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("body_too_large"), "{what}: {text}");
        drop(sending.await);
    }
    nobody_else_is_concerned(&provider, &world, 0).await;
}

#[tokio::test]
async fn a_head_has_64_kib_100_fields_and_a_target_of_16_kib() {
    let (provider, world) = world().await;
    let key = &world.key;
    let huge = format!("x-big: {}\r\n", "x".repeat(80 * 1024));
    let many: String = (0..101).map(|index| format!("x-{index}: 1\r\n")).collect();
    let long = "x".repeat(17 * 1024);
    for (what, request, status) in [
        ("80 KiB", format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{huge}\r\n"), 431),
        ("no end", format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\n{huge}"), 431),
        ("many fields", format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{many}\r\n"), 431),
        ("a long target", format!("GET /api/proxy/prod/{long} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n"), 414),
        ("a long query", format!("GET /api/proxy/prod/x?{long} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n"), 414),
    ] {
        let mut stream = world.connect().await;
        // The server may close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let answer = timeout(Duration::from_secs(10), read_answer(&mut stream)).await.expect("it closes");
        assert_eq!(answer.status, status, "{what}");
    }
    // Host, key, connection and 97 more make a hundred.
    let just: String = (0..97).map(|index| format!("x-{index}: 1\r\n")).collect();
    let request =
        format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n{just}\r\n");
    assert_eq!(world.raw(&request).await.status, 200);
    nobody_else_is_concerned(&provider, &world, 1).await;
}

/// How long the server keeps a connection after these bytes, sent one by one with a pause.
async fn kept_for(world: &World, bytes: &[u8], pause: Duration) -> (Duration, Answer) {
    let (mut reader, mut writer) = world.connect().await.into_split();
    let opened = Instant::now();
    let bytes = bytes.to_vec();
    let sending = tokio::spawn(async move {
        for byte in bytes {
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        writer
    });
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(Ok(count)) = timeout(Duration::from_secs(10), reader.read(&mut buffer)).await {
        if count == 0 {
            break;
        }
        seen.extend_from_slice(&buffer[..count]);
    }
    let kept = opened.elapsed();
    sending.abort();
    (kept, crate::world::parse(&seen))
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection_in_time() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = impatient(&provider, &[]).await;
    let endless = format!("GET /api/proxy/prod/{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(200));
    for (what, bytes, pause) in [
        ("silence", "", Duration::ZERO),
        ("half a head", "GET /api/proxy/prod/x HTT", Duration::ZERO),
        ("half a preface", "PR", Duration::ZERO),
        ("byte after byte", endless.as_str(), Duration::from_millis(20)),
    ] {
        let (kept, _) = kept_for(&world, bytes.as_bytes(), pause).await;
        assert!(kept >= SHORT - Duration::from_millis(20), "{what}: {kept:?}");
        assert!(kept <= SHORT + Duration::from_millis(700), "{what}: {kept:?}");
    }
    nobody_else_is_concerned(&provider, &world, 0).await;
}

#[tokio::test]
async fn hundreds_of_half_heads_disturb_nobody() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = impatient(&provider, &[]).await;
    let mut half = Vec::new();
    for _ in 0..300 {
        let mut stream = world.connect().await;
        stream.write_all(b"GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-a: ").await.expect("sent");
        half.push(stream);
    }
    let opened = Instant::now();
    for _ in 0..20 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert!(opened.elapsed() < Duration::from_secs(2), "twenty requests took {:?}", opened.elapsed());
    for mut stream in half {
        let ended = timeout(Duration::from_secs(5), stream.read(&mut [0; 64])).await.expect("it closes");
        assert_eq!(ended.unwrap_or(0), 0);
    }
    assert!(opened.elapsed() < SHORT + Duration::from_secs(2), "closed after {:?}", opened.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408_and_blames_nobody() {
    let provider = Provider::start(json(200, "{}")).await;
    // Held in memory, and flowing because it is larger than what is held.
    for replay_limit in ["2097152", "1024"] {
        let world = impatient(&provider, &[("RONDO_REPLAY_LIMIT", replay_limit)]).await;
        let head = format!(
            "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 5000\r\n\r\n",
            world.key
        );
        for (what, body, pause) in
            [("silence", 10, Duration::ZERO), ("byte after byte", 400, Duration::from_millis(20))]
        {
            let mut stream = world.connect().await;
            stream.write_all(head.as_bytes()).await.expect("sent");
            let (mut reader, mut writer) = stream.into_split();
            let asked = Instant::now();
            let sending = tokio::spawn(async move {
                for _ in 0..body {
                    if writer.write_all(b"x").await.is_err() {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                }
                writer
            });
            let mut seen = [0; 4096];
            let count =
                timeout(Duration::from_secs(10), reader.read(&mut seen)).await.expect("an answer").expect("read");
            let text = String::from_utf8_lossy(&seen[..count]).into_owned();
            assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("request_timeout"), "{what}: {text}");
            assert!(asked.elapsed() < Duration::from_secs(2), "{what}: {:?}", asked.elapsed());
            sending.abort();
        }
        assert_eq!(world.log(2).await[0].row.outcome, Outcome::ClientError);
        let asked = provider.count();
        nobody_else_is_concerned(&provider, &world, asked).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let body = "x".repeat(48 << 20);
    let provider = Provider::start(json(200, &body)).await;
    let world = impatient(&provider, &[]).await;
    let mut stream = world.connect().await;
    let request =
        format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n\r\n", world.key);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let record = world.log(1).await.remove(0);
    assert_eq!(record.row.outcome, Outcome::ClientLeft);
    assert!(record.row.response_bytes < body.len() as u64 / 2, "back-pressure: {}", record.row.response_bytes);
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
}

#[tokio::test]
async fn overload_is_answered_at_once() {
    let provider = Provider::start(Act::Hang).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace("first_byte_ms: 400", "first_byte_ms: 60000");
    let world = World::start_with(&file, &[("RONDO_MAX_IN_FLIGHT", "1")]).await;
    let mut held: TcpStream = world.connect().await;
    let request = format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", world.key);
    held.write_all(request.as_bytes()).await.expect("sent");
    while provider.count() == 0 {
        tokio::task::yield_now().await;
    }
    let asked = Instant::now();
    let answer = world.get("/api/proxy/prod/x").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
    assert!(answer.header("retry-after").is_some() && answer.header("x-request-id").is_some());
    assert!(asked.elapsed() < Duration::from_millis(50), "{:?}", asked.elapsed());
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn probes_answer_without_a_key() {
    let (_provider, world) = world().await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(
            world.raw(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await.status,
            200
        );
    }
}
