//! Keep-alive: a client that waits for a stream is sent comments while providers are still being asked.
//!
//! The answer is committed in two steps. After `keepalive_after_ms` without one the head goes out,
//! `200` and `text/event-stream`, and with it status and `X-Proxy-*`; which provider answers stays
//! open, and the attempts go on inside of the body. Only requests that asked for a stream come here:
//! theirs is the one box and the one timer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep, timeout_at};

use super::{
    Ready, Shared, attempt,
    call::Call,
    dialect::Dialect,
    entry::Entry,
    error::ProxyError,
    forward::Reply,
    headers,
    late::Late,
    reply::{Dress, Goodbye, ReplyBody},
};
use crate::model::request_log::AttemptOutcome;

const COMMENT: Bytes = Bytes::from_static(b": keepalive\n\n");

/// A request that is ready to be asked, owned, so that it can go on after its head was answered.
pub(super) struct Exchange {
    pub(super) shared: Arc<Shared>,
    pub(super) call: Call,
    pub(super) entry: Box<Entry>,
    pub(super) ready: Ready,
}

type Asked = (Exchange, Result<Reply, ProxyError>);

/// Attempts that go on while comments are sent. Dropped with the body, it cancels them.
pub struct Waiting {
    asking: Pin<Box<dyn Future<Output = Asked> + Send>>,
    every: Duration,
    timer: Pin<Box<Sleep>>,
}

/// What a waiting body has to say.
pub(super) enum Turn {
    /// That it still waits.
    Comment(Bytes),
    /// The answer, which takes its place.
    Answer(ReplyBody),
}

impl Exchange {
    /// Asks until there is an answer.
    pub(super) async fn answer(mut self) -> Response<ReplyBody> {
        match self.keepalive_after() {
            None => {
                let result = self.shared.ask(&self.call, &mut self.ready, &mut self.entry).await;
                self.conclude(result)
            }
            Some(after) => self.answer_patiently(after).await,
        }
    }

    /// The group's time, where comments are of use: somebody waits for events and reads them as they
    /// are, and the request's body is here, so that nothing else happens on the connection.
    fn keepalive_after(&self) -> Option<Duration> {
        let after_ms = self.ready.group.failover.keepalive_after_ms;
        let waits = after_ms > 0
            && self.ready.streams
            && self.ready.payload.whole().is_some()
            && self.call.method != Method::HEAD
            && !headers::insists_on_compression(&self.call.headers);
        waits.then(|| Duration::from_millis(after_ms.into()))
    }

    async fn answer_patiently(self, after: Duration) -> Response<ReplyBody> {
        let due = Instant::from_std(self.entry.started + after);
        let mut asking: Pin<Box<dyn Future<Output = Asked> + Send>> = Box::pin(self.ask_until_closing());
        if let Ok((exchange, result)) = timeout_at(due, &mut asking).await {
            return exchange.conclude(result);
        }
        // The first comment goes out with the head.
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut response = Response::new(ReplyBody::Waiting(Box::new(Waiting { asking, every: after, timer })));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    async fn ask_until_closing(mut self) -> Asked {
        let closing = self.shared.closing.clone();
        let result = tokio::select! {
            result = self.shared.ask(&self.call, &mut self.ready, &mut self.entry) => Some(result),
            () = closing.cancelled() => None,
        };
        let result = result.unwrap_or_else(|| {
            self.entry.stopped();
            Err(ProxyError::NoProvider { reason: "the gateway is stopping", retry_after_s: 1 })
        });
        (self, result)
    }

    fn conclude(self, result: Result<Reply, ProxyError>) -> Response<ReplyBody> {
        match result {
            Ok(reply) => {
                let injected = self.ready.injection.is_some();
                self.shared.pass(reply, &self.call, self.entry, &self.ready.group, self.ready.quota, injected)
            }
            Err(error) => super::refuse(&error, self.entry),
        }
    }

    /// What the body goes on with after comments.
    fn go_on(mut self, result: Result<Reply, ProxyError>) -> ReplyBody {
        self.entry.streamed = true;
        match result {
            Ok(reply) if !reply.answered.head.status.is_success() => self.fail_as(reply),
            Ok(reply) if attempt::is_identity(&reply.answered.head.headers) => self.pass_late(reply),
            Ok(_) => {
                let message = "the provider's answer is compressed, which was not asked for".to_owned();
                self.fail(&ProxyError::Upstream { code: "upstream_invalid_response", message, timeout: false })
            }
            Err(error) => self.fail(&error),
        }
    }

    fn pass_late(mut self, reply: Reply) -> ReplyBody {
        let (answered, comment) = (*reply.answered, self.comment());
        self.entry.first_byte(answered.head.status.as_u16());
        self.entry.answers_as("text/event-stream");
        let is_stream = attempt::is_event_stream(&answered.head.headers);
        let late = if is_stream { Late::stream(comment) } else { Late::datum(comment) };
        let (group, injected) = (&self.ready.group, self.ready.injection.is_some());
        let sieve = self.shared.read_usage(&answered.head, &self.call, group, injected, &mut self.entry);
        let dress = Dress { dialect: Some(Dialect::of(self.call.tail())), late: Some(late), sieve };
        self.shared.body(answered.content, reply.candidate, self.entry, self.ready.quota, dress)
    }

    /// A provider's error as the event that tells it.
    fn fail_as(mut self, reply: Reply) -> ReplyBody {
        let status = reply.answered.head.status;
        let told: Option<Value> =
            serde_json::from_slice(reply.answered.content.peeked.as_deref().unwrap_or_default()).ok();
        let body = told.filter(|body| !body["error"].is_null()).unwrap_or_else(|| {
            let message = format!("the provider answered {}", status.as_u16());
            json!({"error": {"type": "api_error", "code": "upstream_error", "message": message}})
        });
        let retry_after = reply.answered.head.headers.get(header::RETRY_AFTER).cloned();
        self.entry.first_byte(status.as_u16());
        self.say(status, body, retry_after)
    }

    fn fail(mut self, error: &ProxyError) -> ReplyBody {
        let json = error.to_json(self.entry.id, self.entry.attempts.len());
        self.entry.refused(error.status().as_u16(), error.code());
        let body = serde_json::from_str(&json).unwrap_or_default();
        self.say(error.status(), body, error.retry_after_s().map(HeaderValue::from))
    }

    /// The last words: the record says what the answer would have been, the client an error event. What its head
    /// would have said of when to try again is said in it.
    fn say(mut self, status: StatusCode, mut body: Value, retry_after: Option<HeaderValue>) -> ReplyBody {
        let told = retry_after.as_ref().and_then(|value| value.to_str().ok());
        if let (Some(told), Some(error)) = (told, body.get_mut("error").and_then(Value::as_object_mut)) {
            error.insert("retry_after".to_owned(), told.parse::<u64>().map_or_else(|_| told.into(), Value::from));
        }
        let event = Dialect::of(self.call.tail()).error_event(status, &body);
        let words = Bytes::from([&event, self.comment().as_bytes()].concat());
        self.entry.answers_as("text/event-stream");
        self.entry.sent(&words);
        self.entry.complete();
        ReplyBody::Goodbye(Goodbye::saying(words, AttemptOutcome::StreamError))
    }

    /// Who answered, now that no header can say it; nothing where the group hides it.
    fn comment(&self) -> String {
        match self.entry.attempts.last() {
            Some(last) if !self.ready.group.hide_provider_headers => {
                let name = last.provider_name.replace(char::is_control, " ");
                format!(": rondo provider={name} attempts={}\n", self.entry.attempts.len())
            }
            _ => String::new(),
        }
    }
}

impl Waiting {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if let Poll::Ready((exchange, result)) = self.asking.as_mut().poll(cx) {
            return Poll::Ready(Turn::Answer(exchange.go_on(result)));
        }
        std::task::ready!(self.timer.as_mut().poll(cx));
        self.timer.as_mut().reset(Instant::now() + self.every);
        Poll::Ready(Turn::Comment(COMMENT))
    }
}
