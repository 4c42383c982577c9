//! Keep-alive connections to one provider.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;

use super::{
    body::{InboundFault, Outbound},
    connect::{ConnectFault, Connector, Stream},
};

/// Shorter than the 60 s after which many servers close: fewer requests meet a closing connection.
const IDLE_LIMIT: Duration = Duration::from_secs(50);
/// Idle connections kept per provider.
const IDLE_MAX: usize = 512;
/// A response head beyond this is a fault of the provider.
const HEAD_BYTES: usize = 256 * 1024;
const HEAD_FIELDS: usize = 200;

/// Connections to one provider. The lock guards a vector push or pop; nothing is awaited under it.
pub struct Pool {
    connector: Connector,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    sender: SendRequest<Outbound>,
    since: Instant,
}

/// Whether a kept connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A kept connection is welcome.
    Any,
    /// After a reused connection failed: open a new one.
    Fresh,
}

/// A connection for one exchange. Dropped before [`Lease::release`], it is closed, and with it the exchange.
pub struct Lease {
    sender: SendRequest<Outbound>,
    pool: Arc<Pool>,
    /// Whether it has carried an exchange before.
    pub reused: bool,
}

/// Why an exchange failed before the response head.
#[derive(Debug, thiserror::Error)]
pub enum SendFault {
    /// The connection was gone before a byte of the request was written: the request comes back whole.
    #[error("the connection was closed before the request was sent")]
    NotSent(Box<Request<Outbound>>),
    /// Reset or end before a byte of the response.
    #[error("the provider closed the connection before answering")]
    Reset(#[source] hyper::Error),
    /// What came was not an HTTP response.
    #[error("the provider's answer is not valid HTTP")]
    Invalid(#[source] hyper::Error),
    /// The client's body failed while it was being sent.
    #[error("{0}")]
    Inbound(InboundFault),
}

impl Pool {
    /// A pool without connections.
    pub fn new(connector: Connector) -> Arc<Self> {
        Arc::new(Self { connector, idle: Mutex::new(Vec::new()) })
    }

    /// How it connects.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A kept connection or a new one.
    pub async fn lease(self: &Arc<Self>, freshness: Freshness) -> Result<Lease, ConnectFault> {
        if freshness == Freshness::Any {
            while let Some(mut sender) = self.pop() {
                // Ready at once, unless the peer closed it meanwhile.
                if sender.ready().await.is_ok() {
                    return Ok(Lease { sender, pool: self.clone(), reused: true });
                }
            }
        }
        let sender = self.open().await?;
        Ok(Lease { sender, pool: self.clone(), reused: false })
    }

    /// A connection over a pipe of this process: see [`super::played`].
    pub(super) async fn lease_over(self: &Arc<Self>, pipe: DuplexStream) -> Result<Lease, ConnectFault> {
        let sender = handshake(TokioIo::new(pipe)).await?;
        Ok(Lease { sender, pool: self.clone(), reused: false })
    }

    fn pop(&self) -> Option<SendRequest<Outbound>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(kept) = idle.pop() {
            if !kept.sender.is_closed() && kept.since.elapsed() < IDLE_LIMIT {
                return Some(kept.sender);
            }
        }
        None
    }

    fn push(&self, sender: SendRequest<Outbound>) {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest stand first: when one is stale, so are those before it.
        let stale = idle.iter().take_while(|kept| now.duration_since(kept.since) >= IDLE_LIMIT).count();
        if stale > 0 {
            idle.drain(..stale);
        }
        if idle.len() < IDLE_MAX {
            idle.push(Idle { sender, since: now });
        }
    }

    async fn open(&self) -> Result<SendRequest<Outbound>, ConnectFault> {
        match self.connector.connect().await? {
            Stream::Plain(stream) => handshake(TokioIo::new(stream)).await,
            Stream::Tls(stream) => handshake(TokioIo::new(*stream)).await,
        }
    }
}

async fn handshake<T>(io: T) -> Result<SendRequest<Outbound>, ConnectFault>
where
    T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(HEAD_FIELDS)
        .max_header_size(HEAD_BYTES)
        .handshake(io)
        .await
        .map_err(|error| ConnectFault::Tls(std::io::Error::other(error)))?;
    // It ends with its lease or its place in the pool: dropping the sender closes it.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

impl Lease {
    /// Sends the request and waits for the response head. Dropping the future cancels the exchange.
    pub async fn send(&mut self, request: Request<Outbound>) -> Result<Response<Incoming>, SendFault> {
        self.sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
            Some(request) => SendFault::NotSent(Box::new(request)),
            None => classify(error.into_error()),
        })
    }

    /// Keeps the connection for the next exchange; call it when the body has ended well.
    pub fn release(self) {
        if !self.sender.is_closed() {
            self.pool.push(self.sender);
        }
    }
}

fn classify(error: hyper::Error) -> SendFault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(fault) = inner.downcast_ref::<InboundFault>() {
            return SendFault::Inbound(*fault);
        }
        cause = inner.source();
    }
    if error.is_parse() || error.is_parse_status() || error.is_parse_too_large() {
        SendFault::Invalid(error)
    } else {
        SendFault::Reset(error)
    }
}
