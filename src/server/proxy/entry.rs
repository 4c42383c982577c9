//! The record of one request while it is being made.
//!
//! It ends exactly once, whatever happens: finished by the end of the body, or dropped with the
//! request, which means that the client left.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use http::{HeaderMap, Method};
use uuid::Uuid;

use super::{call::Call, capture::Capture, usage::Bill};
use crate::{
    model::{
        id::{DrillId, RequestId},
        request_log::{Attempt, AttemptOutcome, Outcome, RequestDetail, RequestRow},
        trace::{self, Sampler, Trace},
    },
    server::{
        record::{InFlight, Recorder},
        routing::table::{Group, Key},
    },
};

/// The record under way.
pub struct Entry {
    /// `X-Request-Id`.
    pub id: RequestId,
    /// Start, monotone.
    pub started: Instant,
    /// Status the client sees.
    pub status: u16,
    /// Model asked for.
    pub model: Option<String>,
    /// Attempts so far.
    pub attempts: Vec<Attempt>,
    /// Whether the answer is an event stream.
    pub streamed: bool,
    /// Bytes of the answer so far.
    pub response_bytes: u64,
    /// Bytes of the request, counted as they come.
    pub request_bytes: Option<Arc<AtomicU64>>,
    /// What becomes of its tokens.
    pub bill: Bill,
    /// Its bodies, where its group or its key asks to keep them: nothing of this costs any other request more than
    /// to look here.
    pub bodies: Option<Box<Capture>>,
    at_ms: i64,
    group: Option<Arc<Group>>,
    slug: String,
    key: Option<Arc<Key>>,
    method: Method,
    path: String,
    client_ip: IpAddr,
    user_agent: String,
    first_byte_us: Option<u64>,
    error_code: Option<&'static str>,
    /// The answer is put together from those of several providers.
    gathered: bool,
    /// Where traces are made.
    trace: Option<Trace>,
    recorder: Recorder,
    _in_flight: InFlight,
    done: bool,
}

/// Which request times belong to, and when it began.
#[derive(Clone, Copy)]
pub struct Watch {
    /// Which.
    pub id: RequestId,
    /// When.
    pub started: Instant,
}

impl Watch {
    /// Microseconds since the request's start.
    pub fn elapsed_us(self) -> u64 {
        self.until_us(Instant::now())
    }

    /// Microseconds from the request's start until then.
    pub fn until_us(self, then: Instant) -> u64 {
        u64::try_from(then.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX)
    }
}

impl Entry {
    /// Opens the record of a request whose head has been read; with a sampler it gets its place in a trace.
    pub fn open(recorder: &Recorder, at_ms: i64, started: Instant, call: &Call, sampler: Option<Sampler>) -> Box<Self> {
        let id = RequestId(Uuid::now_v7());
        let told = || call.headers.get(trace::TRACEPARENT).and_then(|value| value.to_str().ok());
        Box::new(Self {
            id,
            started,
            status: 0,
            model: None,
            attempts: Vec::with_capacity(1),
            streamed: false,
            response_bytes: 0,
            request_bytes: None,
            bill: Bill::default(),
            bodies: None,
            at_ms,
            group: None,
            slug: shorten(call.slug(), 64),
            key: None,
            method: call.method.clone(),
            path: shorten(call.tail(), 512),
            client_ip: call.client_ip,
            user_agent: shorten(call.user_agent(), 256),
            first_byte_us: None,
            error_code: None,
            gathered: false,
            trace: sampler.map(|sampler| Trace::of(id, told(), sampler)),
            _in_flight: recorder.begin(),
            recorder: recorder.clone(),
            done: false,
        })
    }

    /// The key is known.
    pub fn set_key(&mut self, key: Option<&Arc<Key>>) {
        self.key = key.cloned();
    }

    /// The group is known.
    pub fn set_group(&mut self, group: &Arc<Group>) {
        self.group = Some(group.clone());
    }

    /// What times it is told by.
    pub fn watch(&self) -> Watch {
        Watch { id: self.id, started: self.started }
    }

    /// Microseconds since the start.
    pub fn elapsed_us(&self) -> u64 {
        self.watch().elapsed_us()
    }

    /// Microseconds from the start until then.
    pub fn until_us(&self, then: Instant) -> u64 {
        self.watch().until_us(then)
    }

    /// The answer of the last attempt is passed on with this status.
    pub fn first_byte(&mut self, status: u16) {
        self.status = status;
        let head_us = self.attempts.last().and_then(|last| Some(last.started_us + last.first_byte_us?));
        self.first_byte_us = head_us.or_else(|| Some(self.elapsed_us()));
    }

    /// The head of the answer that is passed on.
    pub fn answers(&mut self, headers: &HeaderMap) {
        if let Some(bodies) = &mut self.bodies {
            bodies.answers(headers);
        }
    }

    /// The type of an answer that is the gateway's own.
    pub fn answers_as(&mut self, content_type: &str) {
        if let Some(bodies) = &mut self.bodies {
            bodies.answers_as(content_type);
        }
    }

    /// A part of the answer goes out to the client.
    pub fn sent(&mut self, part: &[u8]) {
        self.response_bytes += part.len() as u64;
        self.sent_besides(part);
    }

    /// Words of our own behind an answer that broke, which are none of its bytes.
    pub fn sent_besides(&mut self, part: &[u8]) {
        if let Some(bodies) = &mut self.bodies {
            bodies.sent(part);
        }
    }

    /// The stream of the last attempt began to say something.
    pub fn first_output(&mut self, at: Option<Instant>) {
        let at_us = at.map(|at| self.until_us(at));
        if let (Some(at_us), Some(last)) = (at_us, self.attempts.last_mut()) {
            last.first_output_us = Some(at_us.saturating_sub(last.started_us));
        }
    }

    /// The answer is put together from those of several providers, and served whichever of them failed.
    pub fn gathered(&mut self, attempts: Vec<Attempt>) {
        (self.attempts, self.gathered) = (attempts, true);
    }

    /// Its place in a trace, and the number of the attempt under way.
    pub fn place(&self) -> Option<(Trace, usize)> {
        Some((self.trace?, self.attempts.len().saturating_sub(1)))
    }

    /// The gateway stops while an attempt runs: nobody's fault.
    pub fn stopped(&mut self) {
        let ended_us = self.elapsed_us();
        let running = self.attempts.last_mut().filter(|last| last.outcome == AttemptOutcome::ClientLeft);
        if let Some(attempt) = running {
            attempt.outcome = AttemptOutcome::TotalTimeout;
            attempt.detail = "the gateway stopped".to_owned();
            attempt.ended_us = ended_us.saturating_sub(attempt.started_us);
        }
    }

    /// The gateway answers by itself.
    pub fn refused(&mut self, status: u16, code: &'static str) {
        self.status = status;
        self.error_code = Some(code);
    }

    /// The answer broke after content had gone out: by the provider's fault, or by the client's.
    pub fn broke(&mut self, outcome: AttemptOutcome, detail: &str) {
        let ended_us = self.elapsed_us();
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.outcome = outcome;
            attempt.detail = detail.to_owned();
            attempt.ended_us = ended_us.saturating_sub(attempt.started_us);
        }
        let by_client = outcome == AttemptOutcome::ClientLeft;
        self.finish(if by_client { Outcome::ClientLeft } else { Outcome::Interrupted });
    }

    /// The attempt under way met the fault of a drill.
    pub fn drilled(&mut self, drill: DrillId) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.drill = Some(drill);
        }
    }

    /// The answer has gone out whole: served, saved, failed or the client's own error, by what is known.
    pub fn complete(&mut self) {
        let last = self.attempts.last().map(|attempt| attempt.outcome);
        let outcome = match (self.error_code, last) {
            _ if self.gathered => Outcome::Served,
            (Some(_), _) if self.status == 429 && self.attempts.is_empty() => Outcome::RateLimited,
            (Some(_), _) if self.status == 499 => Outcome::ClientLeft,
            (Some(_), _) if self.status >= 500 || self.status == 429 => Outcome::Failed,
            (Some(_), _) => Outcome::ClientError,
            (None, Some(AttemptOutcome::Answered)) if self.attempts.len() > 1 => Outcome::Saved,
            (None, Some(AttemptOutcome::Answered)) => Outcome::Served,
            (None, Some(AttemptOutcome::ClientError)) => Outcome::ClientError,
            (None, Some(_)) => Outcome::Failed,
            (None, None) => Outcome::Served,
        };
        self.finish(outcome);
    }

    /// The client went away.
    pub fn left(&mut self) {
        if self.status == 0 {
            self.status = 499;
        }
        self.finish(Outcome::ClientLeft);
    }

    fn finish(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let total_us = self.elapsed_us();
        if let (Some(attempt), Outcome::Served | Outcome::Saved | Outcome::ClientLeft, false) =
            (self.attempts.last_mut(), outcome, self.gathered)
        {
            attempt.ended_us = total_us.saturating_sub(attempt.started_us);
        }
        let (usage, cost_nanos) = self.bill.close(self.model.as_deref());
        // A list of many is nobody's own answer.
        let answered = self.attempts.last().filter(|_| !self.gathered);
        let row = RequestRow {
            id: self.id,
            at_ms: self.at_ms,
            group: self.group.as_ref().map(|group| group.id),
            group_slug: std::mem::take(&mut self.slug),
            api_key: self.key.as_ref().map(|key| key.id),
            api_key_name: self.key.as_ref().map(|key| key.name.to_string()).unwrap_or_default(),
            method: self.method.to_string(),
            path: std::mem::take(&mut self.path),
            model: self.model.take(),
            status: self.status,
            outcome,
            provider: answered.map(|attempt| attempt.provider),
            provider_name: answered.map(|attempt| attempt.provider_name.clone()).unwrap_or_default(),
            attempts: self.attempts.len() as u32,
            first_byte_us: self.first_byte_us,
            total_us,
            request_bytes: self.request_bytes.as_ref().map_or(0, |seen| seen.load(Relaxed)),
            response_bytes: self.response_bytes,
            error_code: self.error_code.map(str::to_owned),
            client_ip: self.client_ip.to_string(),
            streamed: self.streamed,
            usage,
            cost_nanos,
        };
        let user_agent = std::mem::take(&mut self.user_agent);
        let detail = RequestDetail { row, user_agent, attempts: std::mem::take(&mut self.attempts), bodies: None };
        let bodies = self.bodies.take().map(|bodies| bodies.finish());
        self.recorder.record_with(detail, self.trace, bodies);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.left();
    }
}

/// At most so many bytes, whole characters.
fn shorten(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
