//! The accept loop: our own on hyper, because `axum::serve` has no header timeout and would keep
//! half-sent requests open for ever (gateway.md §9).
//!
//! The proxy route is matched here, ahead of axum's router, which hosts everything else.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{
    answer::Answer,
    edge::EdgeFault,
    link::{Link, Remains},
    stall::{Streams, WatchedBody},
};
use crate::server::{
    config::Patience,
    proxy::{Proxy, call::client_ip},
    session::ClientAddress,
};

/// Request heads: bytes and fields; beyond it the answer is 431. It also bounds what hyper holds of one
/// connection in either direction.
const HEAD_BYTES: usize = 64 * 1024;
const HEAD_FIELDS: usize = 100;
/// For the error events of streams that are still open when draining ends. They end their connections
/// themselves; what is no stream is cut after it.
const GOODBYE: Duration = Duration::from_millis(200);

/// What answers requests.
pub(crate) struct Services {
    /// The data plane: `/api/proxy/…`.
    pub(crate) proxy: Proxy,
    /// Everything else.
    pub(crate) site: Router,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted: Vec<ipnet::IpNet>,
    /// How long a client may take.
    pub(crate) patience: Patience,
}

/// Binds the address with `SO_REUSEADDR`; a port in use is told as such.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until `drain` is cancelled, then lets open exchanges end until `abort` is cancelled.
pub(crate) async fn accept(
    listener: TcpListener,
    services: Arc<Services>,
    max_connections: usize,
    drain: CancellationToken,
    abort: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let connections = TaskTracker::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = drain.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // EMFILE and its kin: wait a moment instead of spinning; the connection stays queued.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            connections.spawn(refuse(stream));
            continue;
        };
        connections.spawn(serve_connection(stream, peer, services.clone(), place, drain.clone(), abort.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    services.proxy.settle().await;
}

/// One connection too many: a short 503 instead of silence.
async fn refuse(stream: TcpStream) {
    const BODY: &str = r#"{"type":"error","error":{"type":"overloaded_error","code":"overloaded","message":"too many connections; try again shortly","request_id":null,"attempts":0}}"#;
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{BODY}",
        BODY.len()
    );
    let write = async {
        stream.writable().await?;
        stream.try_write(head.as_bytes())
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), write).await;
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    services: Arc<Services>,
    _place: OwnedSemaphorePermit,
    drain: CancellationToken,
    abort: CancellationToken,
) {
    // Off, the first event of a stream would wait 40 ms for Nagle.
    let _ = stream.set_nodelay(true);
    let patience = services.patience;
    let accepted = Instant::now();
    let speaks_http2 = tokio::select! {
        preface = is_http2(&stream, patience.head) => match preface {
            Some(http2) => http2,
            None => return,
        },
        // Nothing was asked on this connection yet: nothing to drain.
        () = drain.cancelled() => return,
    };
    let remains = Arc::new(Remains::default());
    let link = Link::new(stream, patience.write, remains.clone());
    let client = Arc::new(Client { peer, services, requests: AtomicU64::new(0), streams: Streams::default() });
    if speaks_http2 {
        speak_http2(link, client, drain.clone(), abort).await;
    } else {
        // A client that took its time for the first byte has that much less for the first head.
        let head = patience.head.saturating_sub(accepted.elapsed()).max(patience.head / 30);
        speak_http1(link, client, head, drain.clone(), abort).await;
    }
    // A stop does not wait for clients that have their answers.
    tokio::select! { biased; () = remains.linger() => {}, () = drain.cancelled() => {} }
}

/// Who is at the other end of a connection.
struct Client {
    peer: SocketAddr,
    services: Arc<Services>,
    /// Requests so far.
    requests: AtomicU64,
    /// Answers under way, where there are several.
    streams: Streams,
}

impl Client {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
        self.requests.fetch_add(1, Relaxed);
        Ok(route(&self.services, request, self.peer).await)
    }

    async fn answer_on_a_stream(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<WatchedBody>, Infallible> {
        let client = self.clone();
        self.answer(request).await.map(|response| response.map(|body| client.streams.watch(body)))
    }

    /// Ends when no request has come for a while.
    async fn falls_silent(&self, patience: Duration) {
        let mut seen = u64::MAX;
        while seen != self.requests.load(Relaxed) {
            seen = self.requests.load(Relaxed);
            tokio::time::sleep(patience).await;
        }
    }
}

async fn speak_http1(
    link: Link,
    client: Arc<Client>,
    head: Duration,
    drain: CancellationToken,
    abort: CancellationToken,
) {
    let backlog = link.backlog();
    let service = hyper::service::service_fn(move |request| {
        let (client, backlog) = (client.clone(), backlog.clone());
        async move { client.answer(request).await.map(|response| response.map(|body| backlog.hold_back(body))) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(HEAD_FIELDS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(HEAD_BYTES)
        .half_close(false)
        .serve_connection(TokioIo::new(link), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = drain.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! { _ = connection => {}, () = goodbyes(&abort) => {} }
}

/// The time to close a connection at the deadline of a stop: its streams have just been told.
async fn goodbyes(abort: &CancellationToken) {
    abort.cancelled().await;
    tokio::time::sleep(GOODBYE).await;
}

async fn speak_http2(link: Link, client: Arc<Client>, drain: CancellationToken, abort: CancellationToken) {
    let patience = client.services.patience;
    let service = {
        let client = client.clone();
        hyper::service::service_fn(move |request| client.clone().answer_on_a_stream(request))
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(Some(patience.head))
        .keep_alive_timeout(Duration::from_secs(20))
        .serve_connection(TokioIo::new(link), service);
    let mut connection = std::pin::pin!(connection);
    let mut watching = std::pin::pin!(client.streams.drop_the_left(patience.write));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = watching.as_mut() => {}
        () = drain.cancelled() => {}
        // Streams that are open may end; a connection without any ends at once.
        () = client.falls_silent(patience.head) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! { _ = connection => {}, () = watching => {}, () = goodbyes(&abort) => {} }
}

/// Looks at the first bytes without taking them. `None`: the client left or said nothing in time.
///
/// hyper-util's own detection has no deadline, which would be a way around the header timeout.
async fn is_http2(stream: &TcpStream, patience: Duration) -> Option<bool> {
    const PREFACE: &[u8; 3] = b"PRI";
    let deadline = Instant::now() + patience;
    let mut seen = [0; 3];
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let count = tokio::time::timeout(left, stream.peek(&mut seen)).await.ok()?.ok()?;
        match count {
            0 => return None,
            3 => return Some(&seen == PREFACE),
            count if seen[..count] != PREFACE[..count] => return Some(false),
            // One or two bytes of a possible preface: the rest is on its way.
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn route(services: &Services, request: Request<Incoming>, peer: SocketAddr) -> Response<Answer> {
    if let Some(fault) = EdgeFault::of(&request) {
        return fault.to_response().map(Answer::site);
    }
    if Proxy::claims(request.uri().path()) {
        return services.proxy.call(request, peer).await.map(Answer::proxy);
    }
    let mut request = request.map(Body::new);
    let client = client_ip(request.headers(), peer.ip(), &services.trusted);
    request.extensions_mut().insert(ClientAddress(client));
    match services.site.clone().oneshot(request).await {
        Ok(response) => response.map(Answer::site),
        Err(never) => match never {},
    }
}
