//! Through a proxy of the provider's own: CONNECT, and nothing of the environment.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rondo::model::request_log::AttemptOutcome;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::group_of;
use crate::world::{
    World,
    peer::{Authority, Peer, Seen, Speaks, answer},
    provider::{Provider, json},
};

/// A proxy that writes down what it is asked, and answers with a tunnel or with these bytes.
struct Hop {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hop {
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn({
            let asked = asked.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, refusal, asked.clone()));
                }
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

async fn serve(mut client: TcpStream, refusal: Option<&'static str>, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("not poisoned").push(head);
    if let Some(refusal) = refusal {
        let _ = client.write_all(refusal.as_bytes()).await;
        let _ = client.read(&mut [0; 1]).await;
        return;
    }
    let Ok(mut provider) = TcpStream::connect(target).await else { return };
    let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\nvia: hop\r\n\r\n").await;
    let _ = tokio::io::copy_bidirectional(&mut client, &mut provider).await;
}

fn through(file: &str, hop: SocketAddr, protocol: &str) -> String {
    let line = format!("    connection: {{ protocol: {protocol}, egress_proxy: \"http://{hop}\" }}\n    timeouts:");
    file.replace("    timeouts:", &line)
}

#[tokio::test]
async fn plain_and_tls_providers_are_reached_through_the_proxy_in_both_protocols() {
    let authority = Authority::new();
    let ca_file = authority.file();
    let echo = |seen: Seen| async move { answer(200, seen.body) };
    for (speaks, protocol, alpn) in [(Speaks::Http1, "http1", "http/1.1"), (Speaks::Http2(100), "http2", "h2")] {
        for tls in [false, true] {
            let hop = Hop::start(None).await;
            let config = tls.then(|| authority.server(&["127.0.0.1"], &[alpn]));
            let peer = Peer::start(speaks, config, echo).await;
            let mut file = group_of(&[("alpha", peer.address, 100)]);
            if tls {
                let trusted = format!("    tls: {{ ca_file: {} }}\n    timeouts:", ca_file.path().display());
                file = file.replace("http://", "https://").replace("    timeouts:", &trusted);
            }
            let world = World::start(&through(&file, hop.address, protocol)).await;
            for _ in 0..2 {
                let answered = world.post("/api/proxy/prod/x", "hello").await;
                assert_eq!((answered.status, answered.text().as_str()), (200, "hello"), "{protocol} {tls}");
            }
            let target = peer.address;
            assert_eq!(
                hop.asked(),
                [format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n")],
                "one tunnel, kept"
            );
            assert_eq!(peer.seen().len(), 2);
        }
    }
}

#[tokio::test]
async fn a_proxy_that_gives_no_tunnel_is_a_failed_connection_with_its_reason() {
    let provider = Provider::start(json(200, "{}")).await;
    for (refusal, reason) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "refused CONNECT: 403 Forbidden"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused CONNECT: 407"),
        ("SSH-2.0-x\r\n\r\n", "did not answer in HTTP"),
    ] {
        let hop = Hop::start(Some(refusal)).await;
        let world = World::start(&through(&group_of(&[("alpha", provider.address, 100)]), hop.address, "http1")).await;
        let answered = world.post("/api/proxy/prod/x", "{}").await;
        assert_eq!((answered.status, answered.code().as_str()), (502, "upstream_connect"));
        let attempt = world.log(1).await.remove(0).attempts.remove(0);
        assert_eq!(attempt.outcome, AttemptOutcome::Connect);
        assert!(
            attempt.detail.contains(reason) && attempt.detail.contains(&hop.address.to_string()),
            "{}",
            attempt.detail
        );
    }
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn the_connect_timeout_covers_the_proxy() {
    let provider = Provider::start(json(200, "{}")).await;
    let hop = Hop::start(Some("HTTP/1.1 200 never ends")).await;
    let file = through(&group_of(&[("alpha", provider.address, 100)]), hop.address, "http1")
        .replace("connect_ms: 1000", "connect_ms: 300");
    let world = World::start(&file).await;
    let asked = std::time::Instant::now();
    let answered = world.post("/api/proxy/prod/x", "{}").await;
    assert_eq!((answered.status, answered.code().as_str()), (504, "upstream_timeout"));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn proxies_of_the_environment_are_never_used() {
    let hop = Hop::start(Some("HTTP/1.1 403 Forbidden\r\n\r\n")).await;
    // The environment of a process is set from outside: another test of this binary, with proxies named.
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this binary"));
    child.args(["--exact", "proxy::passing::a_group_may_hide_its_providers"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(name, format!("http://{}", hop.address)).env(name.to_lowercase(), format!("http://{}", hop.address));
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let ended = child.output().await.expect("it runs");
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}");
    assert!(hop.asked().is_empty(), "{:?}", hop.asked());
}
