//! Who is drawn, who is not, how often: on compiled groups, without a socket.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use proptest::{prelude::*, strategy::Strategy as _, test_runner::RngSeed};
use uuid::Uuid;

use super::*;
use crate::{
    model::{
        self,
        group::{FailoverRules, GroupKind, Member, PathPolicy, Sticky, Strategy},
        id::{GroupId, ProviderId},
        name::{BaseUrl, Slug},
        provider::{AuthStyle, Connection, HeaderRules, ModelRules, Timeouts, TlsOptions},
        rate_limit::UpstreamLimits,
        request_log::AttemptOutcome,
    },
    server::{
        health::board::Board,
        routing::compile::Compiler,
        secret::seal::{MasterKey, credential_aad},
        store::{Snapshot, StoredProvider},
        upstream::guard::AddressPolicy,
    },
};

const NOW_MS: u64 = 1_000_000;
const NOW_NS: u64 = NOW_MS * 1_000_000;

/// A member to be.
#[derive(Clone, Debug)]
struct Spec {
    priority: u32,
    tier: u32,
    enabled: bool,
    credentials: usize,
    only: &'static str,
    limits: UpstreamLimits,
}

impl Default for Spec {
    fn default() -> Self {
        Self { priority: 100, tier: 1, enabled: true, credentials: 0, only: "", limits: UpstreamLimits::default() }
    }
}

fn specs(count: usize) -> Vec<Spec> {
    vec![Spec::default(); count]
}

fn group(strategy: Strategy, specs: &[Spec]) -> Arc<Group> {
    let key = MasterKey::from_bytes([7; 32]);
    let providers: Vec<_> = specs.iter().enumerate().map(|(number, spec)| stored(number, spec, &key)).collect();
    let members = providers.iter().zip(specs).map(|(stored, spec)| Member {
        provider: stored.provider.id,
        priority: spec.priority,
        tier: spec.tier,
    });
    let group = model::group::Group {
        id: GroupId(Uuid::from_u128(1)),
        name: "Production".into(),
        slug: Slug::parse("prod").expect("a slug"),
        description: String::new(),
        kind: GroupKind::Llm,
        strategy,
        enabled: true,
        path_policy: PathPolicy::Everything,
        failover: FailoverRules::default(),
        anonymous: Default::default(),
        allowed_origins: Vec::new(),
        hide_provider_headers: false,
        sticky: Sticky::default(),
        outcome_rules: Vec::new(),
        websocket: false,
        stream_usage: true,
        log_bodies: false,
        members: members.collect(),
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    };
    let snapshot = Snapshot {
        revision: 1,
        providers,
        groups: vec![group],
        api_keys: Vec::new(),
        prices: crate::model::price::PriceTable::default(),
    };
    let mut compiler = Compiler::new(key, Board::new(0), AddressPolicy::default());
    let (table, faults) = compiler.compile(snapshot, 0);
    assert!(faults.is_empty(), "{faults:?}");
    table.group("prod").expect("the group").clone()
}

fn stored(number: usize, spec: &Spec, key: &MasterKey) -> StoredProvider {
    // The low half tells members apart, as in identifiers of version 7.
    let id = |kind: u128, number: usize| {
        Uuid::from_u128((kind << 64) | u128::from((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    };
    let credentials: Vec<_> = (0..spec.credentials)
        .map(|credential| model::provider::Credential {
            id: CredentialId(id(2, number * 100 + credential)),
            label: format!("c{credential}"),
            hint: String::new(),
            weight: 100,
            enabled: true,
            limits: UpstreamLimits::default(),
        })
        .collect();
    let sealed = credentials.iter().map(|one| (one.id, key.seal("sk-secret", &credential_aad(one.id, "127.0.0.1"))));
    let sealed = sealed.collect();
    let provider = model::provider::Provider {
        id: ProviderId(id(1, number)),
        name: format!("p{number}"),
        website: String::new(),
        base_url: BaseUrl::parse("http://127.0.0.1:9").expect("an address"),
        auth: if spec.credentials == 0 { AuthStyle::None } else { AuthStyle::Bearer },
        enabled: spec.enabled,
        headers: HeaderRules::default(),
        models: ModelRules {
            only: if spec.only.is_empty() { Vec::new() } else { vec![spec.only.into()] },
            ..Default::default()
        },
        timeouts: Timeouts::default(),
        limits: spec.limits,
        tls: TlsOptions::default(),
        connection: Connection::default(),
        color: 1,
        credentials,
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    };
    StoredProvider { provider, sealed }
}

fn open<'a>(group: &'a Group, limiter: &'a Limiter, hash: u64) -> Draw<'a> {
    Draw::open(group, limiter, None, hash, false)
}

fn first(group: &Group, limiter: &Limiter, hash: u64) -> usize {
    open(group, limiter, hash).next(NOW_MS, NOW_NS).expect("somebody").member
}

/// How often each member comes first.
fn counted(group: &Group, draws: u64) -> Vec<u64> {
    let limiter = Limiter::new();
    let mut counts = vec![0; group.members.len()];
    (0..draws).for_each(|hash| counts[first(group, &limiter, hash)] += 1);
    counts
}

fn trip(provider: &Provider) {
    for _ in 0..5 {
        if let Ok(mut permit) = provider.state.admit(NOW_MS) {
            permit.report(NOW_MS, AttemptOutcome::Connect);
        }
    }
    assert!(matches!(provider.state.peek(NOW_MS), Admission::Refuse { .. }));
}

#[test]
fn five_three_two_is_five_three_two() {
    let mut members = specs(3);
    for (member, priority) in members.iter_mut().zip([50, 30, 20]) {
        member.priority = priority;
    }
    assert_eq!(counted(&group(Strategy::Weighted, &members), 1_000), [500, 300, 200]);
}

#[test]
fn shares_of_a_thousand_members_follow_their_priorities() {
    let mut members = specs(1_000);
    members.iter_mut().take(500).for_each(|member| member.priority = 300);
    for strategy in [Strategy::Weighted, Strategy::Sticky, Strategy::LeastInFlight, Strategy::LowestLatency] {
        let counts = counted(&group(strategy, &members), 40_000);
        let heavy = counts[..500].iter().sum::<u64>() as f64 / 40_000.0;
        // One percentage point is five standard deviations.
        assert!((heavy - 0.75).abs() < 0.011, "{strategy:?}: {heavy}");
        // 60 and 20 are expected of each.
        assert!(counts[..500].iter().all(|count| (20..120).contains(count)), "{strategy:?}");
        assert!(counts[500..].iter().all(|count| (1..60).contains(count)), "{strategy:?}");
    }
}

#[test]
fn a_thousand_members_go_round_one_by_one() {
    assert!(counted(&group(Strategy::RoundRobin, &specs(1_000)), 3_000).iter().all(|count| *count == 3));
}

#[test]
fn the_highest_priority_of_a_thousand_takes_everything_and_the_next_only_without_it() {
    let mut members = specs(1_000);
    (members[7].priority, members[400].priority) = (900, 800);
    let group = group(Strategy::Priority, &members);
    assert_eq!(counted(&group, 100)[7], 100);
    trip(&group.members[7].provider);
    assert_eq!(counted(&group, 100)[400], 100);
    trip(&group.members[400].provider);
    let equals = counted(&group, 10_000);
    assert_eq!((equals[7], equals[400]), (0, 0));
    assert!(equals.iter().all(|count| *count < 60), "equals share: 10 are expected of each");
}

#[test]
fn nobody_among_a_thousand_collects_a_queue() {
    for strategy in [Strategy::Weighted, Strategy::Sticky, Strategy::LeastInFlight] {
        let (group, limiter) = (group(strategy, &specs(1_000)), Limiter::new());
        // One client alone would overrun its provider; nobody may have more than its bounded part.
        let hash = |number: u64| if strategy == Strategy::Sticky { 7 } else { number };
        let held: Vec<_> = (0..200).map(|number| open(&group, &limiter, hash(number)).next(NOW_MS, NOW_NS)).collect();
        let most = group.members.iter().map(|member| member.provider.state.in_flight()).max();
        assert!(most <= Some(8), "{strategy:?}: {most:?} of {} in flight", held.len());
    }
}

#[test]
fn a_client_stays_with_its_provider_and_only_a_missing_ones_clients_move() {
    for count in [10, 200] {
        let (group, limiter) = (group(Strategy::Sticky, &specs(count)), Limiter::new());
        let clients = 0..2_000_u64;
        let at = |now_ms: u64| -> Vec<usize> {
            let drawn = clients.clone().map(|hash| open(&group, &limiter, hash).next(now_ms, now_ms * 1_000_000));
            drawn.map(|drawn| drawn.expect("somebody").member).collect()
        };
        let before = at(NOW_MS);
        let gone = before[0];
        group.members[gone].provider.state.keyless().cool(NOW_MS, 60_000);
        let without = at(NOW_MS + 1_000);
        for (was, is) in before.iter().zip(&without) {
            assert!(*is != gone && (was == is || *was == gone), "of {count}: {was} -> {is}");
        }
        let targets: HashSet<_> =
            before.iter().zip(&without).filter(|(was, _)| **was == gone).map(|(_, is)| is).collect();
        assert!(targets.len() > 3, "of {count}: its clients go to many: {targets:?}");
        assert_eq!(at(NOW_MS + 61_000), before, "of {count}: they come back");
    }
}

#[test]
fn the_next_tier_is_asked_only_when_the_one_before_can_take_nothing() {
    for (first_tier, second_tier) in [(3, 10), (3, 200), (200, 200), (200, 3)] {
        let mut members = specs(first_tier + second_tier);
        members[first_tier..].iter_mut().for_each(|member| member.tier = 2);
        for strategy in Strategy::ALL {
            let (group, limiter) = (group(strategy, &members), Limiter::new());
            let last = first_tier / 2;
            for (index, member) in group.members[..first_tier].iter().enumerate() {
                if index != last {
                    trip(&member.provider);
                }
            }
            for hash in 0..20 {
                assert_eq!(first(&group, &limiter, hash), last, "{strategy:?} of {first_tier} and {second_tier}");
            }
            trip(&group.members[last].provider);
            for hash in 0..20 {
                assert!(first(&group, &limiter, hash) >= first_tier, "{strategy:?} of {first_tier} and {second_tier}");
            }
        }
    }
}

#[test]
fn the_record_says_why_others_were_passed_over() {
    let mut members = specs(4);
    (members[0].enabled, members[1].priority, members[3].tier) = (false, 0, 2);
    let drawn = open(&group(Strategy::Weighted, &members), &Limiter::new(), 0).next(NOW_MS, NOW_NS).expect("somebody");
    let skipped: Vec<_> = drawn.skipped.iter().map(|skip| (skip.provider.as_str(), skip.reason)).collect();
    use SkipReason::{Disabled, Drained, TierNotNeeded};
    assert_eq!(skipped, [("p0", Disabled), ("p1", Drained), ("p3", TierNotNeeded)]);
}

#[test]
fn the_record_of_a_large_group_names_those_that_were_looked_at() {
    let members = specs(1_000);
    let (group, limiter) = (group(Strategy::Weighted, &members), Limiter::new());
    group.members[..500].iter().for_each(|member| trip(&member.provider));
    let mut draw = open(&group, &limiter, 0);
    let one = draw.next(NOW_MS, NOW_NS).expect("somebody");
    assert_eq!(one.choice.and_then(|choice| choice.out_of), Some(1_000));
    let two = draw.next(NOW_MS, NOW_NS).expect("somebody");
    assert!(two.skipped.iter().any(|skip| skip.reason == SkipReason::Tried && *skip.provider == *one.provider.name));
    assert!(two.skipped.len() <= RECORDED + 1);
    // Nobody at all: the whole of it is looked at, and the record stays short.
    group.members[501..].iter().for_each(|member| trip(&member.provider));
    let last = first(&group, &limiter, 0);
    assert_eq!(last, 500);
}

#[test]
fn a_pool_of_credentials_rotates_and_a_full_or_cooling_one_is_passed_over() {
    let mut members = specs(1);
    members[0].credentials = 3;
    let (group, limiter) = (group(Strategy::Weighted, &members), Limiter::new());
    let provider = &group.members[0].provider;
    let mut counts = BTreeMap::new();
    let mut next = |now_ms: u64| {
        let drawn = open(&group, &limiter, 0).next(now_ms, now_ms * 1_000_000).expect("a credential");
        *counts.entry(drawn.credential.expect("one of three")).or_insert(0) += 1;
    };
    (0..30).for_each(|_| next(NOW_MS));
    provider.credentials[1].state.cool(NOW_MS, 10_000);
    (0..20).for_each(|_| next(NOW_MS + 1));
    assert_eq!(counts, BTreeMap::from([(0, 20), (1, 10), (2, 20)]));
}

/// What may be wrong with a member.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    Disabled,
    Drained,
    Open,
    Cooling,
    OneCooling,
    OtherModel,
    Full,
    DayOver,
}

fn trouble() -> impl proptest::strategy::Strategy<Value = Trouble> {
    use Trouble as T;
    prop_oneof![
        4 => Just(T::None), 1 => Just(T::Disabled), 1 => Just(T::Drained), 1 => Just(T::Open), 1 => Just(T::Cooling),
        1 => Just(T::OneCooling), 1 => Just(T::OtherModel), 1 => Just(T::Full), 1 => Just(T::DayOver)
    ]
}

fn member() -> impl proptest::strategy::Strategy<Value = (Trouble, Spec)> {
    (trouble(), 1_u32..=1_000, 1_u32..=3, 0_usize..=3).prop_map(|(trouble, priority, tier, credentials)| {
        let limits = UpstreamLimits {
            concurrency: u32::from(trouble == Trouble::Full),
            requests_per_day: u64::from(trouble == Trouble::DayOver),
            ..UpstreamLimits::default()
        };
        let spec = Spec {
            priority: if trouble == Trouble::Drained { 0 } else { priority },
            tier,
            enabled: trouble != Trouble::Disabled,
            credentials,
            only: if trouble == Trouble::OtherModel { "other-*" } else { "" },
            limits,
        };
        (trouble, spec)
    })
}

/// Brings the trouble about; what it returns keeps it up.
fn bring_about(group: &Group, limiter: &Limiter, troubles: &[Trouble]) -> Vec<InFlight> {
    let mut held = Vec::new();
    for (member, trouble) in group.members.iter().zip(troubles) {
        let provider = &member.provider;
        match trouble {
            Trouble::Open => trip(provider),
            Trouble::Cooling => {
                provider.state.keyless().cool(NOW_MS, 60_000);
                provider.credentials.iter().for_each(|credential| {
                    credential.state.cool(NOW_MS, 60_000);
                });
            }
            Trouble::OneCooling => {
                if let Some(credential) = provider.credentials.first() {
                    credential.state.cool(NOW_MS, 60_000);
                }
            }
            Trouble::Full => held.extend(limiter.enter(Subject::Provider(provider.id), 1, NOW_NS)),
            Trouble::DayOver => {
                let none = UpstreamLimits::default();
                let nobody = CredentialId(Uuid::nil());
                assert!(limiter.take_upstream((provider.id, &provider.limits), (nobody, &none), NOW_NS));
            }
            Trouble::None | Trouble::Disabled | Trouble::Drained | Trouble::OtherModel => {}
        }
    }
    held
}

/// Pairs of member and credential that may be drawn, by tier.
fn expected(specs: &[Spec], troubles: &[Trouble]) -> BTreeMap<u32, HashSet<(usize, Option<usize>)>> {
    let mut pairs: BTreeMap<u32, HashSet<_>> = BTreeMap::new();
    for (member, (spec, trouble)) in specs.iter().zip(troubles).enumerate() {
        let credentials: Vec<Option<usize>> = match (trouble, spec.credentials) {
            (Trouble::None, 0) | (Trouble::OneCooling, 0) => vec![None],
            (Trouble::None, count) => (0..count).map(Some).collect(),
            (Trouble::OneCooling, count) => (1..count).map(Some).collect(),
            _ => Vec::new(),
        };
        pairs.entry(spec.tier).or_default().extend(credentials.into_iter().map(|credential| (member, credential)));
    }
    pairs.retain(|_, tier| !tier.is_empty());
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(5), failure_persistence: None, cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whoever_may_be_drawn_is_drawn_once_tier_by_tier_and_nobody_else(
        members in prop_oneof![4 => prop::collection::vec(member(), 1..12), 1 => prop::collection::vec(member(), 51..130)],
        strategy in prop::sample::select(Strategy::ALL.to_vec()),
        hash in any::<u64>(),
    ) {
        let (troubles, specs): (Vec<Trouble>, Vec<Spec>) = members.into_iter().unzip();
        let (group, limiter) = (group(strategy, &specs), Limiter::new());
        let _held = bring_about(&group, &limiter, &troubles);
        let mut draw = Draw::open(&group, &limiter, Some("gpt-4"), hash, false);
        let mut left = expected(&specs, &troubles);
        while let Ok(candidate) = draw.next(NOW_MS, NOW_NS) {
            let (tier, pairs) = left.iter_mut().next().expect("nobody else may be drawn");
            let pair = (candidate.member, candidate.credential);
            prop_assert!(pairs.remove(&pair), "{:?} of tier {} while tier {} has {:?}", pair, specs[pair.0].tier, tier, pairs);
            left.retain(|_, pairs| !pairs.is_empty());
        }
        prop_assert!(left.is_empty(), "never drawn: {:?}", left);
    }

    #[test]
    fn a_provider_that_is_done_with_is_not_drawn_again(
        count in prop_oneof![2_usize..8, 60_usize..80],
        strategy in prop::sample::select(Strategy::ALL.to_vec()),
        hash in any::<u64>(),
    ) {
        let members = vec![Spec { credentials: 2, ..Spec::default() }; count];
        let (group, limiter) = (group(strategy, &members), Limiter::new());
        let mut draw = open(&group, &limiter, hash);
        let mut seen = HashMap::new();
        while let Ok(candidate) = draw.next(NOW_MS, NOW_NS) {
            draw.done_with(candidate.member);
            *seen.entry(candidate.member).or_insert(0) += 1;
        }
        prop_assert_eq!(seen.len(), count);
        prop_assert!(seen.values().all(|times| *times == 1));
    }
}
