//! Alerts on real receivers: from a provider that goes down to the message that says so, and back.

mod mail;
mod manage;
mod receivers;
mod services;

use std::time::Duration;

use rondo::{
    model::{
        alert::{AlertBoard, AlertEvent, Delivery, DeliveryState},
        error::ApiError,
        id::AlertId,
        user::Role,
    },
    server::store::{NodeRun, Presence},
};
use serde_json::Value;

use crate::{
    admin::viewer,
    stand::Stand,
    world::{
        World,
        provider::{Act, Provider, each, json},
    },
};

/// A group of one provider that is taken out after a few failures, and a rule that tells `channel`.
fn file(provider: &Provider, channel: &str) -> String {
    format!(
        r#"
providers:
  - name: "<b>*x*"
    base_url: http://{}
    credentials: [{{ label: main, secret: sk-secret }}]
groups:
  - {{ name: Prod, slug: prod, kind: generic, path_policy: everything, providers: [{{ provider: "<b>*x*" }}] }}
alerts:
  channels:
    - {channel}
  rules:
    - {{ name: down, kind: provider_down, hold_seconds: 0, channels: [ops] }}
"#,
        provider.address
    )
}

/// A webhook named `ops` at this receiver.
fn webhook(receiver: &Provider) -> String {
    format!("{{ name: ops, kind: webhook, url: \"http://{}/hook/s3cr3t-of-ops\", secret: sign-me }}", receiver.address)
}

/// A provider that fails while it is told to.
async fn moody() -> (Provider, std::sync::Arc<std::sync::atomic::AtomicBool>) {
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let told = failing.clone();
    let provider = Provider::start(each(move |_| match told.load(std::sync::atomic::Ordering::Relaxed) {
        true => json(500, "{}"),
        false => json(200, "{}"),
    }))
    .await;
    (provider, failing)
}

/// Fails until the breaker is open: five failures in a row, or more where other members would be asked.
async fn break_it(world: &World) {
    for _ in 0..8 {
        world.post("/api/proxy/prod/x", "{}").await;
    }
}

/// Looks again until it has what is wanted.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never came: {what}");
}

/// The board once it is as wanted.
async fn board_until(world: &World, what: &str, wanted: impl Fn(&AlertBoard) -> bool) -> AlertBoard {
    until(what, async || {
        let board = world.admin.alerts().board(&world.who).await.expect("the board");
        wanted(&board).then_some(board)
    })
    .await
}

/// The message of this event once it has come to its end.
async fn delivered(world: &World, event: AlertEvent) -> Delivery {
    until(&format!("{event:?}"), async || {
        let all = world.admin.alerts().deliveries(&world.who).await.expect("the messages");
        all.into_iter().find(|one| one.event == event && one.state != DeliveryState::Retrying)
    })
    .await
}

fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next()?;
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_goes_down_is_told_and_its_return_too() {
    let (provider, failing) = moody().await;
    let receiver = Provider::start(json(200, "{}")).await;
    let world =
        World::start_with(&file(&provider, &webhook(&receiver)), &[("RONDO_PUBLIC_URL", "https://rondo.example")])
            .await;
    break_it(&world).await;
    until("firing", async || (receiver.count() >= 1).then_some(())).await;
    let firing = body(&receiver.seen()[0]);
    assert_eq!((&firing["event"], &firing["title"]), (&"firing".into(), &"<b>*x* is unhealthy".into()));
    assert!(firing["text"].as_str().expect("text").contains("failures in a row, the last: server error"), "{firing}");
    let id = world.provider_ids().await["<b>*x*"];
    assert_eq!(firing["link"], format!("https://rondo.example/admin/providers/{id}"));
    let board = board_until(&world, "an open alert", |board| board.firing.len() == 1).await;
    assert_eq!(board.firing[0].subject, format!("provider:{id}"));
    assert_eq!(firing["alerts"][0]["id"], board.firing[0].id.to_string());

    // The trial after the breaker's pause brings it back.
    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    until("resolved", async || {
        world.post("/api/proxy/prod/x", "{}").await;
        (receiver.count() >= 2).then_some(())
    })
    .await;
    let resolved = body(&receiver.seen()[1]);
    assert_eq!((&resolved["event"], &resolved["title"]), (&"resolved".into(), &"Resolved: <b>*x* is unhealthy".into()));
    assert_eq!(resolved["alerts"][0]["id"], firing["alerts"][0]["id"]);
    let board = board_until(&world, "the end", |board| board.firing.is_empty() && !board.history.is_empty()).await;
    assert!(board.history[0].resolved_at_ms.is_some());
    assert_eq!(delivered(&world, AlertEvent::Resolved).await.state, DeliveryState::Sent);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_that_is_open_survives_a_restart_without_being_told_again() {
    let (provider, _) = moody().await;
    let receiver = Provider::start(json(200, "{}")).await;
    let world = World::start(&file(&provider, &webhook(&receiver))).await;
    break_it(&world).await;
    delivered(&world, AlertEvent::Firing).await;
    let world = world.restart().await;
    // Health starts anew, so the provider is well until it is asked; the alert ends by being looked at.
    board_until(&world, "the end", |board| board.firing.is_empty()).await;
    until("resolved", async || (receiver.count() >= 2).then_some(())).await;
    let events: Vec<Value> = receiver.seen().iter().map(|request| body(request)["event"].clone()).collect();
    assert_eq!(events, ["firing", "resolved"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_installation_alerts_before_anybody_has_set_a_channel() {
    let (provider, _) = moody().await;
    let file = file(&provider, "{ name: ops, kind: webhook, enabled: false, url: \"http://127.0.0.1:9/\" }");
    let world = World::start(&file).await;
    let board = world.admin.alerts().board(&world.who).await.expect("the board");
    let names: Vec<&str> = board.rules.iter().map(|rule| rule.settings.name.as_str()).collect();
    assert_eq!(names, ["credential-failed", "down", "log-rows-dropped", "node-lost", "provider-down"]);
    break_it(&world).await;
    let board = board_until(&world, "an open alert", |board| !board.firing.is_empty()).await;
    assert!(board.deliveries.is_empty() && board.firing[0].told.is_empty(), "{board:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_keeps_a_rule_quiet_and_its_end_tells_what_is_still_so() {
    let (provider, _) = moody().await;
    let receiver = Provider::start(json(200, "{}")).await;
    let world = World::start(&file(&provider, &webhook(&receiver))).await;
    let alerts = world.admin.alerts();
    let rule = alerts.rules(&world.who).await.expect("rules").into_iter().find(|rule| rule.settings.name == "down");
    let rule = rule.expect("the rule").id;
    let silence = |minutes| rondo::model::alert::SilenceDraft { subject: String::new(), minutes };
    assert!(alerts.silence(&world.who, rule, silence(60)).await.expect("silent").is_some());
    // The running server has it within a second; a key made later is live only after it.
    world.new_key(crate::stand::key_draft("later")).await;
    break_it(&world).await;
    board_until(&world, "an open alert", |board| !board.firing.is_empty()).await;
    assert!(delivered_none(&world).await);
    assert!(alerts.silence(&world.who, rule, silence(0)).await.expect("loud").is_none());
    until("firing", async || (receiver.count() >= 1).then_some(())).await;
    world.stop().await;
}

async fn delivered_none(world: &World) -> bool {
    world.admin.alerts().deliveries(&world.who).await.expect("the messages").is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_hangs_keeps_no_other_waiting() {
    let (provider, _) = moody().await;
    let (hanging, receiver) = (Provider::start(Act::Hang).await, Provider::start(json(200, "{}")).await);
    let both =
        format!("{{ name: slow, kind: webhook, url: \"http://{}/\" }}\n    - {}", hanging.address, webhook(&receiver));
    let text = file(&provider, &both).replace("channels: [ops]", "channels: [slow, ops]");
    let world = World::start(&text).await;
    break_it(&world).await;
    until("both", async || (hanging.count() >= 1 && receiver.count() >= 1).then_some(())).await;
    assert_eq!(delivered(&world, AlertEvent::Firing).await.channel_name, "ops");
    // And no request.
    let started = std::time::Instant::now();
    world.get("/api/proxy/prod/x").await;
    assert!(started.elapsed() < Duration::from_secs(5));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_is_asked_again_and_its_history_says_so() {
    let (provider, _) = moody().await;
    let receiver =
        Provider::start(each(|turn| if turn.number == 1 { json(500, "busy") } else { json(200, "{}") })).await;
    let world = World::start(&file(&provider, &webhook(&receiver))).await;
    break_it(&world).await;
    let sent = delivered(&world, AlertEvent::Firing).await;
    assert_eq!((sent.state, sent.attempts, sent.status), (DeliveryState::Sent, 2, Some(200)));
    let ids: Vec<_> = receiver.seen().iter().map(|request| body(request)["id"].clone()).collect();
    assert_eq!(ids[0], ids[1], "a receiver can tell a repetition");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_hour_does_not_hold_is_held_for_one_summary() {
    let (provider, failing) = moody().await;
    let receiver = Provider::start(json(200, "{}")).await;
    let channel = webhook(&receiver).replace("kind: webhook,", "kind: webhook, per_hour: 1,");
    let world = World::start(&file(&provider, &channel)).await;
    break_it(&world).await;
    delivered(&world, AlertEvent::Firing).await;
    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    let held = until("held", async || {
        world.post("/api/proxy/prod/x", "{}").await;
        let all = world.admin.alerts().deliveries(&world.who).await.expect("the messages");
        all.into_iter().find(|one| one.event == AlertEvent::Resolved)
    })
    .await;
    assert_eq!((held.state, held.attempts), (DeliveryState::Held, 0));
    assert_eq!(receiver.count(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_an_alert_in_hand_is_shown_and_keeps_later_channels_quiet() {
    let (provider, failing) = moody().await;
    let receiver = Provider::start(json(200, "{}")).await;
    let world = World::start(&file(&provider, &webhook(&receiver))).await;
    break_it(&world).await;
    until("firing", async || (receiver.count() >= 1).then_some(())).await;
    let board = board_until(&world, "an open alert", |board| board.firing.len() == 1).await;
    let id = board.firing[0].id;
    world.admin.alerts().acknowledge(&world.who, id).await.expect("taken in hand");
    let board = world.admin.alerts().board(&world.who).await.expect("the board");
    assert_eq!(board.firing[0].acknowledged.as_ref().map(|taken| taken.by.as_str()), Some("test"));
    let trail = world.admin.audit().list(&world.who, None).await.expect("the trail").rows;
    assert_eq!((trail[0].action.as_str(), trail[0].object.as_str()), ("alert.acknowledge", "<b>*x* is unhealthy"));

    // A channel that comes later does not hear of it; the one that has heard is told of the end.
    let late = Provider::start(json(200, "{}")).await;
    let both = file(&provider, &webhook(&receiver)).replace("channels: [ops]", "channels: [ops, late]").replace(
        "  rules:",
        &format!("    - {{ name: late, kind: webhook, url: \"http://{}/late\" }}\n  rules:", late.address),
    );
    world.apply(&both).await;
    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    until("resolved", async || {
        world.post("/api/proxy/prod/x", "{}").await;
        (receiver.count() >= 2).then_some(())
    })
    .await;
    assert_eq!((body(&receiver.seen()[1])["event"].as_str(), late.count()), (Some("resolved"), 0));
    board_until(&world, "the end", |board| board.firing.is_empty()).await;
    let over = world.admin.alerts().acknowledge(&world.who, id).await;
    assert!(matches!(over, Err(ApiError::NotFound { .. })), "{over:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_viewer_takes_nothing_in_hand() {
    let stand = Stand::new().await;
    let refused = stand.admin.alerts().acknowledge(&viewer(Role::Viewer), AlertId(uuid::Uuid::nil())).await;
    assert!(matches!(refused, Err(ApiError::Forbidden { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_died_is_told_and_one_that_was_stopped_is_not() {
    let world = World::start(
        "providers: []\nalerts: { channels: [], rules: [{ name: lost, kind: node_lost, hold_seconds: 0 }] }",
    )
    .await;
    // The stop of the first process is no loss.
    let world = world.restart().await;
    let store = world.store().await;
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let all = store.presences(0).await.expect("read");
    assert!(all.iter().filter(|one| one.ended).count() == 1, "the one that was stopped said so: {all:?}");
    let run = NodeRun { node: 77, started_ms: now_ms - 900_000, seen_ms: now_ms - 300_000 };
    let dead = Presence { run, host: "web-2".into(), ended: false };
    store.note_health(&dead, &[]).await.expect("written");
    let board = board_until(&world, "the dead node", |board| !board.firing.is_empty()).await;
    let titles: Vec<&str> = board.firing.iter().map(|alert| alert.title.en.as_str()).collect();
    assert_eq!(titles, ["Node web-2 is lost"]);
    // It comes back.
    let run = NodeRun { seen_ms: now_ms, ..run };
    store.note_health(&Presence { run, ..dead }, &[]).await.expect("written");
    board_until(&world, "its return", |board| board.firing.is_empty()).await;
    world.stop().await;
}
