//! `GET /admin/live`: the events of one tab.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use super::hub::{Hub, encode};
use crate::{
    model::{error::ApiError, event::LiveEvent, user::Permission},
    server::session::Sessions,
};

/// How often a tab's session is looked at again where nothing says that it ended: another node may
/// have ended it, or its time is over.
const SESSION_CHECK: Duration = Duration::from_secs(30);

/// The route.
pub fn router(hub: Hub, sessions: Sessions) -> Router {
    Router::new().route("/admin/live", get(open)).with_state((hub, sessions))
}

struct Tab {
    hub: Hub,
    sessions: Sessions,
    parts: Parts,
    messages: broadcast::Receiver<Arc<str>>,
    check: tokio::time::Interval,
    ended: watch::Receiver<u64>,
    first: bool,
    over: bool,
}

async fn open(State((hub, sessions)): State<(Hub, Sessions)>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(error) = allowed(&sessions, &parts).await {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
        return (status, error.to_string()).into_response();
    }
    let messages = hub.subscribe();
    let mut check = tokio::time::interval(SESSION_CHECK);
    check.reset();
    let ended = sessions.ended();
    let tab = Tab { hub, sessions, parts, messages, check, ended, first: true, over: false };
    let events = stream::unfold(tab, |mut tab| async move {
        let message = tab.next().await?;
        Some((Ok::<_, Infallible>(Bytes::copy_from_slice(message.as_bytes())), tab))
    });
    let mut response = Response::new(Body::from_stream(events));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect events until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

async fn allowed(sessions: &Sessions, parts: &Parts) -> Result<(), ApiError> {
    sessions.of_person(parts).await?.require(Permission::View)
}

impl Tab {
    /// The next message; `None` ends the stream.
    async fn next(&mut self) -> Option<Arc<str>> {
        if self.over {
            return None;
        }
        if std::mem::take(&mut self.first) {
            return Some(self.hub.now());
        }
        loop {
            let closing = self.hub.closing().clone();
            tokio::select! {
                () = closing.cancelled() => return None,
                message = self.messages.recv() => return match message {
                    Ok(message) => Some(message),
                    Err(RecvError::Lagged(_)) => Some(encode(&LiveEvent::Resync)),
                    Err(RecvError::Closed) => None,
                },
                changed = self.ended.changed() => if changed.is_err() { return None },
                _ = self.check.tick() => {}
            }
            // A store that cannot be asked signs nobody out.
            if let Err(ApiError::Unauthenticated | ApiError::Forbidden { .. }) =
                allowed(&self.sessions, &self.parts).await
            {
                self.over = true;
                return Some(encode(&LiveEvent::SignedOut));
            }
        }
    }
}
