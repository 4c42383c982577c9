//! What priorities come to: effective weights and target shares. Pure, so that the save bar can
//! tell what a change would do before it is saved.

use std::collections::HashMap;

use crate::model::{group::Member, health::ProviderHealth, id::ProviderId};

/// Factor of a provider's health on its weight; unknown health is full weight.
pub(super) fn factor(health: &HashMap<ProviderId, ProviderHealth>, provider: ProviderId) -> f64 {
    health.get(&provider).map_or(1.0, |health| health.factor)
}

/// priority × factor.
pub(super) fn effective(member: &Member, health: &HashMap<ProviderId, ProviderHealth>) -> f64 {
    f64::from(member.priority) * factor(health, member.provider)
}

/// Target share of each member: its part of the first tier that can take anything, 0 elsewhere.
pub(super) fn targets(members: &[Member], health: &HashMap<ProviderId, ProviderHealth>) -> HashMap<ProviderId, f64> {
    let serving = members.iter().filter(|member| effective(member, health) > 0.0).map(|member| member.tier).min();
    let in_tier = |member: &&Member| Some(member.tier) == serving;
    let sum: f64 = members.iter().filter(in_tier).map(|member| effective(member, health)).sum();
    let share =
        |member: &Member| if Some(member.tier) == serving && sum > 0.0 { effective(member, health) / sum } else { 0.0 };
    members.iter().map(|member| (member.provider, share(member))).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn member(number: u128, priority: u32, tier: u32) -> Member {
        Member { provider: ProviderId(Uuid::from_u128(number)), priority, tier }
    }

    #[test]
    fn shares_are_parts_of_the_first_tier_that_serves() {
        let members = [member(1, 300, 1), member(2, 100, 1), member(3, 100, 2)];
        let targets = targets(&members, &HashMap::new());
        assert_eq!(targets[&members[0].provider], 0.75);
        assert_eq!(targets[&members[2].provider], 0.0);
    }

    #[test]
    fn a_drained_tier_hands_over_to_the_next() {
        let members = [member(1, 0, 1), member(2, 50, 2)];
        assert_eq!(targets(&members, &HashMap::new())[&members[1].provider], 1.0);
    }
}
