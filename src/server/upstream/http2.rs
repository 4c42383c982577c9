//! HTTP/2 to one provider: many exchanges on a connection, and several connections.
//!
//! hyper queues what exceeds the peer's limit of concurrent streams, often 100: behind a hundred long
//! answers the next request would wait for one of them to end. So streams are counted here, and the
//! one too many opens another connection.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, Uri, Version, header, request::Parts, uri::Scheme};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{Notify, watch},
};

use super::{
    body::{InboundFault, Outbound},
    connect::{self, ConnectFault, Connector},
    pool::{Freshness, HEAD_BYTES, IDLE_LIMIT, SendFault, Unusable},
};
use crate::model::provider::Protocol;

/// Streams at the same time on one connection, also where the peer would take more.
const STREAMS_MAX: usize = 100;
/// Connections per provider. Beyond them streams queue.
const CONNECTIONS_MAX: usize = 64;
/// Flow control: what one answer may be ahead of its client, and all of a connection together. The
/// second is more than the streams of a connection can fill, so that slow clients never stop others.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;
/// A connection with open streams is asked for a sign of life this often, and given up without one.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections. The lock guards a look through a short vector; nothing is awaited under it.
#[derive(Default)]
pub(super) struct Shared {
    connections: Mutex<Vec<Arc<Connection>>>,
    /// Held while a connection is opened: a burst at the start would open one for each request.
    opening: tokio::sync::Mutex<()>,
}

struct Connection {
    sender: SendRequest<Watched>,
    opened: Instant,
    streams: AtomicUsize,
    /// What the peer allows.
    most: AtomicUsize,
    /// When the last stream ended, milliseconds after the opening.
    idle_since_ms: AtomicU64,
}

/// A place on a connection, given back when dropped.
pub(super) struct Stream {
    connection: Arc<Connection>,
    scheme: Scheme,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now_ms = self.connection.age_ms();
        self.connection.idle_since_ms.store(now_ms, Relaxed);
        self.connection.streams.fetch_sub(1, Relaxed);
    }
}

impl Connection {
    fn age_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn stands(&self) -> bool {
        let idle_ms = self.age_ms().saturating_sub(self.idle_since_ms.load(Relaxed));
        let stale = self.streams.load(Relaxed) == 0 && u128::from(idle_ms) >= IDLE_LIMIT.as_millis();
        !self.sender.is_closed() && !stale
    }

    fn has_room(&self) -> bool {
        self.streams.load(Relaxed) < self.most.load(Relaxed).min(STREAMS_MAX)
    }
}

impl Shared {
    /// A place on a connection, and whether that one was used before.
    pub(super) async fn stream(
        &self,
        connector: &Connector,
        freshness: Freshness,
    ) -> Result<(Stream, bool), ConnectFault> {
        let asked = Instant::now();
        let scheme = if connector.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let wants = |connection: &Connection| freshness == Freshness::Any || connection.opened >= asked;
        if let Some(connection) = self.pick(wants) {
            return Ok((Stream { connection, scheme }, true));
        }
        let opening = tokio::time::timeout(connector.timeout, self.opening.lock()).await;
        let _opening = opening.map_err(|_| ConnectFault::Timeout(connector.timeout))?;
        // Somebody else may have opened one meanwhile.
        if let Some(connection) = self.pick(wants) {
            return Ok((Stream { connection, scheme }, freshness == Freshness::Any));
        }
        let connection = Box::pin(open(connector)).await?;
        connection.streams.fetch_add(1, Relaxed);
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection.clone());
        Ok((Stream { connection, scheme }, false))
    }

    /// The connection with the fewest streams among those wanted, counted in.
    fn pick(&self, wants: impl Fn(&Connection) -> bool) -> Option<Arc<Connection>> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| connection.stands());
        let full = connections.len() >= CONNECTIONS_MAX;
        let wanted = connections.iter().filter(|one| wants(one) && (full || one.has_room()));
        let picked = wanted.min_by_key(|one| one.streams.load(Relaxed))?.clone();
        picked.streams.fetch_add(1, Relaxed);
        Some(picked)
    }
}

async fn open(connector: &Connector) -> Result<Arc<Connection>, ConnectFault> {
    match connector.connect_for(Protocol::Http2).await? {
        connect::Stream::Plain(stream) => handshake(stream, connector.timeout).await,
        connect::Stream::Tls(stream) => handshake(*stream, connector.timeout).await,
    }
}

/// Waits for the peer's SETTINGS too: without them its limit is not known, nor that it speaks HTTP/2.
async fn handshake<T>(io: T, patience: Duration) -> Result<Arc<Connection>, ConnectFault>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (heard, hears) = watch::channel(false);
    let (sender, driver) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(Listening { io, heard }))
        .await
        .map_err(|error| ConnectFault::Protocol(error.to_string()))?;
    let connection = Arc::new(Connection {
        sender,
        opened: Instant::now(),
        streams: AtomicUsize::new(0),
        most: AtomicUsize::new(STREAMS_MAX),
        idle_since_ms: AtomicU64::new(0),
    });
    let settled = Arc::new(Notify::new());
    // It ends when the last place on it is gone and the pool has let go of it.
    tokio::spawn(drive(driver, Arc::downgrade(&connection), hears, settled.clone()));
    tokio::time::timeout(patience, settled.notified()).await.map_err(|_| ConnectFault::Timeout(patience))?;
    if connection.sender.is_closed() {
        return Err(ConnectFault::Protocol("the provider does not speak HTTP/2".to_owned()));
    }
    Ok(connection)
}

/// Keeps the connection going and its peer's limit known.
async fn drive<T>(
    driver: http2::Connection<TokioIo<Listening<T>>, Watched, TokioExecutor>,
    connection: std::sync::Weak<Connection>,
    mut hears: watch::Receiver<bool>,
    settled: Arc<Notify>,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut driver = Box::pin(driver);
    let mut first = Box::pin(async move {
        let _ = hears.wait_for(|heard| *heard).await;
        // What was read is understood in the same breath, by another task.
        tokio::task::yield_now().await;
    });
    let mut has_settled = false;
    std::future::poll_fn(|cx| {
        let ended = driver.as_mut().poll(cx).is_ready();
        let settles = !has_settled && first.as_mut().poll(cx).is_ready();
        if let Some(connection) = connection.upgrade() {
            connection.most.store(driver.current_max_send_streams(), Relaxed);
        }
        if settles || ended {
            has_settled = true;
            settled.notify_one();
        }
        if ended { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Stream {
    /// Sends the request and waits for the response head. Dropping the future resets the stream.
    pub(super) async fn send(&mut self, request: Request<Outbound>) -> Result<Response<Incoming>, SendFault> {
        let (head, body) = request.into_parts();
        // A refused stream does not give its request back.
        let spare = match &body {
            Outbound::Held(bytes) => Some(bytes.clone()),
            Outbound::Flowing(_) => None,
        };
        let fault = Arc::new(OnceLock::new());
        let watched = Watched { body, fault: fault.clone() };
        let request = Request::from_parts(self.translate(head.clone()), watched);
        let mut sender = self.connection.sender.clone();
        sender.try_send_request(request).await.map_err(|mut error| {
            let unsent = error.take_message().map(|request| request.into_body().body);
            let error = error.into_error();
            let refused = || spare.filter(|_| was_refused(&error)).map(Outbound::Held);
            match (unsent.or_else(refused), fault.get()) {
                (Some(body), _) => SendFault::NotSent(Box::new(Request::from_parts(head, body))),
                (None, Some(fault)) => SendFault::Inbound(*fault),
                (None, None) if cause(&error).is_some_and(h2::Error::is_library) => {
                    SendFault::Invalid(Unusable::Unreadable(error))
                }
                (None, None) => SendFault::Reset(error),
            }
        })
    }

    /// `Host` becomes the authority (RFC 9113 §8.3.1).
    fn translate(&self, mut head: Parts) -> Parts {
        let mut target = head.uri.clone().into_parts();
        target.scheme = Some(self.scheme.clone());
        target.authority = head.headers.remove(header::HOST).and_then(|host| host.as_bytes().try_into().ok());
        head.uri = Uri::from_parts(target).unwrap_or(head.uri);
        head.version = Version::HTTP_2;
        head
    }
}

fn cause(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Whether the peer says that it did not look at the request (RFC 9113 §8.7): the stream was refused,
/// or came after the last one that a GOAWAY lets through.
fn was_refused(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether the peer ended the one stream and nothing else.
pub(super) fn was_reset(error: &hyper::Error) -> bool {
    cause(error).is_some_and(|error| error.is_remote() && error.is_reset())
}

/// A body that remembers how it failed: hyper only resets the stream.
struct Watched {
    body: Outbound,
    fault: Arc<OnceLock<InboundFault>>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = InboundFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundFault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(fault))) = &polled {
            let _ = self.fault.set(*fault);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream of bytes that tells when the first have come.
struct Listening<T> {
    io: T,
    heard: watch::Sender<bool>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Listening<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        if polled.is_ready() && !*self.heard.borrow() {
            self.heard.send_replace(true);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Listening<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
