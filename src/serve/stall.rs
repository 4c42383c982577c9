//! Answers on streams of HTTP/2 whose client gives them no room.
//!
//! On HTTP/1.1 such a client stops the socket, which [`super::link`] sees. A stream stops alone: hyper
//! then asks its body for nothing, and a body that is not asked cannot notice the time. So the bodies of
//! a connection are looked at from outside; one that was left for too long is dropped, and with it the
//! provider's answer, the record and every place that it held.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::answer::Answer;

/// From so many on, those that have ended are forgotten before another is taken in.
const KNOWN_MAX: usize = 256;

/// The answers under way on one connection. The lock guards a short list; nothing is awaited under it.
#[derive(Default)]
pub(super) struct Streams(Mutex<Vec<Weak<Mutex<Watched>>>>);

/// An answer, and since when its client has not asked for more. Locked for one step of the body.
struct Watched {
    body: Option<Pin<Box<Answer>>>,
    left_since: Option<Instant>,
}

/// The body of an answer that may be taken away.
pub(super) struct WatchedBody(Arc<Mutex<Watched>>);

impl Streams {
    /// Takes an answer in.
    pub(super) fn watch(&self, body: Answer) -> WatchedBody {
        let watched = Arc::new(Mutex::new(Watched { body: Some(Box::pin(body)), left_since: None }));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|one| one.strong_count() > 0);
        }
        known.push(Arc::downgrade(&watched));
        WatchedBody(watched)
    }

    /// Drops every answer that its client has left for so long, again and again.
    pub(super) async fn drop_the_left(&self, patience: Duration) {
        loop {
            tokio::time::sleep(patience / 4).await;
            let open: Vec<_> = {
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                known.retain(|one| one.strong_count() > 0);
                known.iter().filter_map(Weak::upgrade).collect()
            };
            for one in open {
                let mut watched = one.lock().unwrap_or_else(PoisonError::into_inner);
                if watched.left_since.is_some_and(|since| since.elapsed() >= patience) {
                    watched.body = None;
                }
            }
        }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(body) = &mut watched.body else {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        };
        let polled = body.as_mut().poll_frame(cx);
        watched.left_since = polled.is_ready().then(Instant::now);
        polled
    }

    fn is_end_stream(&self) -> bool {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.body.as_ref().is_some_and(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.body.as_ref().map_or_else(SizeHint::default, |body| body.size_hint())
    }
}
