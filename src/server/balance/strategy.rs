//! The six ways to draw, one function for each, and [`draw`] that picks the function.

use rand::{Rng, RngExt};

use super::{Candidate, large::mix, weighted, weighted::Credits};
use crate::model::group::Strategy;

/// What a strategy may ask about a candidate beyond its weight; asked only for those it looks at.
pub struct Hints<'a> {
    /// Hash of what `sticky` holds on to: the client's key, a header or its address.
    pub hash: u64,
    /// Base priority of `candidates[index]`, health left out.
    pub priority: &'a dyn Fn(usize) -> u32,
    /// Moving average of time to first byte of `candidates[index]`, microseconds; 0 is unknown.
    pub ewma_us: &'a dyn Fn(usize) -> f64,
}

/// Draws one of `candidates` (see [`Credits::draw`] for how to pass them), or `None` when nothing is eligible.
pub fn draw(
    strategy: Strategy,
    credits: &mut Credits,
    candidates: &[Candidate],
    hints: &Hints<'_>,
    rng: &mut impl Rng,
) -> Option<usize> {
    match strategy {
        Strategy::Weighted => credits.draw(candidates),
        Strategy::RoundRobin => round_robin(credits, candidates, hints),
        Strategy::LeastInFlight => least_in_flight(credits, candidates),
        Strategy::LowestLatency => lowest_latency(candidates, hints, rng),
        Strategy::Sticky => sticky(candidates, hints.hash),
        Strategy::Priority => priority(credits, candidates, hints, rng),
    }
}

/// Each in turn: credits over health alone, so a member at half factor gets every second turn.
pub fn round_robin(credits: &mut Credits, candidates: &[Candidate], hints: &Hints<'_>) -> Option<usize> {
    let even: Vec<Candidate> = candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| Candidate { weight: factor(candidate, (hints.priority)(index)), ..*candidate })
        .collect();
    credits.draw_unbounded(&even)
}

/// The fewest requests in flight for its weight. Equals are told apart by credit, so that an idle
/// group, where all are equal, keeps its shares instead of sending everything to the heaviest.
pub fn least_in_flight(credits: &mut Credits, candidates: &[Candidate]) -> Option<usize> {
    let load = |candidate: &Candidate| f64::from(candidate.in_flight) / candidate.weight;
    let eligible = candidates.iter().filter(|candidate| candidate.is_eligible());
    let least = eligible.map(load).min_by(f64::total_cmp)?;
    credits.draw_where(candidates, |_, candidate| load(candidate) <= least)
}

/// Power of two choices: two distinct candidates at random by weight, the one that promises the
/// earlier first byte wins: average × (in flight + 1) ÷ health factor.
///
/// A candidate without an average is compared by load alone: it gets its first samples without
/// drawing the whole crowd. Comparing two at random keeps many gateways from all running to the
/// same fastest provider at once.
pub fn lowest_latency(candidates: &[Candidate], hints: &Hints<'_>, rng: &mut impl Rng) -> Option<usize> {
    let first = by_weight(candidates, None, rng)?;
    let Some(second) = by_weight(candidates, Some(first), rng) else { return Some(first) };
    let promise = |index: usize| Promise {
        ewma_us: (hints.ewma_us)(index),
        in_flight: candidates[index].in_flight,
        factor: factor(&candidates[index], (hints.priority)(index)),
    };
    Some(if promise(second).is_earlier_than(&promise(first)) { second } else { first })
}

/// What a candidate promises about its first byte.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Moving average of time to first byte, microseconds; 0 is unknown.
    pub ewma_us: f64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Health factor, 0–1.
    pub factor: f64,
}

impl Promise {
    /// Average × (in flight + 1) ÷ health factor; load alone decides when either is unmeasured.
    pub fn is_earlier_than(&self, other: &Self) -> bool {
        let measured = self.ewma_us > 0.0 && other.ewma_us > 0.0;
        let cost = |promise: &Self| {
            let latency = if measured { promise.ewma_us } else { 1.0 };
            latency * (f64::from(promise.in_flight) + 1.0) / promise.factor.max(f64::MIN_POSITIVE)
        };
        cost(self) < cost(other)
    }
}

/// Whether a sticky client stays with a candidate whose health factor is reduced: its part of the
/// clients does, always the same ones.
pub fn stays(hash: u64, key: u64, factor: f64) -> bool {
    unit(mix(hash ^ mix(key))) < factor
}

/// Rendezvous hashing with bounded load: the same hash goes to the same candidate, a candidate
/// that comes or goes moves only its own part, and nobody gets more than 1.25 of its fair load.
///
/// Weighted rendezvous (Schindelhauer and Schomaker, 2005): highest `−w / ln(u)` first.
pub fn sticky(candidates: &[Candidate], hash: u64) -> Option<usize> {
    let has_room = weighted::bounds(candidates);
    let (mut best, mut best_score) = (None, f64::NEG_INFINITY);
    let (mut fallback, mut fallback_score) = (None, f64::NEG_INFINITY);
    for (index, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| candidate.is_eligible()) {
        let score = -candidate.weight / unit(mix(hash ^ mix(candidate.key))).ln();
        if score > fallback_score {
            (fallback, fallback_score) = (Some(index), score);
        }
        if score > best_score && has_room(candidate) {
            (best, best_score) = (Some(index), score);
        }
    }
    best.or(fallback)
}

/// Strictly the highest priority that may be drawn; equals share by credit.
///
/// A member with a reduced health factor is taken only with that probability and passed over
/// otherwise, so that a recovering first choice ramps up here too.
pub fn priority(
    credits: &mut Credits,
    candidates: &[Candidate],
    hints: &Hints<'_>,
    rng: &mut impl Rng,
) -> Option<usize> {
    let mut levels: Vec<u32> = (0..candidates.len())
        .filter(|index| candidates[*index].is_eligible())
        .map(|index| (hints.priority)(index))
        .collect();
    levels.sort_unstable_by(|left, right| right.cmp(left));
    levels.dedup();
    for level in &levels {
        let drawn = draw_level(credits, candidates, hints, *level, rng);
        if drawn.is_some() {
            return drawn;
        }
    }
    // Chance passed over every one of them: the best of them after all.
    let highest = *levels.first()?;
    credits.draw(&only(candidates, |index| (hints.priority)(index) == highest))
}

/// Draws among the candidates of one priority whose chance, their health factor, came up.
fn draw_level(
    credits: &mut Credits,
    candidates: &[Candidate],
    hints: &Hints<'_>,
    level: u32,
    rng: &mut impl Rng,
) -> Option<usize> {
    let mut present = |index: usize| {
        let share = factor(&candidates[index], level);
        share >= 1.0 || rng.random_bool(share.clamp(0.0, 1.0))
    };
    let chosen =
        only(candidates, |index| candidates[index].is_eligible() && (hints.priority)(index) == level && present(index));
    credits.draw(&chosen)
}

/// The candidates with the weight of all others taken.
fn only(candidates: &[Candidate], mut keep: impl FnMut(usize) -> bool) -> Vec<Candidate> {
    let mut narrowed = candidates.to_vec();
    for (index, candidate) in narrowed.iter_mut().enumerate() {
        if !keep(index) {
            candidate.weight = 0.0;
        }
    }
    narrowed
}

/// The health factor inside an effective weight, 0–1.
pub fn factor(candidate: &Candidate, priority: u32) -> f64 {
    match (candidate.is_eligible(), priority) {
        (true, 1..) => (candidate.weight / f64::from(priority)).min(1.0),
        (eligible, _) => f64::from(u8::from(eligible)),
    }
}

/// One index at random by weight, never `except`.
fn by_weight(candidates: &[Candidate], except: Option<usize>, rng: &mut impl Rng) -> Option<usize> {
    let eligible = |(index, candidate): &(usize, &Candidate)| candidate.is_eligible() && Some(*index) != except;
    let total: f64 = candidates.iter().enumerate().filter(eligible).map(|(_, candidate)| candidate.weight).sum();
    let mut left = rng.random::<f64>() * total;
    let mut last = None;
    for (index, candidate) in candidates.iter().enumerate().filter(eligible) {
        last = Some(index);
        left -= candidate.weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// A hash as a number strictly between 0 and 1.
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

#[cfg(test)]
mod tests;
