//! The core, with time as an argument.

use std::collections::HashMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    finding::{CapKind, CapSeen, Measure, Measured, Nodes, ProviderSeen, Seen, Traffic},
    *,
};
use crate::{
    model::{
        alert::{RuleDraft, RuleKind, Scope},
        health::{CredentialHealth, CredentialState, HealthReason, HealthState, ProviderHealth},
        id::{CredentialId, GroupId, ProviderId},
    },
    server::store::{NodeRun, Presence},
};

const RULE: RuleId = RuleId(Uuid::from_u128(1));
const CHANNEL: ChannelId = ChannelId(Uuid::from_u128(2));
const PROVIDER: ProviderId = ProviderId(Uuid::from_u128(3));
const GROUP: GroupId = GroupId(Uuid::from_u128(4));
const CREDENTIAL: CredentialId = CredentialId(Uuid::from_u128(5));

fn rule(settings: RuleDraft) -> Rule {
    Rule { id: RULE, settings, revision: 1, created_at_ms: 0, updated_at_ms: 0 }
}

fn orders(settings: RuleDraft) -> Orders {
    let settings = RuleDraft { name: "watch".into(), channels: vec![CHANNEL], ..settings };
    Orders { rules: vec![rule(settings)], channels: HashSet::from([CHANNEL]), ..Orders::default() }
}

fn down_after(hold_seconds: u32) -> Orders {
    orders(RuleDraft { hold_seconds, ..RuleDraft::of(RuleKind::ProviderDown) })
}

fn seen(state: HealthState, credential: CredentialState) -> Seen {
    let health = ProviderHealth {
        provider: PROVIDER,
        state,
        reason: HealthReason::Failures { count: 5, outcome: "connect_timeout".into(), next_trial_at_ms: 0 },
        since_ms: 0,
        factor: 0.0,
        samples: 0,
        successes: 0,
        consecutive_failures: 5,
        in_flight: 0,
        credentials: vec![CredentialHealth { credential: CREDENTIAL, state: credential, in_flight: 0 }],
    };
    let provider =
        ProviderSeen { id: PROVIDER, name: "alpha".into(), health, labels: vec![(CREDENTIAL, "main".into())] };
    Seen { providers: vec![provider], groups: vec![(GROUP, "prod".into())], ..Seen::default() }
}

fn down() -> Seen {
    seen(HealthState::Unhealthy, CredentialState::Ready)
}

fn up() -> Seen {
    seen(HealthState::Healthy, CredentialState::Ready)
}

/// Ids in the order of their making.
fn ids() -> impl FnMut() -> AlertId {
    let mut next = 100;
    move || {
        next += 1;
        AlertId(Uuid::from_u128(next))
    }
}

/// What a look told: `+` for an alert that opened, `-` for one that ended.
fn told(step: &Step) -> String {
    step.tellings.iter().map(|telling| if telling.alert.resolved_at_ms.is_some() { '-' } else { '+' }).collect()
}

#[test]
fn an_alert_opens_when_it_has_held_and_ends_when_it_has_been_calm_for_as_long() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(10), ids());
    let looks = [
        (0, down(), ""),
        (9_999, down(), ""),
        (10_000, down(), "+"),
        (11_000, down(), ""),
        (12_000, up(), ""),
        (21_999, up(), ""),
        (22_000, up(), "-"),
        (23_000, up(), ""),
    ];
    for (at_ms, seen, expected) in looks {
        assert_eq!(told(&evaluator.step(at_ms, &orders, &seen, &mut ids)), expected, "at {at_ms}");
    }
}

#[test]
fn a_break_begins_the_hold_time_anew() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(10), ids());
    for (at_ms, seen, expected) in
        [(0, down(), ""), (9_000, up(), ""), (10_000, down(), ""), (19_000, down(), ""), (20_000, down(), "+")]
    {
        assert_eq!(told(&evaluator.step(at_ms, &orders, &seen, &mut ids)), expected, "at {at_ms}");
    }
}

#[test]
fn a_provider_that_comes_and_goes_is_one_alert() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(60), ids());
    let mut all = String::new();
    for second in 0..600 {
        let seen = if second < 61 || second % 20 < 10 { down() } else { up() };
        all += &told(&evaluator.step(second * 1_000, &orders, &seen, &mut ids));
    }
    assert_eq!(all, "+");
}

#[test]
fn a_long_hold_time_does_not_make_the_recovery_as_late() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(3_600), ids());
    evaluator.step(0, &orders, &down(), &mut ids);
    assert_eq!(told(&evaluator.step(3_600_000, &orders, &down(), &mut ids)), "+");
    evaluator.step(3_601_000, &orders, &up(), &mut ids);
    assert_eq!(told(&evaluator.step(3_601_000 + CALM_MS, &orders, &up(), &mut ids)), "-");
}

#[test]
fn a_silence_keeps_quiet_and_its_end_tells_what_is_still_so() {
    let (mut evaluator, mut orders, mut ids) = (Evaluator::default(), down_after(0), ids());
    orders.silences = vec![Silence { rule: RULE, subject: String::new(), until_ms: 5_000, by: "eve".into() }];
    let step = evaluator.step(0, &orders, &down(), &mut ids);
    assert_eq!((told(&step).as_str(), step.changed.len(), step.moved), ("", 1, true), "it is in the history");
    assert_eq!(told(&evaluator.step(4_999, &orders, &down(), &mut ids)), "");
    let step = evaluator.step(5_000, &orders, &down(), &mut ids);
    assert_eq!((told(&step).as_str(), step.changed[0].told.as_slice()), ("+", [CHANNEL].as_slice()));
    // Silenced again, it ends without a word.
    orders.silences[0].until_ms = 10_000;
    let step = evaluator.step(6_000, &orders, &up(), &mut ids);
    assert_eq!((told(&step).as_str(), step.changed[0].resolved_at_ms), ("", Some(6_000)));
}

#[test]
fn who_did_not_hear_of_an_alert_does_not_hear_of_its_end() {
    let (mut evaluator, mut orders, mut ids) = (Evaluator::default(), down_after(0), ids());
    orders.channels.clear();
    assert_eq!(told(&evaluator.step(0, &orders, &down(), &mut ids)), "");
    assert_eq!(told(&evaluator.step(1, &orders, &up(), &mut ids)), "");
    // A channel that comes while it is open hears of it then.
    evaluator.step(2, &orders, &down(), &mut ids);
    orders.channels.insert(CHANNEL);
    assert_eq!(told(&evaluator.step(3, &orders, &down(), &mut ids)), "+");
    assert_eq!(told(&evaluator.step(4, &orders, &up(), &mut ids)), "-");
}

#[test]
fn switching_a_rule_off_ends_its_alerts_without_a_word() {
    let (mut evaluator, mut orders, mut ids) = (Evaluator::default(), down_after(60), ids());
    evaluator.step(0, &orders, &down(), &mut ids);
    evaluator.step(60_000, &orders, &down(), &mut ids);
    orders.rules[0].settings.enabled = false;
    let step = evaluator.step(60_001, &orders, &down(), &mut ids);
    assert_eq!((told(&step).as_str(), step.changed.len()), ("", 1));
    assert!(step.changed[0].reason.en.contains("switched off"), "{:?}", step.changed[0].reason);
}

#[test]
fn a_restart_neither_repeats_an_alert_nor_loses_its_end() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(0), ids());
    let open = evaluator.step(0, &orders, &down(), &mut ids).changed;
    let mut restarted = Evaluator::default();
    restarted.resume(open.clone());
    assert_eq!(told(&restarted.step(1, &orders, &down(), &mut ids)), "");
    let step = restarted.step(2, &orders, &up(), &mut ids);
    assert_eq!((told(&step).as_str(), step.changed[0].id), ("-", open[0].id));
}

#[test]
fn a_clock_that_jumps_back_opens_no_second_alert_and_holds_none_for_ever() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(10), ids());
    evaluator.step(1_000_000, &orders, &down(), &mut ids);
    assert_eq!(told(&evaluator.step(0, &orders, &down(), &mut ids)), "");
    assert_eq!(told(&evaluator.step(10_000, &orders, &down(), &mut ids)), "+");
    evaluator.step(1_000_000, &orders, &up(), &mut ids);
    evaluator.step(0, &orders, &up(), &mut ids);
    assert_eq!(told(&evaluator.step(10_000, &orders, &up(), &mut ids)), "-");
}

#[test]
fn a_provider_that_is_switched_off_is_gone_not_well() {
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), down_after(0), ids());
    evaluator.step(0, &orders, &down(), &mut ids);
    let off = seen(HealthState::Disabled, CredentialState::Ready);
    let step = evaluator.step(1, &orders, &off, &mut ids);
    assert!(told(&step).is_empty() && step.changed[0].reason.en.contains("switched off"), "{step:?}");
}

fn measured(answered: u64, failed: u64, p95_us: u64, traffic: Traffic) -> Seen {
    let measured = HashMap::from([(Measure { traffic, minutes: 5 }, Measured { answered, failed, p95_us })]);
    Seen { measured, ..up() }
}

fn found(settings: &RuleDraft, seen: &Seen) -> Vec<(String, String)> {
    find(settings, seen, 0).into_iter().map(|finding| (finding.title.en, finding.reason.en)).collect()
}

#[test]
fn a_success_rate_is_judged_by_enough_requests_only() {
    let rule = RuleDraft { percent: 95.0, requests: 20, ..RuleDraft::of(RuleKind::SuccessRate) };
    assert!(found(&rule, &measured(0, 19, 0, Traffic::All)).is_empty(), "19 are too few");
    assert!(found(&rule, &measured(19, 1, 0, Traffic::All)).is_empty(), "95% is not below 95%");
    let told = found(&rule, &measured(18, 2, 0, Traffic::All));
    let title = "Success of all requests is 90.0%".to_owned();
    assert_eq!(told, [(title, "below 95% over 5 min: 2 of 20 failed".to_owned())]);
}

#[test]
fn a_rate_is_measured_of_what_the_rule_names() {
    let rule = |scope| RuleDraft { scope, requests: 1, ..RuleDraft::of(RuleKind::SuccessRate) };
    let title = |settings: &RuleDraft, traffic| found(settings, &measured(0, 9, 0, traffic)).pop().map(|told| told.0);
    let named = |name: &str| Some(format!("Success of {name} is 0.0%"));
    assert_eq!(title(&rule(Scope::Provider), Traffic::Provider(PROVIDER)), named("alpha"));
    assert_eq!(title(&rule(Scope::Group), Traffic::Group(GROUP)), named("prod"));
    let other = RuleDraft { group: Some(GroupId(Uuid::from_u128(9))), ..rule(Scope::Group) };
    assert_eq!(title(&other, Traffic::Group(GROUP)), None);
    let other = RuleDraft { provider: Some(ProviderId(Uuid::from_u128(9))), ..rule(Scope::Provider) };
    assert_eq!(title(&other, Traffic::Provider(PROVIDER)), None);
}

#[test]
fn a_rate_that_nobody_asks_for_any_more_ends_as_unknown_not_as_well() {
    let settings = RuleDraft { requests: 10, ..RuleDraft::of(RuleKind::SuccessRate) };
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), orders(settings), ids());
    evaluator.step(0, &orders, &measured(0, 10, 0, Traffic::All), &mut ids);
    let step = evaluator.step(1, &orders, &measured(0, 3, 0, Traffic::All), &mut ids);
    assert_eq!(told(&step), "-");
    assert!(step.changed[0].reason.en.contains("too few requests"), "{:?}", step.changed[0].reason);
}

#[test]
fn a_latency_is_compared_by_its_p95() {
    let rule = RuleDraft { above_ms: 4_000, requests: 1, ..RuleDraft::of(RuleKind::Latency) };
    assert!(found(&rule, &measured(9, 0, 4_000_000, Traffic::All)).is_empty());
    let told = found(&rule, &measured(9, 0, 4_250_000, Traffic::All));
    assert_eq!(told[0].0, "First byte P95 of all requests is 4.25 s");
}

#[test]
fn a_credential_that_cools_for_long_is_exhausted_until_it_is_ready() {
    let settings = RuleDraft::of(RuleKind::CredentialFailed);
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), orders(settings), ids());
    let cooling = |at_ms, until_ms| Seen { at_ms, ..seen(HealthState::Healthy, CredentialState::Cooling { until_ms }) };
    assert_eq!(told(&evaluator.step(0, &orders, &cooling(0, 60_000), &mut ids)), "", "a rate limit of a minute");
    let step = evaluator.step(1, &orders, &cooling(1, 600_001), &mut ids);
    assert_eq!((told(&step).as_str(), step.changed[0].title.en.as_str()), ("+", "alpha / main is exhausted"));
    assert_eq!(told(&evaluator.step(500_000, &orders, &cooling(500_000, 600_001), &mut ids)), "", "it still cools");
    assert_eq!(told(&evaluator.step(600_001, &orders, &up(), &mut ids)), "-");
    let step = evaluator.step(700_000, &orders, &seen(HealthState::Healthy, CredentialState::Failed), &mut ids);
    assert_eq!(step.changed[0].title.zh, "alpha / main 被拒");
}

#[test]
fn a_cap_is_near_from_its_percent_on() {
    let rule = RuleDraft { percent: 90.0, ..RuleDraft::of(RuleKind::CapNear) };
    let cap = |used| CapSeen {
        account: "key:1".into(),
        name: "ci".into(),
        cap: CapKind::TokensPerDay,
        used,
        most: 1_000,
        link: String::new(),
    };
    let seen = |used| Seen { caps: vec![cap(used)], ..Seen::default() };
    assert!(found(&rule, &seen(899)).is_empty());
    assert_eq!(found(&rule, &seen(900))[0].0, "ci has used 90% of its tokens per day");
}

#[test]
fn lost_rows_are_one_alert_that_ends_a_minute_after_the_last() {
    let settings = RuleDraft::of(RuleKind::LogDropped);
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), orders(settings), ids());
    let lost = |dropped_rows| Seen { dropped_rows, ..up() };
    assert_eq!(told(&evaluator.step(0, &orders, &lost(0), &mut ids)), "");
    let step = evaluator.step(1_000, &orders, &lost(7), &mut ids);
    assert!(told(&step) == "+" && step.changed[0].reason.en.starts_with("7 so far"), "{step:?}");
    assert_eq!(told(&evaluator.step(50_000, &orders, &lost(9), &mut ids)), "");
    assert_eq!(told(&evaluator.step(109_000, &orders, &lost(9), &mut ids)), "");
    assert_eq!(told(&evaluator.step(110_000, &orders, &lost(9), &mut ids)), "-");
}

/// A process that was last heard of then.
fn presence(node: i64, host: &str, started_ms: i64, seen_ms: i64) -> Presence {
    Presence { run: NodeRun { node, started_ms, seen_ms }, host: host.into(), ended: false }
}

fn nodes(at_ms: i64, all: &[Presence]) -> Seen {
    Seen { nodes: Nodes { at_ms, own: 1, all: all.to_vec() }, ..up() }
}

#[test]
fn a_node_that_says_nothing_for_a_minute_is_lost_until_it_speaks_again() {
    let settings = RuleDraft { hold_seconds: 0, ..RuleDraft::of(RuleKind::NodeLost) };
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), orders(settings), ids());
    let own = presence(1, "web-1", 0, 0);
    let mut look = |at_ms, seen_ms| {
        let seen = nodes(at_ms, &[own.clone(), presence(2, "web-2", 0, seen_ms)]);
        evaluator.step(at_ms, &orders, &seen, &mut ids)
    };
    assert_eq!(told(&look(59_999, 0)), "", "the node that looks is never lost, the other not yet");
    let step = look(60_000, 0);
    assert_eq!((told(&step).as_str(), step.changed[0].title.en.as_str()), ("+", "Node web-2 is lost"));
    assert_eq!(step.changed[0].subject, "node:0000000000000002");
    assert_eq!(told(&look(70_000, 0)), "");
    let step = look(80_000, 79_000);
    assert_eq!((told(&step).as_str(), step.changed[0].reason.en.as_str()), ("-", "it is well again"));
}

#[test]
fn a_node_that_ended_as_it_should_is_not_lost() {
    let settings = RuleDraft::of(RuleKind::NodeLost);
    let gone = Presence { ended: true, ..presence(2, "web-2", 0, 0) };
    assert!(found(&settings, &nodes(600_000, &[gone])).is_empty());
}

#[test]
fn a_store_that_is_away_loses_no_node() {
    let settings = RuleDraft { hold_seconds: 0, ..RuleDraft::of(RuleKind::NodeLost) };
    let (mut evaluator, orders, mut ids) = (Evaluator::default(), orders(settings), ids());
    // Asked once, at 10 s, and never again: what was known then is no older for it.
    let seen = nodes(10_000, &[presence(2, "web-2", 0, 9_000)]);
    assert_eq!(told(&evaluator.step(10_000, &orders, &seen, &mut ids)), "");
    assert_eq!(told(&evaluator.step(900_000, &orders, &seen, &mut ids)), "");
}

#[test]
fn a_start_after_a_crash_tells_of_it_for_ten_minutes() {
    let settings = RuleDraft::of(RuleKind::NodeLost);
    let all = [presence(2, "web-1", 0, 100_000), presence(1, "web-1", 103_000, 160_000)];
    assert!(found(&settings, &nodes(159_999, &all)).is_empty());
    let told = found(&settings, &nodes(160_000, &all));
    assert_eq!(told[0].1, "it did not end as it should; Rondo was started there again");
    assert_eq!(found(&settings, &nodes(759_999, &all)).len(), 1);
    assert!(found(&settings, &nodes(760_000, &all)).is_empty());
    // Days later it is told as well: since the start, not since the crash.
    let late = [presence(2, "web-1", 0, 100_000), presence(1, "web-1", 200_000_000, 200_000_000)];
    assert_eq!(found(&settings, &nodes(200_000_000, &late)).len(), 1);
    // A start on another machine takes no node's place.
    let other = [presence(2, "web-2", 0, 100_000), presence(1, "web-1", 103_000, 160_000)];
    assert!(found(&settings, &nodes(900_000, &other))[0].1.starts_with("it says nothing for 800 s"));
}

#[test]
fn an_alert_in_hand_is_told_to_no_other_channel_and_its_end_to_those_that_heard() {
    let other = ChannelId(Uuid::from_u128(9));
    let (mut evaluator, mut orders, mut ids) = (Evaluator::default(), down_after(0), ids());
    let open = evaluator.step(0, &orders, &down(), &mut ids).changed.remove(0);
    orders.acknowledged.insert(open.id);
    orders.channels.insert(other);
    orders.rules[0].settings.channels.push(other);
    assert_eq!(told(&evaluator.step(1, &orders, &down(), &mut ids)), "");
    let step = evaluator.step(2, &orders, &up(), &mut ids);
    assert_eq!((told(&step).as_str(), step.tellings[0].channels.as_slice()), ("-", [CHANNEL].as_slice()));
    // The next one is another alert.
    let step = evaluator.step(3, &orders, &down(), &mut ids);
    assert_eq!(step.tellings[0].channels, [CHANNEL, other]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, rng_seed: proptest::test_runner::RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes: of a rule and a subject there is one open alert at most, a channel hears of it once,
    /// and of its end after its beginning.
    #[test]
    fn beginnings_and_ends_alternate(
        looks in proptest::collection::vec((0_i64..40_000, any::<bool>(), any::<bool>()), 1..80),
        hold_seconds in 0_u32..60,
    ) {
        let (mut evaluator, mut orders, mut ids) = (Evaluator::default(), down_after(hold_seconds), ids());
        let (mut now_ms, mut all) = (0, String::new());
        for (step_ms, is_down, silent) in looks {
            now_ms += step_ms;
            let until_ms = if silent { now_ms + 1 } else { 0 };
            orders.silences = vec![Silence { rule: RULE, subject: String::new(), until_ms, by: String::new() }];
            let step = evaluator.step(now_ms, &orders, &if is_down { down() } else { up() }, &mut ids);
            prop_assert!(step.tellings.len() <= 1);
            all += &told(&step);
        }
        // A silence at its end swallows the end: two beginnings may follow each other, two ends never.
        prop_assert!(!all.starts_with('-') && !all.contains("--"), "{}", all);
    }
}
