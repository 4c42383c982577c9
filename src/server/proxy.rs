//! THE DATA PLANE: the way of one request, its files in the order of the request.
//!
//! ```text
//! call -> authenticate -> authorize -> admit -> inbound -> select -> forward/attempt -> headers -> reply
//!                                                                      hold, keepalive
//! ```
//!
//! Event streams alone are held until their first output ([`hold`]), and only clients that wait for
//! one are sent comments meanwhile ([`keepalive`]).
//!
//! Each stage takes the value the last one made, so leaving one out does not compile. One routing
//! table serves the whole request. Nothing here waits for the store, the bus or the control plane.

pub mod admit;
pub mod attempt;
pub mod authenticate;
pub mod authorize;
pub mod call;
pub mod capture;
pub mod dialect;
pub mod drill;
pub mod entry;
pub mod error;
pub mod explain;
pub mod forward;
pub mod headers;
pub mod hold;
pub mod inbound;
pub mod keepalive;
pub mod late;
pub mod model_list;
pub mod model_name;
mod multipart;
pub mod replay;
pub mod reply;
pub mod select;
pub mod sticky;
pub mod usage;
pub mod verdict;
pub mod websocket;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use ipnet::IpNet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use reply::ReplyBody;

use self::{
    admit::Quota,
    attempt::{Answered, Ask, Content},
    authenticate::Caller,
    call::Call,
    capture::Capture,
    dialect::Dialect,
    entry::Entry,
    error::ProxyError,
    forward::Reply,
    inbound::{Payload, ReplayBudget},
    keepalive::Exchange,
    model_list::ModelLists,
    model_name::{ModelName, Wish},
    reply::{Dress, Parts, TimeLimits},
    select::{Candidate, Draw},
    usage::{Meter, include::Injection, sieve::Sieve},
    websocket::Tunnel,
};
use crate::{
    model::{group::GroupKind, trace::Sampler},
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
    /// Bytes of each body that are taken for the log, where a group or a key asks for bodies.
    pub log_body_limit: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a client may take for the next part of its body.
    pub body_patience: Duration,
    /// Which requests get spans; `None` leaves the trace context of clients alone.
    pub sampler: Option<Sampler>,
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
    model_lists: ModelLists,
    /// Cancelled when draining ends: streams still open say goodbye.
    closing: CancellationToken,
    /// WebSockets outlive the connections that brought them.
    tunnels: TaskTracker,
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
        let (model_lists, tunnels) = (ModelLists::default(), TaskTracker::new());
        let shared =
            Shared { routing, limiter, recorder, clock, settings, replay_budget, model_lists, closing, tunnels };
        Self { shared: Arc::new(shared) }
    }

    /// Whether a path belongs to the data plane.
    pub fn claims(path: &str) -> bool {
        path.starts_with(call::PREFIX)
    }

    /// Waits until every WebSocket has ended; call it when no new one can begin.
    pub async fn settle(&self) {
        self.shared.tunnels.close();
        self.shared.tunnels.wait().await;
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
        let mut entry = Entry::open(&shared.recorder, now_unix_ms, started, &call, shared.settings.sampler);
        let (id, origin) = (entry.id, call.headers.get(header::ORIGIN).cloned());
        let mut written = Written::default();
        let mut response = match shared.prepare(&call, body, &mut entry, now_unix_ms, &mut written).await {
            Ok(ready) => Exchange { shared: self.shared.clone(), call, entry, ready }.answer().await,
            Err(Early::Preflight(group)) => answer_preflight(&group, &call, entry),
            Err(Early::Models(list)) => answer_models(list, entry),
            Err(Early::Refused(error)) => refuse(&error, entry),
        };
        if let Some(decision) = &written.decision {
            admit::write(decision, response.headers_mut());
        }
        if let Some(group) = &written.group {
            headers::allow_origin(response.headers_mut(), &group.allowed_origins, origin.as_ref());
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

/// How a request ends ahead of its first attempt.
enum Early {
    Preflight(Arc<Group>),
    /// The models of all members.
    Models(Bytes),
    Refused(ProxyError),
}

impl From<ProxyError> for Early {
    fn from(error: ProxyError) -> Self {
        Self::Refused(error)
    }
}

/// A request that may be asked: all that attempts need, and all that is given back at its end.
struct Ready {
    group: Arc<Group>,
    quota: Quota,
    payload: Payload,
    model: Option<ModelName>,
    /// What `sticky` holds on to.
    hash: u64,
    replayable: bool,
    /// Whether the client asked for an event stream.
    streams: bool,
    /// How the gateway asks for the usage of the stream, which its client did not.
    injection: Option<Injection>,
    /// The one member that may be asked, by place; `None` for every client's request.
    only: Option<usize>,
}

impl Shared {
    /// The way of the request, from stage to stage, up to its first attempt.
    async fn prepare(
        &self,
        call: &Call,
        body: Incoming,
        entry: &mut Entry,
        now_unix_ms: i64,
        written: &mut Written,
    ) -> Result<Ready, Early> {
        let table = self.routing.load();
        if let Some(group) = preflight(call, table.group(call.slug())) {
            return Err(Early::Preflight(group));
        }
        // The record counts requests until their bodies end.
        if self.recorder.in_flight() > self.settings.max_in_flight {
            return Err(ProxyError::Overloaded.into());
        }
        let caller = authenticate::authenticate(&table, call, now_unix_ms)?;
        entry.set_key(caller.key());
        let group = authorize::authorize(&table, &caller, call).inspect_err(|_| {
            let now_ns = self.clock.now_ns();
            written.decision = admit::look(&self.limiter, &caller, self.settings.default_rpm, now_ns);
        })?;
        entry.set_group(&group);
        if group.log_bodies || caller.key().is_some_and(|key| key.log_bodies) {
            let most = capture::room(self.settings.log_body_limit, self.recorder.in_flight());
            entry.bodies = Some(Capture::begin(most, &call.headers));
        }
        written.group = Some(group.clone());
        if call.websocket.is_some() && !group.websocket {
            return Err(ProxyError::UpgradeNotAllowed.into());
        }
        let quota = self.admit(&caller, &group, call, written)?;
        entry.bill.prices = table.prices.clone();
        entry.bill.charge = admit::charge(&self.limiter, &caller, &group, self.clock);
        let payload = self.receive(body, entry).await?;
        let wish = payload.whole().map(|whole| Wish::read(&call.headers, call.tail(), whole)).unwrap_or_default();
        let model = wish.model;
        entry.model = model.as_ref().map(|model| model.name.clone());
        check_model(&caller, model.as_ref(), &payload)?;
        let injection = wish.injection.filter(|_| group.kind == GroupKind::Llm && group.stream_usage);
        if payload.whole().is_some_and(Bytes::is_empty)
            && let Some(list) = self.list_models(&group, table.revision, &caller, call, entry).await
        {
            return Err(Early::Models(list));
        }
        let replayable = payload.whole().is_some();
        let hash = sticky::hash(&group.sticky, &caller, call);
        let streams = wish.stream || call.asks_for_events();
        entry.bill.asked = payload.whole().filter(|_| streams).and_then(usage::estimate);
        Ok(Ready { group, quota, payload, model, hash, replayable, streams, injection, only: None })
    }

    /// The request's body: whole, where it may be sent again. Where it is to be kept it is copied on the way.
    async fn receive(&self, body: Incoming, entry: &mut Entry) -> Result<Payload, ProxyError> {
        let settings = &self.settings;
        let limits = inbound::Limits {
            body: settings.body_limit,
            replay: settings.replay_limit,
            patience: settings.body_patience,
        };
        let tee = entry.bodies.as_mut().map(|bodies| bodies.tee());
        let payload = inbound::receive(body, limits, &self.replay_budget, tee).await?;
        if let (Some(bodies), Some(whole)) = (&mut entry.bodies, payload.whole()) {
            bodies.asked(whole);
        }
        entry.request_bytes = Some(payload.seen.clone());
        Ok(payload)
    }

    /// The models of all members, where they are asked for and any member tells its own.
    async fn list_models(
        &self,
        group: &Group,
        revision: i64,
        caller: &Caller,
        call: &Call,
        entry: &mut Entry,
    ) -> Option<Bytes> {
        let allowed = caller.key().and_then(|key| key.models.as_ref());
        let shape = model_list::asked_for(group, call, allowed)?;
        let asking = model_list::answer(self, group, revision, call, entry.watch(), shape, allowed);
        let (list, attempts) = Box::pin(asking).await?;
        entry.gathered(attempts);
        Some(list)
    }

    /// Asks one candidate after another until one answers.
    async fn ask(&self, call: &Call, ready: &mut Ready, entry: &mut Entry) -> Result<Reply, ProxyError> {
        let (group, model) = (&*ready.group, ready.model.as_ref());
        let name = model.map(|model| model.name.as_str());
        let draw = Draw::open(group, &self.limiter, name, ready.hash, ready.replayable).among(ready.only);
        let first_output_ms = group.failover.first_output_timeout_ms;
        let ask = Ask {
            call,
            id: entry.id,
            place: None,
            model,
            injection: ready.injection.as_ref(),
            identity: group.kind == GroupKind::Llm || ready.streams,
            rules: &group.outcome_rules,
            streams: ready.streams,
            first_output_timeout: (first_output_ms > 0).then(|| Duration::from_millis(first_output_ms.into())),
        };
        forward::forward(self, group, draw, ask, &mut ready.payload, entry).await
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
    fn pass(
        &self,
        reply: Reply,
        call: &Call,
        mut entry: Box<Entry>,
        group: &Group,
        quota: Quota,
        injected: bool,
    ) -> Response<ReplyBody> {
        if reply.answered.head.status == StatusCode::SWITCHING_PROTOCOLS {
            return self.switch(reply, group, quota, call, entry);
        }
        let Reply { answered, candidate, response_time_ms } = reply;
        let Answered { mut head, content, .. } = *answered;
        let (provider, attempts) = (&candidate.provider, entry.attempts.len());
        entry.first_byte(head.status.as_u16());
        entry.streamed = attempt::is_event_stream(&head.headers);
        entry.answers(&head.headers);
        let sieve = self.read_usage(&head, call, group, injected, &mut entry);
        headers::from_provider(&mut head.headers, head.status.is_success());
        if sieve.is_some() {
            head.headers.remove(header::CONTENT_LENGTH);
        }
        if !headers::takes_trailers(&call.headers) {
            head.headers.remove(header::TRAILER);
        }
        headers::rewrite_location(&mut head.headers, provider, call.slug());
        headers::name_provider(&mut head.headers, group, provider, response_time_ms, attempts);
        let dialect = entry.streamed.then(|| Dialect::of(call.tail()));
        let body = self.body(content, candidate, entry, quota, Dress { dialect, late: None, sieve });
        head.version = http::Version::HTTP_11;
        Response::from_parts(head, body)
    }

    /// The provider has switched to WebSocket: so does the client, and both are joined.
    fn switch(
        &self,
        reply: Reply,
        group: &Group,
        quota: Quota,
        call: &Call,
        mut entry: Box<Entry>,
    ) -> Response<ReplyBody> {
        let provider = reply.candidate.provider.clone();
        let mut head = reply.answered.head;
        entry.first_byte(head.status.as_u16());
        // Frames of both directions, masked: no body to be kept.
        entry.bodies = None;
        headers::from_provider(&mut head.headers, true);
        headers::name_provider(&mut head.headers, group, &provider, reply.response_time_ms, entry.attempts.len());
        websocket::ask(&mut head.headers);
        if let (Some(client), Some(switched)) = (call.websocket.clone(), head.extensions.remove::<OnUpgrade>()) {
            let tunnel = Tunnel {
                client,
                provider: switched,
                entry,
                permit: reply.candidate.permit,
                clock: self.clock,
                idle: provider.idle_timeout,
                closing: self.closing.clone(),
                places: (reply.candidate.places, quota.into_place()),
            };
            self.tunnels.spawn(tunnel.run());
        }
        Response::from_parts(head, ReplyBody::own(Bytes::new(), None))
    }

    /// Sets out to read the usage of this answer; the sieve where only the gateway asked for it.
    fn read_usage(
        &self,
        head: &http::response::Parts,
        call: &Call,
        group: &Group,
        injected: bool,
        entry: &mut Entry,
    ) -> Option<Sieve> {
        let dialect = Dialect::of(call.tail());
        entry.bill.meter = Meter::new(head, group.kind, dialect, entry.bill.asked);
        (injected && entry.bill.meter.is_some() && attempt::is_event_stream(&head.headers)).then(Sieve::default)
    }

    /// A provider's body on its way to the client.
    fn body(&self, content: Content, candidate: Candidate, entry: Box<Entry>, quota: Quota, dress: Dress) -> ReplyBody {
        let provider = &candidate.provider;
        let total = if entry.streamed { provider.stream_timeout } else { provider.total_timeout };
        ReplyBody::passing(Parts {
            content,
            limits: TimeLimits { idle: provider.idle_timeout, deadline: entry.started + total },
            closing: entry.streamed.then(|| Box::pin(self.closing.clone().cancelled_owned())),
            entry,
            permit: candidate.permit,
            clock: self.clock,
            dress,
            places: (candidate.places, quota.into_place()),
        })
    }
}

/// The gateway's own answer.
fn refuse(error: &ProxyError, mut entry: Box<Entry>) -> Response<ReplyBody> {
    entry.refused(error.status().as_u16(), error.code());
    entry.answers_as("application/json");
    error.to_response(entry.id, entry.attempts.len()).map(|bytes| ReplyBody::own(bytes, Some(entry)))
}

/// A head that could not be read: there is nothing to record it under.
fn refuse_head(error: &ProxyError) -> Response<ReplyBody> {
    let id = crate::model::id::RequestId(uuid::Uuid::now_v7());
    let mut response = error.to_response(id, 0).map(|bytes| ReplyBody::own(bytes, None));
    headers::seal(&mut response, id);
    response
}

/// A key that names models may not be used where the model cannot be seen.
fn check_model(caller: &Caller, model: Option<&ModelName>, payload: &Payload) -> Result<(), ProxyError> {
    let Some(allowed) = caller.key().and_then(|key| key.models.as_ref()) else { return Ok(()) };
    match model {
        Some(model) if allowed.is_match(&model.name) => Ok(()),
        Some(model) => Err(ProxyError::ModelForbidden(model.name.clone())),
        None if payload.whole().is_some_and(Bytes::is_empty) => Ok(()),
        None => Err(ProxyError::ModelForbidden("(none could be read from the body)".to_owned())),
    }
}

/// A browser asks before it calls (Fetch standard): only groups that name origins answer.
fn preflight(call: &Call, group: Option<&Arc<Group>>) -> Option<Arc<Group>> {
    let asks = call.method == Method::OPTIONS
        && call.headers.contains_key(header::ORIGIN)
        && call.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    group.filter(|group| asks && group.enabled && !group.allowed_origins.is_empty()).cloned()
}

fn answer_models(list: Bytes, mut entry: Box<Entry>) -> Response<ReplyBody> {
    entry.first_byte(StatusCode::OK.as_u16());
    entry.answers_as("application/json");
    let mut response = Response::new(ReplyBody::own(list, Some(entry)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
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
