//! What each strategy promises.

use proptest::{prelude::*, test_runner::RngSeed};
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const PRIORITY: u32 = 100;

fn candidates(weights: &[f64]) -> Vec<Candidate> {
    (0..).zip(weights).map(|(key, weight)| Candidate { key, weight: *weight, in_flight: 0 }).collect()
}

fn hints<'a>(hash: u64, priority: &'a dyn Fn(usize) -> u32, ewma_us: &'a dyn Fn(usize) -> f64) -> Hints<'a> {
    Hints { hash, priority, ewma_us }
}

fn flat(hash: u64) -> Hints<'static> {
    hints(hash, &|_| PRIORITY, &|_| 0.0)
}

fn count(candidates: usize, draws: usize, mut draw: impl FnMut() -> Option<usize>) -> Vec<usize> {
    let mut counts = vec![0; candidates];
    for _ in 0..draws {
        counts[draw().expect("somebody is eligible")] += 1;
    }
    counts
}

#[test]
fn round_robin_asks_each_in_turn_whatever_its_priority() {
    let group = candidates(&[100.0, 700.0, 20.0]);
    let priority = |index: usize| [100, 700, 20][index];
    let hints = hints(0, &priority, &|_| 0.0);
    let mut credits = Credits::new();
    let order: Vec<_> = (0..6).filter_map(|_| round_robin(&mut credits, &group, &hints)).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn round_robin_gives_a_degraded_member_every_second_turn() {
    let group = candidates(&[100.0, 50.0]);
    let mut credits = Credits::new();
    assert_eq!(count(2, 300, || round_robin(&mut credits, &group, &flat(0))), [200, 100]);
}

#[test]
fn least_in_flight_takes_the_fewest_for_its_weight() {
    let mut group = candidates(&[100.0, 100.0, 200.0]);
    (group[0].in_flight, group[1].in_flight, group[2].in_flight) = (3, 2, 3);
    assert_eq!(least_in_flight(&mut Credits::new(), &group), Some(2));
}

#[test]
fn least_in_flight_keeps_shares_while_idle() {
    let group = candidates(&[50.0, 30.0, 20.0]);
    let mut credits = Credits::new();
    assert_eq!(count(3, 1_000, || least_in_flight(&mut credits, &group)), [500, 300, 200]);
}

#[test]
fn lowest_latency_prefers_the_faster_of_two() {
    let group = candidates(&[100.0, 100.0]);
    let ewma = |index: usize| [40_000.0, 10_000.0][index];
    let mut rng = StdRng::seed_from_u64(1);
    let hints = hints(0, &|_| PRIORITY, &ewma);
    assert_eq!(count(2, 100, || lowest_latency(&group, &hints, &mut rng)), [0, 100]);
}

#[test]
fn lowest_latency_weighs_what_is_in_flight() {
    let mut group = candidates(&[100.0, 100.0]);
    group[1].in_flight = 9;
    let ewma = |index: usize| [40_000.0, 10_000.0][index];
    let mut rng = StdRng::seed_from_u64(1);
    assert_eq!(lowest_latency(&group, &hints(0, &|_| PRIORITY, &ewma), &mut rng), Some(0));
}

#[test]
fn lowest_latency_does_not_send_the_crowd_to_one_it_does_not_know() {
    let mut group = candidates(&[100.0, 100.0]);
    group[0].in_flight = 3;
    let ewma = |index: usize| [0.0, 10_000.0][index];
    let mut rng = StdRng::seed_from_u64(1);
    assert_eq!(lowest_latency(&group, &hints(0, &|_| PRIORITY, &ewma), &mut rng), Some(1));
    group[0].in_flight = 0;
    group[1].in_flight = 1;
    assert_eq!(lowest_latency(&group, &hints(0, &|_| PRIORITY, &ewma), &mut rng), Some(0));
}

#[test]
fn sticky_sends_a_client_to_the_same_member() {
    let group = candidates(&[100.0; 5]);
    for hash in 0..200 {
        assert_eq!(sticky(&group, hash), sticky(&group, hash));
    }
}

#[test]
fn sticky_spreads_clients_by_weight() {
    let group = candidates(&[50.0, 30.0, 20.0]);
    let mut hash = 0;
    let counts = count(3, 20_000, || {
        hash += 1;
        sticky(&group, mix(hash))
    });
    for (count, share) in counts.iter().zip([10_000_usize, 6_000, 4_000]) {
        assert!(count.abs_diff(share) < 300, "{counts:?}");
    }
}

#[test]
fn sticky_moves_only_the_clients_of_a_member_that_goes() {
    let group = candidates(&[100.0; 5]);
    let mut without = group.clone();
    without[3].weight = 0.0;
    for hash in 0..2_000 {
        let before = sticky(&group, hash).expect("somebody is eligible");
        let after = sticky(&without, hash).expect("somebody is eligible");
        assert!(before == after || before == 3);
    }
}

#[test]
fn sticky_lets_nobody_have_more_than_its_bounded_load() {
    let mut group = candidates(&[100.0; 4]);
    for _ in 0..400 {
        let index = sticky(&group, 42).expect("somebody is eligible");
        group[index].in_flight += 1;
    }
    let most = group.iter().map(|one| one.in_flight).max();
    assert!(most <= Some(126), "{group:?}");
}

#[test]
fn priority_is_strict() {
    let group = candidates(&[10.0, 90.0, 50.0]);
    let priority = |index: usize| [10, 90, 50][index];
    let hints = hints(0, &priority, &|_| 0.0);
    let (mut credits, mut rng) = (Credits::new(), StdRng::seed_from_u64(1));
    assert_eq!(count(3, 100, || super::priority(&mut credits, &group, &hints, &mut rng)), [0, 100, 0]);
    let tripped = candidates(&[10.0, 0.0, 50.0]);
    assert_eq!(count(3, 100, || super::priority(&mut credits, &tripped, &hints, &mut rng)), [0, 0, 100]);
}

#[test]
fn equal_priorities_share() {
    let group = candidates(&[100.0, 100.0, 50.0]);
    let priority = |index: usize| [100, 100, 50][index];
    let hints = hints(0, &priority, &|_| 0.0);
    let (mut credits, mut rng) = (Credits::new(), StdRng::seed_from_u64(1));
    assert_eq!(count(3, 100, || super::priority(&mut credits, &group, &hints, &mut rng)), [50, 50, 0]);
}

#[test]
fn a_recovering_first_choice_ramps_up() {
    let group = candidates(&[10.0, 50.0]);
    let priority = |index: usize| [100, 50][index];
    let hints = hints(0, &priority, &|_| 0.0);
    let (mut credits, mut rng) = (Credits::new(), StdRng::seed_from_u64(1));
    let counts = count(2, 10_000, || super::priority(&mut credits, &group, &hints, &mut rng));
    assert!((900..1_100).contains(&counts[0]), "{counts:?}");
}

#[test]
fn a_degraded_member_without_an_alternative_gets_everything() {
    let group = candidates(&[50.0]);
    let (mut credits, mut rng) = (Credits::new(), StdRng::seed_from_u64(1));
    assert_eq!(count(1, 100, || super::priority(&mut credits, &group, &flat(0), &mut rng)), [100]);
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_strategy_draws_an_eligible_member_and_none_only_without_one(
        members in prop::collection::vec((0_u32..4, 0_u32..20, 0.0_f64..1e6), 0..30),
        hash in any::<u64>(),
        seed in any::<u64>(),
    ) {
        let group: Vec<_> = (0..).zip(&members)
            .map(|(key, (weight, in_flight, _))| Candidate { key, weight: f64::from(*weight) * 25.0, in_flight: *in_flight })
            .collect();
        let priority = |index: usize| [0, 50, 50, 100][members[index].0 as usize];
        let ewma = |index: usize| members[index].2;
        let hints = hints(hash, &priority, &ewma);
        let mut rng = StdRng::seed_from_u64(seed);
        for strategy in crate::model::group::Strategy::ALL {
            let mut credits = Credits::new();
            for _ in 0..3 {
                match draw(strategy, &mut credits, &group, &hints, &mut rng) {
                    Some(index) => prop_assert!(group[index].is_eligible(), "{strategy:?}"),
                    None => prop_assert!(!group.iter().any(Candidate::is_eligible), "{strategy:?}"),
                }
            }
        }
    }
}
