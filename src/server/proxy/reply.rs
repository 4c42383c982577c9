//! The body of an answer on its way to the client: one chunk in flight, nothing accumulated.
//!
//! It carries everything that must be given back when the exchange ends, and ends the record: whole,
//! broken, or left by the client, which is what being dropped early means.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{drill, entry::Entry, select::Places};
use crate::{
    model::request_log::AttemptOutcome,
    server::{
        health::{clock::Clock, permit::Permit},
        limit::local::InFlight,
        upstream::pool::Lease,
    },
};

/// Why an answer was cut: the connection to the client is then aborted, never ended cleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer broke off: {}", .0.as_str())]
pub struct Interrupted(pub AttemptOutcome);

/// The body of an answer.
pub enum ReplyBody {
    /// The gateway's own words.
    Own(Option<Bytes>, Option<Box<Entry>>),
    /// A provider's answer.
    Passing(Box<Passing>),
}

/// A provider's answer on its way.
pub struct Passing {
    incoming: Incoming,
    /// The part that was read ahead to judge an error.
    prefix: Option<Bytes>,
    lease: Option<Lease>,
    entry: Box<Entry>,
    permit: Permit,
    clock: Clock,
    limits: TimeLimits,
    last_progress: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Set for event streams: the protocol whose error event tells the client that it broke.
    dialect: Option<Dialect>,
    /// The end of draining: streams get an error event instead of a reset.
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    cut: Option<AttemptOutcome>,
    /// A drill let half of a part through and breaks the answer off behind it.
    halved: bool,
    /// The error event was given a turn to be written before the connection is aborted.
    flushed: bool,
    ended: bool,
    _places: (Places, Option<InFlight>),
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Between two chunks.
    pub idle: Duration,
    /// When the whole exchange must be over.
    pub deadline: Instant,
}

/// Whose error event a stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `event: error`, then the data.
    Anthropic,
    /// `data: {"error":…}` and no `[DONE]`.
    OpenAi,
}

/// What a passing body is made of.
pub struct Parts {
    /// The rest of the provider's body.
    pub incoming: Incoming,
    /// What was read ahead of it.
    pub prefix: Option<Bytes>,
    /// Its connection.
    pub lease: Lease,
    /// The record.
    pub entry: Box<Entry>,
    /// The attempt's leave.
    pub permit: Permit,
    /// For corrections of health.
    pub clock: Clock,
    /// Time limits.
    pub limits: TimeLimits,
    /// For event streams.
    pub dialect: Option<Dialect>,
    /// For event streams.
    pub closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Counts to give back.
    pub places: (Places, Option<InFlight>),
}

impl ReplyBody {
    /// The gateway's own words, and the record they end.
    pub fn own(bytes: Bytes, mut entry: Option<Box<Entry>>) -> Self {
        if let Some(entry) = &mut entry {
            entry.response_bytes = bytes.len() as u64;
        }
        let mut body = Self::Own((!bytes.is_empty()).then_some(bytes), entry);
        if let Self::Own(None, entry) = &mut body {
            complete(entry);
        }
        body
    }

    /// A provider's answer.
    pub fn passing(parts: Parts) -> Self {
        let mut passing = Box::new(Passing {
            incoming: parts.incoming,
            prefix: parts.prefix.filter(|prefix| !prefix.is_empty()),
            lease: Some(parts.lease),
            entry: parts.entry,
            permit: parts.permit,
            clock: parts.clock,
            limits: parts.limits,
            last_progress: Instant::now(),
            timer: None,
            dialect: parts.dialect,
            closing: parts.closing,
            cut: None,
            halved: false,
            flushed: false,
            ended: false,
            _places: parts.places,
        });
        if passing.prefix.is_none() && passing.incoming.is_end_stream() {
            passing.end();
        }
        Self::Passing(passing)
    }
}

fn complete(entry: &mut Option<Box<Entry>>) {
    if let Some(mut entry) = entry.take() {
        entry.complete();
    }
}

impl Passing {
    /// All of it has gone out: the connection may serve again.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            if let Some(lease) = self.lease.take() {
                lease.release();
            }
            self.entry.complete();
        }
    }

    /// It broke after content: the provider's failure, and the client must notice.
    fn break_off(&mut self, outcome: AttemptOutcome, detail: &str) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        self.ended = true;
        self.lease = None;
        self.permit.report(self.clock.now_ms(), outcome);
        let event = self.dialect.map(|dialect| error_event(dialect, self.entry.id, outcome));
        self.entry.broke(outcome, detail);
        match event {
            Some(event) => {
                self.cut = Some(outcome);
                Poll::Ready(Some(Ok(Frame::data(event))))
            }
            None => Poll::Ready(Some(Err(Interrupted(outcome)))),
        }
    }

    fn pass(&mut self, mut frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        if self.permit.met().is_some_and(drill::truncates)
            && self.entry.status < 400
            && let Some(data) = frame.data_ref()
        {
            frame = Frame::data(data.slice(..data.len() / 2));
            self.halved = true;
        }
        if let Some(data) = frame.data_ref() {
            self.entry.response_bytes += data.len() as u64;
        }
        self.last_progress = Instant::now();
        if self.incoming.is_end_stream() && !self.halved {
            self.end();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        if let Some(outcome) = self.cut {
            // An error right behind the event would drop it with the connection's write buffer.
            if !std::mem::replace(&mut self.flushed, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(Interrupted(outcome))));
        }
        if self.halved {
            // What went before gets its turn to be written, as the error event does.
            if !std::mem::replace(&mut self.flushed, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            (self.halved, self.flushed) = (false, false);
            if let Some(met) = self.permit.met() {
                self.entry.drilled(met.drill);
            }
            return self.break_off(AttemptOutcome::BodyBroken, "a failover drill broke the answer off");
        }
        if let Some(prefix) = self.prefix.take() {
            return self.pass(Frame::data(prefix));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => self.pass(frame),
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => self.break_off(AttemptOutcome::BodyBroken, "the provider's answer broke off"),
            Poll::Pending => self.wait(cx),
        }
    }

    /// Nothing to pass on right now. One timer, moved only when it fires: most chunks come long before.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        loop {
            let due = (self.last_progress + self.limits.idle).min(self.limits.deadline);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            let now = Instant::now();
            if now >= self.limits.deadline {
                return self.break_off(AttemptOutcome::TotalTimeout, "the exchange took longer than its total timeout");
            }
            if now >= self.last_progress + self.limits.idle {
                return self
                    .break_off(AttemptOutcome::IdleTimeout, "the provider sent nothing within its idle timeout");
            }
            timer.as_mut().reset(due.into());
        }
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(cx).is_ready()
        {
            self.closing = None;
            // Our own stop, not the provider's failure.
            let event = self.dialect.map(|dialect| error_event(dialect, self.entry.id, AttemptOutcome::TotalTimeout));
            self.ended = true;
            self.lease = None;
            self.entry.broke(AttemptOutcome::TotalTimeout, "the gateway stopped");
            self.cut = Some(AttemptOutcome::TotalTimeout);
            return Poll::Ready(event.map(|event| Ok(Frame::data(event))));
        }
        Poll::Pending
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if !self.ended && !self.halved && self.prefix.is_none() && self.incoming.is_end_stream() {
            self.end();
        } else if !self.ended {
            self.entry.left();
        }
    }
}

/// The protocol's own way to say that it broke; a client that waits for `[DONE]` does not get it.
fn error_event(dialect: Dialect, id: crate::model::id::RequestId, outcome: AttemptOutcome) -> Bytes {
    let message = match outcome {
        AttemptOutcome::IdleTimeout => "the provider stopped sending; the answer is incomplete",
        AttemptOutcome::TotalTimeout => "the exchange was ended before the answer was complete",
        _ => "the provider's answer broke off; it is incomplete",
    };
    let error = serde_json::json!({
        "type": "error",
        "error": {"type": "api_error", "code": "upstream_interrupted", "message": message, "request_id": id.to_string()}
    });
    match dialect {
        Dialect::Anthropic => Bytes::from(format!("\n\nevent: error\ndata: {error}\n\n")),
        Dialect::OpenAi => Bytes::from(format!("\n\ndata: {error}\n\n")),
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match &mut *self {
            Self::Own(bytes, entry) => {
                let frame = bytes.take().map(|bytes| Ok(Frame::data(bytes)));
                complete(entry);
                Poll::Ready(frame)
            }
            Self::Passing(passing) => passing.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes, _) => bytes.is_none(),
            Self::Passing(passing) => passing.prefix.is_none() && passing.cut.is_none() && passing.ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Passing(passing) if passing.prefix.is_none() => passing.incoming.size_hint(),
            Self::Passing(passing) => {
                let prefix = passing.prefix.as_ref().map_or(0, Bytes::len) as u64;
                passing
                    .incoming
                    .size_hint()
                    .exact()
                    .map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + prefix))
            }
        }
    }
}
