//! When a tab's stream begins, what it is spared, and when it ends.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use rondo::{
    model::user::{LoginDraft, Role},
    server::{
        health::{board::Board, clock::Clock},
        live::{self, Hub},
        record::Recorder,
        routing::{compile::Compiler, watch::Watch},
        session::{Sessions, Site},
    },
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    insight::{Tab, signed_in, world},
    stand::{PASSWORD, Stand},
};

/// A hub that a test drives, with the route of its tabs and somebody who may listen.
struct Bench {
    hub: Hub,
    revision: watch::Sender<i64>,
    router: Router,
    cookie: String,
    _stand: Stand,
}

impl Bench {
    async fn new() -> Self {
        let stand = Stand::new().await;
        stand.person("ana", Role::Viewer).await;
        let sessions = Sessions::new(stand.admin.clone(), Site::default());
        let from = Request::post("/rpc/x").header("host", "rondo").body(()).expect("a request").into_parts().0;
        let draft = LoginDraft { username: "ana".into(), password: PASSWORD.into() };
        let cookie = sessions.login(draft, &from).await.expect("signed in").set_cookie;
        let cookie = cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let (clock, foundation) = (Clock::start(), &stand.foundation);
        let board = Board::new(clock.epoch_unix_ms());
        let compiler = Compiler::new(foundation.master.clone(), board.clone(), (*foundation.addresses).clone());
        let watching = Watch::start(foundation.store.clone(), foundation.bus.clone(), compiler, clock).await;
        let (_, routing) = watching.expect("an empty table");
        let (recorder, _) = Recorder::new(10);
        let hub = Hub::new(live::Sources { routing, board, recorder, clock }, CancellationToken::new());
        let (revision, revisions) = watch::channel(1);
        tokio::spawn(hub.clone().run(revisions, CancellationToken::new()));
        let router = live::router(hub.clone(), sessions);
        Self { hub, revision, router, cookie, _stand: stand }
    }

    /// A tab that reads when it is told to.
    async fn tab(&self) -> BodyDataStream {
        let request = Request::get("/admin/live").header("host", "rondo").header("cookie", &self.cookie);
        let response = self.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200);
        response.into_body().into_data_stream()
    }
}

/// The name of the next event.
async fn next(tab: &mut BodyDataStream) -> String {
    let chunk = tab.next().await.expect("more").expect("no error");
    let text = String::from_utf8(chunk.to_vec()).expect("text");
    text.strip_prefix("event: ").and_then(|rest| rest.split_once('\n')).expect("an event").0.to_owned()
}

/// Lets time pass second by second: new revisions in one, alerts in the next, a hundred of them.
async fn busy_seconds(bench: &Bench, seconds: i64) {
    for second in 0..seconds {
        for _ in 0..100 {
            match second % 2 {
                0 => bench.revision.send_modify(|revision| *revision += 1),
                _ => bench.hub.alerted(),
            }
            tokio::task::yield_now().await;
        }
        // A little more than a beat: timers are rounded up.
        tokio::time::advance(Duration::from_millis(1_002)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_tab_that_lags_is_told_to_refetch_and_then_how_things_are_now() {
    let bench = Bench::new().await;
    let mut tab = bench.tab().await;
    assert_eq!(next(&mut tab).await, "snapshot");
    tokio::time::pause();
    busy_seconds(&bench, 40).await;
    assert_eq!(next(&mut tab).await, "resync");
    assert_eq!(next(&mut tab).await, "snapshot", "and none of the old news");
    busy_seconds(&bench, 1).await;
    assert!(["changed", "alerted", "snapshot"].contains(&next(&mut tab).await.as_str()), "it goes on");
}

#[tokio::test]
async fn a_burst_of_news_is_two_updates_a_second_at_most() {
    let bench = Bench::new().await;
    let mut tab = bench.tab().await;
    assert_eq!(next(&mut tab).await, "snapshot");
    tokio::time::pause();
    let heard = tokio::spawn(async move {
        let mut events = Vec::new();
        while let Ok(event) = tokio::time::timeout(Duration::from_secs(3), next(&mut tab)).await {
            events.push(event);
            if events.len() > 100 {
                break;
            }
        }
        events
    });
    busy_seconds(&bench, 10).await;
    let events = heard.await.expect("heard");
    assert!(events.len() <= 2 * 11, "{} events in ten seconds: {events:?}", events.len());
    for kind in ["changed", "alerted"] {
        assert!(events.iter().any(|event| event == kind), "no {kind}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_ends_when_the_time_of_its_session_is_over_and_listening_is_no_use_of_it() {
    let (world, _alpha) = world().await;
    let (_sessions, cookie) = signed_in(&world).await;
    let store = world.store().await;
    let now_ms = world.live().now_ms();
    let users = world.live().users().list(&world.who, Default::default()).await.expect("people").rows;
    let session = store.sessions_of(users[0].id, now_ms).await.expect("read").remove(0);
    store.touch_session(session.id, now_ms, now_ms + 1_500).await.expect("written");
    let mut tab = Tab::open(&world, &cookie).await;
    tab.until("event: snapshot\n").await;
    let heard = tab.ends().await;
    assert!(heard.contains("event: signed_out\n"), "{heard}");
    assert!(world.live().now_ms() >= now_ms + 1_500, "not before");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_is_for_people_who_are_signed_in_and_ends_with_the_gateway() {
    let (world, _alpha) = world().await;
    let (_sessions, cookie) = signed_in(&world).await;
    let users = world.live().users().list(&world.who, Default::default()).await.expect("people").rows;
    let token = world.admin.tokens().create(&world.who, users[0].id, "ci", None).await.expect("a token").1;
    for stranger in [
        String::new(),
        format!("authorization: Bearer {}\r\n", world.key),
        format!("authorization: Bearer {token}\r\n"),
        format!("cookie: rondo_session={}\r\n", "A".repeat(43)),
    ] {
        let request = format!("GET /admin/live HTTP/1.1\r\nhost: rondo\r\n{stranger}connection: close\r\n\r\n");
        let answer = world.raw(&request).await;
        assert_eq!(answer.status, 401, "{stranger}");
    }
    let mut tab = Tab::open(&world, &cookie).await;
    tab.until("event: snapshot\n").await;
    let started = std::time::Instant::now();
    world.stop().await;
    tab.ends().await;
    assert!(started.elapsed() < Duration::from_secs(5), "draining does not wait for it");
}
