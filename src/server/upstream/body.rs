//! The body of a request to a provider.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Why the client's side of a streamed body failed. Never the provider's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboundFault {
    /// The client went away.
    #[error("the client closed the connection")]
    Left,
    /// Bad chunking or a length that does not add up.
    #[error("the client's body is malformed")]
    Malformed,
    /// Nothing came for too long.
    #[error("the client's body came too slowly")]
    Slow,
    /// More than is allowed.
    #[error("the client's body is too large")]
    TooLarge,
}

/// A body that can be sent once more, or one that flows through.
pub enum Outbound {
    /// Held in memory: may be replayed on another connection.
    Held(Bytes),
    /// Flows from the client with back-pressure. Boxed: only large bodies come this way.
    Flowing(Pin<Box<dyn Body<Data = Bytes, Error = InboundFault> + Send>>),
}

impl std::fmt::Debug for Outbound {
    /// Its kind and size: a body may hold anything.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held(bytes) => write!(f, "Held({} bytes)", bytes.len()),
            Self::Flowing(_) => f.write_str("Flowing"),
        }
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = InboundFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InboundFault>>> {
        match &mut *self {
            Self::Held(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Held(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Flowing(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(bytes) => bytes.is_empty(),
            Self::Flowing(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Flowing(body) => body.size_hint(),
        }
    }
}
