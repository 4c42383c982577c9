//! How much the caller may use: requests at the same time, the day's and the month's caps, the rate.
//!
//! A request counts against the caps once it is admitted, whatever becomes of it afterwards: a body
//! that is too large, a model that is not allowed, no provider that could take it. One that is
//! refused here costs nothing.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{authenticate::Caller, call::Call, error::ProxyError, usage::Charge};
use crate::server::{
    health::clock::Clock,
    limit::{
        caps::{Account, Allowance, Cap},
        local::{Decision, InFlight, Limiter, Subject},
    },
    routing::table::Group,
};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What was taken for one request. The place among concurrent requests is given back when dropped.
pub struct Quota {
    decision: Decision,
    place: Option<InFlight>,
}

impl Quota {
    /// Of a request that no limit is asked for: an operator sends it.
    pub fn unlimited() -> Self {
        Self { decision: Decision::UNLIMITED, place: None }
    }

    /// The place to keep until the body has ended.
    pub fn into_place(self) -> Option<InFlight> {
        self.place
    }

    /// The numbers of `X-RateLimit-*`.
    pub fn decision(&self) -> Decision {
        self.decision
    }
}

/// Takes one request from the caller's limits; the decision is there in both cases, for the headers.
pub fn admit(
    limiter: &Limiter,
    caller: &Caller,
    group: &Group,
    call: &Call,
    default_rpm: u32,
    now_ns: u64,
) -> Result<Quota, (Decision, ProxyError)> {
    let (subject, account, limits) = match caller {
        Caller::Key(key) => (Subject::ApiKey(key.id), Account::ApiKey(key.id), key.limits),
        // Each address has a rate of its own; days and months are the group's, however many come.
        Caller::Anonymous => (
            Subject::Anonymous(group.id, call.client_ip),
            Account::Anonymous(group.id),
            group.anonymous.unwrap_or_default(),
        ),
    };
    let refused = |error| (limiter.look(subject, &limits, default_rpm, now_ns), error);
    // The place first: a request refused for it costs no quota.
    let place = match limits.concurrency {
        0 => None,
        most => Some(limiter.enter(subject, most, now_ns).ok_or_else(|| refused(too_many_at_once(caller)))?),
    };
    let allowance = Allowance::from(&limits);
    limiter.caps().take(account, &allowance, now_ns).map_err(|used_up| {
        let reason = used_up_reason(caller, used_up.cap);
        refused(ProxyError::RateLimited { reason, retry_after_s: used_up.retry_after_s })
    })?;
    let decision = limiter.take(subject, &limits, default_rpm, now_ns);
    if decision.allowed {
        return Ok(Quota { decision, place });
    }
    limiter.caps().give_back(account, &allowance, now_ns);
    Err((decision, too_fast(caller, decision)))
}

/// What the tokens of an admitted request are counted against; `None` where nothing is capped.
pub fn charge(limiter: &Limiter, caller: &Caller, group: &Group, clock: Clock) -> Option<Charge> {
    let (account, limits) = match caller {
        Caller::Key(key) => (Account::ApiKey(key.id), key.limits),
        Caller::Anonymous => (Account::Anonymous(group.id), group.anonymous.unwrap_or_default()),
    };
    let capped = !Allowance::from(&limits).is_unlimited();
    capped.then(|| Charge { caps: limiter.caps().clone(), account, clock })
}

/// The numbers of `X-RateLimit-*` for a key that is refused before it takes anything.
pub fn look(limiter: &Limiter, caller: &Caller, default_rpm: u32, now_ns: u64) -> Option<Decision> {
    caller.key().map(|key| limiter.look(key.id, &key.limits, default_rpm, now_ns))
}

/// What [`admit`] would say of a key's place, caps and rate, without taking anything.
pub fn foresee(limiter: &Limiter, caller: &Caller, default_rpm: u32, now_ns: u64) -> Result<(), ProxyError> {
    let Caller::Key(key) = caller else { return Ok(()) };
    if limiter.is_full(key.id, key.limits.concurrency) {
        return Err(too_many_at_once(caller));
    }
    let caps = limiter.caps().check(Account::ApiKey(key.id), &Allowance::from(&key.limits), now_ns);
    caps.map_err(|used_up| {
        let reason = used_up_reason(caller, used_up.cap);
        ProxyError::RateLimited { reason, retry_after_s: used_up.retry_after_s }
    })?;
    let decision = limiter.look(key.id, &key.limits, default_rpm, now_ns);
    if decision.allowed { Ok(()) } else { Err(too_fast(caller, decision)) }
}

fn too_many_at_once(caller: &Caller) -> ProxyError {
    let reason = match caller {
        Caller::Key(_) => "as many requests as this key may have at once are in flight",
        Caller::Anonymous => "as many requests as one address may have at once without a key are in flight",
    };
    ProxyError::RateLimited { reason, retry_after_s: 1 }
}

fn too_fast(caller: &Caller, decision: Decision) -> ProxyError {
    let reason = match caller {
        Caller::Key(_) => "the requests per minute of this key are used up",
        Caller::Anonymous => "the requests per minute of this address without a key are used up",
    };
    ProxyError::RateLimited { reason, retry_after_s: u64::from(decision.retry_after_s.max(1)) }
}

fn used_up_reason(caller: &Caller, cap: Cap) -> &'static str {
    match (caller, cap) {
        (Caller::Key(_), Cap::RequestsPerDay) => "the requests per day of this key are used up",
        (Caller::Key(_), Cap::RequestsPerMonth) => "the requests per month of this key are used up",
        (Caller::Key(_), Cap::TokensPerDay) => "the tokens per day of this key are used up",
        (Caller::Key(_), Cap::TokensPerMonth) => "the tokens per month of this key are used up",
        (Caller::Anonymous, Cap::RequestsPerDay) => "the requests per day of this group without a key are used up",
        (Caller::Anonymous, Cap::RequestsPerMonth) => "the requests per month of this group without a key are used up",
        (Caller::Anonymous, Cap::TokensPerDay) => "the tokens per day of this group without a key are used up",
        (Caller::Anonymous, Cap::TokensPerMonth) => "the tokens per month of this group without a key are used up",
    }
}

/// Writes `X-RateLimit-*`; nothing where nothing is limited.
pub fn write(decision: &Decision, headers: &mut HeaderMap) {
    if decision.limit > 0 {
        headers.insert(LIMIT, HeaderValue::from(decision.limit));
        headers.insert(REMAINING, HeaderValue::from(decision.remaining));
        headers.insert(RESET, HeaderValue::from(decision.reset_s));
    }
}
