//! A provider that speaks real HTTP, either version, plain or in TLS: for what cannot be written by hand.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, Version};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// The body of a peer's answer.
pub(crate) type PeerBody = UnsyncBoxBody<Bytes, Infallible>;

/// What a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http1,
    /// With this many streams at the same time on a connection.
    Http2(u32),
}

/// A request as a peer got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether trailers came behind the body.
    pub(crate) trailers: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A provider with a function for answers.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

/// An answer with this body.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<PeerBody> {
    let body = Full::new(body.into()).boxed_unsync();
    Response::builder()
        .status(status)
        .header("content-type", "application/octet-stream")
        .body(body)
        .expect("a response")
}

impl Peer {
    /// Starts; each request is read whole before it is answered.
    pub(crate) async fn start<F, A>(speaks: Speaks, tls: Option<Arc<ServerConfig>>, answer: F) -> Self
    where
        F: Fn(Seen) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<PeerBody>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let task = tokio::spawn({
            let (connections, seen) = (connections.clone(), seen.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (connections, seen, answer) = (connections.clone(), seen.clone(), answer.clone());
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        let _ = stream.set_nodelay(true);
                        match tls {
                            None => {
                                connections.fetch_add(1, Relaxed);
                                serve(stream, speaks, seen, answer).await;
                            }
                            Some(config) => {
                                let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else { return };
                                connections.fetch_add(1, Relaxed);
                                serve(stream, speaks, seen, answer).await;
                            }
                        }
                    });
                }
            }
        });
        Self { address, connections, seen, task }
    }

    /// Connections so far; in TLS those whose handshake went well.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve<T, F, A>(stream: T, speaks: Speaks, seen: Arc<Mutex<Vec<Seen>>>, answer: F)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Fn(Seen) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<PeerBody>> + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (seen, answer) = (seen.clone(), answer.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().is_some();
            let one = Seen {
                method: head.method,
                uri: head.uri,
                version: head.version,
                headers: head.headers,
                body: body.to_bytes(),
                trailers,
            };
            seen.lock().expect("not poisoned").push(one.clone());
            Ok::<_, hyper::Error>(answer(one).await)
        }
    });
    let io = TokioIo::new(stream);
    let _ = match speaks {
        Speaks::Http1 => http1::Builder::new().serve_connection(io, service).await,
        Speaks::Http2(streams) => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.max_concurrent_streams(streams).serve_connection(io, service).await
        }
    };
}

/// A certificate authority of a test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, uuid::Uuid::now_v7().to_string());
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Its certificate as a file.
    pub(crate) fn file(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &self.pem).expect("written");
        file
    }

    /// A server's configuration: its certificate for these names, and what it offers by ALPN.
    pub(crate) fn server(&self, names: &[&str], alpn: &[&str]) -> Arc<ServerConfig> {
        self.server_with(names, alpn, |_| ())
    }

    /// The same with a changed certificate.
    pub(crate) fn server_with(
        &self,
        names: &[&str],
        alpn: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer).expect("signed").into();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate and its key");
        config.alpn_protocols = alpn.iter().map(|word| word.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
