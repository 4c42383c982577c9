//! Draws in large groups: a few members are proposed and looked at, the rest stay alone.
//!
//! Smooth weighted round robin walks over all members, which is right for ten and too much for a
//! thousand. Here each tier is laid out once, when the table is compiled: every member in a slot
//! of a sparse table, at a place its own key decides. A row of pseudo-random numbers falls on slots,
//! and what it falls on is proposed in proportion to its weight; the first that may be drawn is.
//!
//! The same row of numbers makes `sticky`: begun with the hash of what a client is held by, it
//! proposes the same members in the same order for as long as they are there. One that may not be
//! drawn is passed over by its own clients alone, and they come back when it does; one that joins or
//! leaves moves its own share and, where two keys wanted one slot, that of a neighbour.

use std::iter;

use super::{Candidate, weighted::Totals};

/// Tiers with more members than this are drawn from by proposals.
pub const LARGE: usize = 50;
/// Slots for each member, at least: sparse, so that members seldom want the same one.
const SPARSE: usize = 4;
/// Numbers that may fall on nothing before a row ends.
const MISSES: usize = 16 * 1024;
const EMPTY: u32 = u32::MAX;

/// A member as a layout sees it.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Stable identity.
    pub key: u64,
    /// Its tier.
    pub tier: u32,
    /// Base priority; 0 is never proposed.
    pub priority: u32,
}

/// The tiers of a large group, lowest first.
#[derive(Clone, Debug)]
pub struct Layout {
    tiers: Vec<Tier>,
}

/// One tier.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Its number.
    pub number: u32,
    /// Its members, as indices into the group's, in the group's order.
    pub places: Vec<usize>,
    /// Sum of their priorities.
    weight: f64,
    /// The same members, highest priority first.
    ranked: Vec<usize>,
    /// Where each priority ends in `ranked`.
    levels: Vec<usize>,
    slots: Vec<Slot>,
    /// A member of this priority is proposed each time a number falls on it.
    ceiling: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Index into the group's members.
    place: u32,
    priority: u32,
}

impl Layout {
    /// Lays a group out; `None` when it is small enough to be walked over.
    pub fn new(members: &[Placed]) -> Option<Self> {
        if members.len() <= LARGE {
            return None;
        }
        let mut numbers: Vec<u32> = members.iter().map(|member| member.tier).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let tiers = numbers.into_iter().map(|number| Tier::new(number, members)).filter(|tier| !tier.places.is_empty());
        Some(Self { tiers: tiers.collect() })
    }

    /// The tiers in the order in which they are used; members of priority 0 are in none.
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }
}

impl Tier {
    fn new(number: u32, members: &[Placed]) -> Self {
        let counts = |place: &usize| members[*place].tier == number && members[*place].priority > 0;
        let places: Vec<usize> = (0..members.len()).filter(counts).collect();
        let priority = |place: usize| members[place].priority;
        let mut ranked = places.clone();
        ranked.sort_by(|left, right| priority(*right).cmp(&priority(*left)));
        let level_ends = (1..=ranked.len())
            .filter(|end| ranked.get(*end).is_none_or(|next| priority(*next) != priority(ranked[end - 1])));
        let highest = ranked.first().map_or(1, |place| priority(*place));
        Self {
            number,
            weight: places.iter().map(|place| f64::from(priority(*place))).sum(),
            levels: level_ends.collect(),
            slots: slots(&places, members),
            // A power of two, so that one member's new priority seldom changes how others are proposed.
            ceiling: highest.next_power_of_two(),
            ranked,
            places,
        }
    }

    /// Whether it is drawn from by proposals.
    pub fn is_large(&self) -> bool {
        self.places.len() > LARGE
    }

    /// Whether one more request keeps a member within its part of the load: the bound of
    /// [`super::weighted`], over the tier as it was configured.
    pub fn has_room(&self, candidate: &Candidate, in_flight: u32) -> bool {
        let eligible = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        Totals { weight: self.weight, in_flight: f64::from(in_flight), eligible }.has_room(candidate)
    }

    /// A long row of members, each as often as its priority says, decided by `seed` alone.
    pub fn proposals(&self, seed: u64) -> impl Iterator<Item = usize> {
        let mut state = mix(seed);
        let mask = self.slots.len() as u64 - 1;
        iter::from_fn(move || {
            (0..MISSES).find_map(|_| {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let number = mix(state);
                let slot = self.slots[(number & mask) as usize];
                // The upper half decides whether its priority is enough; slots use the lower.
                let level = ((number >> 32) * u64::from(self.ceiling)) >> 32;
                (level < u64::from(slot.priority)).then_some(slot.place as usize)
            })
        })
    }

    /// Members by priority, the highest first, equals in an order that `start` turns.
    ///
    /// Of a level with more than `most` members only so many are proposed, and nothing after them:
    /// whether one of the others may be drawn is then still unknown.
    pub fn by_priority(&self, most: usize, start: u64) -> impl Iterator<Item = usize> {
        let begins = iter::once(0).chain(self.levels.iter().copied());
        let levels = begins.zip(self.levels.iter().copied()).map(|(from, to)| &self.ranked[from..to]);
        let mut open = true;
        let whole = levels.take_while(move |level| std::mem::replace(&mut open, level.len() <= most));
        whole.flat_map(move |level| {
            let turned = (start % level.len() as u64) as usize;
            level[turned..].iter().chain(&level[..turned]).copied().take(most)
        })
    }
}

/// Every member in the first free slot that its key leads to. In the order of keys, so that the
/// order of members does not matter.
fn slots(places: &[usize], members: &[Placed]) -> Vec<Slot> {
    let size = (places.len() * SPARSE).next_power_of_two();
    let mut slots = vec![Slot { place: EMPTY, priority: 0 }; size];
    let mut by_key = places.to_vec();
    by_key.sort_unstable_by_key(|place| (members[*place].key, *place));
    for place in by_key {
        let mut at = members[place].key;
        loop {
            at = mix(at.wrapping_add(1));
            let slot = &mut slots[(at & (size as u64 - 1)) as usize];
            if slot.place == EMPTY {
                *slot = Slot { place: place as u32, priority: members[place].priority };
                break;
            }
        }
    }
    slots
}

/// Spreads a number over all 64 bits (the finaliser of SplitMix64).
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(count: u64, priority: impl Fn(u64) -> u32) -> Vec<Placed> {
        // Keys as they are in life: the random half of an identifier.
        (0..count).map(|number| Placed { key: mix(number + 77), tier: 1, priority: priority(number) }).collect()
    }

    fn one_tier(members: &[Placed]) -> Tier {
        let layout = Layout::new(members).expect("a large group");
        layout.tiers()[0].clone()
    }

    fn first(tier: &Tier, members: &[Placed], seed: u64, passed_over: Option<u64>) -> u64 {
        let keys = tier.proposals(seed).map(|place| members[place].key);
        keys.into_iter().find(|key| Some(*key) != passed_over).expect("somebody")
    }

    #[test]
    fn a_small_group_needs_no_layout() {
        assert!(Layout::new(&members(LARGE as u64, |_| 100)).is_none());
    }

    #[test]
    fn members_are_proposed_as_often_as_their_priority_says() {
        let members = members(1_000, |number| if number < 500 { 300 } else { 100 });
        let tier = one_tier(&members);
        let drawn = 400_000;
        let mut heavy = 0;
        let mut counts = vec![0_u32; members.len()];
        for place in tier.proposals(1).take(drawn) {
            counts[place] += 1;
            heavy += usize::from(place < 500);
        }
        let share = heavy as f64 / drawn as f64;
        assert!((share - 0.75).abs() < 0.01, "{share}");
        // 600 and 200 are expected, with a deviation of 24 and 14.
        assert!(counts[..500].iter().all(|count| (450..750).contains(count)), "{counts:?}");
        assert!(counts[500..].iter().all(|count| (110..290).contains(count)), "{counts:?}");
    }

    #[test]
    fn drained_members_are_never_proposed_and_one_heavy_member_is() {
        let members = members(200, |number| match number {
            0 => 1_000,
            1 => 1,
            _ => 0,
        });
        let tier = one_tier(&members);
        assert_eq!(tier.places, [0, 1]);
        assert!(tier.proposals(7).take(10_000).all(|place| place < 2));
    }

    #[test]
    fn a_member_that_may_not_be_drawn_moves_its_own_clients_alone() {
        let members = members(1_000, |_| 100);
        let tier = one_tier(&members);
        let gone = members[17].key;
        let mut moved_to = std::collections::HashSet::new();
        for seed in 0..50_000 {
            let before = first(&tier, &members, seed, None);
            let after = first(&tier, &members, seed, Some(gone));
            if before == gone {
                moved_to.insert(after);
            } else {
                assert_eq!(before, after);
            }
        }
        assert!(moved_to.len() > 25, "its clients spread over many: {}", moved_to.len());
    }

    #[test]
    fn a_member_that_leaves_the_configuration_moves_little_more_than_its_share() {
        let before = members(1_000, |_| 100);
        let mut after = before.clone();
        let gone = after.remove(17).key;
        after.reverse();
        let (old, new) = (one_tier(&before), one_tier(&after));
        let clients = 50_000;
        let moved = (0..clients)
            .filter(|seed| {
                let was = first(&old, &before, *seed, None);
                was != gone && was != first(&new, &after, *seed, None)
            })
            .count();
        assert!(moved < clients as usize / 100, "{moved} of {clients} moved without need");
    }

    #[test]
    fn tiers_are_used_in_order_and_empty_ones_are_left_out() {
        let mut all = members(300, |_| 100);
        for (number, member) in (0_u32..).zip(&mut all) {
            member.tier = [3, 1, 2][number as usize % 3];
            member.priority = if member.tier == 2 { 0 } else { 100 };
        }
        let layout = Layout::new(&all).expect("a large group");
        assert_eq!(layout.tiers().iter().map(|tier| tier.number).collect::<Vec<_>>(), [1, 3]);
        assert!(layout.tiers()[0].places.iter().all(|place| all[*place].tier == 1));
    }

    #[test]
    fn priorities_come_strictly_in_order_and_a_crowd_ends_the_row() {
        let members = members(100, |number| match number {
            0..3 => 900,
            3 => 800,
            _ => 100,
        });
        let tier = one_tier(&members);
        let row: Vec<usize> = tier.by_priority(10, 1).collect();
        assert_eq!(row[..4], [1, 2, 0, 3]);
        assert_eq!(row.len(), 4 + 10);
        assert_eq!(tier.by_priority(200, 0).count(), 100);
    }
}
