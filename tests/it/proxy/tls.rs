//! TLS towards providers: what is not trusted gets no byte of a key.

use std::net::SocketAddr;

use rcgen::date_time_ymd;
use rondo::model::request_log::AttemptOutcome;

use super::{group_of, group_with};
use crate::world::{
    World,
    peer::{Authority, Peer, Seen, Speaks, answer},
    provider::{Act, Provider, json},
};

fn over_tls(address: SocketAddr, ca_file: Option<&tempfile::NamedTempFile>) -> String {
    let file = group_of(&[("alpha", address, 100)]).replace("http://", "https://");
    match ca_file {
        None => file,
        Some(ca) => {
            file.replace("    timeouts:", &format!("    tls: {{ ca_file: {} }}\n    timeouts:", ca.path().display()))
        }
    }
}

async fn fine(_: Seen) -> http::Response<crate::world::peer::PeerBody> {
    answer(200, "{}")
}

#[tokio::test]
async fn a_provider_with_an_authority_of_its_own_is_trusted_by_its_file() {
    let authority = Authority::new();
    let peer = Peer::start(Speaks::Http1, Some(authority.server(&["127.0.0.1"], &["http/1.1"])), fine).await;
    let world = World::start(&over_tls(peer.address, Some(&authority.file()))).await;
    assert_eq!(world.post("/api/proxy/prod/x", "{}").await.status, 200);
    assert_eq!(peer.seen()[0].header("authorization"), Some("Bearer sk-secret-of-alpha"));
}

#[tokio::test]
async fn a_certificate_that_is_not_right_fails_the_provider_before_a_key_is_sent() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ca_file = authority.file();
    let expired = authority.server_with(&["127.0.0.1"], &[], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let future = authority.server_with(&["127.0.0.1"], &[], |params| params.not_before = date_time_ymd(4000, 1, 1));
    for (what, config, ca, words) in [
        ("expired", expired, Some(&ca_file), "expired"),
        ("not yet valid", future, Some(&ca_file), "not valid"),
        ("another name", authority.server(&["provider.example"], &[]), Some(&ca_file), "name"),
        ("a foreign authority", other.server(&["127.0.0.1"], &[]), Some(&ca_file), "UnknownIssuer"),
        ("an authority nobody named", authority.server(&["127.0.0.1"], &[]), None, "UnknownIssuer"),
    ] {
        let peer = Peer::start(Speaks::Http1, Some(config), fine).await;
        let world = World::start(&over_tls(peer.address, ca)).await;
        let answered = world.post("/api/proxy/prod/x", "{}").await;
        assert_eq!((answered.status, answered.code().as_str()), (502, "upstream_tls"), "{what}");
        let attempt = world.log(1).await.remove(0).attempts.remove(0);
        assert_eq!(attempt.outcome, AttemptOutcome::Tls, "{what}");
        assert!(attempt.detail.to_lowercase().contains(&words.to_lowercase()), "{what}: {}", attempt.detail);
        assert!(peer.seen().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_speak_tls_fails_and_another_stands_in() {
    let plain = Provider::start(Act::SendAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let good = Provider::start(json(200, "good")).await;
    let file =
        group_with("llm", "    strategy: priority\n", &[("plain", plain.address, 900), ("good", good.address, 1)]);
    let file = file.replacen("http://", "https://", 1);
    let world = World::start(&file.replace("connect_ms: 1000", "connect_ms: 500")).await;
    assert_eq!(world.post("/api/proxy/prod/x", "{}").await.text(), "good");
    assert!(plain.seen().iter().all(|seen| !seen.contains("sk-secret")));
}
