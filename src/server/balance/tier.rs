//! Tiers: 1 first, the next only when the one before can take nothing.

use super::Candidate;

/// The lowest tier in which a candidate may be drawn. `tiers[i]` belongs to `candidates[i]`.
pub fn active(tiers: &[u32], candidates: &[Candidate]) -> Option<u32> {
    let usable = tiers.iter().zip(candidates).filter(|(_, candidate)| candidate.is_eligible());
    usable.map(|(tier, _)| *tier).min()
}

/// Takes the weight of every candidate above the [`active`] tier, and returns that tier.
///
/// Places stay as they are, so that the credits keep fitting the members.
pub fn narrow(tiers: &[u32], candidates: &mut [Candidate]) -> Option<u32> {
    let active = active(tiers, candidates)?;
    for (tier, candidate) in tiers.iter().zip(candidates) {
        if *tier != active {
            candidate.weight = 0.0;
        }
    }
    Some(active)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(weights: &[f64]) -> Vec<Candidate> {
        (0..).zip(weights).map(|(key, weight)| Candidate { key, weight: *weight, in_flight: 0 }).collect()
    }

    #[test]
    fn a_tier_waits_until_the_one_before_can_take_nothing() {
        let mut all = candidates(&[10.0, 10.0, 10.0]);
        assert_eq!(narrow(&[1, 2, 1], &mut all), Some(1));
        assert_eq!(all, candidates(&[10.0, 0.0, 10.0]));
        let mut tripped = candidates(&[0.0, 10.0, 0.0]);
        assert_eq!(narrow(&[1, 2, 1], &mut tripped), Some(2));
        assert_eq!(active(&[1, 2, 1], &candidates(&[0.0; 3])), None);
    }
}
