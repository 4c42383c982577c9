//! The accept loop: our own on hyper, because `axum::serve` has no header timeout and would keep
//! half-sent requests open for ever (gateway.md §9).
//!
//! The proxy route is matched here, ahead of axum's router, which hosts everything else.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
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

use super::answer::Answer;
use crate::server::{
    proxy::{Proxy, call::client_ip},
    session::ClientAddress,
};

/// A request head must be complete within this time, and an idle connection speaks again within it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Request heads: bytes and fields; beyond it the answer is 431.
const HEAD_BYTES: usize = 64 * 1024;
const HEAD_FIELDS: usize = 100;

/// What answers requests.
pub(crate) struct Services {
    /// The data plane: `/api/proxy/…`.
    pub(crate) proxy: Proxy,
    /// Everything else.
    pub(crate) site: Router,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted: Vec<ipnet::IpNet>,
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
    let speaks_http2 = tokio::select! {
        preface = is_http2(&stream) => match preface {
            Some(http2) => http2,
            None => return,
        },
        // Nothing was asked on this connection yet: nothing to drain.
        () = drain.cancelled() => return,
    };
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let services = services.clone();
        async move { Ok::<_, Infallible>(route(&services, request, peer).await) }
    });
    let io = TokioIo::new(stream);
    if speaks_http2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_BYTES as u32)
            .keep_alive_interval(Some(HEADER_TIMEOUT))
            .keep_alive_timeout(Duration::from_secs(20))
            .serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = drain.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! { _ = connection => {}, () = abort.cancelled() => {} }
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_headers(HEAD_FIELDS)
            .max_header_size(HEAD_BYTES)
            .half_close(false)
            .serve_connection(io, service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = drain.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! { _ = connection => {}, () = abort.cancelled() => {} }
    }
}

/// Looks at the first bytes without taking them. `None`: the client left or said nothing in time.
///
/// hyper-util's own detection has no deadline, which would be a way around the header timeout.
async fn is_http2(stream: &TcpStream) -> Option<bool> {
    const PREFACE: &[u8; 3] = b"PRI";
    let deadline = Instant::now() + HEADER_TIMEOUT;
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
    if let Some(refusal) = refuse_by_edge(&request) {
        return refusal.map(Answer::site);
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

/// What no part of Rondo answers: CONNECT and TRACE, a missing, double or unusable Host, an absolute
/// form that names another authority (RFC 9112 §3.2).
fn refuse_by_edge(request: &Request<Incoming>) -> Option<Response<Body>> {
    let status = edge_fault(request)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    Some(response)
}

fn edge_fault<B>(request: &Request<B>) -> Option<StatusCode> {
    if matches!(*request.method(), http::Method::CONNECT | http::Method::TRACE) {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    if request.version() == http::Version::HTTP_2 {
        return None;
    }
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (None, _) if request.version() == http::Version::HTTP_10 => return None,
        _ => return Some(StatusCode::BAD_REQUEST),
    };
    let Ok(host) = host.to_str() else { return Some(StatusCode::BAD_REQUEST) };
    let parsed = host.parse::<http::uri::Authority>();
    if host.contains('@') || parsed.is_err() {
        return Some(StatusCode::BAD_REQUEST);
    }
    if request.version() == http::Version::HTTP_10 && request.headers().contains_key(http::header::TRANSFER_ENCODING) {
        return Some(StatusCode::BAD_REQUEST);
    }
    match request.uri().authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Some(StatusCode::BAD_REQUEST),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Option<StatusCode> {
        edge_fault(&build(Request::builder()).body(()).expect("a request"))
    }

    #[test]
    fn a_request_names_one_usable_host() {
        assert_eq!(fault(|r| r.uri("/").header("host", "localhost:3000")), None);
        assert_eq!(fault(|r| r.uri("/")), Some(StatusCode::BAD_REQUEST));
        assert_eq!(fault(|r| r.uri("/").header("host", "a").header("host", "b")), Some(StatusCode::BAD_REQUEST));
        assert_eq!(fault(|r| r.uri("/").header("host", "a b")), Some(StatusCode::BAD_REQUEST));
        assert_eq!(fault(|r| r.uri("http://a/").header("host", "b")), Some(StatusCode::BAD_REQUEST));
        assert_eq!(fault(|r| r.uri("http://a/").header("host", "a")), None);
    }

    #[test]
    fn connect_and_trace_are_not_offered() {
        assert_eq!(fault(|r| r.method("TRACE").uri("/").header("host", "a")), Some(StatusCode::METHOD_NOT_ALLOWED));
    }
}
