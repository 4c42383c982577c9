//! A recorded request sent again: the way of any other, from the draw on.
//!
//! There is no key, so nothing is admitted or counted against one, and path policy and model globs are not asked: an
//! operator sends it. All else is the same, health included, and it leaves a row in the log.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};

use super::{
    Exchange, Proxy, Ready, ReplyBody,
    admit::Quota,
    authenticate::Caller,
    call::{Call, PREFIX},
    capture::Capture,
    entry::Entry,
    error::ProxyError,
    headers,
    inbound::Payload,
    model_name::Wish,
    sticky, usage,
};
use crate::{
    model::{
        group::GroupKind,
        id::{GroupId, ProviderId, RequestId},
    },
    server::routing::table::Group,
};

/// What to send.
#[derive(Clone, Debug)]
pub struct Again {
    /// Method.
    pub method: Method,
    /// Path after the slug, with its `/`.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// To this member alone.
    pub only: Option<ProviderId>,
}

/// Why it is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// No such group is in force.
    #[error("the group is not there any more, or switched off")]
    NoGroup,
    /// The provider is no member of it.
    #[error("the provider is not in the group")]
    NoMember,
    /// The request cannot be made.
    #[error(transparent)]
    Refused(ProxyError),
}

impl Proxy {
    /// Sends a request again through a group; the answer as a client would see it, under an id of its own.
    pub async fn replay(&self, group: GroupId, again: Again) -> Result<(RequestId, Response<ReplyBody>), NotSent> {
        let shared = &*self.shared;
        let started = Instant::now();
        let table = shared.routing.load();
        let group = table.group_by_id(group).filter(|group| group.enabled).ok_or(NotSent::NoGroup)?.clone();
        let only = again.only.map(|provider| place_of(&group, provider).ok_or(NotSent::NoMember)).transpose()?;
        let call = imagine(&group, &again).map_err(NotSent::Refused)?;
        let now_unix_ms = shared.unix_ms(shared.clock.now_ms());
        let mut entry = Entry::open(&shared.recorder, now_unix_ms, started, &call, shared.settings.sampler);
        entry.set_group(&group);
        entry.bill.prices = table.prices.clone();
        if group.log_bodies {
            let mut bodies = Capture::begin(shared.settings.log_body_limit, &call.headers);
            bodies.asked(&again.body);
            entry.bodies = Some(bodies);
        }
        let wish = Wish::read(&call.headers, call.tail(), &again.body);
        let streams = wish.stream || call.asks_for_events();
        entry.model = wish.model.as_ref().map(|model| model.name.clone());
        entry.bill.asked = Some(&again.body).filter(|_| streams).and_then(usage::estimate);
        let payload = Payload::held(again.body);
        entry.request_bytes = Some(payload.seen.clone());
        let injection = wish.injection.filter(|_| group.kind == GroupKind::Llm && group.stream_usage);
        let hash = sticky::hash(&group.sticky, &Caller::Anonymous, &call);
        let (quota, model) = (Quota::unlimited(), wish.model);
        let ready = Ready { group, quota, payload, model, hash, replayable: true, streams, injection, only };
        let id = entry.id;
        let mut response = Exchange { shared: Arc::clone(&self.shared), call, entry, ready }.answer().await;
        headers::seal(&mut response, id);
        Ok((id, response))
    }
}

fn place_of(group: &Group, provider: ProviderId) -> Option<usize> {
    group.members.iter().position(|member| member.provider.id == provider)
}

/// The head, as a client on this machine would have sent it.
fn imagine(group: &Group, again: &Again) -> Result<Call, ProxyError> {
    let request = Request::builder().method(again.method.clone()).uri(format!("{PREFIX}{}{}", group.slug, again.path));
    let (mut head, ()) =
        request.body(()).map_err(|_| ProxyError::BadPath("it cannot be part of a request"))?.into_parts();
    head.headers = again.headers.clone();
    Call::parse(head, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), &[])
}
