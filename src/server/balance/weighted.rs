//! Smooth weighted round robin with bounded load: the default strategy.
//!
//! ```text
//! W = Σw; I = Σinflight; for i in eligible: credit_i = min(credit_i + w_i, 2W)
//! first i by credit desc (tie: lower inflight/w, id) with inflight_i+1 <= ceil(1.25·(I+1)·w_i/W) + (I < 2n ? 1 : 0)
//! credit_chosen = max(credit_chosen − W, −2W)
//! ```
//!
//! Credits keep shares exact even at a request every few seconds, where "fewest in flight" sends
//! nearly everything to one member; the bound keeps a slow member from collecting a queue, which
//! plain round robin gives it. Unequal speed therefore bends the shares, on purpose.
//!
//! Somebody is always within the bound: were every `inflight_i ≥ 1.25·(I+1)·w_i/W`, their sum `I`
//! would be at least `1.25·(I+1)`. So `None` means that nothing is eligible.

use std::collections::HashMap;

use super::Candidate;

/// How far above its fair part of the load a member may go.
const BOUND: f64 = 1.25;
/// Members no longer in the list whose credit is kept, should they come back.
const DEPARTED: usize = 1024;

/// The memory of a draw: what each member is owed. One per group, behind the group's short mutex.
///
/// Slots lie in the order of the candidates, so a draw walks two arrays side by side and hashes
/// nothing. They carry the member's key: after members changed, the next draw puts them in the new
/// order and everybody keeps the credit it had.
#[derive(Clone, Debug, Default)]
pub struct Credits {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    credit: f64,
}

/// Sums over the eligible candidates of one draw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) weight: f64,
    pub(super) in_flight: f64,
    pub(super) eligible: u32,
}

impl Totals {
    fn of(candidates: &[Candidate]) -> Self {
        let (mut weight, mut in_flight, mut eligible) = (0.0, 0_u64, 0_u32);
        for candidate in candidates {
            // Without a branch: one that may not be drawn adds nothing.
            let counts = candidate.is_eligible();
            weight += if counts { candidate.weight } else { 0.0 };
            in_flight += if counts { u64::from(candidate.in_flight) } else { 0 };
            eligible += u32::from(counts);
        }
        Self { weight, in_flight: in_flight as f64, eligible }
    }

    /// Whether one more request keeps this candidate within its part of the load.
    pub(super) fn has_room(&self, candidate: &Candidate) -> bool {
        f64::from(candidate.in_flight) + 1.0 <= self.allowance(candidate)
    }

    /// How many may be in flight there, the next one included.
    fn allowance(&self, candidate: &Candidate) -> f64 {
        let part = (BOUND * (self.in_flight + 1.0) * candidate.weight / self.weight).ceil();
        let grace = if self.in_flight < 2.0 * f64::from(self.eligible) { 1.0 } else { 0.0 };
        part + grace
    }
}

/// How many requests the bounded load allows in flight at each candidate, the next one included; 0
/// where nothing may be drawn.
pub fn allowances(candidates: &[Candidate]) -> Vec<u32> {
    let totals = Totals::of(candidates);
    let allowed = |one: &Candidate| if one.is_eligible() { totals.allowance(one) as u32 } else { 0 };
    candidates.iter().map(allowed).collect()
}

/// Whether one more request keeps `candidates[index]` within the bounded load (c = 1.25).
pub(super) fn bounds(candidates: &[Candidate]) -> impl Fn(&Candidate) -> bool {
    let totals = Totals::of(candidates);
    move |candidate| totals.has_room(candidate)
}

impl Credits {
    /// Nobody is owed anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws by the formula above; the index is into `candidates`.
    ///
    /// Pass every member, in the same order each time; weight 0 for those that may not be drawn
    /// now: they are passed over and their credit waits. `None` only when nothing is eligible.
    pub fn draw(&mut self, candidates: &[Candidate]) -> Option<usize> {
        self.draw_where(candidates, Totals::has_room)
    }

    /// The same without the bound on load: plain smooth weighted round robin.
    pub fn draw_unbounded(&mut self, candidates: &[Candidate]) -> Option<usize> {
        self.draw_where(candidates, |_, _| true)
    }

    /// What the member with this key is owed; 0 when unknown.
    pub fn credit(&self, key: u64) -> f64 {
        self.slots.iter().find(|slot| slot.key == key).map_or(0.0, |slot| slot.credit)
    }

    /// Credit of `candidates[index]`, as the log names it.
    pub fn credit_at(&self, index: usize) -> f64 {
        self.slots.get(index).map_or(0.0, |slot| slot.credit)
    }

    pub(super) fn draw_where(
        &mut self,
        candidates: &[Candidate],
        allowed: impl Fn(&Totals, &Candidate) -> bool,
    ) -> Option<usize> {
        self.align(candidates);
        let totals = Totals::of(candidates);
        let highest = 2.0 * totals.weight;
        // The best so far. The bound is looked at only for a credit that would win.
        let mut best: Option<(usize, f64)> = None;
        for (index, (candidate, slot)) in candidates.iter().zip(&mut self.slots).enumerate() {
            if !candidate.is_eligible() {
                continue;
            }
            slot.credit = (slot.credit + candidate.weight).min(highest);
            let wins = best.is_none_or(|(leader, credit)| {
                slot.credit > credit || (slot.credit == credit && before(candidate, &candidates[leader]))
            });
            if wins && allowed(&totals, candidate) {
                best = Some((index, slot.credit));
            }
        }
        // Rounding alone could leave everybody out of bounds; the formula itself cannot.
        let chosen = best.map(|(index, _)| index).or_else(|| candidates.iter().position(Candidate::is_eligible))?;
        let slot = &mut self.slots[chosen];
        slot.credit = (slot.credit - totals.weight).max(-highest);
        Some(chosen)
    }

    /// Puts the slots in the order of the candidates. After the first draw over a list this only
    /// compares keys; when members changed, kept members bring their credit and new ones start at 0.
    /// Members missing from this list keep their credit behind it, for a while: see [`DEPARTED`].
    fn align(&mut self, candidates: &[Candidate]) {
        let same = self.slots.len() >= candidates.len()
            && self.slots.iter().zip(candidates).all(|(slot, candidate)| slot.key == candidate.key);
        if same {
            return;
        }
        let mut known: HashMap<u64, f64> = self.slots.iter().map(|slot| (slot.key, slot.credit)).collect();
        let mut slots = Vec::with_capacity(candidates.len() + known.len().min(DEPARTED));
        for candidate in candidates {
            slots.push(Slot { key: candidate.key, credit: known.remove(&candidate.key).unwrap_or_default() });
        }
        let departed = self.slots.iter().filter(|slot| known.contains_key(&slot.key)).take(DEPARTED);
        slots.extend(departed);
        self.slots = slots;
    }
}

/// Who comes first at equal credit: the lower load for its weight, then the lower key.
fn before(left: &Candidate, right: &Candidate) -> bool {
    let load = |candidate: &Candidate| f64::from(candidate.in_flight) / candidate.weight;
    load(left).total_cmp(&load(right)).then(left.key.cmp(&right.key)).is_lt()
}

#[cfg(test)]
mod tests;
