//! HTTP/2 on both sides: many exchanges on a connection, and each of them with the same rights.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{body::Frame, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rondo::model::{
    health::HealthState,
    request_log::{AttemptOutcome, Outcome},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Barrier, Notify},
};

use super::{group_of, group_with};
use crate::world::{
    World,
    peer::{Authority, Peer, Seen, Speaks, answer},
    provider::{Provider, json},
};

/// The file of one provider, spoken to in HTTP/2.
fn over_http2(address: std::net::SocketAddr) -> String {
    speaking_http2(&group_of(&[("alpha", address, 100)]))
}

fn speaking_http2(file: &str) -> String {
    file.replace("    timeouts:", "    connection: { protocol: http2 }\n    timeouts:")
}

/// A client that speaks HTTP/2 by prior knowledge.
async fn client(world: &World) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(world.address).await.expect("a connection");
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

fn request(world: &World, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://{}{path}", world.address))
        .header("x-api-key", &world.key)
        .body(Full::new(body.into()))
        .expect("a request")
}

#[tokio::test]
async fn a_provider_of_http_2_gets_an_authority_and_no_header_of_a_connection() {
    let peer = Peer::start(Speaks::Http2(100), None, |seen: Seen| async move { answer(200, seen.body) }).await;
    let world = World::start(&over_http2(peer.address)).await;
    let answered = world
        .raw(&format!(
            "POST /api/proxy/prod/v1/chat%2Fx?q=%20+&r HTTP/1.1\r\nhost: rondo\r\nx-api-key: {}\r\nconnection: x-hop, close\r\nx-hop: 1\r\nkeep-alive: 5\r\nte: trailers\r\nx-keep: yes\r\nx-keep: also\r\ncontent-length: 2\r\n\r\nhi",
            world.key
        ))
        .await;
    assert_eq!((answered.status, answered.text().as_str(), answered.complete), (200, "hi", true));
    assert_eq!(answered.header("x-proxy-provider"), Some("alpha"));
    let seen = peer.seen().remove(0);
    assert_eq!((seen.version, seen.method.as_str()), (Version::HTTP_2, "POST"));
    assert_eq!(seen.uri.to_string(), format!("http://{}/base/v1/chat%2Fx?q=%20+&r", peer.address));
    assert_eq!(seen.header("authorization"), Some("Bearer sk-secret-of-alpha"));
    assert_eq!((seen.header("content-length"), &seen.body[..]), (Some("2"), &b"hi"[..]));
    assert_eq!(seen.headers.get_all("x-keep").iter().count(), 2);
    for gone in ["host", "connection", "keep-alive", "te", "transfer-encoding", "x-hop", "x-api-key"] {
        assert!(!seen.headers.contains_key(gone), "{gone} in {seen:?}");
    }
}

#[tokio::test]
async fn every_auth_style_is_sent_over_http_2_too() {
    let peer = Peer::start(Speaks::Http2(100), None, |_| async { answer(200, "{}") }).await;
    for (style, header, expected) in [
        ("bearer", "authorization", "Bearer s3cret-value-1"),
        ("x-api-key", "x-api-key", "s3cret-value-1"),
        ("api-key", "api-key", "s3cret-value-1"),
        ("x-goog-api-key", "x-goog-api-key", "s3cret-value-1"),
        ("query", "", "/v1/x?a=1&key=s3cret-value-1"),
        (r#"{ header: X-Token, template: "Token {secret}" }"#, "x-token", "Token s3cret-value-1"),
    ] {
        let file = format!(
            "providers:\n  - name: a\n    base_url: http://{}\n    auth: {style}\n    connection: {{ protocol: http2 }}\n    credentials: [{{ label: m, secret: s3cret-value-1 }}]\ngroups:\n  - name: P\n    slug: p\n    path_policy: everything\n    providers: [{{ provider: a }}]\n",
            peer.address
        );
        let world = World::start(&file).await;
        assert_eq!(world.get("/api/proxy/p/v1/x?a=1").await.status, 200);
        let seen = peer.seen().pop().expect("a request");
        let target = seen.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
        let got = if header.is_empty() { target } else { seen.header(header).unwrap_or_default() };
        assert_eq!(got, expected, "{style}");
        assert_eq!(
            seen.headers.values().filter(|value| value.as_bytes().ends_with(b"s3cret-value-1")).count(),
            usize::from(!header.is_empty())
        );
    }
}

#[tokio::test]
async fn one_stream_more_than_the_provider_takes_opens_another_connection() {
    // Nobody is answered before all twenty are there: with one queued stream nothing would move.
    let all = Arc::new(Barrier::new(20));
    let peer = Peer::start(Speaks::Http2(5), None, move |_| {
        let all = all.clone();
        async move {
            all.wait().await;
            answer(200, "{}")
        }
    })
    .await;
    let file = over_http2(peer.address).replace("first_byte_ms: 400", "first_byte_ms: 10000");
    let world = Arc::new(World::start(&file).await);
    for round in 0..2 {
        let asking: Vec<_> = (0..20)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move { world.post("/api/proxy/prod/v1/x", "{}").await.status })
            })
            .collect();
        for asked in asking {
            assert_eq!(asked.await.expect("no panic"), 200);
        }
        assert_eq!(peer.connections(), 4, "round {round}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_resets_its_stream_and_no_other() {
    let gone = Arc::new(Notify::new());
    let peer = Peer::start(Speaks::Http2(100), None, {
        let gone = gone.clone();
        move |seen: Seen| {
            let told = Told(gone.clone());
            async move {
                if seen.uri.path().ends_with("/hang") {
                    std::future::pending::<()>().await;
                }
                std::mem::forget(told);
                answer(200, "{}")
            }
        }
    })
    .await;
    let file = over_http2(peer.address).replace("first_byte_ms: 400", "first_byte_ms: 60000");
    let world = World::start(&file).await;
    let mut stream = world.connect().await;
    let asked = format!("GET /api/proxy/prod/hang HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", world.key);
    tokio::io::AsyncWriteExt::write_all(&mut stream, asked.as_bytes()).await.expect("sent");
    while peer.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    let left = Instant::now();
    drop(stream);
    gone.notified().await;
    assert!(left.elapsed() < Duration::from_millis(100), "{:?}", left.elapsed());
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::ClientLeft);
    assert_eq!(world.get("/api/proxy/prod/x").await.status, 200);
    assert_eq!(peer.connections(), 1);
    let health = world.health().await;
    assert_eq!((health[0].state, health[0].in_flight), (HealthState::Healthy, 0));
}

/// Tells when it is dropped.
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn no_answer_in_time_fails_over_and_the_connection_serves_on() {
    let slow = Peer::start(Speaks::Http2(100), None, |seen: Seen| async move {
        if seen.uri.path().ends_with("/hang") {
            std::future::pending::<()>().await;
        }
        answer(200, "slow")
    })
    .await;
    let good = Provider::start(json(200, "good")).await;
    let file = group_with("llm", "    strategy: priority\n", &[("slow", slow.address, 900), ("good", good.address, 1)]);
    let world =
        World::start(&file.replacen("    timeouts:", "    connection: { protocol: http2 }\n    timeouts:", 1)).await;
    assert_eq!(world.get("/api/proxy/prod/hang").await.text(), "good");
    let outcomes: Vec<_> = world.log(1).await[0].attempts.iter().map(|attempt| attempt.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::FirstByteTimeout, AttemptOutcome::Answered]);
    assert_eq!(world.get("/api/proxy/prod/x").await.text(), "slow");
    assert_eq!(slow.connections(), 1);
}

/// A peer below hyper's level: what it does with each stream, numbered over all connections. After so
/// many streams a connection says goodbye.
async fn streams(
    most: usize,
    each: impl Fn(usize, h2::server::SendResponse<Bytes>) + Send + Sync + 'static,
) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (each, numbers) = (Arc::new(each), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (each, numbers) = (each.clone(), numbers.clone());
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                let mut count = 0;
                while let Some(Ok((_, respond))) = connection.accept().await {
                    each(numbers.fetch_add(1, Relaxed) + 1, respond);
                    count += 1;
                    if count == most {
                        connection.graceful_shutdown();
                    }
                }
            });
        }
    });
    address
}

fn fine(mut respond: h2::server::SendResponse<Bytes>) {
    let response = Response::builder().header("content-length", "2").body(()).expect("a response");
    if let Ok(mut body) = respond.send_response(response, false) {
        let _ = body.send_data(Bytes::from_static(b"{}"), true);
    }
}

#[tokio::test]
async fn a_refused_stream_was_never_asked_and_is_asked_again() {
    let refusing = streams(1_000, |number, mut respond| match number {
        2 => respond.send_reset(h2::Reason::REFUSED_STREAM),
        _ => fine(respond),
    })
    .await;
    // Of kind generic, where a POST that may have been done is not repeated.
    let file = group_with("generic", "", &[("alpha", refusing, 100)]);
    let world = World::start(&speaking_http2(&file)).await;
    for _ in 0..3 {
        assert_eq!(world.post("/api/proxy/prod/x", "{}").await.status, 200);
    }
    assert!(world.log(3).await.iter().all(|record| record.row.attempts == 1 && record.row.outcome == Outcome::Served));
    assert_eq!(world.health().await[0].state, HealthState::Healthy);
}

#[tokio::test]
async fn a_connection_that_says_goodbye_costs_no_client_an_error() {
    let leaving = streams(10, |_, respond| fine(respond)).await;
    let file = speaking_http2(&group_with("generic", "", &[("alpha", leaving, 100)]));
    let world = Arc::new(World::start(&file).await);
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    let answered = world.post("/api/proxy/prod/x", "{}").await;
                    assert_eq!((answered.status, answered.text().as_str()), (200, "{}"));
                }
            })
        })
        .collect();
    for asked in asking {
        asked.await.expect("every answer is a good one");
    }
    assert!(world.log(200).await.iter().all(|record| record.row.attempts == 1));
}

#[tokio::test]
async fn a_client_of_http_2_that_asks_nothing_is_let_go_and_a_stream_of_it_may_end() {
    let go = Arc::new(Notify::new());
    let peer = Peer::start(Speaks::Http1, None, {
        let go = go.clone();
        move |_| {
            let go = go.clone();
            async move {
                go.notified().await;
                answer(200, "at last")
            }
        }
    })
    .await;
    let file = group_of(&[("alpha", peer.address, 100)]).replace("_ms: 400", "_ms: 60000");
    let world =
        World::start_changed(&file, &[], |settings| settings.web.patience.head = Duration::from_millis(200)).await;
    let (mut busy, idle) = (client(&world).await, client(&world).await);
    let asked = busy.send_request(request(&world, "/api/proxy/prod/x", "{}"));
    let asked = tokio::spawn(asked);
    closes(&idle).await;
    go.notify_one();
    let response = asked.await.expect("no panic").expect("an answer");
    assert_eq!(response.into_body().collect().await.expect("whole").to_bytes(), "at last");
    closes(&busy).await;
}

async fn closes(sender: &SendRequest<Full<Bytes>>) {
    let asked = Instant::now();
    while !sender.is_closed() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(asked.elapsed() < Duration::from_secs(5), "still open");
    }
}

#[tokio::test]
async fn a_stream_that_its_client_does_not_read_is_given_up_and_no_other() {
    let peer = Peer::start(Speaks::Http1, None, |seen: Seen| async move {
        let length = if seen.uri.path().ends_with("/long") { 8 << 20 } else { 2 };
        answer(200, vec![b'x'; length])
    })
    .await;
    let file = group_of(&[("alpha", peer.address, 100)]);
    let world =
        World::start_changed(&file, &[], |settings| settings.web.patience.write = Duration::from_millis(300)).await;
    let mut sender = client(&world).await;
    let long = sender.send_request(request(&world, "/api/proxy/prod/long", "{}")).await.expect("an answer");
    assert_eq!(long.status(), 200);
    let record = world.log(1).await.remove(0);
    assert_eq!(record.row.outcome, Outcome::ClientLeft);
    assert!(record.row.response_bytes < 8 << 20, "{}", record.row.response_bytes);
    assert_eq!(world.health().await[0].in_flight, 0);
    // The connection serves on, and the client sees that the answer broke.
    let short = sender.send_request(request(&world, "/api/proxy/prod/short", "{}")).await.expect("an answer");
    assert_eq!(short.into_body().collect().await.expect("whole").to_bytes(), "xx");
    assert!(long.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_provider_that_refuses_every_stream_is_one_that_cannot_be_reached() {
    let refusing = streams(1_000, |_, mut respond| respond.send_reset(h2::Reason::REFUSED_STREAM)).await;
    let file = speaking_http2(&group_with("generic", "", &[("alpha", refusing, 100)]));
    let world = World::start(&file).await;
    let answered = world.post("/api/proxy/prod/x", "{}").await;
    assert_eq!((answered.status, answered.code().as_str()), (502, "upstream_connect"));
}

#[tokio::test]
async fn a_reset_stream_may_have_been_carried_out() {
    let resetting = streams(1_000, |_, mut respond| respond.send_reset(h2::Reason::INTERNAL_ERROR)).await;
    let file = speaking_http2(&group_with("generic", "", &[("alpha", resetting, 100)]));
    let world = World::start(&file).await;
    let answered = world.post("/api/proxy/prod/x", "{}").await;
    assert_eq!((answered.status, answered.code().as_str()), (502, "upstream_ambiguous"));
    assert_eq!(world.log(1).await[0].attempts[0].outcome, AttemptOutcome::Reset);
}

#[tokio::test]
async fn a_reset_stream_is_no_stale_connection() {
    let asked = Arc::new(AtomicUsize::new(0));
    let resetting = streams(1_000, {
        let asked = asked.clone();
        move |number, mut respond| {
            asked.store(number, Relaxed);
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    })
    .await;
    let world = World::start(&over_http2(resetting)).await;
    for number in 1..=3 {
        assert_eq!(world.post("/api/proxy/prod/x", "{}").await.code(), "upstream_reset");
        assert_eq!(asked.load(Relaxed), number, "asked once, on a connection that serves on");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_speak_http_2_fails_at_the_connection() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&over_http2(provider.address)).await;
    let answered = world.post("/api/proxy/prod/x", "{}").await;
    assert_eq!((answered.status, answered.code().as_str()), (502, "upstream_connect"));
    assert!(!answered.text().contains("sk-secret"));
}

#[tokio::test]
async fn http_2_is_agreed_upon_in_tls() {
    let authority = Authority::new();
    let ca_file = authority.file();
    let echo = |seen: Seen| async move { answer(200, seen.body) };
    let h2 = Peer::start(Speaks::Http2(100), Some(authority.server(&["127.0.0.1"], &["h2", "http/1.1"])), echo).await;
    let old = Peer::start(Speaks::Http1, Some(authority.server(&["127.0.0.1"], &[])), echo).await;
    for (peer, status) in [(&h2, 200), (&old, 502)] {
        let file = over_http2(peer.address)
            .replace("http://", "https://")
            .replace("    timeouts:", &format!("    tls: {{ ca_file: {} }}\n    timeouts:", ca_file.path().display()));
        let world = World::start(&file).await;
        let answered = world.post("/api/proxy/prod/x", "hello").await;
        assert_eq!(answered.status, status, "{answered:?}");
    }
    assert_eq!(h2.seen()[0].uri.scheme_str(), Some("https"));
    assert!(old.seen().is_empty());
}

#[tokio::test]
async fn ten_megabytes_pass_http_2_on_both_sides_byte_for_byte() {
    let peer = Peer::start(Speaks::Http2(100), None, |seen: Seen| async move { answer(200, seen.body) }).await;
    let world = World::start(&over_http2(peer.address).replace("_ms: 400", "_ms: 20000")).await;
    let body: Bytes = (0..10 << 20).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut sender = client(&world).await;
    let response = sender.send_request(request(&world, "/api/proxy/prod/v1/x", body.clone())).await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-length"], (10 << 20).to_string());
    assert!(response.into_body().collect().await.expect("whole").to_bytes() == body);
    assert!(peer.seen()[0].body == body);
}

#[tokio::test]
async fn a_client_of_http_2_asks_many_things_on_one_connection_and_may_take_one_back() {
    let gone = Arc::new(Notify::new());
    let peer = Peer::start(Speaks::Http1, None, {
        let gone = gone.clone();
        move |seen: Seen| {
            let told = Told(gone.clone());
            async move {
                if seen.uri.path().ends_with("/hang") {
                    std::future::pending::<()>().await;
                }
                std::mem::forget(told);
                answer(200, seen.uri.path().to_owned())
            }
        }
    })
    .await;
    let world = World::start(&group_of(&[("alpha", peer.address, 100)]).replace("_ms: 400", "_ms: 60000")).await;
    let sender = client(&world).await;
    let hanging = tokio::spawn({
        let mut sender = sender.clone();
        let request = request(&world, "/api/proxy/prod/hang", "{}");
        async move { sender.send_request(request).await.map(|_| ()) }
    });
    while peer.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    for index in 0..20 {
        let path = format!("/api/proxy/prod/{index}");
        let response = sender.clone().send_request(request(&world, &path, "{}")).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert!(response.headers().contains_key("x-request-id") && !response.headers().contains_key("connection"));
        let body = response.into_body().collect().await.expect("whole").to_bytes();
        assert_eq!(body, format!("/base/{index}"));
    }
    let left = Instant::now();
    hanging.abort();
    gone.notified().await;
    assert!(left.elapsed() < Duration::from_millis(100), "{:?}", left.elapsed());
    // The error of the gateway itself reads the same.
    let refused = sender.clone().send_request(request(&world, "/api/proxy/none/x", "{}")).await.expect("an answer");
    assert_eq!(refused.status(), 404);
}

#[tokio::test]
async fn trailers_of_an_answer_reach_a_client_of_http_2_and_those_of_a_request_nobody() {
    let peer = Peer::start(Speaks::Http2(100), None, |_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        let frames = [Frame::data(Bytes::from_static(b"body")), Frame::trailers(trailers)];
        let frames = frames.map(Ok::<_, std::convert::Infallible>);
        Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync())
    })
    .await;
    let world = World::start(&over_http2(peer.address)).await;
    let mut sender = client(&world).await;
    let response = sender.send_request(request(&world, "/api/proxy/prod/x", "{}")).await.expect("an answer");
    let body = response.into_body().collect().await.expect("whole");
    assert_eq!(body.trailers().and_then(|trailers| trailers.get("x-sum")), Some(&HeaderValue::from_static("42")));
    assert_eq!(body.to_bytes(), "body");
    let chunked = world
        .raw(&format!(
            "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n",
            world.key
        ))
        .await;
    assert_eq!((chunked.status, chunked.text().as_str(), chunked.complete), (200, "body", true));
    let seen = peer.seen().pop().expect("a request");
    assert!(!seen.trailers && !seen.headers.contains_key("trailer") && &seen.body[..] == b"hi", "{seen:?}");
}

#[tokio::test]
async fn a_host_that_is_not_the_authority_is_refused_in_http_2_too() {
    let peer = Peer::start(Speaks::Http1, None, |_| async { answer(200, "{}") }).await;
    let world = World::start(&group_of(&[("alpha", peer.address, 100)])).await;
    let mut sender = client(&world).await;
    let mut other = request(&world, "/api/proxy/prod/x", "{}");
    other.headers_mut().insert("host", HeaderValue::from_static("evil.example"));
    assert_eq!(sender.send_request(other).await.expect("an answer").status(), 400);
    assert!(peer.seen().is_empty());
}
