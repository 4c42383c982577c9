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
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{
    attempt::Content,
    dialect::Dialect,
    drill,
    entry::Entry,
    headers,
    keepalive::{Turn, Waiting},
    late::Late,
    select::Places,
    usage::sieve::Sieve,
};
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
    /// Comments, until there is an answer.
    Waiting(Box<Waiting>),
    /// The last words of a stream that failed.
    Goodbye(Goodbye),
}

type Step = Poll<Option<Result<Frame<Bytes>, Interrupted>>>;

/// Last words, a turn to write them and all before them in, then the abort: an error right behind
/// them would drop them with the connection's write buffer.
pub struct Goodbye {
    words: Option<Bytes>,
    flushed: bool,
    cut: AttemptOutcome,
}

impl Goodbye {
    /// With an error event.
    pub fn saying(words: Bytes, cut: AttemptOutcome) -> Self {
        Self { words: Some(words), flushed: false, cut }
    }

    fn silent(cut: AttemptOutcome) -> Self {
        Self { words: None, flushed: false, cut }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Step {
        if let Some(words) = self.words.take() {
            return Poll::Ready(Some(Ok(Frame::data(words))));
        }
        if !std::mem::replace(&mut self.flushed, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Interrupted(self.cut))))
    }
}

/// A provider's answer on its way.
pub struct Passing {
    /// What was read ahead to judge it.
    prefix: Option<Bytes>,
    /// The rest, on its connection.
    rest: Option<(Incoming, Lease)>,
    entry: Box<Entry>,
    permit: Permit,
    clock: Clock,
    limits: TimeLimits,
    last_progress: Instant,
    /// Since when the provider is waited for; `None` while the client reads what there is.
    asked: Option<Instant>,
    /// How long the client took for what it had been given.
    reading: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    dress: Dress,
    /// The end of draining: streams get an error event instead of a reset.
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    goodbye: Option<Goodbye>,
    /// A drill let half of a part through and breaks the answer off behind it.
    halved: bool,
    ended: bool,
    _places: (Places, Option<InFlight>),
}

/// What an answer wears on its way.
#[derive(Debug, Default)]
pub struct Dress {
    /// Set for event streams: the protocol whose error event tells the client that it broke.
    pub dialect: Option<Dialect>,
    /// Set when keep-alive had begun before it.
    pub late: Option<Late>,
    /// Set where the gateway asked for an event that the client did not.
    pub sieve: Option<Sieve>,
}

impl Dress {
    /// The bytes as they go out; `last` when nothing comes behind them.
    fn put_on(&mut self, bytes: Bytes, last: bool) -> Bytes {
        let bytes = match &mut self.sieve {
            Some(sieve) if last => join(sieve.pass(bytes), sieve.end()),
            Some(sieve) => sieve.pass(bytes),
            None => bytes,
        };
        match &mut self.late {
            Some(late) => late.dress(bytes),
            None => bytes,
        }
    }

    /// What stands behind the last bytes.
    fn ending(&mut self) -> Bytes {
        let held = self.put_on(Bytes::new(), true);
        join(held, self.late.take().map(Late::ending).unwrap_or_default())
    }

    /// Whether bytes go out as they come, nothing held, nothing behind the last.
    fn is_bare(&self) -> bool {
        self.late.is_none() && self.sieve.as_ref().is_none_or(Sieve::is_empty)
    }
}

fn join(first: Bytes, then: Bytes) -> Bytes {
    match (first.is_empty(), then.is_empty()) {
        (_, true) => first,
        (true, _) => then,
        _ => Bytes::from([first, then].concat()),
    }
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// Between two chunks.
    pub idle: Duration,
    /// When the whole exchange must be over.
    pub deadline: Instant,
}

/// What a passing body is made of.
pub struct Parts {
    /// The provider's body.
    pub content: Content,
    /// The record.
    pub entry: Box<Entry>,
    /// The attempt's leave.
    pub permit: Permit,
    /// For corrections of health.
    pub clock: Clock,
    /// Time limits.
    pub limits: TimeLimits,
    /// What it wears.
    pub dress: Dress,
    /// For event streams.
    pub closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Counts to give back.
    pub places: (Places, Option<InFlight>),
}

impl ReplyBody {
    /// The gateway's own words, and the record they end.
    pub fn own(bytes: Bytes, mut entry: Option<Box<Entry>>) -> Self {
        if let Some(entry) = &mut entry {
            entry.sent(&bytes);
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
            prefix: parts.content.peeked.filter(|prefix| !prefix.is_empty()),
            rest: parts.content.rest,
            entry: parts.entry,
            permit: parts.permit,
            clock: parts.clock,
            limits: parts.limits,
            last_progress: Instant::now(),
            asked: None,
            reading: Duration::ZERO,
            timer: None,
            dress: parts.dress,
            closing: parts.closing,
            goodbye: None,
            halved: false,
            ended: false,
            _places: parts.places,
        });
        if passing.prefix.is_none() && passing.is_read() && passing.dress.is_bare() {
            passing.end();
        }
        Self::Passing(passing)
    }

    /// The client has not taken what went out: from the last part on the time is its own.
    pub fn held(&mut self) {
        if let Self::Passing(passing) = self {
            passing.asked = None;
        }
    }
}

fn complete(entry: &mut Option<Box<Entry>>) {
    if let Some(mut entry) = entry.take() {
        entry.complete();
    }
}

impl Passing {
    /// Exact where the provider announced a length: what was read ahead, and the rest.
    fn size_hint(&self) -> SizeHint {
        let ahead = self.prefix.as_ref().map_or(0, Bytes::len) as u64;
        let rest = match &self.rest {
            _ if self.dress.late.is_some() || self.dress.sieve.is_some() => None,
            Some((incoming, _)) => incoming.size_hint().exact(),
            None => Some(0),
        };
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(rest + ahead))
    }

    /// Whether nothing is left to read.
    fn is_read(&self) -> bool {
        self.rest.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }

    /// All of it has gone out: the connection may serve again.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            if let Some((_, lease)) = self.rest.take() {
                lease.release();
            }
            self.entry.complete();
        }
    }

    /// Nothing more comes from the provider.
    fn close(&mut self) -> Step {
        let ending = self.dress.ending();
        self.entry.sent(&ending);
        self.end();
        Poll::Ready((!ending.is_empty()).then_some(Ok(Frame::data(ending))))
    }

    /// It broke after content: the provider's failure, and the client must notice.
    fn break_off(&mut self, outcome: AttemptOutcome, detail: &str, cx: &mut Context<'_>) -> Step {
        self.permit.report(self.clock.now_ms(), outcome);
        self.stop(outcome, detail, cx)
    }

    /// The last words where the protocol has some, and the abort.
    fn stop(&mut self, outcome: AttemptOutcome, detail: &str, cx: &mut Context<'_>) -> Step {
        self.ended = true;
        self.rest = None;
        let words = self.dress.dialect.map(|dialect| {
            let comment = self.dress.late.take().map(Late::ending).unwrap_or_default();
            [&b"\n\n"[..], &error_event(dialect, self.entry.id, outcome), comment.trim_ascii_start()].concat()
        });
        self.entry.sent_besides(words.as_deref().unwrap_or_default());
        self.entry.broke(outcome, detail);
        let goodbye = words.map_or(Goodbye::silent(outcome), |words| Goodbye::saying(words.into(), outcome));
        self.goodbye.insert(goodbye).poll(cx)
    }

    fn pass(&mut self, frame: Frame<Bytes>) -> Step {
        let now = Instant::now();
        self.reading += self.asked.take().unwrap_or(now).saturating_duration_since(self.last_progress);
        self.last_progress = now;
        match frame.into_data() {
            Ok(data) => {
                let data = self.halve(data);
                self.entry.bill.feed(&data);
                let last = self.is_read() && !self.halved;
                let data = self.dress.put_on(data, last);
                self.entry.sent(&data);
                if last && self.dress.late.is_none() {
                    self.end();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Err(frame) => self.pass_trailers(frame),
        }
    }

    /// Half of the data, where a drill breaks the answer off within it.
    fn halve(&mut self, mut data: Bytes) -> Bytes {
        if self.entry.status < 400 && self.permit.met().is_some_and(drill::truncates) {
            data.truncate(data.len() / 2);
            self.halved = true;
        }
        data
    }

    /// Trailers end a body: nobody asks for what would come after them.
    fn pass_trailers(&mut self, frame: Frame<Bytes>) -> Step {
        match frame.into_trailers() {
            Ok(mut trailers) if self.dress.is_bare() => {
                headers::from_provider(&mut trailers, true);
                self.end();
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            _ => self.close(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Step {
        if let Some(goodbye) = &mut self.goodbye {
            return goodbye.poll(cx);
        }
        if self.halved {
            if let Some(met) = self.permit.met() {
                self.entry.drilled(met.drill);
            }
            return self.break_off(AttemptOutcome::BodyBroken, "a failover drill broke the answer off", cx);
        }
        if let Some(prefix) = self.prefix.take() {
            return self.pass(Frame::data(prefix));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let Some((incoming, _)) = &mut self.rest else { return self.close() };
        match Pin::new(incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => self.pass(frame),
            Poll::Ready(None) => self.close(),
            Poll::Ready(Some(Err(_))) => {
                self.break_off(AttemptOutcome::BodyBroken, "the provider's answer broke off", cx)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    /// Whether most of the exchange went by while the client read.
    fn is_used_up_by_client(&self, asked: Instant, now: Instant) -> bool {
        let reading = self.reading + asked.saturating_duration_since(self.last_progress);
        reading * 2 > now.saturating_duration_since(self.entry.started)
    }

    /// Nothing to pass on right now. One timer, moved only when it fires: most chunks come long before.
    fn wait(&mut self, cx: &mut Context<'_>) -> Step {
        // Whoever is not asked for more is not idle: a slow client's time is not the provider's.
        let asked = *self.asked.get_or_insert_with(Instant::now);
        loop {
            let due = (asked + self.limits.idle).min(self.limits.deadline);
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            let now = Instant::now();
            if now >= self.limits.deadline && self.is_used_up_by_client(asked, now) {
                let detail = "the client read so slowly that the total timeout was over";
                return self.stop(AttemptOutcome::ClientLeft, detail, cx);
            }
            if now >= self.limits.deadline {
                let detail = "the exchange took longer than its total timeout";
                return self.break_off(AttemptOutcome::TotalTimeout, detail, cx);
            }
            if now >= asked + self.limits.idle {
                let detail = "the provider sent nothing within its idle timeout";
                return self.break_off(AttemptOutcome::IdleTimeout, detail, cx);
            }
            if let Some(timer) = &mut self.timer {
                timer.as_mut().reset(due.into());
            }
        }
        let closing = self.closing.as_mut();
        if closing.is_some_and(|closing| closing.as_mut().poll(cx).is_ready()) {
            self.closing = None;
            // Our own stop, not the provider's failure.
            return self.stop(AttemptOutcome::TotalTimeout, "the gateway stopped", cx);
        }
        Poll::Pending
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if !self.ended && !self.halved && self.prefix.is_none() && self.is_read() {
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
        AttemptOutcome::TotalTimeout | AttemptOutcome::ClientLeft => {
            "the exchange was ended before the answer was complete"
        }
        _ => "the provider's answer broke off; it is incomplete",
    };
    let error = serde_json::json!({
        "type": "error",
        "error": {"type": "api_error", "code": "upstream_interrupted", "message": message, "request_id": id.to_string()}
    });
    dialect.error_event(StatusCode::BAD_GATEWAY, &error)
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
            Self::Goodbye(goodbye) => goodbye.poll(cx),
            Self::Waiting(waiting) => match std::task::ready!(waiting.poll(cx)) {
                Turn::Comment(comment) => Poll::Ready(Some(Ok(Frame::data(comment)))),
                Turn::Answer(body) => {
                    *self = body;
                    self.poll_frame(cx)
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes, _) => bytes.is_none(),
            Self::Passing(passing) => passing.prefix.is_none() && passing.goodbye.is_none() && passing.ended,
            Self::Waiting(_) | Self::Goodbye(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Passing(passing) => passing.size_hint(),
            Self::Waiting(_) | Self::Goodbye(_) => SizeHint::default(),
        }
    }
}
