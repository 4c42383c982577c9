//! HTTP/1.1 to one provider: a connection carries one exchange at a time and is kept in between.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use super::{
    body::{InboundFault, Outbound},
    connect::{ConnectFault, Connector, Stream},
    pool::{HEAD_BYTES, HEAD_FIELDS, IDLE_LIMIT, SendFault, Unusable},
    sips::Sips,
};
use crate::model::provider::Protocol;

/// Idle connections kept per provider.
const IDLE_MAX: usize = 512;

/// Connections that are kept. The lock guards a vector push or pop; nothing is awaited under it.
#[derive(Default)]
pub(super) struct Kept {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    sender: SendRequest<Outbound>,
    since: Instant,
}

impl Kept {
    /// A kept connection that still stands.
    pub(super) async fn take(&self) -> Option<SendRequest<Outbound>> {
        while let Some(mut sender) = self.pop() {
            // Ready at once, unless the peer closed it meanwhile.
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
        None
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

    /// Keeps a connection for the next exchange.
    pub(super) fn keep(&self, sender: SendRequest<Outbound>) {
        if sender.is_closed() {
            return;
        }
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
}

/// A new connection.
pub(super) async fn open(connector: &Connector) -> Result<SendRequest<Outbound>, ConnectFault> {
    match connector.connect_for(Protocol::Http1).await? {
        Stream::Plain(stream) => handshake(Sips::of(stream)).await,
        Stream::Tls(stream) => handshake(Sips::of(*stream)).await,
    }
}

/// A connection over a pipe of this process.
pub(super) async fn open_over(pipe: DuplexStream) -> Result<SendRequest<Outbound>, ConnectFault> {
    handshake(Sips::of(pipe)).await
}

async fn handshake<T>(io: Sips<T>) -> Result<SendRequest<Outbound>, ConnectFault>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_headers(HEAD_FIELDS)
        .max_header_size(HEAD_BYTES)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| ConnectFault::Protocol(error.to_string()))?;
    // It ends with its lease or its place in the pool: dropping the sender closes it.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// Sends the request and waits for the response head.
pub(super) async fn send(
    sender: &mut SendRequest<Outbound>,
    request: Request<Outbound>,
) -> Result<Response<Incoming>, SendFault> {
    sender.try_send_request(request).await.map_err(|mut error| match error.take_message() {
        Some(request) => SendFault::NotSent(Box::new(request)),
        None => classify(error.into_error()),
    })
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
        SendFault::Invalid(Unusable::Unreadable(error))
    } else {
        SendFault::Reset(error)
    }
}
