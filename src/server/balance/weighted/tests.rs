//! Shares, bounds and memory of the weighted draw.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;

fn candidates(weights: &[f64]) -> Vec<Candidate> {
    (0..).zip(weights).map(|(key, weight)| Candidate { key, weight: *weight, in_flight: 0 }).collect()
}

/// How often each of `candidates` is drawn, `draws` times.
fn drawn(credits: &mut Credits, candidates: &[Candidate], draws: usize) -> Vec<u32> {
    let mut counts = vec![0; candidates.len()];
    for _ in 0..draws {
        counts[credits.draw(candidates).expect("somebody is eligible")] += 1;
    }
    counts
}

#[test]
fn shares_of_five_three_two_are_exact_and_smooth() {
    let group = candidates(&[50.0, 30.0, 20.0]);
    let mut credits = Credits::new();
    assert_eq!(drawn(&mut credits, &group, 1_000), [500, 300, 200]);
    // No member waits longer than its turn: every ten draws hold five, three and two.
    for _ in 0..100 {
        assert_eq!(drawn(&mut credits, &group, 10), [5, 3, 2]);
    }
}

#[test]
fn equals_take_turns_in_the_order_of_their_keys() {
    let group = candidates(&[1.0, 1.0, 1.0]);
    let mut credits = Credits::new();
    let order: Vec<_> = (0..6).filter_map(|_| credits.draw(&group)).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn at_equal_credit_the_lower_load_for_its_weight_goes_first() {
    let mut group = candidates(&[10.0, 10.0, 10.0]);
    group[0].in_flight = 1;
    assert_eq!(Credits::new().draw(&group), Some(1));
}

#[test]
fn a_member_with_too_much_in_flight_is_passed_over() {
    let mut group = candidates(&[50.0, 50.0]);
    group[0].in_flight = 20;
    let mut credits = Credits::new();
    // ceil(1.25 · 21 · 0.5) = 14 at most for the first.
    assert_eq!(drawn(&mut credits, &group, 10), [0, 10]);
}

#[test]
fn few_requests_in_flight_bend_no_shares() {
    // I < 2n: one more than the bound is allowed, or a single slow request would decide.
    let mut group = candidates(&[50.0, 30.0, 20.0]);
    group[2].in_flight = 1;
    assert_eq!(drawn(&mut Credits::new(), &group, 10), [5, 3, 2]);
}

#[test]
fn three_times_slower_bends_five_three_two_on_purpose() {
    // Closed loop: a request of the first takes three ticks of the others' one; 60 in flight.
    let mut group = candidates(&[50.0, 30.0, 20.0]);
    let speed = [3_u64, 1, 1];
    let mut credits = Credits::new();
    let mut running: std::collections::BinaryHeap<std::cmp::Reverse<(u64, usize)>> = Default::default();
    let mut served = [0_u32; 3];
    let mut now = 0;
    for number in 0..30_000 {
        while running.len() >= 60 {
            let std::cmp::Reverse((ends, index)) = running.pop().expect("it is full");
            now = ends;
            group[index].in_flight -= 1;
        }
        let index = credits.draw(&group).expect("somebody is eligible");
        group[index].in_flight += 1;
        running.push(std::cmp::Reverse((now + 1_000 * speed[index], index)));
        served[index] += u32::from(number >= 3_000);
    }
    let percent = served.map(|count| (count * 100 + 13_500) / 27_000);
    assert!((30..=42).contains(&percent[0]), "{percent:?}");
    assert!(percent[1] > 30 && percent[2] > 20, "{percent:?}");
}

#[test]
fn nothing_is_drawn_when_nothing_is_eligible() {
    let mut credits = Credits::new();
    assert_eq!(credits.draw(&[]), None);
    assert_eq!(credits.draw(&candidates(&[0.0, -1.0, f64::NAN, f64::INFINITY])), None);
}

#[test]
fn credits_survive_members_that_come_go_and_change_places() {
    let mut credits = Credits::new();
    let group = candidates(&[50.0, 30.0, 20.0]);
    drawn(&mut credits, &group, 7);
    let owed: Vec<f64> = (0..3).map(|key| credits.credit(key)).collect();
    let mut moved = group.clone();
    moved.reverse();
    moved.push(Candidate { key: 9, weight: 0.0, in_flight: 0 });
    credits.align(&moved);
    assert_eq!((0..3).map(|key| credits.credit(key)).collect::<Vec<f64>>(), owed);
    // One leaves for a while, as a tried candidate does, and is owed the same when it is back.
    credits.align(&group[1..]);
    credits.align(&group);
    assert_eq!((0..3).map(|key| credits.credit(key)).collect::<Vec<f64>>(), owed);
}

#[test]
fn what_departed_members_are_owed_is_forgotten_in_time() {
    let mut credits = Credits::new();
    for round in 0..100 {
        let group: Vec<_> =
            (0..100).map(|key| Candidate { key: round * 100 + key, weight: 1.0, in_flight: 0 }).collect();
        credits.draw(&group);
    }
    assert!(credits.slots.len() <= 100 + DEPARTED);
}

fn weight() -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 4 => (1_u32..=1_000).prop_map(f64::from), 1 => 0.001_f64..1_000.0]
}

fn group() -> impl Strategy<Value = Vec<Candidate>> {
    let member = (weight(), prop_oneof![3 => 0_u32..5, 1 => 0_u32..500]);
    prop::collection::vec(member, 0..40).prop_map(|members| {
        (0..).zip(members).map(|(key, (weight, in_flight))| Candidate { key, weight, in_flight }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shares_come_within_a_point_in_a_thousand_draws(
        weights in prop::collection::vec(1_u32..=1_000, 1..12),
        start in prop::collection::vec(0_usize..12, 0..50),
    ) {
        let group = candidates(&weights.iter().map(|weight| f64::from(*weight)).collect::<Vec<_>>());
        let mut credits = Credits::new();
        // From any history: draws over parts of the group.
        for pick in start {
            let part: Vec<_> = group.iter().enumerate()
                .map(|(index, one)| Candidate { weight: if index % (pick + 1) == 0 { one.weight } else { 0.0 }, ..*one })
                .collect();
            credits.draw(&part);
        }
        let counts = drawn(&mut credits, &group, 1_000);
        let total: u32 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(&weights) {
            let target = 1_000.0 * f64::from(*weight) / f64::from(total);
            prop_assert!((f64::from(*count) - target).abs() <= 10.0, "{count} drawn of {target}");
        }
    }

    #[test]
    fn only_the_eligible_are_drawn_and_none_means_none(groups in prop::collection::vec(group(), 1..20)) {
        let mut credits = Credits::new();
        for group in &groups {
            match credits.draw(group) {
                Some(index) => prop_assert!(group[index].is_eligible()),
                None => prop_assert!(!group.iter().any(Candidate::is_eligible)),
            }
        }
    }

    #[test]
    fn the_one_drawn_is_within_the_bound(groups in prop::collection::vec(group(), 1..20)) {
        let mut credits = Credits::new();
        for group in groups.iter().filter(|group| group.iter().any(Candidate::is_eligible)) {
            let totals = Totals::of(group);
            let index = credits.draw(group).expect("somebody is eligible");
            prop_assert!(totals.has_room(&group[index]), "{:?} of {:?}", group[index], totals);
        }
    }

    #[test]
    fn credits_stay_within_twice_the_weight(mut group in group(), loads in prop::collection::vec((0_usize..40, 0_u32..50), 1..200)) {
        let mut credits = Credits::new();
        for (index, in_flight) in loads {
            if let Some(one) = group.get_mut(index) {
                one.in_flight = in_flight;
            }
            credits.draw(&group);
            let twice = 2.0 * Totals::of(&group).weight;
            for one in &group {
                prop_assert!(credits.credit(one.key).abs() <= twice + 1e-6);
            }
        }
    }

    #[test]
    fn it_is_the_formula(groups in prop::collection::vec(group(), 1..10)) {
        // The formula as gateway.md writes it, by sorting.
        let mut credits = Credits::new();
        let mut owed: HashMap<u64, f64> = HashMap::new();
        for group in groups.iter().filter(|group| group.iter().any(Candidate::is_eligible)) {
            let eligible: Vec<_> = group.iter().filter(|one| one.weight > 0.0).collect();
            let total: f64 = eligible.iter().map(|one| one.weight).sum();
            let in_flight: f64 = eligible.iter().map(|one| f64::from(one.in_flight)).sum();
            for one in &eligible {
                let credit = owed.entry(one.key).or_default();
                *credit = (*credit + one.weight).min(2.0 * total);
            }
            let mut order = eligible.clone();
            order.sort_by(|left, right| {
                let load = |one: &Candidate| f64::from(one.in_flight) / one.weight;
                owed[&right.key].total_cmp(&owed[&left.key]).then(load(left).total_cmp(&load(right))).then(left.key.cmp(&right.key))
            });
            let chosen = order.iter().find(|one| {
                let part = (1.25 * (in_flight + 1.0) * one.weight / total).ceil();
                let grace = if in_flight < 2.0 * eligible.len() as f64 { 1.0 } else { 0.0 };
                f64::from(one.in_flight) + 1.0 <= part + grace
            });
            let chosen = chosen.expect("somebody is always within the bound").key;
            let credit = owed.entry(chosen).or_default();
            *credit = (*credit - total).max(-2.0 * total);
            let index = credits.draw(group).expect("somebody is eligible");
            prop_assert_eq!(group[index].key, chosen);
        }
    }
}
