//! Which candidate is asked next. Pure: no clock, no I/O, no global randomness.
//!
//! A group's members become [`Candidate`]s, in the same order at every draw; a member that may
//! not be drawn now (drained, tripped, cooling, already tried) stays in its place with weight 0.
//! [`tier`] says which of them count, [`score`] makes a weight of priority and health,
//! [`strategy`] draws. [`weighted`] holds the only memory between two draws: the credits.
//! [`large`] is how groups beyond some fifty members are drawn from without a look at all of them.

pub mod large;
pub mod score;
pub mod strategy;
pub mod tier;
pub mod weighted;

/// A member of a group as one draw sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Stable identity, equal across table swaps; also the last word in a tie.
    pub key: u64,
    /// Effective weight: [`score::effective`]. Zero (or anything not positive and finite) is never drawn.
    pub weight: f64,
    /// Requests in flight, counted until the body ends.
    pub in_flight: u32,
}

impl Candidate {
    /// Whether it may be drawn at all.
    pub fn is_eligible(&self) -> bool {
        self.weight > 0.0 && self.weight.is_finite()
    }
}
