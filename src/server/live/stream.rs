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
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        watch,
    },
    time::Instant,
};

use super::hub::{Hub, encode};
use crate::{
    model::{error::ApiError, event::LiveEvent, user::Permission},
    server::session::Sessions,
};

/// How often a tab's session is looked at again where nothing says that it ended: another node may
/// have ended it. Where its time is over sooner, it is looked at then.
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
    check_at: Instant,
    ended: watch::Receiver<u64>,
    first: bool,
    over: bool,
}

async fn open(State((hub, sessions)): State<(Hub, Sessions)>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let ended = sessions.ended();
    let check_at = match allowed(&sessions, &parts).await {
        Ok(check_at) => check_at,
        Err(error) => {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            return (status, error.to_string()).into_response();
        }
    };
    let messages = hub.subscribe();
    let tab = Tab { hub, sessions, parts, messages, check_at, ended, first: true, over: false };
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

/// When to look again, if the tab may listen now.
async fn allowed(sessions: &Sessions, parts: &Parts) -> Result<Instant, ApiError> {
    let (who, left) = sessions.lasting(parts).await?;
    who.require(Permission::View)?;
    Ok(Instant::now() + SESSION_CHECK.min(left + Duration::from_millis(1)))
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
                    Err(RecvError::Lagged(_)) => {
                        // What is still kept is old news: the state of things now follows instead.
                        self.messages = self.hub.subscribe();
                        self.first = true;
                        Some(encode(&LiveEvent::Resync))
                    }
                    Err(RecvError::Closed) => None,
                },
                changed = self.ended.changed() => if changed.is_err() { return None },
                () = tokio::time::sleep_until(self.check_at) => {}
            }
            match allowed(&self.sessions, &self.parts).await {
                Ok(check_at) => self.check_at = check_at,
                Err(ApiError::Unauthenticated | ApiError::Forbidden { .. }) => {
                    self.over = true;
                    return Some(encode(&LiveEvent::SignedOut));
                }
                // A store that cannot be asked signs nobody out.
                Err(_) => self.check_at = Instant::now() + SESSION_CHECK,
            }
        }
    }
}
