//! THE DATA PLANE: the way of one request, its files in the order of the request.
//!
//! ```text
//! call -> authenticate -> authorize -> admit -> inbound -> select -> forward/attempt -> headers -> reply
//! ```
//!
//! Each stage takes the value the last one made, so leaving one out does not compile. One routing
//! table serves the whole request. Nothing here waits for the store, the bus or the control plane.

pub mod admit;
pub mod attempt;
pub mod authenticate;
pub mod authorize;
pub mod call;
pub mod drill;
pub mod entry;
pub mod error;
pub mod explain;
pub mod forward;
pub mod headers;
pub mod inbound;
pub mod model_name;
pub mod reply;
pub mod select;
pub mod verdict;

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

pub use reply::ReplyBody;

use self::{
    admit::Quota,
    attempt::Ask,
    authenticate::Caller,
    call::Call,
    entry::Entry,
    error::ProxyError,
    forward::Reply,
    inbound::ReplayBudget,
    model_name::ModelName,
    reply::{Dialect, Parts, TimeLimits},
    select::Draw,
};
use crate::{
    model::group::GroupKind,
    server::{
        health::clock::Clock,
        limit::local::{Decision, Limiter},
        record::Recorder,
        routing::{Routing, table::Group},
    },
};

/// What the data plane is told once.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Requests per minute of a key that has no limit of its own; 0 = unlimited.
    pub default_rpm: u32,
    /// Largest request body, bytes.
    pub body_limit: u64,
    /// Largest body that is held to be replayed, bytes.
    pub replay_limit: u64,
    /// Bytes that all held bodies together may take.
    pub replay_budget: u64,
    /// Requests in flight at the same time.
    pub max_in_flight: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// The data plane. Cheap to clone.
#[derive(Clone)]
pub struct Proxy {
    shared: Arc<Shared>,
}

/// What all requests share.
pub struct Shared {
    routing: Routing,
    limiter: Limiter,
    recorder: Recorder,
    clock: Clock,
    settings: ProxySettings,
    replay_budget: Arc<ReplayBudget>,
    /// Cancelled when draining ends: streams still open say goodbye.
    closing: CancellationToken,
}

impl Shared {
    fn unix_ms(&self, now_ms: u64) -> i64 {
        self.clock.epoch_unix_ms().saturating_add(i64::try_from(now_ms).unwrap_or(i64::MAX))
    }
}

impl Proxy {
    /// Puts the data plane together.
    pub fn new(
        routing: Routing,
        limiter: Limiter,
        recorder: Recorder,
        clock: Clock,
        settings: ProxySettings,
        closing: CancellationToken,
    ) -> Self {
        let replay_budget = ReplayBudget::new(settings.replay_budget);
        let shared = Shared { routing, limiter, recorder, clock, settings, replay_budget, closing };
        Self { shared: Arc::new(shared) }
    }

    /// Whether a path belongs to the data plane.
    pub fn claims(path: &str) -> bool {
        path.starts_with(call::PREFIX)
    }

    /// Answers one request.
    pub async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<ReplyBody> {
        let shared = &*self.shared;
        let started = Instant::now();
        let now_unix_ms = shared.unix_ms(shared.clock.now_ms());
        let (head, body) = request.into_parts();
        let call = match Call::parse(head, peer, &shared.settings.trusted_proxies) {
            Ok(call) => call,
            Err(error) => return refuse_head(&error),
        };
        let mut entry = Entry::open(&shared.recorder, now_unix_ms, started, &call);
        let id = entry.id;
        let mut written = Written::default();
        let result = shared.exchange(&call, body, &mut entry, now_unix_ms, &mut written).await;
        let mut response = match result {
            Ok(passed) => shared.pass(passed, &call, entry),
            Err(error) => {
                entry.refused(error.status().as_u16(), error.code());
                let answer = error.to_response(id, entry.attempts.len());
                answer.map(|bytes| ReplyBody::own(bytes, Some(entry)))
            }
        };
        if let Some(decision) = &written.decision {
            admit::write(decision, response.headers_mut());
        }
        if let Some(group) = &written.group {
            headers::allow_origin(response.headers_mut(), &group.allowed_origins, call.headers.get(header::ORIGIN));
        }
        headers::seal(&mut response, id);
        response
    }
}

/// What is known for the headers of every answer, errors included.
#[derive(Default)]
struct Written {
    decision: Option<Decision>,
    group: Option<Arc<Group>>,
}

/// An answer to pass on, and what it holds until its end.
enum Passed {
    Reply(Box<Reply>, Arc<Group>, Quota),
    Preflight(Arc<Group>),
}

impl Shared {
    /// The way of the request, from stage to stage.
    async fn exchange(
        &self,
        call: &Call,
        body: Incoming,
        entry: &mut Entry,
        now_unix_ms: i64,
        written: &mut Written,
    ) -> Result<Passed, ProxyError> {
        let table = self.routing.load();
        if let Some(group) = preflight(call, table.group(call.slug())) {
            return Ok(Passed::Preflight(group));
        }
        // The record counts requests until their bodies end.
        if self.recorder.in_flight() > self.settings.max_in_flight {
            return Err(ProxyError::Overloaded);
        }
        let caller = authenticate::authenticate(&table, call, now_unix_ms)?;
        entry.set_key(caller.key());
        let group = authorize::authorize(&table, &caller, call)?;
        entry.set_group(&group);
        written.group = Some(group.clone());
        let quota = self.admit(&caller, &group, call, written)?;
        let settings = &self.settings;
        let mut payload =
            inbound::receive(body, settings.body_limit, settings.replay_limit, &self.replay_budget).await?;
        entry.request_bytes = Some(payload.seen.clone());
        let model = payload.whole().and_then(|whole| ModelName::find(&call.headers, call.tail(), whole));
        entry.model = model.as_ref().map(|model| model.name.clone());
        check_model(&caller, model.as_ref(), &payload)?;
        let replayable = payload.whole().is_some() && verdict::may_repeat(group.kind, call.is_idempotent());
        let hash = sticky_hash(&caller, call);
        let draw = Draw::open(&group, &self.limiter, model.as_ref().map(|model| model.name.as_str()), hash, replayable);
        let ask = Ask { call, id: entry.id, model: model.as_ref(), identity: group.kind == GroupKind::Llm };
        let reply = forward::forward(self, &group, draw, ask, &mut payload, entry).await?;
        Ok(Passed::Reply(Box::new(reply), group, quota))
    }

    fn admit(&self, caller: &Caller, group: &Group, call: &Call, written: &mut Written) -> Result<Quota, ProxyError> {
        let taken = admit::admit(&self.limiter, caller, group, call, self.settings.default_rpm, self.clock.now_ns());
        match taken {
            Ok(quota) => {
                written.decision = Some(quota.decision());
                Ok(quota)
            }
            Err((decision, error)) => {
                written.decision = Some(decision);
                Err(error)
            }
        }
    }

    /// The head of the answer, filtered and named; the body on its way.
    fn pass(&self, passed: Passed, call: &Call, mut entry: Box<Entry>) -> Response<ReplyBody> {
        let (reply, group, quota) = match passed {
            Passed::Reply(reply, group, quota) => (*reply, group, quota),
            Passed::Preflight(group) => return answer_preflight(&group, call, entry),
        };
        let provider = reply.candidate.provider.clone();
        let answered = *reply.answered;
        let (mut head, attempts) = (answered.head, entry.attempts.len());
        entry.first_byte(head.status.as_u16());
        entry.streamed = attempt::is_event_stream(&head.headers);
        headers::from_provider(&mut head.headers, head.status.is_success());
        headers::rewrite_location(&mut head.headers, &provider, call.slug());
        headers::name_provider(&mut head.headers, &group, &provider, reply.response_time_ms, attempts);
        let total = if entry.streamed { provider.stream_timeout } else { provider.total_timeout };
        let limits = TimeLimits { idle: provider.idle_timeout, deadline: entry.started + total };
        let dialect = entry
            .streamed
            .then(|| if call.tail().ends_with("/messages") { Dialect::Anthropic } else { Dialect::OpenAi });
        let closing = entry.streamed.then(|| Box::pin(self.closing.clone().cancelled_owned()));
        let body = ReplyBody::passing(Parts {
            incoming: answered.rest,
            prefix: answered.peeked,
            lease: answered.lease,
            entry,
            permit: reply.candidate.permit,
            clock: self.clock,
            limits,
            dialect,
            closing,
            places: (reply.candidate.places, quota.into_place()),
        });
        head.version = http::Version::HTTP_11;
        Response::from_parts(head, body)
    }
}

/// A head that could not be read: there is nothing to record it under.
fn refuse_head(error: &ProxyError) -> Response<ReplyBody> {
    let id = crate::model::id::RequestId(uuid::Uuid::now_v7());
    let mut response = error.to_response(id, 0).map(|bytes| ReplyBody::own(bytes, None));
    headers::seal(&mut response, id);
    response
}

/// A key that names models may not be used where the model cannot be seen.
fn check_model(caller: &Caller, model: Option<&ModelName>, payload: &inbound::Payload) -> Result<(), ProxyError> {
    let Some(allowed) = caller.key().and_then(|key| key.models.as_ref()) else { return Ok(()) };
    match model {
        Some(model) if allowed.is_match(&model.name) => Ok(()),
        Some(model) => Err(ProxyError::ModelForbidden(model.name.clone())),
        None if payload.whole().is_some_and(Bytes::is_empty) => Ok(()),
        None => Err(ProxyError::ModelForbidden("(none could be read from the body)".to_owned())),
    }
}

/// What `sticky` holds on to: the key, else the client's address.
fn sticky_hash(caller: &Caller, call: &Call) -> u64 {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    match caller.key() {
        Some(key) => hasher.hash_one(key.id),
        None => hasher.hash_one(call.client_ip),
    }
}

/// A browser asks before it calls (Fetch standard): only groups that name origins answer.
fn preflight(call: &Call, group: Option<&Arc<Group>>) -> Option<Arc<Group>> {
    let asks = call.method == Method::OPTIONS
        && call.headers.contains_key(header::ORIGIN)
        && call.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    group.filter(|group| asks && group.enabled && !group.allowed_origins.is_empty()).cloned()
}

fn answer_preflight(group: &Group, call: &Call, mut entry: Box<Entry>) -> Response<ReplyBody> {
    entry.refused(204, "preflight");
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers::allow_origin(headers, &group.allowed_origins, call.headers.get(header::ORIGIN));
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        for (asked, answer) in [
            (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
            (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
        ] {
            if let Some(value) = call.headers.get(asked) {
                headers.insert(answer, value.clone());
            }
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response.map(|()| ReplyBody::own(Bytes::new(), Some(entry)))
}
