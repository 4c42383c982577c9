//! One body type for both halves of the server, so that a proxied body is never boxed.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::link::Held;
use crate::server::proxy::ReplyBody;

pin_project_lite::pin_project! {
    /// The body of an answer.
    #[project = AnswerProjection]
    pub(crate) enum Answer {
        /// Of the data plane.
        Proxy { #[pin] body: ReplyBody },
        /// Of the back office.
        Site { #[pin] body: Body },
    }
}

impl Answer {
    /// A body of the back office.
    pub(crate) fn site(body: Body) -> Self {
        Self::Site { body }
    }

    /// A body of the data plane.
    pub(crate) fn proxy(body: ReplyBody) -> Self {
        Self::Proxy { body }
    }
}

impl Held for Answer {
    fn held(self: Pin<&mut Self>) {
        if let AnswerProjection::Proxy { body } = self.project() {
            body.get_mut().held();
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project() {
            AnswerProjection::Proxy { body } => body.poll_frame(cx).map_err(Into::into),
            AnswerProjection::Site { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Proxy { body } => body.is_end_stream(),
            Self::Site { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Proxy { body } => body.size_hint(),
            Self::Site { body } => body.size_hint(),
        }
    }
}
