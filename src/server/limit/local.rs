//! Limits on this node: a bucket and a count of requests in flight per subject.
//!
//! Subjects live in shards, each behind its own short lock (a lookup and some arithmetic, never
//! across an await), so that cores rarely meet. Idle subjects are forgotten when a shard has
//! doubled since it was last swept: constant cost per request, and memory follows those who are
//! active now, not all who ever called.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    calendar::Calendar,
    caps::{Account, Allowance, Caps},
    gcra::{Answer, Bucket, Rate, take_all},
};
use crate::model::{
    id::{ApiKeyId, CredentialId, GroupId, ProviderId},
    rate_limit::{KeyLimits, UpstreamLimits},
};

const SHARDS: usize = 16;
/// The shard of all upstreams: a provider and its credential are taken from under one lock.
const UPSTREAMS: usize = 0;
/// A shard is not swept below this size.
const SMALL: usize = 256;

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A client's key.
    ApiKey(ApiKeyId),
    /// A client without a key, by its address in that group.
    Anonymous(GroupId, IpAddr),
    /// A provider as a whole.
    Provider(ProviderId),
    /// One credential of a provider.
    Credential(CredentialId),
}

impl From<ApiKeyId> for Subject {
    fn from(id: ApiKeyId) -> Self {
        Self::ApiKey(id)
    }
}

/// What a limit says to one request; the numbers of `X-RateLimit-*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is admitted.
    pub allowed: bool,
    /// Requests a minute; 0 = nothing is limited, leave the headers out.
    pub limit: u32,
    /// Requests that would still be admitted now.
    pub remaining: u32,
    /// Seconds until the bucket is full, rounded up.
    pub reset_s: u32,
    /// Seconds until the next request is admitted, rounded up; 0 when one is.
    pub retry_after_s: u32,
}

impl Decision {
    /// Nothing is limited.
    pub const UNLIMITED: Self = Self { allowed: true, limit: 0, remaining: 0, reset_s: 0, retry_after_s: 0 };

    fn of(rate: Rate, answer: Answer) -> Self {
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let seconds = |time: Duration| small(time.as_nanos().div_ceil(1_000_000_000).try_into().unwrap_or(u64::MAX));
        Self {
            allowed: answer.allowed,
            limit: small(rate.requests_per_minute()),
            remaining: small(answer.remaining),
            reset_s: seconds(answer.reset),
            retry_after_s: seconds(answer.retry_after),
        }
    }
}

/// The limits of this node. Cheap to clone; all clones are the same limiter.
#[derive(Clone, Debug)]
pub struct Limiter {
    shared: Arc<Shared>,
    caps: Caps,
}

#[derive(Debug)]
struct Shared {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Subject, Entry>,
    swept_at: usize,
}

#[derive(Debug, Default)]
struct Entry {
    bucket: Bucket,
    in_flight: Arc<AtomicU32>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::new()
    }
}

impl Limiter {
    /// Every bucket full, nothing used of any cap; days are those of UTC, the first of 1970.
    pub fn new() -> Self {
        Self::counting(Caps::new(Calendar::new(jiff::tz::TimeZone::UTC), 0))
    }

    /// Every bucket full; daily and monthly use is counted here.
    pub fn counting(caps: Caps) -> Self {
        Self { shared: Arc::new(Shared { hasher: RandomState::new(), shards: Default::default() }), caps }
    }

    /// What was used of days and months.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Takes one request from the rate of a key. `default_rpm` is for keys without one of their own.
    pub fn take(&self, subject: impl Into<Subject>, limits: &KeyLimits, default_rpm: u32, now_ns: u64) -> Decision {
        let rpm = limits.rpm.unwrap_or(default_rpm);
        match Rate::per_minute(rpm, limits.burst) {
            Some(rate) => self.take_rate(subject.into(), rate, now_ns),
            None => Decision::UNLIMITED,
        }
    }

    /// What [`Limiter::take`] would say, without taking anything: for answers that spend no quota.
    pub fn look(&self, subject: impl Into<Subject>, limits: &KeyLimits, default_rpm: u32, now_ns: u64) -> Decision {
        let Some(rate) = Rate::per_minute(limits.rpm.unwrap_or(default_rpm), limits.burst) else {
            return Decision::UNLIMITED;
        };
        let subject = subject.into();
        let bucket = self.shard(&subject).bucket(subject);
        Decision::of(rate, bucket.check(rate, now_ns))
    }

    /// Counts a request in flight, until the guard is dropped: on body end, error and disconnect
    /// alike. `None` when `most` are (0 = no limit). Enter before taking a rate, so that a request
    /// refused here costs no quota.
    pub fn enter(&self, subject: impl Into<Subject>, most: u32, now_ns: u64) -> Option<InFlight> {
        let subject = subject.into();
        let mut shard = self.shard(&subject);
        shard.make_room(now_ns);
        let in_flight = &shard.entries.entry(subject).or_default().in_flight;
        // Counted up under the shard's lock only, so the check and the count are one step.
        if most > 0 && in_flight.load(Relaxed) >= most {
            return None;
        }
        in_flight.fetch_add(1, Relaxed);
        Some(InFlight { in_flight: Arc::clone(in_flight) })
    }

    /// Whether `most` requests are in flight (0 = no limit); enters nothing.
    pub fn is_full(&self, subject: impl Into<Subject>, most: u32) -> bool {
        let subject = subject.into();
        let in_flight = |entry: &Entry| entry.in_flight.load(Relaxed);
        most > 0 && self.shard(&subject).entries.get(&subject).is_some_and(|entry| in_flight(entry) >= most)
    }

    /// Whether a provider has room by its own limits; takes nothing.
    pub fn provider_has_room(&self, id: ProviderId, limits: &UpstreamLimits, now_ns: u64) -> bool {
        self.has_room((Subject::Provider(id), Account::Provider(id)), limits, now_ns)
    }

    /// Whether a credential has room by its own limits; takes nothing.
    pub fn credential_has_room(&self, id: CredentialId, limits: &UpstreamLimits, now_ns: u64) -> bool {
        self.has_room((Subject::Credential(id), Account::Credential(id)), limits, now_ns)
    }

    fn has_room(&self, (subject, account): (Subject, Account), limits: &UpstreamLimits, now_ns: u64) -> bool {
        if limits.is_none() {
            return true;
        }
        let by_rate = self.shard(&subject).entries.get(&subject).is_none_or(|entry| {
            let concurrency = limits.concurrency == 0 || entry.in_flight.load(Relaxed) < limits.concurrency;
            let rate = Rate::per_minute(limits.rpm, None);
            concurrency && rate.is_none_or(|rate| entry.bucket.check(rate, now_ns).allowed)
        });
        by_rate && self.caps.check(account, &Allowance::from(limits), now_ns).is_ok()
    }

    /// Takes one attempt from the rates and daily caps of a provider and of its credential: from all
    /// or from none, but for a race that costs a place in a rate.
    pub fn take_upstream(
        &self,
        provider: (ProviderId, &UpstreamLimits),
        credential: (CredentialId, &UpstreamLimits),
        now_ns: u64,
    ) -> bool {
        self.take_upstream_rates(provider, credential, now_ns) && self.take_upstream_caps(provider, credential, now_ns)
    }

    fn take_upstream_caps(
        &self,
        provider: (ProviderId, &UpstreamLimits),
        credential: (CredentialId, &UpstreamLimits),
        now_ns: u64,
    ) -> bool {
        let (account, allowance) = (Account::Provider(provider.0), Allowance::from(provider.1));
        if self.caps.take(account, &allowance, now_ns).is_err() {
            return false;
        }
        let taken = self.caps.take(Account::Credential(credential.0), &Allowance::from(credential.1), now_ns).is_ok();
        if !taken {
            self.caps.give_back(account, &allowance, now_ns);
        }
        taken
    }

    fn take_upstream_rates(
        &self,
        provider: (ProviderId, &UpstreamLimits),
        credential: (CredentialId, &UpstreamLimits),
        now_ns: u64,
    ) -> bool {
        let limited = [
            (Subject::Provider(provider.0), Rate::per_minute(provider.1.rpm, None)),
            (Subject::Credential(credential.0), Rate::per_minute(credential.1.rpm, None)),
        ];
        let limited: Vec<_> = limited.into_iter().filter_map(|(subject, rate)| Some((subject, rate?))).collect();
        if limited.is_empty() {
            return true;
        }
        let mut shard = lock(&self.shared.shards[UPSTREAMS]);
        shard.make_room(now_ns);
        let mut buckets: Vec<_> = limited.iter().map(|(subject, rate)| (shard.bucket(*subject), *rate)).collect();
        let mut taken: Vec<_> = buckets.iter_mut().map(|(bucket, rate)| (bucket, *rate)).collect();
        let allowed = take_all(&mut taken, now_ns).is_none_or(|answer| answer.allowed);
        for ((subject, _), (bucket, _)) in limited.into_iter().zip(buckets) {
            shard.entries.entry(subject).or_default().bucket = bucket;
        }
        allowed
    }

    /// Forgets every subject whose bucket is full and that has nothing in flight.
    pub fn sweep(&self, now_ns: u64) {
        for shard in &self.shared.shards {
            lock(shard).sweep(now_ns);
        }
    }

    /// Subjects remembered now.
    pub fn len(&self) -> usize {
        self.shared.shards.iter().map(|shard| lock(shard).entries.len()).sum()
    }

    /// Whether no subject is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take_rate(&self, subject: Subject, rate: Rate, now_ns: u64) -> Decision {
        let mut shard = self.shard(&subject);
        shard.make_room(now_ns);
        let bucket = &mut shard.entries.entry(subject).or_default().bucket;
        Decision::of(rate, bucket.take(rate, now_ns))
    }

    fn index(&self, subject: &Subject) -> usize {
        match subject {
            Subject::Provider(_) | Subject::Credential(_) => UPSTREAMS,
            Subject::ApiKey(_) | Subject::Anonymous(..) => {
                (self.shared.hasher.hash_one(subject) % SHARDS as u64) as usize
            }
        }
    }

    fn shard(&self, subject: &Subject) -> MutexGuard<'_, Shard> {
        lock(&self.shared.shards[self.index(subject)])
    }
}

impl Shard {
    fn bucket(&self, subject: Subject) -> Bucket {
        self.entries.get(&subject).map_or_else(Bucket::default, |entry| entry.bucket)
    }

    fn make_room(&mut self, now_ns: u64) {
        if self.entries.len() >= SMALL.max(2 * self.swept_at) {
            self.sweep(now_ns);
        }
    }

    fn sweep(&mut self, now_ns: u64) {
        self.entries.retain(|_, entry| !entry.bucket.is_full(now_ns) || Arc::strong_count(&entry.in_flight) > 1);
        self.entries.shrink_to(2 * self.entries.len());
        self.swept_at = self.entries.len();
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request in flight; counted out when dropped.
#[derive(Debug)]
pub struct InFlight {
    in_flight: Arc<AtomicU32>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn key(number: u128) -> ApiKeyId {
        ApiKeyId(Uuid::from_u128(number))
    }

    fn rpm(rpm: u32) -> KeyLimits {
        KeyLimits { rpm: Some(rpm), ..KeyLimits::default() }
    }

    #[test]
    fn a_key_without_a_limit_of_its_own_gets_the_default() {
        let limiter = Limiter::new();
        let decision = limiter.take(key(1), &KeyLimits::default(), 600, 0);
        assert_eq!(decision, Decision { allowed: true, limit: 600, remaining: 599, reset_s: 1, retry_after_s: 0 });
    }

    #[test]
    fn zero_is_unlimited_and_leaves_no_trace() {
        let limiter = Limiter::new();
        assert_eq!(limiter.take(key(1), &rpm(0), 600, 0), Decision::UNLIMITED);
        assert!(limiter.is_empty());
    }

    #[test]
    fn keys_do_not_share_a_bucket() {
        let limiter = Limiter::new();
        let limits = KeyLimits { burst: Some(1), ..rpm(60) };
        assert!(limiter.take(key(1), &limits, 0, 0).allowed);
        assert!(limiter.take(key(2), &limits, 0, 0).allowed);
        let refused = limiter.take(key(1), &limits, 0, 0);
        assert_eq!((refused.allowed, refused.remaining, refused.retry_after_s), (false, 0, 1));
    }

    #[test]
    fn looking_takes_nothing() {
        let limiter = Limiter::new();
        for _ in 0..10 {
            assert_eq!(limiter.look(key(1), &rpm(5), 0, 0).remaining, 4);
        }
        assert!(limiter.is_empty());
    }

    #[test]
    fn requests_in_flight_leave_when_their_guard_does() {
        let limiter = Limiter::new();
        let first = limiter.enter(key(1), 2, 0);
        let second = limiter.enter(key(1), 2, 0);
        assert!(first.is_some() && second.is_some());
        assert!(limiter.enter(key(1), 2, 0).is_none());
        drop(first);
        assert!(limiter.enter(key(1), 2, 0).is_some());
    }

    #[test]
    fn idle_subjects_are_forgotten_and_busy_ones_are_not() {
        let limiter = Limiter::new();
        let _busy = limiter.enter(key(0), 1, 0);
        for number in 1..=100_000 {
            // One every 10 ms; a bucket is full again after a second.
            limiter.take(key(number), &rpm(60), 0, number as u64 * 10_000_000);
        }
        assert!(limiter.len() <= SHARDS * SMALL, "{} are remembered", limiter.len());
        limiter.sweep(u64::MAX);
        assert_eq!(limiter.len(), 1);
        assert!(limiter.enter(key(0), 1, 0).is_none());
    }

    #[test]
    fn forgetting_loses_no_limit() {
        let limiter = Limiter::new();
        let limits = KeyLimits { burst: Some(1), ..rpm(1) };
        assert!(limiter.take(key(1), &limits, 0, 0).allowed);
        limiter.sweep(59 * SECOND_NS);
        assert!(!limiter.take(key(1), &limits, 0, 59 * SECOND_NS).allowed);
    }

    #[test]
    fn a_provider_and_its_credential_are_taken_from_together() {
        let limiter = Limiter::new();
        let (provider, credential) = (ProviderId(Uuid::from_u128(1)), CredentialId(Uuid::from_u128(2)));
        let (wide, narrow) =
            (UpstreamLimits { rpm: 3, ..Default::default() }, UpstreamLimits { rpm: 1, ..Default::default() });
        let take = |now_ns| limiter.take_upstream((provider, &wide), (credential, &narrow), now_ns);
        assert!(take(0));
        assert!(!take(0));
        assert!(!limiter.credential_has_room(credential, &narrow, 0));
        assert!(limiter.provider_has_room(provider, &wide, 0));
        // Refusals of the narrow one took nothing from the wide one: two more fit with another credential.
        let other = (CredentialId(Uuid::from_u128(3)), &UpstreamLimits::default());
        assert!(limiter.take_upstream((provider, &wide), other, 0));
        assert!(limiter.take_upstream((provider, &wide), other, 0));
        assert!(!limiter.take_upstream((provider, &wide), other, 0));
    }

    #[test]
    fn a_full_upstream_has_no_room() {
        let limiter = Limiter::new();
        let provider = ProviderId(Uuid::from_u128(1));
        let limits = UpstreamLimits { concurrency: 1, ..Default::default() };
        assert!(limiter.provider_has_room(provider, &limits, 0));
        let guard = limiter.enter(Subject::Provider(provider), 1, 0);
        assert!(!limiter.provider_has_room(provider, &limits, 0));
        drop(guard);
        assert!(limiter.provider_has_room(provider, &limits, 0));
    }

    #[test]
    fn a_full_day_of_a_credential_costs_its_provider_nothing() {
        let limiter = Limiter::new();
        let (provider, credential) = (ProviderId(Uuid::from_u128(1)), CredentialId(Uuid::from_u128(2)));
        let day = |requests_per_day| UpstreamLimits { requests_per_day, ..Default::default() };
        let take =
            |credential, limits, now_ns| limiter.take_upstream((provider, &day(3)), (credential, &limits), now_ns);
        assert!(take(credential, day(1), 0));
        assert!(!take(credential, day(1), 0));
        assert!(!limiter.credential_has_room(credential, &day(1), 0));
        let other = CredentialId(Uuid::from_u128(3));
        assert!(take(other, day(0), 0) && take(other, day(0), 0));
        assert!(!take(other, day(0), 0) && !limiter.provider_has_room(provider, &day(3), 0));
        assert!(take(other, day(0), 86_400 * SECOND_NS), "a new day");
    }

    #[test]
    fn many_threads_together_admit_exactly_the_burst() {
        let limiter = Limiter::new();
        let admitted: usize = std::thread::scope(|scope| {
            let count = || (0..1_000).filter(|_| limiter.take(key(1), &rpm(600), 0, 0).allowed).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(admitted, 600);
    }
}
