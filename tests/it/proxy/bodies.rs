//! Bodies: exact lengths, every byte, and nothing read that is not wanted.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::group_of;
use crate::world::{
    World,
    peer::{Peer, Seen, Speaks, answer},
    provider::{Act, Provider, json},
};

async fn echo() -> (Peer, World) {
    let peer = Peer::start(Speaks::Http1, None, |seen: Seen| async move { answer(200, seen.body) }).await;
    let world = World::start(&group_of(&[("alpha", peer.address, 100)]).replace("_ms: 400", "_ms: 20000")).await;
    (peer, world)
}

/// Bytes of every value, in no order.
fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[tokio::test]
async fn a_multipart_upload_of_ten_megabytes_is_the_same_at_both_ends() {
    let (peer, world) = echo().await;
    let file = noise(10 << 20);
    let head = b"--b0undary\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\ncontent-type: application/octet-stream\r\n\r\n";
    let body = [
        &head[..],
        &file,
        b"\r\n--b0undary\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b0undary--\r\n",
    ]
    .concat();
    let head = format!(
        "POST /api/proxy/prod/v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b0undary\r\ncontent-length: {}\r\n\r\n",
        world.key,
        body.len()
    );
    let (mut reader, mut writer) = world.connect().await.into_split();
    let request = [head.into_bytes(), body.clone()].concat();
    let sending = tokio::spawn(async move {
        writer.write_all(&request).await.expect("sent");
        writer
    });
    let mut got = Vec::new();
    timeout(Duration::from_secs(30), reader.read_to_end(&mut got)).await.expect("in time").expect("read");
    drop(sending.await);
    let answered = crate::world::parse(&got);
    assert_eq!((answered.status, answered.complete), (200, true));
    assert_eq!(answered.header("content-length"), Some(body.len().to_string().as_str()));
    assert!(answered.body == body);
    let seen = peer.seen().remove(0);
    assert!(seen.body == body);
    assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!(seen.header("content-type"), Some("multipart/form-data; boundary=b0undary"));
    assert!(seen.header("transfer-encoding").is_none());
}

#[tokio::test]
async fn a_body_of_any_size_around_the_limits_is_the_same_at_both_ends() {
    let (peer, world) = echo().await;
    for length in [0, 1, 1023, 65_535, 65_536, 65_537, (2 << 20) - 1, 2 << 20, (2 << 20) + 1] {
        let body = noise(length);
        for chunked in [false, true] {
            let framing =
                if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {length}") };
            let mut request = format!(
                "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n{framing}\r\n\r\n",
                world.key
            )
            .into_bytes();
            if chunked {
                for part in body.chunks(50_000) {
                    request.extend_from_slice(format!("{:x};ext=\"1\"\r\n", part.len()).as_bytes());
                    request.extend_from_slice(part);
                    request.extend_from_slice(b"\r\n");
                }
                request.extend_from_slice(b"0\r\n\r\n");
            } else {
                request.extend_from_slice(&body);
            }
            let (mut reader, mut writer) = world.connect().await.into_split();
            let sending = tokio::spawn(async move {
                let _ = writer.write_all(&request).await;
                writer
            });
            let mut got = Vec::new();
            timeout(Duration::from_secs(30), reader.read_to_end(&mut got)).await.expect("in time").expect("read");
            drop(sending.await);
            let answered = crate::world::parse(&got);
            assert_eq!((answered.status, answered.complete), (200, true), "{length} {chunked}");
            assert!(answered.body == body, "{length} {chunked}: {} bytes", answered.body.len());
            assert!(peer.seen().pop().expect("a request").body == body, "{length} {chunked}");
        }
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_what_their_heads_say() {
    for (method, head, status, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\netag: x\r\n\r\n", 200, Some("1234")),
        ("HEAD", "HTTP/1.1 404 X\r\ncontent-length: 20\r\n\r\n", 404, Some("20")),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", 304, None),
        ("DELETE", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, Some("0")),
    ] {
        let provider = Provider::start(Act::Send(head.as_bytes().to_vec())).await;
        let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
        // Twice on a kept connection: a body that is invented would be read as the second answer.
        for _ in 0..2 {
            let answered = timeout(
                Duration::from_secs(5),
                world.raw(&format!(
                    "{method} /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n\r\n",
                    world.key
                )),
            )
            .await
            .expect("an end");
            assert_eq!((answered.status, answered.header("content-length")), (status, length), "{method} {head}");
            assert!(answered.body.is_empty() && answered.header("transfer-encoding").is_none(), "{answered:?}");
            assert_eq!(answered.header("x-proxy-provider"), Some("alpha"));
        }
        assert!(provider.seen().iter().all(|seen| seen.starts_with(method) && !seen.contains("content-length")));
        assert!(world.log(2).await.iter().all(|record| record.row.response_bytes == 0));
    }
}

/// Reads what is there within a moment.
async fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 16 * 1024];
    let count = timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.expect("in time").expect("read");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_when_the_body_is_wanted() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let mut stream = world.connect().await;
    let head = format!(
        "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
        world.key
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    assert_eq!(read_some(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(provider.count(), 0);
    stream.write_all(b"hello").await.expect("sent");
    let answered = crate::world::read_answer(&mut stream).await;
    assert_eq!((answered.status, answered.complete), (200, true));
    let seen = provider.seen().remove(0);
    assert!(seen.ends_with("\r\n\r\nhello") && !seen.to_ascii_lowercase().contains("expect"), "{seen}");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_refused_without_its_body() {
    let provider = Provider::start(json(200, "{}")).await;
    let world =
        World::start_with(&group_of(&[("alpha", provider.address, 100)]), &[("RONDO_BODY_LIMIT", "1048576")]).await;
    for (path, key, length, status) in [
        ("/api/proxy/prod/x", "rd_unknown", 5, 401),
        ("/api/proxy/none/x", world.key.as_str(), 5, 404),
        ("/api/proxy/prod/../x", world.key.as_str(), 5, 400),
        ("/api/proxy/prod/x", world.key.as_str(), 2_000_000, 413),
    ] {
        let mut stream = world.connect().await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let answered = read_some(&mut stream).await;
        assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answered}");
        // The body that never came is not waited for.
        let rest = timeout(Duration::from_secs(5), stream.read(&mut [0; 16])).await.expect("it closes");
        assert_eq!(rest.unwrap_or(0), 0, "{path}");
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn compressed_bytes_are_passed_as_they_are() {
    let peer = Peer::start(Speaks::Http1, None, |_| async {
        let mut response = answer(200, Bytes::from_static(b"\x1f\x8b\x08\x00 not really gzip \xff\xfe"));
        response.headers_mut().insert("content-encoding", http::HeaderValue::from_static("gzip"));
        response
    })
    .await;
    let world = World::start(&group_of(&[("alpha", peer.address, 100)])).await;
    let answered = world.get("/api/proxy/prod/x").await;
    assert_eq!(answered.header("content-encoding"), Some("gzip"));
    assert_eq!(answered.body, b"\x1f\x8b\x08\x00 not really gzip \xff\xfe");
}
