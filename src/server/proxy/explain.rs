//! What the next request would do, and why, without doing any of it.
//!
//! The same looks and draws as [`super::select`], on copies of the credits, with no leave taken: no
//! credit moves, no trial begins, no limit is spent. Chance, where a strategy uses it, is drawn from
//! a fixed seed, so that asking twice gives the same answer.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError},
};

use http::Request;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    Proxy, Shared, admit, authenticate,
    authenticate::Caller,
    authorize,
    call::{Call, PREFIX},
    error::ProxyError,
    select::{Draw, Look, cooling_until},
    sticky, verdict,
};
use crate::{
    model::{
        explain::{DRAWS, ExplainQuery, Explanation, FullLimit, LimitName, MemberVerdict, Refused},
        group::Strategy,
        id::{CredentialId, GroupId},
        rate_limit::UpstreamLimits,
        request_log::SkipReason,
    },
    server::{
        balance::{
            Candidate as Weighed,
            strategy::{self, Hints},
            tier,
            weighted::{Credits, allowances},
        },
        health::{breaker::Admission, credential::Standing},
        routing::table::{Credential, Group, Provider, Table},
    },
};

/// Members put in line at least, if so many can be asked.
const IN_LINE: usize = 10;

impl Proxy {
    /// What this group would do with such a request now; `None` where no such group is in force.
    pub fn explain(&self, group: GroupId, query: &ExplainQuery) -> Option<Explanation> {
        let table = self.shared.routing.load();
        let group = table.group_by_id(group)?.clone();
        Some(explain(&self.shared, &table, &group, query))
    }
}

fn explain(shared: &Shared, table: &Table, group: &Arc<Group>, query: &ExplainQuery) -> Explanation {
    let now_ms = shared.clock.now_ms();
    let key = query.api_key.and_then(|id| table.key_by_id(id)).cloned();
    let caller = key.map_or(Caller::Anonymous, Caller::Key);
    let call = imagine(group, query);
    let refused = match &call {
        Ok(call) => refuse(shared, group, &caller, call, query).err(),
        Err(error) => Some(error.clone()),
    };
    let hash = call.as_ref().map_or(0, |call| sticky::hash(&group.sticky, &caller, call));
    let repeatable = verdict::may_repeat(group.kind, call.as_ref().is_ok_and(Call::is_idempotent));
    let members = Sight { shared, group, model: query.model.as_deref(), now_ms }.members(hash, repeatable);
    Explanation {
        at_ms: shared.unix_ms(now_ms),
        revision: table.revision,
        strategy: group.strategy,
        max_attempts: group.failover.max_attempts,
        refused: refused.map(|error| Refused {
            status: error.status().as_u16(),
            code: error.code().to_owned(),
            message: error.to_string(),
        }),
        members,
    }
}

/// The head that such a request would have.
fn imagine(group: &Group, query: &ExplainQuery) -> Result<Call, ProxyError> {
    let mut request =
        Request::builder().method(query.method.as_str()).uri(format!("{PREFIX}{}{}", group.slug, query.path));
    if let (Some(name), Some(value)) = (&group.sticky.header, &query.header) {
        request = request.header(name, value);
    }
    let unreadable = |_| ProxyError::BadPath("it cannot be part of a request");
    let (head, ()) = request.body(()).map_err(unreadable)?.into_parts();
    let client = query.client_ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Call::parse(head, SocketAddr::new(client, 0), &[])
}

/// What stands before the draw: key, group, path, model, rate.
fn refuse(
    shared: &Shared,
    group: &Group,
    caller: &Caller,
    call: &Call,
    query: &ExplainQuery,
) -> Result<(), ProxyError> {
    if !group.enabled {
        return Err(ProxyError::GroupNotFound);
    }
    let key = caller.key();
    if query.api_key.is_some() && key.is_none() {
        return Err(ProxyError::InvalidKey("this API key is not known or was revoked"));
    }
    authorize::check_path(group, key.and_then(|key| key.paths.as_ref()), call)?;
    let Some(key) = key else { return Ok(()) };
    authenticate::check(key, query.client_ip, shared.unix_ms(shared.clock.now_ms()))?;
    if !key.reaches(group.id) {
        return Err(ProxyError::GroupForbidden);
    }
    if let (Some(allowed), Some(model)) = (&key.models, &query.model)
        && !allowed.is_match(model)
    {
        return Err(ProxyError::ModelForbidden(model.clone()));
    }
    let now_ns = shared.clock.now_ns();
    admit::foresee(&shared.limiter, caller, shared.settings.default_rpm, now_ns)
}

/// A group as one moment shows it.
struct Sight<'a> {
    shared: &'a Shared,
    group: &'a Group,
    model: Option<&'a str>,
    now_ms: u64,
}

impl Sight<'_> {
    /// The verdict on every member: those in line first.
    fn members(&self, hash: u64, repeatable: bool) -> Vec<MemberVerdict> {
        let (group, limiter) = (self.group, &self.shared.limiter);
        let mut draw = Draw::open(group, limiter, self.model, hash, repeatable);
        let looks = self.looks(&draw);
        let credits = group.memory.credits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let weights = self.weigh(&looks);
        let weighs = |index: usize| self.keeps_credits() && weights[index].is_eligible();
        let mut rooms = weights.clone();
        tier::narrow(&group.tiers, &mut rooms);
        let rooms = allowances(&rooms);
        let shares = self.shares(&looks, credits.clone(), hash);
        let mut members: Vec<MemberVerdict> = (0..group.members.len())
            .map(|index| MemberVerdict {
                share: f64::from(shares[index]) / f64::from(DRAWS),
                credit: weighs(index).then(|| credits.credit(group.members[index].key) + weights[index].weight),
                room: (group.strategy == Strategy::Weighted && rooms[index] > 0).then_some(rooms[index]),
                ..self.member(index, &looks[index])
            })
            .collect();
        let (mut credits, mut rng) = (credits, StdRng::seed_from_u64(hash));
        for place in 1..=IN_LINE.max(group.failover.max_attempts as usize) {
            let looks = self.looks(&draw);
            let Some(index) = self.draw(&looks, &mut credits, hash, &mut rng) else { break };
            members[index].place = Some(place as u32);
            draw.done_with(index);
        }
        members.sort_by_key(|member| (member.place.unwrap_or(u32::MAX), member.skipped.is_some(), member.tier));
        members
    }

    fn looks(&self, draw: &Draw<'_>) -> Vec<Look> {
        let now_ns = self.shared.clock.now_ns();
        let look = |index: usize| match draw.look(index, self.now_ms, now_ns) {
            // A draw finds it out when it enters, and draws again.
            Look::Weight(_) if self.has_full_credentials(&self.group.members[index].provider) => {
                Look::Skip(SkipReason::Full)
            }
            look => look,
        };
        (0..self.group.members.len()).map(look).collect()
    }

    /// Whether every credential that could be used is at a limit of its own.
    fn has_full_credentials(&self, provider: &Provider) -> bool {
        let now_ns = self.shared.clock.now_ns();
        let has_room = |one: &&Credential| self.shared.limiter.credential_has_room(one.id, &one.limits, now_ns);
        let mut usable = provider.credentials.iter().filter(|one| one.state.is_usable(self.now_ms)).peekable();
        provider.needs_credential && usable.peek().is_some() && !usable.any(|one| has_room(&one))
    }

    fn weigh(&self, looks: &[Look]) -> Vec<Weighed> {
        let weight = |look: &Look| if let Look::Weight(weight) = look { *weight } else { 0.0 };
        let places = self.group.members.iter().zip(looks);
        places
            .map(|(member, look)| Weighed {
                key: member.key,
                weight: weight(look),
                in_flight: member.provider.state.in_flight(),
            })
            .collect()
    }

    fn draw(&self, looks: &[Look], credits: &mut Credits, hash: u64, rng: &mut StdRng) -> Option<usize> {
        let members = &self.group.members;
        let mut weighed = self.weigh(looks);
        tier::narrow(&self.group.tiers, &mut weighed)?;
        let hints = Hints {
            hash,
            priority: &|index| members[index].priority,
            ewma_us: &|index| members[index].provider.state.ewma_us(self.now_ms),
        };
        strategy::draw(self.group.strategy, credits, &weighed, &hints, rng)
    }

    /// How many of the next hundred draws each member gets, nothing else changing.
    fn shares(&self, looks: &[Look], mut credits: Credits, hash: u64) -> Vec<u32> {
        let mut drawn = vec![0; self.group.members.len()];
        let mut rng = StdRng::seed_from_u64(hash);
        for _ in 0..DRAWS {
            let Some(index) = self.draw(looks, &mut credits, hash, &mut rng) else { break };
            drawn[index] += 1;
        }
        drawn
    }

    fn keeps_credits(&self) -> bool {
        // Large groups are sampled: nobody is owed anything there.
        self.group.layout.is_none() && matches!(self.group.strategy, Strategy::Weighted | Strategy::RoundRobin)
    }

    /// One member, its place in line not known yet.
    fn member(&self, index: usize, look: &Look) -> MemberVerdict {
        let member = &self.group.members[index];
        let provider = &*member.provider;
        let skipped = if let Look::Skip(reason) = look { Some(*reason) } else { None };
        let trial = skipped.is_none() && matches!(provider.state.peek(self.now_ms), Admission::Trial { .. });
        MemberVerdict {
            provider: provider.id,
            name: provider.name.to_string(),
            tier: self.group.tiers[index],
            place: None,
            share: 0.0,
            priority: member.priority,
            factor: provider.state.factor(self.now_ms),
            trial,
            credit: None,
            in_flight: provider.state.in_flight(),
            room: None,
            credential: if skipped.is_none() { self.credential(provider) } else { None },
            skipped,
            until_ms: skipped.and_then(|reason| self.until(provider, reason)).map(|at| self.shared.unix_ms(at)),
            full: if skipped == Some(SkipReason::Full) { self.full(provider) } else { None },
        }
    }

    /// The credential it would be asked with, by the weighted rule on a copy of their credits.
    fn credential(&self, provider: &Provider) -> Option<CredentialId> {
        if let [only] = provider.credentials.as_slice() {
            return Some(only.id);
        }
        let now_ns = self.shared.clock.now_ns();
        let weigh = |credential: &Credential| {
            let usable = credential.state.is_usable(self.now_ms)
                && self.shared.limiter.credential_has_room(credential.id, &credential.limits, now_ns);
            Weighed {
                key: credential.key,
                weight: if usable { f64::from(credential.weight) } else { 0.0 },
                in_flight: credential.state.in_flight(),
            }
        };
        let weighed: Vec<Weighed> = provider.credentials.iter().map(weigh).collect();
        let mut credits = provider.rotation.lock().unwrap_or_else(PoisonError::into_inner).clone();
        credits.draw(&weighed).map(|index| provider.credentials[index].id)
    }

    /// When the reason ends, monotone milliseconds, where that is known.
    fn until(&self, provider: &Provider, reason: SkipReason) -> Option<u64> {
        match reason {
            SkipReason::Unhealthy => match provider.state.peek(self.now_ms) {
                Admission::Refuse { until_ms } => Some(until_ms),
                _ => None,
            },
            SkipReason::Cooling => cooling_until(provider, self.now_ms),
            SkipReason::NoCredential => {
                let retries = provider.credentials.iter().filter_map(|one| match one.state.standing(self.now_ms) {
                    Standing::Failed { retry_at_ms } => Some(retry_at_ms),
                    _ => None,
                });
                retries.min()
            }
            SkipReason::Model => provider.state.model_missing_until(self.model?, self.now_ms),
            _ => None,
        }
    }

    /// Which limit of the provider's own, or of a credential's, is reached.
    fn full(&self, provider: &Provider) -> Option<FullLimit> {
        let (limiter, now_ns) = (&self.shared.limiter, self.shared.clock.now_ns());
        let own = reached(provider.limits, |alone| !limiter.provider_has_room(provider.id, alone, now_ns));
        let of = |one: &Credential| reached(one.limits, |alone| !limiter.credential_has_room(one.id, alone, now_ns));
        own.or_else(|| provider.credentials.iter().find_map(of))
    }
}

/// The limit that alone leaves no room.
fn reached(limits: UpstreamLimits, reached: impl Fn(&UpstreamLimits) -> bool) -> Option<FullLimit> {
    let UpstreamLimits { rpm, concurrency, requests_per_day } = limits;
    let none = UpstreamLimits::default();
    if concurrency > 0 && reached(&UpstreamLimits { concurrency, ..none }) {
        return Some(FullLimit { limit: LimitName::Concurrency, most: concurrency.into() });
    }
    if rpm > 0 && reached(&UpstreamLimits { rpm, ..none }) {
        return Some(FullLimit { limit: LimitName::Rpm, most: rpm.into() });
    }
    (requests_per_day > 0 && reached(&UpstreamLimits { requests_per_day, ..none }))
        .then_some(FullLimit { limit: LimitName::RequestsPerDay, most: requests_per_day })
}
