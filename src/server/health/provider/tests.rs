//! Board, provider and permit together: what the proxy and the screens rely on.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    model::{
        drill::{DrillDraft, DrillEnd},
        group::{Group, GroupDraft, Member, Sticky},
        health::{CredentialState as Shown, HealthReason, HealthState},
        id::{CredentialId, DrillId, GroupId, ProviderId},
        name::{BaseUrl, Slug},
        provider::{AuthStyle, Credential, Provider, ProviderDraft},
        rate_limit::UpstreamLimits,
        request_log::AttemptOutcome,
    },
    server::health::{
        board::{Board, EVENTS},
        breaker::Admission,
        credential::Finding,
        provider::ProviderState,
    },
};

const EPOCH: i64 = 1_700_000_000_000;

fn id(number: u128) -> ProviderId {
    ProviderId(Uuid::from_u128(number))
}

fn provider(number: u128, credentials: &[u128]) -> Provider {
    let draft = ProviderDraft::default();
    let credential = |number: &u128| Credential {
        id: CredentialId(Uuid::from_u128(*number)),
        label: "main".into(),
        hint: "…".into(),
        weight: 100,
        enabled: true,
        limits: UpstreamLimits::default(),
    };
    Provider {
        id: id(number),
        name: format!("provider {number}"),
        website: String::new(),
        base_url: BaseUrl::parse("https://api.example.com").expect("an address"),
        auth: AuthStyle::Bearer,
        enabled: true,
        headers: draft.headers,
        models: draft.models,
        timeouts: draft.timeouts,
        limits: draft.limits,
        tls: draft.tls,
        connection: draft.connection,
        color: 1,
        credentials: credentials.iter().map(credential).collect(),
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    }
}

fn group(members: &[(u128, u32)]) -> Group {
    let draft = GroupDraft::default();
    let member = |(number, priority): &(u128, u32)| Member { provider: id(*number), priority: *priority, tier: 1 };
    Group {
        id: GroupId(Uuid::from_u128(1)),
        name: "chat".into(),
        slug: Slug::parse("chat").expect("a slug"),
        description: String::new(),
        kind: draft.kind,
        strategy: draft.strategy,
        enabled: true,
        path_policy: draft.path_policy,
        failover: draft.failover,
        anonymous: draft.anonymous,
        allowed_origins: Vec::new(),
        hide_provider_headers: false,
        sticky: Sticky::default(),
        outcome_rules: Vec::new(),
        websocket: false,
        stream_usage: true,
        log_bodies: false,
        members: members.iter().map(member).collect(),
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    }
}

fn attempt(state: &Arc<ProviderState>, now_ms: u64, outcome: AttemptOutcome) {
    let mut permit = state.admit(now_ms).expect("it passes");
    permit.report(now_ms, outcome);
}

fn trip(state: &Arc<ProviderState>, now_ms: u64) {
    (0..5).for_each(|_| attempt(state, now_ms, AttemptOutcome::ConnectTimeout));
}

/// Two members, each with one credential.
fn two() -> (Board, [Provider; 2], [Group; 1]) {
    let (board, providers, groups) =
        (Board::new(EPOCH), [provider(1, &[11]), provider(2, &[12])], [group(&[(1, 100), (2, 100)])]);
    board.adopt(&providers, &groups, 0);
    (board, providers, groups)
}

#[test]
fn health_outlives_a_change_of_configuration() {
    let (board, providers, groups) = two();
    trip(&board.provider(id(1)), 0);
    board.adopt(&providers, &groups, 100);
    assert!(matches!(board.provider(id(1)).admit(100), Err(Admission::Refuse { .. })));
    board.adopt(&providers[1..], &groups, 200);
    assert!(board.provider(id(1)).admit(200).is_ok(), "one that was removed and comes back is new");
}

#[test]
fn a_permit_counts_in_flight_until_it_is_dropped() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    let permits: Vec<_> = (0..3).filter_map(|_| state.admit(0).ok()).collect();
    assert_eq!(state.in_flight(), 3);
    drop(permits);
    assert_eq!(state.in_flight(), 0);
}

#[test]
fn a_tripped_provider_gets_one_probe() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    trip(&state, 0);
    let trial = state.admit(10_000).expect("its time has come");
    assert!(trial.is_trial());
    assert_eq!(state.admit(10_000).err(), Some(Admission::Busy));
    drop(trial);
    assert!(state.admit(10_000).expect("the client of the first trial left").is_trial());
}

#[test]
fn in_a_panic_one_probe_passes_early() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    trip(&state, 0);
    assert!(matches!(state.admit(1), Err(Admission::Refuse { .. })));
    let _probe = state.admit_probe(1).expect("nobody else is left");
    assert_eq!(state.admit_probe(1).err(), Some(Admission::Busy));
}

#[test]
fn the_first_report_counts_and_a_broken_body_corrects_it() {
    let (board, providers, groups) = two();
    let state = board.provider(id(1));
    let mut permit = state.admit(0).expect("it passes");
    permit.report(0, AttemptOutcome::Answered);
    permit.report(0, AttemptOutcome::Answered);
    assert_eq!(board.view(&providers[0], &groups, 0).samples, 1);
    permit.report(9_000, AttemptOutcome::BodyBroken);
    permit.report(9_000, AttemptOutcome::BodyBroken);
    let view = board.view(&providers[0], &groups, 9_000);
    assert_eq!((view.samples, view.successes, view.consecutive_failures), (1, 0, 1));
}

#[test]
fn a_client_that_left_says_nothing() {
    let (board, providers, groups) = two();
    for _ in 0..1_000 {
        attempt(&board.provider(id(1)), 0, AttemptOutcome::ClientLeft);
    }
    let view = board.view(&providers[0], &groups, 0);
    assert_eq!((view.state, view.samples, view.in_flight), (HealthState::Healthy, 0, 0));
}

#[test]
fn an_outage_is_shown_with_its_reason_and_told_to_listeners() {
    let (board, providers, groups) = two();
    let mut events = board.events();
    let state = board.provider(id(1));
    trip(&state, 1_000);
    let view = board.view(&providers[0], &groups, 1_000);
    assert_eq!((view.state, view.since_ms, view.factor), (HealthState::Unhealthy, EPOCH + 1_000, 0.0));
    let HealthReason::Failures { count, outcome, next_trial_at_ms } = &view.reason else { panic!("{:?}", view.reason) };
    assert_eq!((*count, outcome.as_str()), (5, "connect_timeout"));
    assert!((EPOCH + 6_000..=EPOCH + 11_000).contains(next_trial_at_ms));
    let event = events.try_recv().expect("an event");
    assert_eq!((event.provider, event.at_ms, event.reason), (id(1), EPOCH + 1_000, view.reason));
    assert!(events.try_recv().is_err(), "one event for one change");
}

#[test]
fn a_whole_outage_is_told_step_by_step() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    trip(&state, 0);
    board.sweep(5_000_000);
    for _ in 0..2 {
        attempt(&state, 5_000_000, AttemptOutcome::Answered);
    }
    board.sweep(5_030_000);
    let states: Vec<HealthState> = board.recent(10).iter().rev().map(|event| event.state).collect();
    assert_eq!(states, [HealthState::Unhealthy, HealthState::Recovering, HealthState::Healthy]);
}

#[test]
fn a_recovering_provider_shows_its_ramp() {
    let (board, providers, groups) = two();
    let state = board.provider(id(1));
    trip(&state, 0);
    (0..2).for_each(|_| attempt(&state, 20_000, AttemptOutcome::Answered));
    let view = board.view(&providers[0], &groups, 35_000);
    assert_eq!(
        (view.state, view.reason, view.factor),
        (HealthState::Recovering, HealthReason::Ramp { percent: 50 }, 0.5)
    );
}

#[test]
fn only_when_every_credential_cools_is_the_provider_cooling() {
    let (board, mut providers, groups) = two();
    providers[0] = provider(1, &[11, 21]);
    board.adopt(&providers, &groups, 0);
    let credential = |number| board.credential(CredentialId(Uuid::from_u128(number)));
    credential(11).cool(0, 60_000);
    assert_eq!(board.view(&providers[0], &groups, 0).state, HealthState::Healthy);
    credential(21).cool(0, 30_000);
    let view = board.view(&providers[0], &groups, 0);
    assert_eq!(view.reason, HealthReason::Cooling { count: 2, until_ms: EPOCH + 30_000 });
    assert_eq!(view.credentials[0].state, Shown::Cooling { until_ms: EPOCH + 60_000 });
    board.sweep(0);
    board.sweep(30_000);
    let states: Vec<HealthState> = board.recent(10).iter().rev().map(|event| event.state).collect();
    assert_eq!(states, [HealthState::Cooling, HealthState::Healthy]);
}

#[test]
fn refused_credentials_are_told_from_cooling_ones() {
    let (board, providers, groups) = two();
    let credential = board.credential(CredentialId(Uuid::from_u128(11)));
    credential.decide(0, Finding::Refused);
    let view = board.view(&providers[0], &groups, 0);
    assert_eq!((view.state, view.reason), (HealthState::CredentialFailed, HealthReason::Refused { count: 1 }));
}

#[test]
fn what_a_person_set_comes_before_what_traffic_found() {
    let (board, mut providers, mut groups) = two();
    trip(&board.provider(id(1)), 0);
    groups[0].members[0].priority = 0;
    assert_eq!(board.view(&providers[0], &groups, 0).state, HealthState::Drained);
    providers[0].enabled = false;
    assert_eq!(board.view(&providers[0], &groups, 0).state, HealthState::Disabled);
}

#[test]
fn how_a_provider_starts_is_no_change_of_state() {
    let board = Board::new(EPOCH);
    let mut disabled = provider(1, &[11]);
    disabled.enabled = false;
    board.adopt(&[disabled.clone()], &[], 0);
    assert_eq!(board.recent(10), []);
    disabled.enabled = true;
    board.adopt(&[disabled], &[], 1_000);
    assert_eq!(board.recent(10).len(), 1);
}

#[test]
fn a_provider_that_needs_no_credential_can_cool_too() {
    let (board, mut providers, groups) = two();
    (providers[0].auth, providers[0].credentials) = (AuthStyle::None, Vec::new());
    board.adopt(&providers, &groups, 0);
    assert_eq!(board.view(&providers[0], &groups, 0).state, HealthState::Healthy);
    board.provider(id(1)).keyless().cool(0, 5_000);
    assert_eq!(board.view(&providers[0], &groups, 0).state, HealthState::Cooling);
}

#[test]
fn a_member_that_stands_alone_is_back_within_thirty_seconds() {
    let board = Board::new(EPOCH);
    board.adopt(&[provider(1, &[11])], &[group(&[(1, 100), (2, 0)])], 0);
    let state = board.provider(id(1));
    let mut now_ms = 0;
    trip(&state, now_ms);
    for _ in 0..8 {
        let Err(Admission::Refuse { until_ms }) = state.admit(now_ms) else { panic!("it is open") };
        assert!(until_ms - now_ms <= 30_000);
        now_ms = until_ms;
        attempt(&state, now_ms, AttemptOutcome::Connect);
    }
}

#[test]
fn the_average_follows_and_grows_stale() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    assert_eq!(state.ewma_us(0), 0.0);
    state.observe_first_byte(0, 1_000);
    assert_eq!(state.ewma_us(0), 1_000.0);
    for step in 1..=200 {
        state.observe_first_byte(step * 100, 5_000);
    }
    assert!((state.ewma_us(20_000) - 5_000.0).abs() < 100.0);
    assert_eq!(state.ewma_us(80_001), 0.0);
}

#[test]
fn a_model_that_is_missing_is_remembered_for_ten_minutes() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    state.model_missing("gpt-9", 0);
    assert!(state.is_model_missing("gpt-9", 599_999));
    assert!(!state.is_model_missing("gpt-9", 600_000));
    assert!(!state.is_model_missing("gpt-4", 0));
    (0..10_000).for_each(|number| state.model_missing(&format!("m{number}"), 0));
    assert!(state.missing_models.lock().expect("no panic").len() <= super::MODELS);
}

#[test]
fn the_last_thousand_changes_are_kept_newest_first() {
    let (board, mut providers, groups) = two();
    for now_ms in 0..3_000 {
        providers[0].enabled = now_ms % 2 == 1;
        board.adopt(&providers, &groups, now_ms);
    }
    let recent = board.recent(usize::MAX);
    assert_eq!(recent.len(), EVENTS);
    assert_eq!(recent[0].at_ms, EPOCH + 2_999);
}

/// An attempt that meets the drill, if one runs, and fails as it says.
fn drilled(state: &Arc<ProviderState>, now_ms: u64) {
    let mut permit = state.admit(now_ms).expect("it passes");
    permit.meet_drill(now_ms);
    permit.report(now_ms, AttemptOutcome::ServerError);
}

#[test]
fn a_drill_ends_with_its_time_and_leaves_no_trace() {
    let (board, providers, groups) = two();
    let state = board.provider(id(1));
    attempt(&state, 0, AttemptOutcome::ServerError);
    let draft = DrillDraft { minutes: 1, ..DrillDraft::default() };
    assert!(state.start_drill(DrillId(Uuid::nil()), draft, "ana", 1_000).is_some());
    (0..4).for_each(|_| drilled(&state, 2_000));
    assert!(state.admit(2_000).is_err(), "one real failure and four pretended ones");
    assert!(board.sweep(60_999).is_empty());
    assert!(state.drills().running.is_some());
    assert_eq!(board.sweep(61_000), state.drills().past, "told to whoever writes it down");
    assert!(board.sweep(61_001).is_empty(), "once");
    let past = state.drills().past.remove(0);
    assert_eq!((past.end, past.ended_at_ms), (Some(DrillEnd::TimeOver), Some(EPOCH + 61_000)));
    assert_eq!(past.report.taken_out_after, Some(4));
    let view = board.view(&providers[0], &groups, 61_000);
    assert_eq!((view.state, view.consecutive_failures), (HealthState::Healthy, 1), "the real one still counts");
}

#[test]
fn an_outage_that_was_there_before_a_drill_is_there_after_it() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    trip(&state, 0);
    state.start_drill(DrillId(Uuid::nil()), DrillDraft::default(), "ana", 100);
    let trial = state.admit(10_000).expect("its time has come");
    assert!(trial.is_trial());
    state.end_drill(11_000, DrillEnd::Stopped);
    let next = state.admit(11_000).expect("the place of a trial that began in the drill is free");
    assert!(next.is_trial());
    drop(trial);
    assert!(matches!(state.admit(11_000), Err(Admission::Busy)), "the old one gives back nothing that is not its own");
}

#[test]
fn a_straggler_of_a_drill_that_has_ended_says_nothing() {
    let (board, ..) = two();
    let state = board.provider(id(1));
    state.start_drill(DrillId(Uuid::nil()), DrillDraft::default(), "ana", 0);
    let mut stragglers: Vec<_> = (0..9).filter_map(|_| state.admit(1).ok()).collect();
    stragglers.iter_mut().for_each(|permit| permit.meet_drill(1));
    state.end_drill(2, DrillEnd::Stopped);
    stragglers.iter_mut().for_each(|permit| permit.report(3, AttemptOutcome::FirstByteTimeout));
    assert!(matches!(state.peek(3), Admission::Pass { factor: 1.0 }));
}

#[test]
fn switching_a_provider_off_ends_its_drill() {
    let (board, mut providers, groups) = two();
    let state = board.provider(id(1));
    state.start_drill(DrillId(Uuid::nil()), DrillDraft::default(), "ana", 0);
    providers[0].enabled = false;
    board.adopt(&providers, &groups, 5);
    assert_eq!(state.drills().past[0].end, Some(DrillEnd::Disabled));
}
