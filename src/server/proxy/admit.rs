//! How much the caller may use: rate first, then requests at the same time.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{authenticate::Caller, call::Call, error::ProxyError};
use crate::server::{
    limit::local::{Decision, InFlight, Limiter, Subject},
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
    let (subject, limits) = match caller {
        Caller::Key(key) => (Subject::ApiKey(key.id), key.limits),
        Caller::Anonymous => (Subject::Anonymous(group.id, call.client_ip), group.anonymous.unwrap_or_default()),
    };
    // The place first: a request refused for it costs no quota.
    let place = match limits.concurrency {
        0 => None,
        most => match limiter.enter(subject, most, now_ns) {
            Some(place) => Some(place),
            None => {
                let reason = "as many requests as this key may have at once are in flight";
                let decision = limiter.look(subject, &limits, default_rpm, now_ns);
                return Err((decision, ProxyError::RateLimited { reason, retry_after_s: 1 }));
            }
        },
    };
    let decision = limiter.take(subject, &limits, default_rpm, now_ns);
    if decision.allowed {
        return Ok(Quota { decision, place });
    }
    let retry_after_s = u64::from(decision.retry_after_s.max(1));
    let reason = "the requests per minute of this key are used up";
    Err((decision, ProxyError::RateLimited { reason, retry_after_s }))
}

/// Writes `X-RateLimit-*`; nothing where nothing is limited.
pub fn write(decision: &Decision, headers: &mut HeaderMap) {
    if decision.limit > 0 {
        headers.insert(LIMIT, HeaderValue::from(decision.limit));
        headers.insert(REMAINING, HeaderValue::from(decision.remaining));
        headers.insert(RESET, HeaderValue::from(decision.reset_s));
    }
}
