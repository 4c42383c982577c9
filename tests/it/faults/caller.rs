//! A client that keeps its connection, as SDKs do, and notices when an answer was cut.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::world::World;

/// A client with the world's key.
pub(super) struct Caller<'a> {
    world: &'a World,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What a client heard.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the body ended as HTTP says it must.
    pub(super) complete: bool,
    /// `X-Proxy-Attempts`, or what the gateway's own error says.
    pub(super) attempts: u64,
    /// From the request to the end of the answer.
    pub(super) took: Duration,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `error.code` of an answer of the gateway itself.
    pub(super) fn code(&self) -> String {
        self.error()["code"].as_str().unwrap_or_default().to_owned()
    }

    fn error(&self) -> serde_json::Value {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["error"].clone()
    }
}

impl<'a> Caller<'a> {
    pub(super) fn of(world: &'a World) -> Self {
        Self { world, sender: None }
    }

    /// A small chat request.
    pub(super) async fn post(&mut self, path: &str) -> Heard {
        self.send("POST", path, r#"{"model":"m","messages":[]}"#).await
    }

    /// The same, asking for a stream.
    pub(super) async fn post_for_stream(&mut self, path: &str) -> Heard {
        self.send("POST", path, r#"{"model":"m","stream":true,"messages":[]}"#).await
    }

    pub(super) async fn send(&mut self, method: &str, path: &str, body: &'static str) -> Heard {
        let began = Instant::now();
        let mut heard = self.exchange(method, path, body).await.unwrap_or_else(|| Heard {
            status: 0,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            complete: false,
            attempts: 0,
            took: Duration::ZERO,
        });
        heard.took = began.elapsed();
        let told = heard.error()["attempts"].as_u64();
        heard.attempts = heard.header("x-proxy-attempts").parse().ok().or(told).unwrap_or(0);
        heard
    }

    async fn exchange(&mut self, method: &str, path: &str, body: &'static str) -> Option<Heard> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await,
        };
        sender.ready().await.ok()?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "rondo")
            .header("authorization", format!("Bearer {}", self.world.key))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .expect("a request");
        let (head, mut incoming) = sender.send_request(request).await.ok()?.into_parts();
        let (mut body, mut complete) = (BytesMut::new(), true);
        while let Some(frame) = incoming.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(data) => body.extend_from_slice(&data.unwrap_or_default()),
                Err(_) => {
                    complete = false;
                    break;
                }
            }
        }
        self.sender = complete.then_some(sender);
        Some(Heard {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.freeze(),
            complete,
            attempts: 0,
            took: Duration::ZERO,
        })
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.world.address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        sender
    }
}
