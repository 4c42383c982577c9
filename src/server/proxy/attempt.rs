//! One exchange with one candidate: connect, send, wait for the head, read an error far enough to judge it.

mod first_output;
mod head_wait;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use self::{
    first_output::{Patience, Waited},
    head_wait::HeadWait,
};
use super::{
    call::Call,
    dialect::Dialect,
    drill, headers,
    hold::fault::Fault,
    inbound::Payload,
    model_name::{Edit, ModelName, edited},
    select::Candidate,
    usage::include::Injection,
    websocket,
};
use crate::{
    model::{id::RequestId, outcome_rule::OutcomeRule, request_log::AttemptOutcome, trace::Trace},
    server::{
        health::outcome,
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
        /// The response head, if there was one.
        seen: Option<Seen>,
        /// A reused connection failed before a byte came: a fresh one may do.
        stale: bool,
    },
    /// The client's body failed.
    Inbound(InboundFault),
}

/// A response head as it came.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The provider's own status, also where an error inside of the stream stands for another.
    pub status: StatusCode,
    /// When.
    pub at: std::time::Instant,
}

/// An answer whose content has not been passed on.
pub struct Answered {
    /// Status and headers: the provider's, or for an error inside of a stream those it stands for.
    pub head: http::response::Parts,
    /// The head as it came.
    pub seen: Seen,
    /// Its body.
    pub content: Content,
    /// What it is called.
    pub outcome: AttemptOutcome,
    /// In one line; empty where the status says it.
    pub detail: &'static str,
    /// First output of an event stream, where one was waited for.
    pub first_output: Option<std::time::Instant>,
}

impl Answered {
    /// Whether it refuses the request for the field that asks for the usage of a stream.
    pub fn refuses_usage(&self) -> bool {
        let told = self.content.peeked.as_deref().unwrap_or_default();
        matches!(self.seen.status.as_u16(), 400 | 422) && memchr::memmem::find(told, b"stream_options").is_some()
    }
}

/// The body of an answer.
pub struct Content {
    /// What was read ahead.
    pub peeked: Option<Bytes>,
    /// The rest, on its connection; `None` when what was read ahead is all there is.
    pub rest: Option<(Incoming, Lease)>,
}

/// What stays the same for all attempts of a request.
pub struct Ask<'a> {
    /// The head.
    pub call: &'a Call,
    /// `X-Request-Id`.
    pub id: RequestId,
    /// Its place in a trace and the number of the attempt, where traces are made.
    pub place: Option<(Trace, usize)>,
    /// The model, where one is named.
    pub model: Option<&'a ModelName>,
    /// How to ask for the usage of the stream.
    pub injection: Option<&'a Injection>,
    /// Ask for an uncompressed answer.
    pub identity: bool,
    /// What the operator says answers mean, ahead of the table.
    pub rules: &'a [OutcomeRule],
    /// Whether the client asked for an event stream.
    pub streams: bool,
    /// Wait for the first output of a stream, from the moment it is asked for; `None` has no limit.
    pub first_output_timeout: Option<Duration>,
}

/// Makes the exchange. Dropping the future cancels it at the provider.
pub async fn attempt(ask: &Ask<'_>, candidate: &Candidate, payload: &mut Payload, freshness: Freshness) -> Attempted {
    let provider = &candidate.provider;
    let failed = |outcome, detail: String| Attempted::Failed { outcome, detail, seen: None, stale: false };
    let mut lease = match drill::lease(candidate, freshness, ask.call.websocket.is_some()).await {
        Ok(lease) => lease,
        Err(fault) => return failed(outcome::of_connect(&fault), fault.to_string()),
    };
    let Some(body) = body_for(ask, provider, payload) else {
        return failed(AttemptOutcome::Reset, "the body was already sent once and cannot be replayed".to_owned());
    };
    let Some(mut request) = build(ask, candidate, body) else {
        return failed(AttemptOutcome::InvalidResponse, "the target cannot be built".to_owned());
    };
    let (asked, limit) = (Instant::now(), ask.head_timeout(provider));
    let mut head_wait = HeadWait::new(limit, payload.upload());
    loop {
        let reused = lease.reused;
        match head_wait.wait(lease.send(request)).await {
            Err(_) => {
                let detail = format!("no response head within {} ms", limit.as_millis());
                return failed(AttemptOutcome::FirstByteTimeout, detail);
            }
            Ok(Ok(response)) => return judge(ask, response, lease, candidate, asked).await,
            // Nothing was sent on a connection that had just been closed: no attempt was made yet.
            Ok(Err(SendFault::NotSent(unsent))) if reused => match provider.pool.lease(Freshness::Fresh).await {
                Ok(fresh) => (lease, request) = (fresh, *unsent),
                Err(fault) => {
                    payload.give_back(unsent.into_body());
                    return failed(outcome::of_connect(&fault), fault.to_string());
                }
            },
            Ok(Err(SendFault::NotSent(unsent))) => {
                payload.give_back(unsent.into_body());
                return failed(AttemptOutcome::Connect, "closed before the request was read".to_owned());
            }
            Ok(Err(SendFault::Reset(error))) => {
                let detail = format!("closed before a byte of the answer: {error}");
                let stale = lease.was_stale(&error);
                return Attempted::Failed { outcome: AttemptOutcome::Reset, detail, seen: None, stale };
            }
            Ok(Err(SendFault::Invalid(error))) => {
                return failed(AttemptOutcome::InvalidResponse, format!("not valid HTTP: {error}"));
            }
            Ok(Err(SendFault::Inbound(fault))) => return Attempted::Inbound(fault),
        }
    }
}

/// The body with the model's name at this provider, asking for the usage of a stream where the client did not.
fn body_for(ask: &Ask<'_>, provider: &Provider, payload: &mut Payload) -> Option<Outbound> {
    let Some(whole) = payload.whole() else { return payload.take() };
    let renamed = ask.model.and_then(|model| model.renamed(provider.model_map.get(&model.name)?));
    let asking = ask.injection.map(|injection| (injection.place.clone(), injection.text.into()));
    let edits: Vec<Edit> = renamed.into_iter().chain(asking).collect();
    if edits.is_empty() {
        return payload.take();
    }
    Some(Outbound::Held(edited(whole, edits)))
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
    if let Some((trace, number)) = &ask.place {
        headers::place_in_trace(request.headers_mut(), provider, trace, *number);
    }
    set_length(&mut request);
    if ask.call.websocket.is_some() {
        websocket::ask(request.headers_mut());
    }
    Some(request)
}

/// An exact length where it is known, so that the provider need not speak chunked.
fn set_length(request: &mut Request<Outbound>) {
    let length = request.body().size_hint().exact();
    let bodiless = matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
    match length {
        Some(0) if bodiless => {}
        Some(length) => {
            request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
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

impl Ask<'_> {
    /// What an answer is called: by the operator's rules, else by the table.
    fn name(&self, status: StatusCode, headers: &HeaderMap, error: &[u8], has_credential: bool) -> AttemptOutcome {
        let ruled = outcome::by_rule(self.rules, status, headers, error);
        ruled.unwrap_or_else(|| outcome::of_answer(status, error, has_credential))
    }

    /// Wait for the response head. A client that asked for a stream waits for its first output.
    fn head_timeout(&self, provider: &Provider) -> Duration {
        let first_output = self.first_output_timeout.filter(|_| self.streams);
        first_output.map_or(provider.first_byte_timeout, |limit| limit.min(provider.first_byte_timeout))
    }

    /// Wait for the first output of an answer whose head is there.
    fn patience(&self, provider: &Provider, asked: Instant) -> Patience {
        let limit =
            self.first_output_timeout.map_or(provider.stream_timeout, |limit| limit.min(provider.stream_timeout));
        Patience { idle: provider.idle_timeout, until: (asked + limit, limit) }
    }
}

async fn judge(
    ask: &Ask<'_>,
    response: Response<Incoming>,
    lease: Lease,
    candidate: &Candidate,
    asked: Instant,
) -> Attempted {
    let (head, mut rest) = response.into_parts();
    let seen = Seen { status: head.status, at: std::time::Instant::now() };
    let has_credential = candidate.credential.is_some();
    let (mut peeked, mut first_output) = (None, None);
    if head.status.as_u16() >= 400 {
        peeked = Some(if is_event_stream(&head.headers) { Bytes::new() } else { peek(&mut rest).await });
    } else if let Some(waited) = wait(ask, &head, &mut rest, candidate, asked).await {
        match waited {
            Waited::Output(bytes) => peeked = Some(bytes),
            Waited::Fault(fault) => {
                return Attempted::Answer(Box::new(stand_for(ask, fault, head, seen, has_credential)));
            }
            Waited::Nothing(outcome, detail) => {
                return Attempted::Failed { outcome, detail, seen: Some(seen), stale: false };
            }
        }
        first_output = is_event_stream(&head.headers).then(std::time::Instant::now);
    }
    let error = peeked.as_deref().filter(|_| head.status.as_u16() >= 400).unwrap_or_default();
    let outcome = ask.name(head.status, &head.headers, error, has_credential);
    let content = Content { peeked, rest: Some((rest, lease)) };
    Attempted::Answer(Box::new(Answered { head, seen, content, outcome, detail: "", first_output }))
}

/// Waits for the first output of a successful answer; `None` where there is nothing to wait for.
async fn wait(
    ask: &Ask<'_>,
    head: &http::response::Parts,
    rest: &mut Incoming,
    candidate: &Candidate,
    asked: Instant,
) -> Option<Waited> {
    if ask.call.method == Method::HEAD || !head.status.is_success() || head.status == StatusCode::NO_CONTENT {
        return None;
    }
    let provider = &candidate.provider;
    if is_event_stream(&head.headers) && is_identity(&head.headers) {
        let patience = ask.patience(provider, asked);
        return Some(first_output::hold(rest, Dialect::of(ask.call.tail()), &patience).await);
    }
    // Other successes may be empty: `202 Accepted` is.
    if ask.streams && head.status == StatusCode::OK {
        return Some(first_output::first_bytes(rest, &ask.patience(provider, asked)).await);
    }
    None
}

/// An error inside of a `200` as the answer it stands for: its status, its JSON. The rest of the
/// stream, and with it the connection, is let go.
fn stand_for(
    ask: &Ask<'_>,
    fault: Fault,
    mut head: http::response::Parts,
    seen: Seen,
    has_credential: bool,
) -> Answered {
    let outcome = match ask.name(fault.status, &head.headers, &fault.body, has_credential) {
        AttemptOutcome::ServerError => AttemptOutcome::StreamError,
        outcome => outcome,
    };
    head.status = fault.status;
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TRAILER, header::CACHE_CONTROL] {
        head.headers.remove(name);
    }
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let content = Content { peeked: Some(fault.body), rest: None };
    Answered { head, seen, content, outcome, detail: "an error event before any output", first_output: None }
}

/// Whether a body can be read as it is.
pub fn is_identity(headers: &HeaderMap) -> bool {
    let coding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default().trim_ascii();
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
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
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
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
