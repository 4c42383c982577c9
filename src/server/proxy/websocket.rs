//! WebSocket: after the provider has switched protocols, so does the client; then bytes both ways.
//!
//! Nothing is switched on the client's side before the provider's `101`: until then the request is an
//! ordinary one that may fail over, and any other answer is passed on as such.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::{entry::Entry, select::Places};
use crate::{
    model::request_log::AttemptOutcome,
    server::{
        health::{clock::Clock, permit::Permit},
        limit::local::InFlight,
    },
};

/// Both sides must have switched within this.
const HANDOVER: Duration = Duration::from_secs(10);
/// How often silence is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long one side may still send after the other has ended.
const FAREWELL: Duration = Duration::from_secs(10);

/// Whether a request asks to become a WebSocket (RFC 6455 §4.1).
pub fn is_asked_for(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && lists(headers, &header::UPGRADE, "websocket")
        && lists(headers, &header::CONNECTION, "upgrade")
}

/// Whether a list header has this word.
fn lists(headers: &HeaderMap, name: &header::HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// Asks the next hop to switch.
pub fn ask(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Both sides of a WebSocket and what is held until its end.
pub struct Tunnel {
    /// The client's side.
    pub client: OnUpgrade,
    /// The provider's side.
    pub provider: OnUpgrade,
    /// The record.
    pub entry: Box<Entry>,
    /// The attempt's leave.
    pub permit: Permit,
    /// For corrections of health.
    pub clock: Clock,
    /// Longest silence of both sides.
    pub idle: Duration,
    /// The end of draining.
    pub closing: CancellationToken,
    /// Counts to give back.
    pub places: (Places, Option<InFlight>),
}

/// How a tunnel ended.
enum End {
    /// Both sides have said all.
    Whole,
    /// The provider's connection broke.
    ProviderBroke,
    /// The client's connection broke.
    ClientLeft,
    /// Neither side spoke for too long.
    Silent,
    /// The gateway stops.
    Stopped,
}

impl Tunnel {
    /// Passes bytes both ways until an end, then closes the record.
    pub async fn run(self) {
        let Self { client, provider, mut entry, mut permit, clock, idle, closing, places: _places } = self;
        let (up, down) = (Arc::new(Flow::default()), Arc::new(Flow::default()));
        entry.request_bytes = Some(up.bytes.clone());
        let end = match tokio::time::timeout(HANDOVER, async { tokio::join!(client, provider) }).await {
            Ok((Ok(client), Ok(provider))) => {
                pass(Side::new(client, up), Side::new(provider, down.clone()), idle, &closing).await
            }
            Ok((Ok(_), Err(_))) => End::ProviderBroke,
            Ok((Err(_), _)) | Err(_) => End::ClientLeft,
        };
        entry.response_bytes = down.bytes.load(Relaxed);
        match end {
            End::Whole => entry.complete(),
            End::ClientLeft => entry.left(),
            End::ProviderBroke => {
                permit.report(clock.now_ms(), AttemptOutcome::BodyBroken);
                entry.broke(AttemptOutcome::BodyBroken, "the provider's side of the WebSocket broke off");
            }
            End::Silent => entry.broke(AttemptOutcome::IdleTimeout, "neither side of the WebSocket sent anything"),
            End::Stopped => entry.broke(AttemptOutcome::TotalTimeout, "the gateway stopped"),
        }
    }
}

async fn pass(mut client: Side, mut provider: Side, idle: Duration, closing: &CancellationToken) -> End {
    let (up, down) = (client.flow.clone(), provider.flow.clone());
    let so_far = || up.bytes.load(Relaxed) + down.bytes.load(Relaxed);
    let mut copying = std::pin::pin!(tokio::io::copy_bidirectional(&mut client, &mut provider));
    let mut last = (0, Instant::now());
    loop {
        tokio::select! {
            copied = copying.as_mut() => return match copied {
                Ok(_) => End::Whole,
                Err(_) if down.failed.load(Relaxed) => End::ProviderBroke,
                Err(_) => End::ClientLeft,
            },
            () = closing.cancelled() => return End::Stopped,
            () = tokio::time::sleep(LOOK_EVERY.min(idle)) => {}
        }
        if so_far() != last.0 {
            last = (so_far(), Instant::now());
            continue;
        }
        let ended = up.ended.load(Relaxed) || down.ended.load(Relaxed);
        if last.1.elapsed() >= if ended { idle.min(FAREWELL) } else { idle } {
            return End::Silent;
        }
    }
}

/// What came from one side.
#[derive(Default)]
struct Flow {
    bytes: Arc<AtomicU64>,
    /// It will send no more.
    ended: AtomicBool,
    /// Its connection broke.
    failed: AtomicBool,
}

/// One side of a tunnel, counted.
struct Side {
    io: TokioIo<Upgraded>,
    flow: Arc<Flow>,
}

impl Side {
    fn new(upgraded: Upgraded, flow: Arc<Flow>) -> Self {
        Self { io: TokioIo::new(upgraded), flow }
    }

    fn note<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = &polled {
            self.flow.failed.store(true, Relaxed);
        }
        polled
    }
}

impl AsyncRead for Side {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = polled {
            let count = buffer.filled().len() - before;
            self.flow.bytes.fetch_add(count as u64, Relaxed);
            self.flow.ended.fetch_or(count == 0, Relaxed);
        }
        self.note(polled)
    }
}

impl AsyncWrite for Side {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.note(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.note(polled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_websocket_is_asked_for_by_a_get_with_both_headers() {
        let asks = |method: Method, upgrade: &'static str, connection: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::UPGRADE, HeaderValue::from_static(upgrade));
            headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
            is_asked_for(&method, &headers)
        };
        assert!(asks(Method::GET, "websocket", "Upgrade"));
        assert!(asks(Method::GET, "WebSocket", "keep-alive, upgrade"));
        assert!(!asks(Method::POST, "websocket", "upgrade"));
        assert!(!asks(Method::GET, "h2c", "upgrade, http2-settings"));
        assert!(!asks(Method::GET, "websocket", "keep-alive"));
    }
}
