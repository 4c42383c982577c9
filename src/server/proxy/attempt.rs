//! One exchange with one candidate: connect, send, wait for the head, read an error far enough to judge it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, Uri, uri::PathAndQuery};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::{call::Call, drill, headers, inbound::Payload, model_name::ModelName, select::Candidate, verdict};
use crate::{
    model::{id::RequestId, request_log::AttemptOutcome},
    server::{
        routing::table::{Presented, Provider},
        upstream::{
            body::{InboundFault, Outbound},
            pool::{Freshness, Lease, SendFault},
        },
    },
};

/// Read of an error's body to judge it by: cooldown hints, exhausted quotas, unknown models.
const PEEK_BYTES: usize = 64 * 1024;
/// Wait for it: an error is small and comes at once, or is judged by its status alone.
const PEEK_TIME: Duration = Duration::from_secs(2);

/// What came of an attempt.
pub enum Attempted {
    /// A response head, and as much of the body as was needed to name it.
    Answer(Box<Answered>),
    /// Nothing that could be passed on.
    Failed {
        /// What it is called.
        outcome: AttemptOutcome,
        /// In one line.
        detail: String,
        /// A reused connection failed before a byte came: a fresh one may do.
        stale: bool,
    },
    /// The client's body failed.
    Inbound(InboundFault),
}

/// An answer whose content has not been passed on.
pub struct Answered {
    /// Status and headers, as the provider sent them.
    pub head: http::response::Parts,
    /// What was read ahead.
    pub peeked: Option<Bytes>,
    /// The rest.
    pub rest: Incoming,
    /// Its connection.
    pub lease: Lease,
    /// What it is called.
    pub outcome: AttemptOutcome,
}

/// What stays the same for all attempts of a request.
pub struct Ask<'a> {
    /// The head.
    pub call: &'a Call,
    /// `X-Request-Id`.
    pub id: RequestId,
    /// The model, where one is named.
    pub model: Option<&'a ModelName>,
    /// Ask for an uncompressed answer.
    pub identity: bool,
}

/// Makes the exchange. Dropping the future cancels it at the provider.
pub async fn attempt(ask: &Ask<'_>, candidate: &Candidate, payload: &mut Payload, freshness: Freshness) -> Attempted {
    let provider = &candidate.provider;
    let failed = |outcome, detail: String| Attempted::Failed { outcome, detail, stale: false };
    let mut lease = match drill::lease(candidate, freshness).await {
        Ok(lease) => lease,
        Err(fault) => return failed(verdict::of_connect(&fault), fault.to_string()),
    };
    let Some(body) = body_for(ask, provider, payload) else {
        return failed(AttemptOutcome::Reset, "the body was already sent once and cannot be replayed".to_owned());
    };
    let Some(mut request) = build(ask, candidate, body) else {
        return failed(AttemptOutcome::InvalidResponse, "the target cannot be built".to_owned());
    };
    let deadline = Instant::now() + provider.first_byte_timeout;
    loop {
        let reused = lease.reused;
        match timeout_at(deadline, lease.send(request)).await {
            Err(_) => {
                let detail = format!("no response head within {} ms", provider.first_byte_timeout.as_millis());
                return failed(AttemptOutcome::FirstByteTimeout, detail);
            }
            Ok(Ok(response)) => return judge(response, lease, candidate).await,
            // Nothing was sent on a connection that had just been closed: no attempt was made yet.
            Ok(Err(SendFault::NotSent(unsent))) => match provider.pool.lease(Freshness::Fresh).await {
                Ok(fresh) => (lease, request) = (fresh, *unsent),
                Err(fault) => {
                    payload.give_back(unsent.into_body());
                    return failed(verdict::of_connect(&fault), fault.to_string());
                }
            },
            Ok(Err(SendFault::Reset(error))) => {
                let detail = format!("closed before a byte of the answer: {error}");
                return Attempted::Failed { outcome: AttemptOutcome::Reset, detail, stale: reused };
            }
            Ok(Err(SendFault::Invalid(error))) => {
                return failed(AttemptOutcome::InvalidResponse, format!("not valid HTTP: {error}"));
            }
            Ok(Err(SendFault::Inbound(fault))) => return Attempted::Inbound(fault),
        }
    }
}

/// The body with the model's name at this provider.
fn body_for(ask: &Ask<'_>, provider: &Provider, payload: &mut Payload) -> Option<Outbound> {
    if let (Some(model), Some(whole)) = (ask.model, payload.whole())
        && let Some(other) = provider.model_map.get(&model.name)
    {
        return Some(Outbound::Held(model.replace(whole, other)));
    }
    payload.take()
}

/// The request to the provider, its target built by parts: the base path, the raw tail, the raw query.
fn build(ask: &Ask<'_>, candidate: &Candidate, body: Outbound) -> Option<Request<Outbound>> {
    let provider = &candidate.provider;
    let credential = candidate.credential();
    let query_key = match credential.map(|credential| &credential.presented) {
        Some(Presented::Query(key)) => Some(&**key),
        _ => None,
    };
    let mut request = Request::new(body);
    *request.method_mut() = ask.call.method.clone();
    *request.uri_mut() = target(&provider.base_path, ask.call.tail(), ask.call.query(), query_key)?;
    *request.headers_mut() = headers::to_provider(&ask.call.headers, provider, credential, ask.id, ask.identity);
    set_length(&mut request);
    Some(request)
}

/// An exact length where it is known, so that the provider need not speak chunked.
fn set_length(request: &mut Request<Outbound>) {
    let length = request.body().size_hint().exact();
    let bodiless = matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
    match length {
        Some(0) if bodiless => {}
        Some(length) => {
            request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        }
        None => {}
    }
}

/// In origin form: scheme and authority are those of the provider's connection, so nothing a client
/// writes can change where it goes.
pub fn target(base_path: &str, tail: &str, query: Option<&str>, key: Option<&str>) -> Option<Uri> {
    let extra = query.map_or(0, |query| query.len() + 1) + key.map_or(0, |key| key.len() + 5);
    let mut text = String::with_capacity(base_path.len() + tail.len() + extra + 1);
    text.push_str(base_path);
    text.push_str(tail);
    if text.is_empty() {
        text.push('/');
    }
    let mut separator = '?';
    if let Some(query) = query {
        text.push(separator);
        text.push_str(query);
        separator = '&';
    }
    if let Some(key) = key {
        text.push(separator);
        text.push_str("key=");
        text.push_str(key);
    }
    let target = PathAndQuery::from_maybe_shared(Bytes::from(text)).ok()?;
    Some(Uri::from(target))
}

async fn judge(response: Response<Incoming>, lease: Lease, candidate: &Candidate) -> Attempted {
    let (head, mut rest) = response.into_parts();
    let has_credential = candidate.credential.is_some();
    if head.status.as_u16() < 400 {
        let outcome = verdict::of_answer(head.status, &[], has_credential);
        return Attempted::Answer(Box::new(Answered { head, peeked: None, rest, lease, outcome }));
    }
    let peeked = if is_event_stream(&head.headers) { Bytes::new() } else { peek(&mut rest).await };
    let outcome = verdict::of_answer(head.status, &peeked, has_credential);
    Attempted::Answer(Box::new(Answered { head, peeked: Some(peeked), rest, lease, outcome }))
}

/// The first part of a body; what is left stays in it.
async fn peek(body: &mut Incoming) -> Bytes {
    let mut seen = BytesMut::new();
    let deadline = Instant::now() + PEEK_TIME;
    while seen.len() < PEEK_BYTES && !body.is_end_stream() {
        match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    seen.extend_from_slice(&data);
                }
            }
            _ => break,
        }
    }
    seen.freeze()
}

/// Whether the answer is an event stream.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str, tail: &str, query: Option<&str>, key: Option<&str>) -> String {
        target(base, tail, query, key).expect("a target").to_string()
    }

    #[test]
    fn a_target_is_the_base_and_the_raw_rest() {
        assert_eq!(at("/openai", "/v1/a%2Fb//c", Some("q=%20+"), None), "/openai/v1/a%2Fb//c?q=%20+");
        assert_eq!(at("", "", None, None), "/");
        assert_eq!(at("/v1", "", None, Some("s%20")), "/v1?key=s%20");
        assert_eq!(at("", "/x", Some("a=1"), Some("k")), "/x?a=1&key=k");
    }

    #[test]
    fn a_target_names_no_host_whatever_the_client_writes() {
        for tail in ["/@evil.com/x", "//evil.com/x", "/:80/x", "/http://evil.com"] {
            let uri = target("/base", tail, None, None).expect("a target");
            assert_eq!((uri.scheme(), uri.authority()), (None, None), "{tail}");
            assert!(uri.path().starts_with("/base"), "{tail}");
        }
    }
}
