//! Failover drills: what clients see of a fault that is only pretended, what the report says, what stays.

use rondo::model::{
    drill::{Drill, DrillDraft, Fault},
    error::ApiError,
    health::HealthState,
    id::ProviderId,
    problem::Issue,
    request_log::{AttemptOutcome, Outcome},
};

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Act, Provider, chunk, json, sse_head},
};

const ALWAYS: DrillDraft = DrillDraft { fault: Fault::ServerError, minutes: 1, percent: 100 };

/// Two providers that answer; `drilled` is always drawn first.
async fn two() -> (Provider, Provider, World) {
    let first = Provider::start(json(200, r#"{"from":"drilled"}"#)).await;
    let other = Provider::start(json(200, r#"{"from":"other"}"#)).await;
    let members = [("drilled", first.address, 900), ("other", other.address, 100)];
    let world = World::start(&group_with("llm", "    strategy: priority\n", &members)).await;
    (first, other, world)
}

async fn id_of(world: &World, name: &str) -> ProviderId {
    let rows = world.admin.providers().list(&world.who, Default::default()).await.expect("providers").rows;
    rows.into_iter().find(|row| row.provider.name == name).expect("the provider").provider.id
}

async fn start(world: &World, draft: DrillDraft) -> Drill {
    let id = id_of(world, "drilled").await;
    world.live().drills().start(&world.who, id, draft).await.expect("a drill")
}

async fn stop(world: &World) -> Drill {
    let id = id_of(world, "drilled").await;
    world.live().drills().stop(&world.who, id).await.expect("a drill that ran")
}

async fn state_of(world: &World) -> HealthState {
    let id = id_of(world, "drilled").await;
    world.health().await.into_iter().find(|health| health.provider == id).expect("its health").state
}

#[tokio::test]
async fn a_pretended_fault_is_met_by_requests_and_never_reaches_the_provider() {
    for (fault, outcome, status) in [
        (Fault::RateLimited, AttemptOutcome::RateLimited, Some(429)),
        (Fault::ServerError, AttemptOutcome::ServerError, Some(500)),
        (Fault::Overloaded, AttemptOutcome::Overloaded, Some(503)),
        (Fault::Stall, AttemptOutcome::FirstByteTimeout, None),
    ] {
        let (drilled, other, world) = two().await;
        let drill = start(&world, DrillDraft { fault, ..ALWAYS }).await;
        let answer = world.post("/api/proxy/prod/v1/x", r#"{"model":"m"}"#).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"from":"other"}"#), "{fault:?}");
        assert_eq!((drilled.count(), other.count()), (0, 1), "{fault:?}");
        let record = world.log(1).await.remove(0);
        let [first, second] = record.attempts.as_slice() else { panic!("two attempts: {record:?}") };
        assert_eq!((first.outcome, first.status, first.drill), (outcome, status, Some(drill.id)));
        assert_eq!((second.outcome, second.drill), (AttemptOutcome::Answered, None));
        let report = stop(&world).await.report;
        assert_eq!((report.met, report.saved, report.noticed()), (1, 1, 0), "{fault:?}");
        let added_us = report.added_p50_us.expect("one was saved");
        assert_eq!(added_us >= 390_000, fault == Fault::Stall, "{fault:?} cost {added_us} µs");
    }
}

#[tokio::test]
async fn a_truncated_answer_is_an_aborted_one_and_the_report_says_interrupted() {
    let (drilled, other, world) = two().await;
    let drill = start(&world, DrillDraft { fault: Fault::Truncate, ..ALWAYS }).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!((answer.status, answer.complete, answer.text().as_str()), (200, false, r#"{"from":""#), "half of it");
    assert_eq!((drilled.count(), other.count()), (1, 0));
    let record = world.log(1).await.remove(0);
    assert_eq!(record.row.outcome, Outcome::Interrupted);
    assert_eq!((record.attempts[0].outcome, record.attempts[0].drill), (AttemptOutcome::BodyBroken, Some(drill.id)));
    let report = stop(&world).await.report;
    assert_eq!((report.met, report.interrupted, report.noticed()), (1, 1, 1));
}

#[tokio::test]
async fn a_drilled_provider_is_taken_out_as_a_failing_one_and_comes_back_at_once() {
    let (drilled, other, world) = two().await;
    start(&world, ALWAYS).await;
    for _ in 0..12 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!((drilled.count(), other.count()), (0, 12));
    assert_eq!(state_of(&world).await, HealthState::Unhealthy);
    let report = stop(&world).await.report;
    assert_eq!((report.met, report.saved, report.taken_out_after), (5, 5, Some(5)));
    assert_eq!(state_of(&world).await, HealthState::Healthy);
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.text(), r#"{"from":"drilled"}"#);
}

#[tokio::test]
async fn a_cooldown_that_was_pretended_ends_with_the_drill() {
    let (drilled, _other, world) = two().await;
    start(&world, DrillDraft { fault: Fault::RateLimited, ..ALWAYS }).await;
    for _ in 0..3 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    assert_eq!(state_of(&world).await, HealthState::Cooling);
    assert_eq!(stop(&world).await.report.met, 1, "a cooling credential is left alone");
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.text(), r#"{"from":"drilled"}"#);
    assert_eq!(drilled.count(), 1);
}

#[tokio::test]
async fn whoever_stalls_when_a_drill_is_stopped_goes_on_at_once() {
    let drilled = Provider::start(json(200, "{}")).await;
    let other = Provider::start(json(200, r#"{"from":"other"}"#)).await;
    let members = [("drilled", drilled.address, 900), ("other", other.address, 100)];
    let file = group_with("llm", "    strategy: priority\n", &members);
    let world = World::start(&file.replace("first_byte_ms: 400", "first_byte_ms: 60000")).await;
    start(&world, DrillDraft { fault: Fault::Stall, ..ALWAYS }).await;
    let id = id_of(&world, "drilled").await;
    let waiting = async {
        let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
        assert_eq!(answer.text(), r#"{"from":"other"}"#);
    };
    let stopping = async {
        while world.health().await.iter().all(|health| health.provider != id || health.in_flight == 0) {
            tokio::task::yield_now().await;
        }
        stop(&world).await;
    };
    tokio::join!(waiting, stopping);
    assert_eq!(state_of(&world).await, HealthState::Healthy);
    assert_eq!(world.log(1).await[0].row.outcome, Outcome::Saved);
}

#[tokio::test]
async fn clients_that_nobody_could_save_are_in_the_report() {
    let drilled = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("drilled", drilled.address, 100)])).await;
    start(&world, ALWAYS).await;
    let answer = world.post("/api/proxy/prod/v1/x", "{}").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("failover_drill"), "{}", answer.text());
    let drill = stop(&world).await;
    assert_eq!((drill.report.met, drill.report.failed, drill.report.noticed()), (1, 1, 1));
    let drills = world.live().drills().of(&world.who, drill.provider).await.expect("drills");
    assert_eq!((drills.running, drills.past), (None, vec![drill]));
}

#[tokio::test]
async fn a_drill_is_audited_and_there_is_one_at_a_time_on_a_provider_that_is_on() {
    let (_drilled, _other, world) = two().await;
    let id = id_of(&world, "drilled").await;
    start(&world, ALWAYS).await;
    let issue = |refused: Result<Drill, ApiError>| match refused {
        Err(ApiError::Invalid { problems }) => problems[0].issue.clone(),
        other => panic!("{other:?}"),
    };
    let drills = world.live().drills();
    assert_eq!(issue(drills.start(&world.who, id, ALWAYS).await), Issue::DrillRunning);
    stop(&world).await;
    assert!(matches!(drills.stop(&world.who, id).await, Err(ApiError::NotFound { .. })));
    let other = id_of(&world, "other").await;
    world.live().providers().set_enabled(&world.who, other, false).await.expect("switched off");
    assert_eq!(issue(drills.start(&world.who, other, ALWAYS).await), Issue::SwitchedOff);
    let trail = world.admin.audit().list(&world.who, None).await.expect("the trail").rows;
    let noted: Vec<_> = trail.iter().filter(|row| row.object == "drilled").map(|row| row.action.as_str()).collect();
    assert_eq!(noted[..2], ["drill.stop", "drill.start"]);
    assert!(trail.iter().any(|row| row.detail.contains(r#""fault":"500""#)), "{trail:?}");
}

#[tokio::test]
async fn a_drill_that_nobody_stops_is_in_the_audit_trail_with_its_report() {
    let (_drilled, _other, world) = two().await;
    let id = id_of(&world, "drilled").await;
    start(&world, ALWAYS).await;
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    world.log(1).await;
    // A minute is too long for a test; a provider that is switched off ends its drill by the same way.
    world.live().providers().set_enabled(&world.who, id, false).await.expect("switched off");
    for _ in 0..500 {
        let trail = world.admin.audit().list(&world.who, None).await.expect("the trail").rows;
        if let Some(row) = trail.iter().find(|row| row.action == "drill.end") {
            assert_eq!((row.object.as_str(), row.actor.as_str()), ("drilled", "gateway"));
            assert!(
                row.detail.contains(r#""end":"disabled""#) && row.detail.contains(r#""saved":1"#),
                "{}",
                row.detail
            );
            assert!(row.detail.contains(r#""started_by":"test""#), "{}", row.detail);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the end of the drill is not in the audit trail");
}

#[tokio::test]
async fn a_stream_that_a_drill_truncates_gets_the_error_event() {
    let answer = [sse_head(), chunk("data: {\"hello\":123}\n\n"), chunk("data: [DONE]\n\n"), chunk("")].concat();
    let drilled = Provider::start(Act::Send(answer)).await;
    let world = World::start(&group_of(&[("drilled", drilled.address, 100)])).await;
    start(&world, DrillDraft { fault: Fault::Truncate, ..ALWAYS }).await;
    let answer = world.post("/api/proxy/prod/v1/chat/completions", "{}").await;
    let text = answer.text();
    assert!(!answer.complete && !text.contains(":123}") && !text.contains("[DONE]"), "{text}");
    assert!(text.contains("upstream_interrupted"), "{text}");
    assert_eq!(stop(&world).await.report.interrupted, 1);
}
