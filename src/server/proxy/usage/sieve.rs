//! Takes the usage event out of a stream again whose client did not ask for it.
//!
//! Only an event without choices and with a usage is taken out; everything else goes on byte for byte. What
//! ends within an event waits for its end, which costs the client nothing: it cannot read half an event
//! either. An event that is too long to be one of usage is not held.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde_json::Value;

use super::events::may_tell;

/// Longest event that is held until its end, bytes.
const LONGEST: usize = 16 * 1024;

/// The sieve of one stream.
#[derive(Debug, Default)]
pub struct Sieve {
    /// The beginning of an event whose end has not come.
    held: BytesMut,
    /// Inside of an event that is too long to be held; its last bytes, where its end may begin.
    beyond: Option<Vec<u8>>,
}

impl Sieve {
    /// What of these bytes may go on.
    pub fn pass(&mut self, bytes: Bytes) -> Bytes {
        // Whole events, none of which can be meant: nearly always.
        let whole = bytes.ends_with(b"\n\n") || bytes.ends_with(b"\n\r\n");
        if whole && self.is_empty() && self.beyond.is_none() && !may_tell(&bytes) {
            return bytes;
        }
        let mut out = BytesMut::with_capacity(self.held.len() + bytes.len());
        let mut rest = &bytes[..];
        if let Some(tail) = self.beyond.take() {
            rest = self.skip(tail, rest, &mut out);
        }
        while !rest.is_empty() {
            rest = self.event(rest, &mut out);
        }
        out.freeze()
    }

    /// What is held when the stream ends.
    pub fn end(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The event that begins or goes on here.
    fn event<'a>(&mut self, rest: &'a [u8], out: &mut BytesMut) -> &'a [u8] {
        if self.held.is_empty()
            && let Some(end) = end_of(rest, 0)
        {
            let (event, rest) = rest.split_at(end);
            if !is_extra(event) {
                out.extend_from_slice(event);
            }
            return rest;
        }
        let before = self.held.len();
        self.held.extend_from_slice(rest);
        // Its end may have begun in what was held.
        if let Some(end) = end_of(&self.held, before.saturating_sub(3)) {
            let event = self.held.split_to(end);
            self.held.clear();
            if !is_extra(&event) {
                out.extend_from_slice(&event);
            }
            return &rest[end - before..];
        }
        if self.held.len() > LONGEST {
            self.beyond = Some(self.held[self.held.len() - 3..].to_vec());
            out.extend_from_slice(&self.held.split());
        }
        &[]
    }

    /// The rest of an event that is not held.
    fn skip<'a>(&mut self, tail: Vec<u8>, rest: &'a [u8], out: &mut BytesMut) -> &'a [u8] {
        let joined = [&tail[..], rest].concat();
        let end = end_of(&joined, 0).map(|end| end - tail.len());
        let passed = end.unwrap_or(rest.len());
        out.extend_from_slice(&rest[..passed]);
        if end.is_none() {
            self.beyond = Some(joined[joined.len().saturating_sub(3)..].to_vec());
        }
        &rest[passed..]
    }
}

/// Behind the first blank line. Lines that end with CR alone are not known here: such a stream passes whole.
fn end_of(bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memchr_iter(b'\n', &bytes[from..]).find_map(|at| {
        let at = from + at;
        match &bytes[at + 1..] {
            [b'\n', ..] => Some(at + 2),
            [b'\r', b'\n', ..] => Some(at + 3),
            _ => None,
        }
    })
}

fn is_extra(event: &[u8]) -> bool {
    if event.len() > LONGEST || !may_tell(event) {
        return false;
    }
    let Some(data) = memmem::find(event, b"data:").map(|at| event[at + 5..].trim_ascii()) else { return false };
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return false };
    json["choices"].as_array().is_some_and(Vec::is_empty) && json["usage"].is_object()
}
