//! What a client may do wrong: refused from its side of the wire, and nobody else is blamed.

use rondo::model::{health::HealthState, request_log::Outcome};

use super::group_of;
use crate::world::{
    World,
    provider::{Provider, json},
};

async fn world() -> (Provider, World) {
    let provider = Provider::start(json(200, "{}")).await;
    let world =
        World::start_with(&group_of(&[("alpha", provider.address, 100)]), &[("RONDO_BODY_LIMIT", "1048576")]).await;
    (provider, world)
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_and_never_reaches_a_provider() {
    let (provider, world) = world().await;
    let head = format!(
        "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: 2000000\r\nconnection: close\r\n\r\n",
        world.key
    );
    let answer = world.raw(&head).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn bad_chunking_is_the_clients_fault() {
    let (provider, world) = world().await;
    for _ in 0..20 {
        let request = format!(
            "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
            world.key
        );
        let answer = world.raw(&request).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert_eq!(provider.count(), 0);
    assert_eq!(world.health().await[0].state, HealthState::Healthy);
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::ClientError);
}

#[tokio::test]
async fn smuggling_is_refused_at_the_edge() {
    let (provider, world) = world().await;
    let key = &world.key;
    for (what, request) in [
        (
            "two lengths",
            format!(
                "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{{}}x"
            ),
        ),
        (
            "unknown coding",
            format!(
                "POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ntransfer-encoding: gzip\r\n\r\n{{}}"
            ),
        ),
        ("no host", format!("GET /api/proxy/prod/x HTTP/1.1\r\nx-api-key: {key}\r\n\r\n")),
        ("two hosts", format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: a\r\nhost: b\r\nx-api-key: {key}\r\n\r\n")),
        (
            "another authority",
            format!("GET http://evil/api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n"),
        ),
        (
            "a coding on 1.0",
            format!(
                "POST /api/proxy/prod/x HTTP/1.0\r\nhost: x\r\nx-api-key: {key}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
    ] {
        let answer = world.raw(&request).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
    }
    let trace = world.raw(&format!("TRACE /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n")).await;
    assert_eq!(trace.status, 405);
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let (provider, world) = world().await;
    let huge = "x".repeat(80 * 1024);
    let answer = world
        .raw(&format!("GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-big: {huge}\r\nconnection: close\r\n\r\n"))
        .await;
    assert_eq!(answer.status, 431);
    assert_eq!(provider.count(), 0);
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
