//! Bodies of one request on their way into the log, where its group or its key asks for that.
//!
//! At most so many bytes of each are held, copied as they pass: a clone of a chunk would keep the whole buffer of the
//! connection alive. What the client sent is taken as it came, what it was sent as it went out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};

use super::attempt::is_identity;
use crate::server::record::bodies::{TakenBodies, TakenBody};

/// Longest `Content-Type` that is kept, bytes.
const TYPE: usize = 128;

/// Bytes that the bodies of all requests in flight may have together.
const IN_FLIGHT: u64 = 512 << 20;

/// How much of each body a request may keep while so many are in flight: `limit`, or nothing where that could be too
/// much for all of them.
pub fn room(limit: usize, in_flight: u32) -> usize {
    if u64::from(in_flight) * 2 * limit as u64 <= IN_FLIGHT { limit } else { 0 }
}

/// The bodies of a request so far.
#[derive(Debug)]
pub struct Capture {
    most: usize,
    asked: TakenBody,
    /// Where the request's body flows past.
    tee: Option<Arc<Tee>>,
    told: TakenBody,
    words: BytesMut,
}

/// The beginning of a body that flows. Locked by whoever sends it, and once by its reader; never across an await.
#[derive(Debug)]
pub struct Tee {
    most: usize,
    held: Mutex<(BytesMut, bool)>,
}

impl Capture {
    /// Begins with the head of a request; `most` bytes of each body are taken.
    pub fn begin(most: usize, headers: &HeaderMap) -> Box<Self> {
        let asked = described(headers);
        Box::new(Self { most, asked, tee: None, told: TakenBody::default(), words: BytesMut::new() })
    }

    /// What a body that flows is to be shown to on its way.
    pub fn tee(&mut self) -> Arc<Tee> {
        let tee = Tee { most: self.most, held: Mutex::default() };
        Arc::clone(self.tee.insert(Arc::new(tee)))
    }

    /// The request's body, where it is held as a whole.
    pub fn asked(&mut self, whole: &Bytes) {
        self.asked.bytes = Bytes::copy_from_slice(&whole[..whole.len().min(self.most)]);
        self.asked.truncated = whole.len() > self.most;
    }

    /// The head of the answer.
    pub fn answers(&mut self, headers: &HeaderMap) {
        self.told = described(headers);
    }

    /// The answer is one of the gateway's own, of this type.
    pub fn answers_as(&mut self, content_type: &str) {
        self.told = TakenBody { content_type: content_type.to_owned(), ..TakenBody::default() };
    }

    /// A part of the answer goes out.
    pub fn sent(&mut self, part: &[u8]) {
        self.told.truncated |= take(&mut self.words, part, self.most);
    }

    /// Everything that was taken.
    pub fn finish(self) -> Box<TakenBodies> {
        let Self { mut asked, tee, mut told, words, .. } = self;
        if let Some(tee) = tee.filter(|_| asked.bytes.is_empty()) {
            let (bytes, truncated) = std::mem::take(&mut *tee.held());
            (asked.bytes, asked.truncated) = (bytes.freeze(), truncated);
        }
        told.bytes = words.freeze();
        Box::new(TakenBodies { request: asked, response: told })
    }
}

impl Tee {
    /// A part of the body passes.
    pub fn pass(&self, part: &[u8]) {
        let (held, truncated) = &mut *self.held();
        *truncated |= take(held, part, self.most);
    }

    fn held(&self) -> MutexGuard<'_, (BytesMut, bool)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes of a part what still fits; whether something did not.
fn take(held: &mut BytesMut, part: &[u8], most: usize) -> bool {
    let fits = part.len().min(most - held.len().min(most));
    held.extend_from_slice(&part[..fits]);
    fits < part.len()
}

fn described(headers: &HeaderMap) -> TakenBody {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A header's text is ASCII.
    let content_type = value[..value.len().min(TYPE)].to_owned();
    TakenBody { content_type, encoded: !is_identity(headers), ..TakenBody::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(most: usize) -> Box<Capture> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        Capture::begin(most, &headers)
    }

    #[test]
    fn no_more_is_held_than_the_limit_says_and_what_is_missing_is_marked() {
        let mut capture = capture(10);
        capture.asked(&Bytes::from_static(b"0123456789"));
        for part in [&b"abc"[..], b"", b"defghij"] {
            capture.sent(part);
        }
        assert!(!capture.told.truncated, "exactly the limit");
        capture.sent(b"k");
        capture.sent(b"l");
        assert_eq!(capture.words.len(), 10);
        let taken = capture.finish();
        assert_eq!((&taken.request.bytes[..], taken.request.truncated), (&b"0123456789"[..], false));
        assert_eq!((&taken.response.bytes[..], taken.response.truncated), (&b"abcdefghij"[..], true));
        assert_eq!(taken.request.content_type, "application/json");
    }

    #[test]
    fn a_body_that_flows_is_taken_as_it_passes() {
        let mut capture = capture(4);
        let tee = capture.tee();
        tee.pass(b"ab");
        tee.pass(b"cde");
        let taken = capture.finish();
        assert_eq!((&taken.request.bytes[..], taken.request.truncated), (&b"abcd"[..], true));
    }

    #[test]
    fn a_body_too_long_is_copied_so_that_it_is_not_held_as_a_whole() {
        let mut capture = capture(4);
        capture.asked(&Bytes::from(vec![b'x'; 1 << 20]));
        let taken = capture.finish();
        assert_eq!((taken.request.bytes.len(), taken.request.truncated), (4, true));
    }

    #[test]
    fn where_very_many_requests_are_in_flight_only_the_sizes_of_bodies_are_noted() {
        assert_eq!((room(64 << 10, 4_096), room(64 << 10, 4_097)), (64 << 10, 0));
        let mut capture = capture(0);
        capture.asked(&Bytes::from_static(b"abc"));
        capture.sent(b"abc");
        let taken = capture.finish();
        assert!(taken.request.bytes.is_empty() && taken.request.truncated && taken.response.truncated);
    }

    #[test]
    fn what_is_compressed_is_marked() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
        let mut capture = capture(4);
        capture.answers(&headers);
        assert!(capture.finish().response.encoded);
    }
}
