//! Waits for the first output of an answer: until then another provider may still stand in.
//!
//! What was read meanwhile goes out in front of the rest, byte for byte.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use crate::{
    model::request_log::AttemptOutcome,
    server::proxy::{
        dialect::Dialect,
        hold::{Hold, Ruling, fault::Fault},
    },
};

/// How long the first output may take.
pub(super) struct Patience {
    /// Between two chunks.
    pub(super) idle: Duration,
    /// The end of the whole wait, and how long it is.
    pub(super) until: (Instant, Duration),
}

/// How the wait ended.
pub(super) enum Waited {
    /// There is output, in these bytes or behind them.
    Output(Bytes),
    /// The provider told an error.
    Fault(Fault),
    /// Nothing that could be passed on.
    Nothing(AttemptOutcome, String),
}

/// Reads an event stream up to its first output.
pub(super) async fn hold(body: &mut Incoming, dialect: Dialect, patience: &Patience) -> Waited {
    let (mut hold, mut kept) = (Hold::new(dialect), Kept::default());
    loop {
        let (ruling, end) = match next(body, patience).await {
            Next::Chunk(chunk) => {
                let ruling = hold.feed(&chunk);
                kept.push(chunk);
                (ruling, "")
            }
            Next::End => (hold.end(), "the stream ended without output"),
            Next::Broken => match hold.end() {
                Ruling::Fault(fault) => (Ruling::Fault(fault), ""),
                _ => (Ruling::Empty, "the stream broke off before any output"),
            },
            Next::Late(detail) => return Waited::Nothing(AttemptOutcome::FirstByteTimeout, detail),
        };
        match ruling {
            Ruling::Wait => {}
            Ruling::Release => return Waited::Output(kept.into_bytes()),
            Ruling::Fault(fault) => return Waited::Fault(fault),
            Ruling::Empty => {
                let detail = if end.is_empty() { "the stream says its end without output" } else { end };
                return Waited::Nothing(AttemptOutcome::EmptyStream, detail.to_owned());
            }
        }
    }
}

/// Waits for the first bytes of an answer that is no event stream though one was asked for. What
/// announces its length is not waited for, unless that is nothing.
pub(super) async fn first_bytes(body: &mut Incoming, patience: &Patience) -> Waited {
    if body.size_hint().lower() > 0 {
        return Waited::Output(Bytes::new());
    }
    match next(body, patience).await {
        Next::Chunk(chunk) => Waited::Output(chunk),
        Next::End => Waited::Nothing(AttemptOutcome::EmptyStream, "the answer is empty".to_owned()),
        Next::Broken => Waited::Nothing(AttemptOutcome::EmptyStream, "the answer broke off before a byte".to_owned()),
        Next::Late(detail) => Waited::Nothing(AttemptOutcome::FirstByteTimeout, detail),
    }
}

enum Next {
    Chunk(Bytes),
    End,
    Broken,
    Late(String),
}

async fn next(body: &mut Incoming, patience: &Patience) -> Next {
    let silence = Instant::now() + patience.idle;
    let (until, limit) = patience.until;
    loop {
        match timeout_at(silence.min(until), body.frame()).await {
            Err(_) if until <= silence => return Next::Late(format!("no output within {} ms", limit.as_millis())),
            Err(_) => return Next::Late(format!("no output, and silence for {} ms", patience.idle.as_millis())),
            Ok(None) => return Next::End,
            Ok(Some(Err(_))) => return Next::Broken,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(chunk) if !chunk.is_empty() => return Next::Chunk(chunk),
                _ => {}
            },
        }
    }
}

/// What is held. The first chunk, mostly the only one, is not copied; many small ones are, since each
/// would keep alive the whole buffer it was read into.
#[derive(Default)]
struct Kept {
    first: Bytes,
    all: BytesMut,
}

impl Kept {
    fn push(&mut self, chunk: Bytes) {
        if self.first.is_empty() && self.all.is_empty() {
            self.first = chunk;
            return;
        }
        self.all.extend_from_slice(&std::mem::take(&mut self.first));
        self.all.extend_from_slice(&chunk);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
