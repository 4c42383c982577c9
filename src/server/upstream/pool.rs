//! Connections to one provider, whatever is spoken on them.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use tokio::io::DuplexStream;

use super::{
    body::{InboundFault, Outbound},
    connect::{ConnectFault, Connector},
    http1::{self, Kept},
    http2::{self, Shared},
};
use crate::model::provider::Protocol;

/// Shorter than the 60 s after which many servers close: fewer requests meet a closing connection.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(50);
/// A response head beyond this is a fault of the provider.
pub(super) const HEAD_BYTES: usize = 256 * 1024;
pub(super) const HEAD_FIELDS: usize = 200;

/// Connections to one provider.
pub struct Pool {
    connector: Connector,
    kept: Kept,
    shared: Shared,
}

/// Whether a kept connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A kept connection is welcome.
    Any,
    /// After a reused connection failed: open a new one.
    Fresh,
}

/// A place for one exchange: a connection of HTTP/1.1 or a stream of HTTP/2. Dropped before the answer
/// has ended, it ends the exchange: the connection is closed, the stream is reset.
pub struct Lease {
    channel: Channel,
    pool: Arc<Pool>,
    /// Whether its connection carried an exchange before.
    pub reused: bool,
}

enum Channel {
    Http1(SendRequest<Outbound>),
    Http2(http2::Stream),
    /// HTTP/1.1 with nobody but this process: never kept.
    Played(SendRequest<Outbound>),
}

/// Why an exchange failed before the response head.
#[derive(Debug, thiserror::Error)]
pub enum SendFault {
    /// The provider did not look at the request: the connection was gone before a byte of it was
    /// written, or the stream was refused. The request comes back whole.
    #[error("the connection was closed before the request was sent")]
    NotSent(Box<Request<Outbound>>),
    /// Reset or end before a byte of the response.
    #[error("the provider closed the connection before answering")]
    Reset(#[source] hyper::Error),
    /// What came cannot be passed on.
    #[error("the provider's answer is not valid HTTP")]
    Invalid(#[source] Unusable),
    /// The client's body failed while it was being sent.
    #[error("{0}")]
    Inbound(InboundFault),
}

/// What is wrong with a response head.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(hyper::Error),
    /// Where its body ends would be a matter of opinion (RFC 9112 §6.3).
    #[error("it has both a length and a transfer coding, or a coding other than chunked")]
    Framing,
    /// It changes the protocol without having been asked, or to another one.
    #[error("it switches protocols unasked")]
    Switch,
}

impl Pool {
    /// A pool without connections.
    pub fn new(connector: Connector) -> Arc<Self> {
        Arc::new(Self { connector, kept: Kept::default(), shared: Shared::default() })
    }

    /// How it connects.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A kept connection or a new one.
    pub async fn lease(self: &Arc<Self>, freshness: Freshness) -> Result<Lease, ConnectFault> {
        let (channel, reused) = match self.connector.protocol {
            Protocol::Http1 => {
                let kept = if freshness == Freshness::Any { self.kept.take().await } else { None };
                match kept {
                    Some(sender) => (Channel::Http1(sender), true),
                    // Connecting takes ten times the room of an exchange, and happens seldom: not in every request's future.
                    None => (Channel::Http1(Box::pin(http1::open(&self.connector)).await?), false),
                }
            }
            Protocol::Http2 => {
                let (stream, reused) = self.shared.stream(&self.connector, freshness).await?;
                (Channel::Http2(stream), reused)
            }
        };
        Ok(Lease { channel, pool: self.clone(), reused })
    }

    /// A connection over a pipe of this process: see [`super::played`].
    pub(super) async fn lease_over(self: &Arc<Self>, pipe: DuplexStream) -> Result<Lease, ConnectFault> {
        let sender = Box::pin(http1::open_over(pipe)).await?;
        Ok(Lease { channel: Channel::Played(sender), pool: self.clone(), reused: false })
    }

    /// A new connection of HTTP/1.1, whatever the provider speaks: only there can a protocol be switched.
    pub async fn lease_for_upgrade(self: &Arc<Self>) -> Result<Lease, ConnectFault> {
        let sender = Box::pin(http1::open(&self.connector)).await?;
        Ok(Lease { channel: Channel::Http1(sender), pool: self.clone(), reused: false })
    }
}

impl Lease {
    /// Sends the request and waits for the response head. Dropping the future cancels the exchange.
    pub async fn send(&mut self, request: Request<Outbound>) -> Result<Response<Incoming>, SendFault> {
        let asks_to_switch = request.headers().contains_key(header::UPGRADE);
        let response = match &mut self.channel {
            Channel::Http1(sender) | Channel::Played(sender) => http1::send(sender, request).await?,
            Channel::Http2(stream) => stream.send(request).await?,
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS && !(asks_to_switch && switches(response.headers())) {
            return Err(SendFault::Invalid(Unusable::Switch));
        }
        if !is_framed_once(response.headers()) {
            return Err(SendFault::Invalid(Unusable::Framing));
        }
        Ok(response)
    }

    /// Whether the exchange may have failed because its connection had been kept for too long; a stream
    /// that the peer reset by itself did not.
    pub fn was_stale(&self, error: &hyper::Error) -> bool {
        self.reused && !http2::was_reset(error)
    }

    /// Keeps the connection for the next exchange; call it when the body has ended well.
    pub fn release(self) {
        // A connection opened to switch protocols does not belong among streams.
        if let Channel::Http1(sender) = self.channel
            && self.pool.connector.protocol == Protocol::Http1
        {
            self.pool.kept.keep(sender);
        }
    }
}

/// Whether a 101 switches to WebSocket, the only protocol that is asked for.
fn switches(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// hyper lets a coding win over a length, and takes off only the last coding.
fn is_framed_once(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => {
            only.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(header::CONTENT_LENGTH)
        }
        _ => false,
    }
}
