//! Bodies on their way into the store: taken from requests that asked for it, rid of secrets, packed, written.
//!
//! They have a queue of their own, bounded by number and by bytes, so that they never take the place of a row: when
//! too much waits, here or among the rows, bodies are the first to be dropped, and the row says so. All the work on
//! them happens behind the queue, off the threads that answer requests.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{redact::redact, writer::Unkept};
use crate::{
    model::{
        body::{BodyNote, KeptBody, RequestBodies},
        id::RequestId,
    },
    server::store::{PackedBodies, Store},
};

/// Requests whose bodies may wait to be written.
const QUEUE: usize = 4_096;
/// Bytes of bodies that may wait to be written, those being written included.
pub const QUEUE_BYTES: u64 = 64 << 20;
/// Requests whose bodies are written at once.
const BATCH: usize = 32;
/// How long bodies come together before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// Tries of one batch, and the pause between two.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// One body as it was taken.
#[derive(Clone, Debug, Default)]
pub struct TakenBody {
    /// Its beginning, or all of it.
    pub bytes: Bytes,
    /// There was more.
    pub truncated: bool,
    /// `Content-Type`, empty where there was none.
    pub content_type: String,
    /// It is compressed: its secrets cannot be seen.
    pub encoded: bool,
}

/// Both bodies of a request.
#[derive(Clone, Debug, Default)]
pub struct TakenBodies {
    /// What the client sent.
    pub request: TakenBody,
    /// What it was sent.
    pub response: TakenBody,
}

impl TakenBodies {
    fn bytes(&self) -> u64 {
        (self.request.bytes.len() + self.response.bytes.len()) as u64
    }

    fn note(&self, kept: bool) -> BodyNote {
        BodyNote {
            kept,
            request_bytes: self.request.bytes.len() as u64,
            request_truncated: self.request.truncated,
            response_bytes: self.response.bytes.len() as u64,
            response_truncated: self.response.truncated,
        }
    }

    /// What is kept of them.
    pub fn keep(self) -> RequestBodies {
        RequestBodies { request: self.request.keep(), response: self.response.keep() }
    }
}

impl TakenBody {
    /// What is kept of it.
    pub fn keep(self) -> KeptBody {
        let Self { bytes, truncated, content_type, encoded } = self;
        let told = if encoded { None } else { text_of(&bytes) }.map(redact);
        let (text, redacted) = told.map_or((None, 0), |(text, found)| (Some(text), found));
        KeptBody { content_type, bytes: bytes.len() as u64, truncated, text, redacted }
    }
}

/// The bytes as text; half a character at their end is left out. `None` where they are something else.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

/// Where bodies wait.
#[derive(Debug)]
pub(super) struct BodyQueue {
    sender: mpsc::Sender<Waiting>,
    /// Until somebody writes; held to take it out, once.
    receiver: Mutex<Option<mpsc::Receiver<Waiting>>>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes that wait or are being written.
    waiting: AtomicU64,
    /// Requests whose bodies were lost since start.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    id: RequestId,
    bodies: Box<TakenBodies>,
}

impl Default for BodyQueue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        Self { sender, receiver: Mutex::new(Some(receiver)), state: Arc::default() }
    }
}

impl BodyQueue {
    /// Hands bodies on; says what became of them. Never waits.
    pub(super) fn offer(&self, id: RequestId, bodies: Box<TakenBodies>, rows_have_room: bool) -> BodyNote {
        let (bytes, note) = (bodies.bytes(), bodies.note(true));
        // Counted before they can be written and counted out again.
        let waiting = self.state.waiting.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if rows_have_room && waiting <= QUEUE_BYTES && self.sender.try_send(Waiting { id, bodies }).is_ok() {
            return note;
        }
        self.state.waiting.fetch_sub(bytes, Relaxed);
        self.lose(1);
        BodyNote { kept: false, ..note }
    }

    pub(super) fn lose(&self, requests: u64) {
        self.state.dropped.fetch_add(requests, Relaxed);
    }

    /// Requests whose bodies were lost since start.
    pub(super) fn dropped(&self) -> u64 {
        self.state.dropped.load(Relaxed)
    }

    /// Bytes that wait or are being written.
    pub(super) fn waiting(&self) -> u64 {
        self.state.waiting.load(Relaxed)
    }

    pub(super) fn writer(&self) -> Option<BodyWriter> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(BodyWriter { receiver, state: Arc::clone(&self.state) })
    }
}

/// Where bodies are written: the store, or a test's.
pub trait BodySink: Clone + Send + Sync + 'static {
    /// Writes bodies in one transaction; those that are there already stay as they are.
    fn append(&self, bodies: &[PackedBodies]) -> impl Future<Output = Result<(), String>> + Send;
}

impl BodySink for Store {
    async fn append(&self, bodies: &[PackedBodies]) -> Result<(), String> {
        self.append_bodies(bodies).await.map_err(|error| error.to_string())
    }
}

impl BodySink for Unkept {
    async fn append(&self, _: &[PackedBodies]) -> Result<(), String> {
        Ok(())
    }
}

/// The receiving end; run it as a task.
#[derive(Debug)]
pub struct BodyWriter {
    receiver: mpsc::Receiver<Waiting>,
    state: Arc<State>,
}

impl BodyWriter {
    /// Writes until `stop` completes, then what is left, and returns.
    pub async fn run(mut self, sink: impl BodySink, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let (mut stopping, mut incoming) = (false, Vec::with_capacity(BATCH));
        loop {
            tokio::select! {
                () = &mut stop, if !stopping => {
                    stopping = true;
                    self.receiver.close();
                }
                count = self.receiver.recv_many(&mut incoming, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    self.write(std::mem::take(&mut incoming), &sink, stopping).await;
                    if !stopping && self.receiver.is_empty() {
                        tokio::select! { () = &mut stop => { stopping = true; self.receiver.close(); }, () = tokio::time::sleep(GATHER) => {} }
                    }
                }
            }
        }
    }

    async fn write(&self, batch: Vec<Waiting>, sink: &impl BodySink, stopping: bool) {
        let (count, bytes) = (batch.len() as u64, batch.iter().map(|waiting| waiting.bodies.bytes()).sum());
        // Looking for secrets and packing take milliseconds a megabyte: not on a thread that answers requests.
        let packing = tokio::task::spawn_blocking(move || batch.into_iter().map(pack).collect::<Vec<_>>());
        let written = match packing.await {
            Ok(packed) => append(sink, &packed, stopping).await,
            Err(error) => Err(error.to_string()),
        };
        self.state.waiting.fetch_sub(bytes, Relaxed);
        if let Err(reason) = written {
            self.state.dropped.fetch_add(count, Relaxed);
            tracing::warn!(requests = count, %reason, "bodies of requests were given up; their rows are not touched by it");
        }
    }
}

fn pack(waiting: Waiting) -> PackedBodies {
    PackedBodies::new(waiting.id, &waiting.bodies.keep())
}

async fn append(sink: &impl BodySink, packed: &[PackedBodies], stopping: bool) -> Result<(), String> {
    let mut tries = 0;
    loop {
        tries += 1;
        match sink.append(packed).await {
            Err(_) if tries < TRIES && !stopping => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
