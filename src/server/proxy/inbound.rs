//! The client's body: held in memory where it can be replayed, flowing through where it is too large.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::{capture::Tee, error::ProxyError};
use crate::server::upstream::body::{InboundFault, Outbound};

/// What a client must send, or finish, within its patience: single bytes do not keep a request alive.
const PROGRESS: u64 = 1024;

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body, bytes.
    pub body: u64,
    /// Largest body that is held to be replayed, bytes.
    pub replay: u64,
    /// Longest wait for the next KiB.
    pub patience: Duration,
}

/// How fast a client sends. Only the time spent waiting for it counts: a provider that takes its time
/// is not the client's fault.
struct Pace {
    patience: Duration,
    left: Duration,
    came: u64,
}

impl Pace {
    fn new(patience: Duration) -> Self {
        Self { patience, left: patience, came: 0 }
    }

    /// Bytes came after a wait.
    fn came(&mut self, bytes: usize, waited: Duration) {
        self.came += bytes as u64;
        if self.came >= PROGRESS {
            *self = Self::new(self.patience);
        } else {
            self.left = self.left.saturating_sub(waited);
        }
    }
}

/// Bytes that all held bodies together may take. Where it is used up, bodies flow instead.
#[derive(Debug)]
pub struct ReplayBudget {
    left: AtomicU64,
}

impl ReplayBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(bytes) })
    }

    fn take(self: &Arc<Self>, bytes: u64) -> Option<Held> {
        let taken = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        taken.is_ok().then(|| Held { budget: self.clone(), bytes })
    }
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<ReplayBudget>,
    bytes: u64,
}

impl Held {
    fn grow(&mut self, bytes: u64) -> bool {
        let Some(more) = self.budget.take(bytes) else { return false };
        self.bytes += more.bytes;
        std::mem::forget(more);
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Relaxed);
    }
}

/// How far a body that flows has come; read by whoever waits for the provider meanwhile.
#[derive(Debug)]
pub struct Upload {
    started: Instant,
    /// When the provider's side last took a part, milliseconds after the start.
    moved_ms: AtomicU64,
    waiting: AtomicBool,
}

impl Upload {
    fn start() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), moved_ms: AtomicU64::new(0), waiting: AtomicBool::new(false) })
    }

    fn moved(&self) {
        self.moved_ms.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// When the provider's side last took a part of it.
    pub fn moved_at(&self) -> Instant {
        self.started + Duration::from_millis(self.moved_ms.load(Relaxed))
    }

    /// Whether the next byte is the client's to send.
    pub fn waits_for_client(&self) -> bool {
        self.waiting.load(Relaxed)
    }
}

/// The body as attempts take it.
pub struct Payload {
    kind: Kind,
    /// Bytes that came from the client, also while they flow.
    pub seen: Arc<AtomicU64>,
    upload: Option<Arc<Upload>>,
    _held: Option<Held>,
}

enum Kind {
    Whole(Bytes),
    Once(Option<Outbound>),
}

impl Payload {
    /// No body at all.
    pub fn empty() -> Self {
        Self { kind: Kind::Whole(Bytes::new()), seen: Arc::default(), upload: None, _held: None }
    }

    /// A body that is there already.
    pub fn held(whole: Bytes) -> Self {
        let seen = Arc::new(AtomicU64::new(whole.len() as u64));
        Self { kind: Kind::Whole(whole), seen, upload: None, _held: None }
    }

    /// Whether another attempt could send it again.
    pub fn is_replayable(&self) -> bool {
        match &self.kind {
            Kind::Whole(_) => true,
            Kind::Once(body) => body.is_some(),
        }
    }

    /// How far it has come, where it flows.
    pub fn upload(&self) -> Option<Arc<Upload>> {
        self.upload.clone()
    }

    /// The whole body, where it is held.
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.kind {
            Kind::Whole(bytes) => Some(bytes),
            Kind::Once(_) => None,
        }
    }

    /// The body for one attempt; `None` when it has flowed away already.
    pub fn take(&mut self) -> Option<Outbound> {
        match &mut self.kind {
            Kind::Whole(bytes) => Some(Outbound::Held(bytes.clone())),
            Kind::Once(body) => body.take(),
        }
    }

    /// Puts back a flowing body that was not touched.
    pub fn give_back(&mut self, body: Outbound) {
        if let Kind::Once(slot) = &mut self.kind {
            *slot = Some(body);
        }
    }
}

/// Reads the body up to the replay limit; beyond it the rest will flow, past the tee where there is one.
pub async fn receive(
    mut body: Incoming,
    limits: Limits,
    budget: &Arc<ReplayBudget>,
    tee: Option<Arc<Tee>>,
) -> Result<Payload, ProxyError> {
    if body.is_end_stream() {
        return Ok(Payload::empty());
    }
    let seen = Arc::new(AtomicU64::new(0));
    let exact = body.size_hint().exact();
    if exact.is_some_and(|length| length > limits.body) {
        return Err(ProxyError::BodyTooLarge(limits.body));
    }
    let most = limits.replay.min(limits.body);
    let mut pace = Pace::new(limits.patience);
    let mut held = match exact {
        Some(length) if length > most => None,
        length => budget.take(length.unwrap_or(0)),
    };
    let mut parts: Vec<Bytes> = Vec::new();
    let mut size = 0u64;
    while let Some(place) = held.as_mut() {
        let Some(chunk) = next_chunk(&mut body, &mut pace).await? else {
            seen.store(size, Relaxed);
            return Ok(Payload { kind: Kind::Whole(join(parts)), seen, upload: None, _held: held });
        };
        size += chunk.len() as u64;
        if size > limits.body {
            return Err(ProxyError::BodyTooLarge(limits.body));
        }
        let grown = exact.is_some() || place.grow(chunk.len() as u64);
        parts.push(chunk);
        if size > most || !grown {
            break;
        }
    }
    let upload = Upload::start();
    let flowing = Flowing {
        prefix: Some(join(parts)),
        rest: body,
        exact,
        limit: limits.body,
        seen: seen.clone(),
        upload: upload.clone(),
        pace,
        waiting: None,
        tee,
    };
    let kind = Kind::Once(Some(Outbound::Flowing(Box::pin(flowing))));
    Ok(Payload { kind, seen, upload: Some(upload), _held: None })
}

async fn next_chunk(body: &mut Incoming, pace: &mut Pace) -> Result<Option<Bytes>, ProxyError> {
    loop {
        let since = Instant::now();
        let frame = match tokio::time::timeout(pace.left, body.frame()).await {
            Err(_) => return Err(ProxyError::SlowBody),
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => return Err(fault(&error).into()),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers of a request are not passed on.
        if let Ok(data) = frame.into_data() {
            pace.came(data.len(), since.elapsed());
            return Ok(Some(data));
        }
    }
}

fn join(mut parts: Vec<Bytes>) -> Bytes {
    if parts.len() <= 1 {
        return parts.pop().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    for part in parts {
        whole.extend_from_slice(&part);
    }
    whole.freeze()
}

/// Recognised from the client's side of the wire only, never from the text of an error.
fn fault(error: &hyper::Error) -> InboundFault {
    if error.is_parse() {
        return InboundFault::Malformed;
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            // hyper reports bad chunking as InvalidInput or InvalidData of its decoder.
            let malformed = matches!(io.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData);
            return if malformed { InboundFault::Malformed } else { InboundFault::Left };
        }
        cause = inner.source();
    }
    InboundFault::Left
}

impl From<InboundFault> for ProxyError {
    fn from(fault: InboundFault) -> Self {
        match fault {
            InboundFault::Left => Self::ClientLeft,
            InboundFault::Malformed => Self::MalformedBody,
            InboundFault::Slow => Self::SlowBody,
            InboundFault::TooLarge => Self::BodyTooLarge(0),
        }
    }
}

/// What has been read, then the rest as it comes, within the limit and never silent for too long.
struct Flowing {
    prefix: Option<Bytes>,
    rest: Incoming,
    exact: Option<u64>,
    limit: u64,
    seen: Arc<AtomicU64>,
    upload: Arc<Upload>,
    pace: Pace,
    /// Since when the client is waited for, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// Where the log wants to see it.
    tee: Option<Arc<Tee>>,
}

impl Flowing {
    fn count(&self, part: &[u8]) -> Result<(), InboundFault> {
        let bytes = part.len();
        self.upload.moved();
        if let Some(tee) = &self.tee {
            tee.pass(part);
        }
        let seen = self.seen.fetch_add(bytes as u64, Relaxed) + bytes as u64;
        if seen > self.limit { Err(InboundFault::TooLarge) } else { Ok(()) }
    }
}

impl Body for Flowing {
    type Data = Bytes;
    type Error = InboundFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundFault>>> {
        if let Some(prefix) = self.prefix.take().filter(|prefix| !prefix.is_empty()) {
            return Poll::Ready(Some(self.count(&prefix).map(|()| Frame::data(prefix))));
        }
        self.upload.waiting.store(false, Relaxed);
        loop {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let waited = self.waiting.take().map_or(Duration::ZERO, |(since, _)| since.elapsed());
                    let Ok(data) = frame.into_data() else { continue };
                    self.pace.came(data.len(), waited);
                    return Poll::Ready(Some(self.count(&data).map(|()| Frame::data(data))));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(fault(&error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => break,
            }
        }
        self.upload.waiting.store(true, Relaxed);
        let left = self.pace.left;
        let (_, patience) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        match patience.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(InboundFault::Slow))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.exact.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
