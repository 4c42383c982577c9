//! Draws one candidate at a time: tiers, strategy, health, upstream limits, credentials.
//!
//! In a group of up to fifty members each is looked at in each draw, so that the record can say why
//! it was chosen or passed over; in a larger one the record names those that `sample` looked at. A
//! (provider, credential) pair is drawn at most once in a request.

mod sample;

use std::sync::{Arc, PoisonError};

use crate::{
    model::{
        group::Strategy,
        id::CredentialId,
        request_log::{Choice, SkipReason, Skipped},
    },
    server::{
        balance::{
            Candidate as Weighed, score,
            strategy::{self, Hints},
            tier,
        },
        health::{
            breaker::Admission,
            credential::{CredentialState, CredentialUse, Standing},
            panic::{self, Offer, Panic},
            permit::Permit,
        },
        limit::local::{InFlight, Limiter, Subject},
        routing::table::{Credential, Group, GroupUse, Provider},
    },
};

/// Credentials of one provider tried in one request.
const ROTATION: u32 = 8;
/// Members whose reason is recorded, of those that were passed over.
const RECORDED: usize = 64;

/// One candidate to be asked, with its leave and its places among those in flight.
pub struct Candidate {
    /// Its place in the group.
    pub member: usize,
    /// The provider.
    pub provider: Arc<Provider>,
    /// Its credential, by place; `None` where none is needed.
    pub credential: Option<usize>,
    /// Leave to make the attempt.
    pub permit: Permit,
    /// Why it was the one; `None` where none was drawn: a probe out of turn, or [`Draw::only`].
    pub choice: Option<Choice>,
    /// Who was passed over, and why.
    pub skipped: Vec<Skipped>,
    /// Counted until the body ends.
    pub places: Places,
}

/// Counts that are given back when the exchange has ended.
pub struct Places {
    _credential: Option<CredentialUse>,
    _provider_limit: Option<InFlight>,
    _credential_limit: Option<InFlight>,
    _group: Option<GroupUse>,
}

impl Candidate {
    /// Its credential.
    pub fn credential(&self) -> Option<&Credential> {
        self.credential.map(|index| &self.provider.credentials[index])
    }

    /// The live state of its credential, or of the stand-in where none is needed.
    pub fn credential_state(&self) -> &Arc<CredentialState> {
        self.credential().map_or_else(|| self.provider.state.keyless(), |credential| &credential.state)
    }
}

/// Why nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nobody {
    /// Everybody eligible was tried, or none is eligible.
    Left,
    /// Who could be asked has reached a limit of its own: requests a minute or a day, or at the same time.
    Full,
    /// Every member's breaker is open.
    AllOpen {
        /// Milliseconds until the earliest trial.
        wait_ms: u64,
    },
    /// Every member waits for a limit.
    AllCooling {
        /// Milliseconds until the earliest is ready.
        wait_ms: u64,
    },
}

/// The candidates of one request.
pub struct Draw<'a> {
    group: &'a Group,
    limiter: &'a Limiter,
    model: Option<&'a str>,
    /// What `sticky` holds on to.
    hash: u64,
    /// Only requests whose body is held are trials: somebody must be able to stand in.
    may_try: bool,
    /// Members not to be drawn again.
    done: Vec<usize>,
    /// Credentials tried of each provider that is not done.
    tried: Vec<(usize, CredentialId)>,
    /// The one member that may be drawn, where somebody named one.
    only: Option<usize>,
    reach: Reach,
}

/// How far the next draw may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To any member.
    Everybody,
    /// To other credentials of providers that were asked already.
    Rotation,
}

/// A member as this draw finds it.
pub(super) enum Look {
    /// May be drawn, with this weight.
    Weight(f64),
    /// Is passed over.
    Skip(SkipReason),
    /// Beyond the reach of this draw.
    Beyond,
}

struct Looked {
    member: usize,
    look: Look,
}

impl<'a> Draw<'a> {
    /// Opens the draw of one request.
    pub fn open(group: &'a Group, limiter: &'a Limiter, model: Option<&'a str>, hash: u64, may_try: bool) -> Self {
        let (done, tried) = (Vec::new(), Vec::new());
        Self { group, limiter, model, hash, may_try, done, tried, only: None, reach: Reach::Everybody }
    }

    /// Draws this member and no other, where one is named.
    pub fn among(self, only: Option<usize>) -> Self {
        Self { only, ..self }
    }

    /// Says how far the next draw may go.
    pub fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// The provider at this place is not drawn again.
    pub fn done_with(&mut self, member: usize) {
        self.done.push(member);
    }

    /// Draws the next candidate; what was drawn before is never drawn again.
    pub fn next(&mut self, now_ms: u64, now_ns: u64) -> Result<Candidate, Nobody> {
        let group = self.group;
        let drawn = match &group.layout {
            None => self.walk(0..group.members.len(), now_ms, now_ns),
            Some(layout) => layout.tiers().iter().find_map(|tier| {
                let sampled = if tier.is_large() { self.sample(tier, now_ms, now_ns) } else { None };
                sampled.or_else(|| self.walk(tier.places.iter().copied(), now_ms, now_ns))
            }),
        };
        drawn.map_or_else(|| self.nobody(now_ms, now_ns), Ok)
    }

    /// This member, if it may be drawn now.
    pub fn only(&mut self, member: usize, now_ms: u64, now_ns: u64) -> Option<Candidate> {
        match self.look(member, now_ms, now_ns) {
            Look::Weight(_) => {
                let (permit, credential, places) = self.enter(member, now_ms, now_ns).ok()?;
                Some(self.candidate(member, permit, credential, places, None, Vec::new()))
            }
            Look::Skip(_) | Look::Beyond => None,
        }
    }

    /// Looks at each of these members and draws among those that may be.
    fn walk(&mut self, members: impl Iterator<Item = usize>, now_ms: u64, now_ns: u64) -> Option<Candidate> {
        let mut looks: Vec<Looked> =
            members.map(|member| Looked { member, look: self.look(member, now_ms, now_ns) }).collect();
        while let Some((index, choice)) = self.draw(&looks, now_ms) {
            let member = looks[index].member;
            match self.enter(member, now_ms, now_ns) {
                Ok((permit, credential, places)) => {
                    let skipped = self.skipped(&looks, member, now_ms);
                    return Some(self.candidate(member, permit, credential, places, Some(choice), skipped));
                }
                Err(reason) => looks[index].look = Look::Skip(reason),
            }
        }
        None
    }

    fn candidate(
        &mut self,
        member: usize,
        permit: Permit,
        credential: Option<usize>,
        places: Places,
        choice: Option<Choice>,
        skipped: Vec<Skipped>,
    ) -> Candidate {
        let provider = self.group.members[member].provider.clone();
        match credential {
            Some(index) => self.tried.push((member, provider.credentials[index].id)),
            None => self.done.push(member),
        }
        Candidate { member, provider, credential, permit, choice, skipped, places }
    }

    /// What this draw makes of a member now; changes nothing.
    pub(super) fn look(&self, member: usize, now_ms: u64, now_ns: u64) -> Look {
        let place = &self.group.members[member];
        let provider = &place.provider;
        let skip = Look::Skip;
        if self.only.is_some_and(|only| only != member) {
            return Look::Beyond;
        }
        if self.done.contains(&member) {
            return skip(SkipReason::Tried);
        }
        if self.reach == Reach::Rotation && !self.tried.iter().any(|(at, _)| *at == member) {
            return Look::Beyond;
        }
        if !provider.enabled {
            return skip(SkipReason::Disabled);
        }
        if place.priority == 0 {
            return skip(SkipReason::Drained);
        }
        let unknown = self.model.is_some_and(|model| provider.state.is_model_missing(model, now_ms));
        if unknown || !provider.serves(self.model) {
            return skip(SkipReason::Model);
        }
        if let Err(reason) = self.check_credentials(member, now_ms) {
            return skip(reason);
        }
        if !self.limiter.provider_has_room(provider.id, &provider.limits, now_ns) {
            return skip(SkipReason::Full);
        }
        match provider.state.peek(now_ms) {
            Admission::Pass { factor } => Look::Weight(score::effective(place.priority, factor)),
            Admission::Trial { .. } if self.may_try => Look::Weight(f64::from(place.priority)),
            Admission::Busy => skip(SkipReason::TrialInFlight),
            Admission::Trial { .. } | Admission::Refuse { .. } => skip(SkipReason::Unhealthy),
        }
    }

    /// Whether some credential is left that may be used now.
    fn check_credentials(&self, member: usize, now_ms: u64) -> Result<(), SkipReason> {
        let provider = &self.group.members[member].provider;
        if !provider.needs_credential {
            let cooling = matches!(provider.state.keyless().standing(now_ms), Standing::Cooling { .. });
            return if cooling { Err(SkipReason::Cooling) } else { Ok(()) };
        }
        let tried = |id: CredentialId| self.tried.contains(&(member, id));
        let mut untried = provider.credentials.iter().filter(|credential| !tried(credential.id)).peekable();
        let rotations = self.tried.iter().filter(|(at, _)| *at == member).count() as u32;
        if untried.peek().is_none() || rotations >= ROTATION {
            return Err(if rotations > 0 { SkipReason::Tried } else { SkipReason::NoCredential });
        }
        let mut cooling = false;
        for credential in untried {
            match credential.state.standing(now_ms) {
                Standing::Cooling { .. } => cooling = true,
                _ if credential.state.is_usable(now_ms) => return Ok(()),
                _ => {}
            }
        }
        Err(if cooling { SkipReason::Cooling } else { SkipReason::NoCredential })
    }

    /// One draw among the members that have weight: the lowest tier that can take it, by strategy.
    fn draw(&self, looks: &[Looked], now_ms: u64) -> Option<(usize, Choice)> {
        let place = |index: usize| &self.group.members[looks[index].member];
        let mut weighed: Vec<Weighed> = looks.iter().map(|looked| self.weigh(looked)).collect();
        let tier = match self.group.layout {
            None => tier::narrow(&self.group.tiers, &mut weighed)?,
            // Large groups are walked over one tier at a time.
            Some(_) => self.group.tiers[looks.first()?.member],
        };
        let hints = Hints {
            hash: self.hash,
            priority: &|index| place(index).priority,
            ewma_us: &|index| place(index).provider.state.ewma_us(now_ms),
        };
        let mut credits = self.group.memory.credits.lock().unwrap_or_else(PoisonError::into_inner);
        let index = strategy::draw(self.group.strategy, &mut credits, &weighed, &hints, &mut rand::rng())?;
        let credit = credits.credit_at(index);
        drop(credits);
        let keeps_credits = matches!(self.group.strategy, Strategy::Weighted | Strategy::RoundRobin);
        let credit = keeps_credits.then_some(credit.round() as i32);
        let choice = Choice { credit, ..choice(tier, &weighed[index], place(index).priority) };
        Some((index, choice))
    }

    fn weigh(&self, looked: &Looked) -> Weighed {
        let place = &self.group.members[looked.member];
        let weight = if let Look::Weight(weight) = looked.look { weight } else { 0.0 };
        Weighed { key: place.key, weight, in_flight: place.provider.state.in_flight() }
    }

    /// Takes leave of the breaker, a credential, and places under the upstream's own limits.
    fn enter(&self, member: usize, now_ms: u64, now_ns: u64) -> Result<(Permit, Option<usize>, Places), SkipReason> {
        let provider = &self.group.members[member].provider;
        let permit = provider.state.admit(now_ms).map_err(|admission| match admission {
            Admission::Busy => SkipReason::TrialInFlight,
            _ => SkipReason::Unhealthy,
        })?;
        self.furnish(member, permit, now_ms, now_ns)
    }

    fn furnish(
        &self,
        member: usize,
        permit: Permit,
        now_ms: u64,
        now_ns: u64,
    ) -> Result<(Permit, Option<usize>, Places), SkipReason> {
        let provider = &self.group.members[member].provider;
        let (credential, used) = if provider.needs_credential {
            let (index, used) = self.take_credential(member, now_ms, now_ns)?;
            (Some(index), Some(used))
        } else {
            (None, None)
        };
        let limited = credential.map(|index| (provider.credentials[index].id, provider.credentials[index].limits));
        let (id, limits) = limited.unwrap_or((provider.state.keyless().id(), Default::default()));
        let concurrency = |subject: Subject, most: u32| match most {
            0 => Ok(None),
            most => self.limiter.enter(subject, most, now_ns).map(Some).ok_or(SkipReason::Full),
        };
        let provider_limit = concurrency(Subject::Provider(provider.id), provider.limits.concurrency)?;
        let credential_limit = concurrency(Subject::Credential(id), limits.concurrency)?;
        if !self.limiter.take_upstream((provider.id, &provider.limits), (id, &limits), now_ns) {
            return Err(SkipReason::Full);
        }
        let places = Places {
            _credential: used,
            _provider_limit: provider_limit,
            _credential_limit: credential_limit,
            _group: self.group.layout.is_some().then(|| self.group.memory.enter()),
        };
        Ok((permit, credential, places))
    }

    /// The next credential of the provider, by the weighted rule on their own weights.
    fn take_credential(&self, member: usize, now_ms: u64, now_ns: u64) -> Result<(usize, CredentialUse), SkipReason> {
        let provider = &self.group.members[member].provider;
        if let [only] = provider.credentials.as_slice() {
            return only.state.take(now_ms).map(|used| (0, used)).ok_or(SkipReason::Cooling);
        }
        let mut full = false;
        let mut weighed: Vec<Weighed> = Vec::with_capacity(provider.credentials.len());
        for credential in &provider.credentials {
            let usable = credential.state.is_usable(now_ms) && !self.tried.contains(&(member, credential.id));
            let room = self.limiter.credential_has_room(credential.id, &credential.limits, now_ns);
            full |= usable && !room;
            let weight = if usable && room { f64::from(credential.weight) } else { 0.0 };
            weighed.push(Weighed { key: credential.key, weight, in_flight: credential.state.in_flight() });
        }
        loop {
            let drawn = provider.rotation.lock().unwrap_or_else(PoisonError::into_inner).draw(&weighed);
            let Some(index) = drawn else { return Err(if full { SkipReason::Full } else { SkipReason::Cooling }) };
            match provider.credentials[index].state.take(now_ms) {
                Some(used) => return Ok((index, used)),
                None => weighed[index].weight = 0.0,
            }
        }
    }

    fn skipped(&self, looks: &[Looked], chosen: usize, now_ms: u64) -> Vec<Skipped> {
        let tier = self.group.tiers[chosen];
        let reasons = looks.iter().filter(|looked| looked.member != chosen);
        reasons
            .filter_map(|looked| match looked.look {
                Look::Skip(reason) => Some(self.skip(looked.member, reason, now_ms)),
                Look::Weight(_) if self.group.tiers[looked.member] > tier => {
                    Some(self.skip(looked.member, SkipReason::TierNotNeeded, now_ms))
                }
                Look::Weight(_) | Look::Beyond => None,
            })
            .take(RECORDED)
            .collect()
    }

    fn skip(&self, member: usize, reason: SkipReason, now_ms: u64) -> Skipped {
        let provider = &self.group.members[member].provider;
        Skipped { provider: provider.name.to_string(), reason, wait_ms: wait_ms(provider, reason, now_ms) }
    }

    /// Nobody could be drawn: the panic rules of gateway.md §5.
    fn nobody(&mut self, now_ms: u64, now_ns: u64) -> Result<Candidate, Nobody> {
        if !self.done.is_empty() || !self.tried.is_empty() || self.only.is_some() {
            return Err(Nobody::Left);
        }
        let looks: Vec<Look> = (0..self.group.members.len()).map(|member| self.look(member, now_ms, now_ns)).collect();
        // With weight and yet not drawn: its credentials, or its places, are taken.
        let full = looks.iter().any(|look| matches!(look, Look::Weight(_) | Look::Skip(SkipReason::Full)));
        let offers = self.group.members.iter().zip(looks).filter_map(|(member, look)| {
            let counts =
                matches!(look, Look::Skip(SkipReason::Unhealthy | SkipReason::TrialInFlight | SkipReason::Cooling));
            counts.then(|| Offer {
                admission: member.provider.state.peek(now_ms),
                cooling_until_ms: cooling_until(&member.provider, now_ms),
            })
        });
        match panic::assess(now_ms, offers) {
            None if full => Err(Nobody::Full),
            None => Err(Nobody::Left),
            Some(Panic::AllCooling { until_ms }) => {
                Err(Nobody::AllCooling { wait_ms: until_ms.saturating_sub(now_ms) })
            }
            Some(Panic::AllOpen { reopens_at_ms }) => {
                let nobody = Nobody::AllOpen { wait_ms: reopens_at_ms.saturating_sub(now_ms) };
                self.probe(now_ms, now_ns).ok_or(nobody)
            }
        }
    }

    /// Everybody is out: a trickle of requests asks early, so that a short outage of all ends early.
    fn probe(&mut self, now_ms: u64, now_ns: u64) -> Option<Candidate> {
        if !self.may_try || !self.group.memory.valve.lock().unwrap_or_else(PoisonError::into_inner).admit(now_ms) {
            return None;
        }
        let start = rand::random_range(0..self.group.members.len().max(1));
        for offset in 0..self.group.members.len() {
            let member = (start + offset) % self.group.members.len();
            let place = &self.group.members[member];
            if !place.provider.enabled || place.priority == 0 || self.check_credentials(member, now_ms).is_err() {
                continue;
            }
            let Ok(permit) = place.provider.state.admit_probe(now_ms) else { continue };
            if let Ok((permit, credential, places)) = self.furnish(member, permit, now_ms, now_ns) {
                return Some(self.candidate(member, permit, credential, places, None, Vec::new()));
            }
        }
        None
    }
}

/// How the record tells of one that was drawn.
fn choice(tier: u32, drawn: &Weighed, priority: u32) -> Choice {
    Choice {
        tier,
        weight: drawn.weight.round() as u32,
        factor_percent: (strategy::factor(drawn, priority) * 100.0).round() as u8,
        in_flight: drawn.in_flight,
        ..Choice::default()
    }
}

/// For how much longer it is passed over, where that is known.
fn wait_ms(provider: &Provider, reason: SkipReason, now_ms: u64) -> Option<u64> {
    let until_ms = match reason {
        SkipReason::Cooling => cooling_until(provider, now_ms),
        SkipReason::Unhealthy => match provider.state.peek(now_ms) {
            Admission::Refuse { until_ms } => Some(until_ms),
            _ => None,
        },
        _ => None,
    };
    until_ms.map(|until_ms| until_ms.saturating_sub(now_ms))
}

/// When the first credential is ready again, if all wait.
pub(super) fn cooling_until(provider: &Provider, now_ms: u64) -> Option<u64> {
    let keyless = [provider.state.keyless().clone()];
    let states: Vec<_> = if provider.needs_credential {
        provider.credentials.iter().map(|credential| credential.state.clone()).collect()
    } else {
        keyless.to_vec()
    };
    let mut earliest = None;
    for state in states {
        match state.standing(now_ms) {
            Standing::Ready => return None,
            Standing::Cooling { until_ms } => earliest = Some(earliest.map_or(until_ms, |at: u64| at.min(until_ms))),
            Standing::Failed { .. } => {}
        }
    }
    earliest
}

#[cfg(test)]
mod tests;
