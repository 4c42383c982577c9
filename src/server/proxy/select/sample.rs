//! Large tiers: members are proposed and looked at until one may be drawn (see [`balance::large`]).
//!
//! A draw costs as much among a thousand as among fifty, as long as a fair part of the tier may be
//! drawn. When sixty-four proposals bring nobody, the tier is walked over after all: only then is it
//! certain that it can take nothing and the next tier may.
//!
//! [`balance::large`]: crate::server::balance::large

use std::{cell::RefCell, iter, sync::atomic::Ordering::Relaxed};

use rand::RngExt;

use super::{Candidate, Draw, Look, Weighed, choice};
use crate::{
    model::{
        group::Strategy,
        request_log::{Choice, SkipReason, Skipped},
    },
    server::balance::{
        large::Tier,
        strategy::{self, Promise},
    },
};

/// Proposals before the tier is walked over.
const LOOKS: usize = 64;
/// Candidates found to have their part of the load before the least loaded of them is taken.
const LADEN: usize = 4;
/// Candidates compared by `least_in_flight`.
const COMPARED: usize = 8;
/// Members of one priority that are proposed by `priority`.
const LEVEL: usize = 32;

/// Members that this draw looked at in vain.
#[derive(Default)]
struct PassedOver(RefCell<Vec<(usize, SkipReason)>>);

impl PassedOver {
    fn knows(&self, member: usize) -> bool {
        self.0.borrow().iter().any(|(known, _)| *known == member)
    }

    fn note(&self, member: usize, reason: SkipReason) {
        self.0.borrow_mut().push((member, reason));
    }
}

/// A member that may be drawn.
struct Eligible {
    member: usize,
    weighed: Weighed,
    /// Its health factor, 0–1.
    factor: f64,
}

impl Eligible {
    fn load(&self) -> f64 {
        f64::from(self.weighed.in_flight) / self.weighed.weight
    }
}

impl Draw<'_> {
    /// Draws from a large tier; `None` when nobody was found, which does not mean that nobody is there.
    pub(super) fn sample(&mut self, tier: &Tier, now_ms: u64, now_ns: u64) -> Option<Candidate> {
        let passed_over = PassedOver::default();
        while let Some(found) = self.find(tier, &passed_over, now_ms, now_ns) {
            match self.enter(found.member, now_ms, now_ns) {
                Ok((permit, credential, places)) => {
                    let skipped = self.looked_at(passed_over, now_ms);
                    let priority = self.group.members[found.member].priority;
                    let choice = Choice {
                        out_of: Some(tier.places.len() as u32),
                        ..choice(tier.number, &found.weighed, priority)
                    };
                    return Some(self.candidate(found.member, permit, credential, places, Some(choice), skipped));
                }
                Err(reason) => passed_over.note(found.member, reason),
            }
        }
        None
    }

    fn find(&self, tier: &Tier, passed_over: &PassedOver, now_ms: u64, now_ns: u64) -> Option<Eligible> {
        let seed: u64 = rand::random();
        let chance = |found: &Eligible| found.factor >= 1.0 || rand::rng().random_bool(found.factor.clamp(0.0, 1.0));
        let stays = |found: &Eligible| strategy::stays(self.hash, found.weighed.key, found.factor);
        let eligible = |member| self.eligible(member, passed_over, now_ms, now_ns);
        let proposals = |seed| tier.proposals(seed).take(LOOKS).filter_map(eligible);
        match self.group.strategy {
            Strategy::Weighted => self.first_with_room(tier, proposals(seed).filter(chance), LADEN),
            // Always the same row: one busy client must find its way past all it has filled.
            Strategy::Sticky => self.first_with_room(tier, proposals(self.hash).filter(stays), LOOKS),
            Strategy::RoundRobin => self.turns(tier).take(LOOKS).filter_map(eligible).find(chance),
            Strategy::Priority => tier.by_priority(LEVEL, seed).take(LOOKS).filter_map(eligible).find(chance),
            Strategy::LeastInFlight => {
                proposals(seed).filter(chance).take(COMPARED).min_by(|left, right| left.load().total_cmp(&right.load()))
            }
            Strategy::LowestLatency => self.earliest(proposals(seed).filter(chance), now_ms),
        }
    }

    /// The member, if it may be drawn now.
    fn eligible(&self, member: usize, passed_over: &PassedOver, now_ms: u64, now_ns: u64) -> Option<Eligible> {
        if passed_over.knows(member) {
            return None;
        }
        match self.look(member, now_ms, now_ns) {
            Look::Weight(weight) => {
                let place = &self.group.members[member];
                let weighed = Weighed { key: place.key, weight, in_flight: place.provider.state.in_flight() };
                Some(Eligible { member, weighed, factor: strategy::factor(&weighed, place.priority) })
            }
            Look::Skip(reason) => {
                passed_over.note(member, reason);
                None
            }
            Look::Beyond => None,
        }
    }

    /// The first within its part of the load; of `most` that are not, the least loaded.
    fn first_with_room(&self, tier: &Tier, found: impl Iterator<Item = Eligible>, most: usize) -> Option<Eligible> {
        let in_flight = self.group.memory.in_flight();
        let mut least: Option<Eligible> = None;
        for eligible in found.take(most) {
            if tier.has_room(&eligible.weighed, in_flight) {
                return Some(eligible);
            }
            if least.as_ref().is_none_or(|least| eligible.load() < least.load()) {
                least = Some(eligible);
            }
        }
        least
    }

    /// Each member in turn.
    fn turns(&self, tier: &Tier) -> impl Iterator<Item = usize> {
        let turn = &self.group.memory.turn;
        iter::repeat_with(move || tier.places[turn.fetch_add(1, Relaxed) % tier.places.len()])
    }

    /// Of two, the one that promises the earlier first byte.
    fn earliest(&self, mut found: impl Iterator<Item = Eligible>, now_ms: u64) -> Option<Eligible> {
        let promise = |eligible: &Eligible| Promise {
            ewma_us: self.group.members[eligible.member].provider.state.ewma_us(now_ms),
            in_flight: eligible.weighed.in_flight,
            factor: eligible.factor,
        };
        let first = found.next()?;
        let second = found.find(|eligible| eligible.member != first.member);
        Some(match second {
            Some(second) if promise(&second).is_earlier_than(&promise(&first)) => second,
            _ => first,
        })
    }

    /// What the record says of a large group: who was looked at in vain, and who was tried before.
    fn looked_at(&self, passed_over: PassedOver, now_ms: u64) -> Vec<Skipped> {
        let looked_at = passed_over.0.into_inner();
        let tried = self.done.iter().filter(|member| !looked_at.iter().any(|(known, _)| known == *member));
        let tried = tried.map(|member| self.skip(*member, SkipReason::Tried, now_ms));
        tried.chain(looked_at.iter().map(|(member, reason)| self.skip(*member, *reason, now_ms))).collect()
    }
}
