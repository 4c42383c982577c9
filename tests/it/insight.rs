//! What a running gateway tells of itself, over real listeners: metrics, statistics, health over
//! time, and the live events of a tab.

use std::{collections::BTreeMap, time::Duration};

use axum::http::{Request, request::Parts};
use rondo::{
    model::{
        health::{HealthHistory, HealthState},
        id::ProviderId,
        stats::{Dimension, Range, StatsQuery},
        user::{LoginDraft, Role, UserDraft},
    },
    server::session::{Sessions, Site},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    stand::PASSWORD,
    world::{
        World,
        provider::{Provider, json},
    },
};

pub(crate) async fn world() -> (World, Provider) {
    let alpha = Provider::start(json(200, r#"{"usage":{"prompt_tokens":9,"completion_tokens":3}}"#)).await;
    let file = format!(
        "providers:\n  - {{ name: alpha, base_url: \"http://{}\", auth: none }}\n\
         groups:\n  - {{ name: Prod, slug: prod, kind: llm, path_policy: everything, providers: [{{ provider: alpha }}] }}\n",
        alpha.address
    );
    (World::start(&file).await, alpha)
}

/// Sends requests and waits until each has been counted: it is when its answer has ended on both sides.
async fn send(world: &World, count: u64) {
    let before = total(world).await;
    for _ in 0..count {
        assert_eq!(world.post("/api/proxy/prod/v1/chat/completions", r#"{"model":"m-1"}"#).await.status, 200);
    }
    for _ in 0..500 {
        if total(world).await == before + count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} requests were sent and {} counted", total(world).await - before);
}

async fn total(world: &World) -> u64 {
    let query = StatsQuery { range: Some(Range::Hour), ..StatsQuery::default() };
    world.live().stats().find(&world.who, query).await.expect("statistics").totals.counts.total
}

/// The value of each sample by its name and labels. Checks the format on the way: every sample belongs
/// to the family that was announced before it, no sample comes twice, buckets never shrink.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let (mut family, mut kind, mut families) = (String::new(), String::new(), Vec::new());
    let mut bucket = 0.0;
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').expect("a name and a kind");
            assert!(!families.contains(&name.to_owned()), "{name} is told twice");
            assert_eq!(of == "counter", name.ends_with("_total"), "{name} is a {of}");
            families.push(name.to_owned());
            (family, kind) = (name.to_owned(), of.to_owned());
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
        let value: f64 = value.parse().expect("a number");
        let name = sample.split('{').next().expect("a name");
        match kind.as_str() {
            "histogram" => assert!(
                ["_bucket", "_sum", "_count"].iter().any(|suffix| name.strip_suffix(suffix) == Some(&family)),
                "{line}"
            ),
            _ => assert_eq!(name, family, "{line}"),
        }
        if name.ends_with("_bucket") {
            bucket = if sample.contains("le=\"0.005\"") { 0.0 } else { bucket };
            assert!(value >= bucket, "{line}: fewer than the bucket before");
            bucket = value;
        }
        assert!(samples.insert(sample.to_owned(), value).is_none(), "{sample} comes twice");
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_can_be_parsed_and_count_what_was_sent() {
    let (world, _alpha) = world().await;
    send(&world, 7).await;
    let answer = world.raw("GET /metrics HTTP/1.1\r\nhost: rondo\r\nconnection: close\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let samples = parse(&answer.text());
    let value = |sample: &str| *samples.get(sample).unwrap_or_else(|| panic!("no {sample}"));
    assert_eq!(value(r#"rondo_requests_total{group="prod",outcome="served",status_class="2xx"}"#), 7.0);
    assert_eq!(value(r#"rondo_attempts_total{provider="alpha",outcome="answered"}"#), 7.0);
    assert_eq!(value(r#"rondo_request_duration_seconds_count{group="prod"}"#), 7.0);
    assert_eq!(value(r#"rondo_attempt_first_byte_seconds_bucket{provider="alpha",le="+Inf"}"#), 7.0);
    assert_eq!(value(r#"rondo_provider_health{provider="alpha",state="healthy"}"#), 1.0);
    assert_eq!(value(r#"rondo_provider_health{provider="alpha",state="unhealthy"}"#), 0.0);
    assert_eq!(value("rondo_log_rows_dropped_total"), 0.0);
    assert!(value("rondo_requests_in_flight") + value("rondo_log_queue_rows") <= 7.0);
    assert!(value("rondo_config_revision") > 0.0 && value("process_start_time_seconds") > 1.6e9);
    assert!(samples.contains_key(&format!("rondo_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))));
    assert!(!answer.text().contains(&world.key) && !answer.text().contains("m-1"), "no key and no model");
    let documented = include_str!("../../docs/METRICS.md");
    for name in answer.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(documented.contains(&format!("`{name}`")), "docs/METRICS.md does not name {name}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_for_this_machine_or_for_a_token() {
    let (world, _alpha) = world().await;
    let ask = |headers: &str| {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: rondo\r\n{headers}connection: close\r\n\r\n");
        let world = &world;
        async move { world.raw(&request).await.status }
    };
    assert_eq!(ask("").await, 200);
    for proxied in ["x-forwarded-for: 127.0.0.1\r\n", "forwarded: for=127.0.0.1\r\n", "via: 1.1 nginx\r\n"] {
        assert_eq!(ask(proxied).await, 401, "{proxied}");
    }
    let draft = UserDraft {
        username: "ana".into(),
        display_name: String::new(),
        password: PASSWORD.into(),
        role: Role::Viewer,
    };
    let ana = world.admin.users().create(&world.who, draft).await.expect("a person");
    let token = world.admin.tokens().create(&world.who, ana.id, "prometheus", None).await.expect("a token").1;
    assert_eq!(ask(&format!("via: 1.1 nginx\r\nauthorization: Bearer {token}\r\n")).await, 200);
    assert_eq!(ask(&format!("via: 1.1 nginx\r\nauthorization: Bearer {}\r\n", world.key)).await, 401, "a client key");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_are_exact_before_and_after_a_restart() {
    let (world, _alpha) = world().await;
    send(&world, 5).await;
    let by = |by| StatsQuery { by: Some(by), range: Some(Range::Hour), ..StatsQuery::default() };
    let models = world.live().stats().find(&world.who, by(Dimension::Model)).await.expect("statistics");
    assert_eq!((models.series[0].key.as_str(), models.series[0].totals.counts.served), ("m-1", 5));
    assert!(models.totals.total.p50_us > 0 && models.totals.first_byte.p90_us > 0);
    let world = world.restart().await;
    send(&world, 3).await;
    assert_eq!(total(&world).await, 8);
    let providers = world.live().stats().find(&world.who, by(Dimension::Provider)).await.expect("statistics");
    assert!(providers.attempts);
    assert_eq!((providers.series[0].name.as_str(), providers.totals.counts.total), ("alpha", 8));
    for range in Range::ALL {
        let overview = world.live().stats().overview(&world.who, range, None).await.expect("an overview");
        assert_eq!(overview.counts.total, 8, "{range:?}");
    }
    let absurd = StatsQuery { from: Some("0".into()), ..StatsQuery::default() };
    let refused = world.live().stats().find(&world.who, absurd).await.expect_err("too far back");
    assert!(refused.to_string().contains("from: lies further back"), "{refused}");
    world.stop().await;
}

async fn changes(world: &World, id: ProviderId) -> HealthHistory {
    world.live().health().history(&world.who, id).await.expect("a history")
}

/// Waits until the newest change of health says whether the provider is switched on.
async fn until_change(world: &World, id: ProviderId, enabled: bool) {
    for _ in 0..500 {
        let newest = changes(world, id).await.events.first().map(|event| event.state);
        if newest.is_some_and(|state| (state != HealthState::Disabled) == enabled) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no change of health tells that enabled is {enabled}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_over_time_survives_a_restart_and_the_gap_counts_as_unknown() {
    let (world, _alpha) = world().await;
    let id = world.provider_ids().await["alpha"];
    // Each switch is seen before the next: two changes at once are read as one, which changed nothing.
    for enabled in [false, true] {
        world.live().providers().set_enabled(&world.who, id, enabled).await.expect("switched");
        until_change(&world, id, enabled).await;
    }
    let before = changes(&world, id).await;
    let world = world.restart().await;
    let after = changes(&world, id).await;
    assert_eq!(after.events[after.events.len() - 1], before.events[before.events.len() - 1]);
    let day = after.uptime[0];
    assert!(day.up_ms >= 0 && day.unknown_ms > 23 * 3_600_000, "nobody was there before: {day:?}");
    assert_eq!(day.to_ms - day.from_ms, 24 * 3_600_000);
    let hour = world.live().stats().overview(&world.who, Range::Hour, None).await.expect("an overview");
    let columns = &hour.providers[0].columns;
    assert!(columns[0].unknown && !columns[59].unknown, "a strip tells the same: {columns:?}");
    world.stop().await;
}

/// The live events of a tab, as they come.
pub(crate) struct Tab {
    stream: TcpStream,
    text: String,
}

impl Tab {
    pub(crate) async fn open(world: &World, cookie: &str) -> Self {
        let mut stream = TcpStream::connect(world.address).await.expect("a connection");
        let request =
            format!("GET /admin/live HTTP/1.1\r\nhost: rondo\r\nconnection: close\r\ncookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        Self { stream, text: String::new() }
    }

    /// Reads until this was said; panics when it is not within five seconds or the stream ends before.
    pub(crate) async fn until(&mut self, wanted: &str) {
        let reading = async {
            let mut bytes = vec![0; 64 * 1024];
            while !self.text.contains(wanted) {
                let count = self.stream.read(&mut bytes).await.expect("readable");
                assert!(count > 0, "the stream ended before {wanted}: {}", self.text);
                self.text.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(5), reading).await.is_ok(), "no {wanted}: {}", self.text);
    }

    /// Reads to the end, which comes within five seconds.
    pub(crate) async fn ends(mut self) -> String {
        let mut rest = Vec::new();
        let reading = tokio::time::timeout(Duration::from_secs(5), self.stream.read_to_end(&mut rest));
        reading.await.expect("the stream ends").expect("readable");
        self.text + &String::from_utf8_lossy(&rest)
    }
}

fn parts(cookie: &str) -> Parts {
    let request = Request::builder().method("POST").uri("/rpc/x").header("host", "rondo").header("cookie", cookie);
    request.body(()).expect("a request").into_parts().0
}

/// A viewer who signed in, and the sessions to sign out with.
pub(crate) async fn signed_in(world: &World) -> (Sessions, String) {
    let draft = UserDraft {
        username: "ana".into(),
        display_name: String::new(),
        password: PASSWORD.into(),
        role: Role::Viewer,
    };
    world.live().users().create(&world.who, draft).await.expect("a person");
    let sessions = Sessions::new(world.live().clone(), Site::default());
    let draft = LoginDraft { username: "ana".into(), password: PASSWORD.into() };
    let signed_in = sessions.login(draft, &parts("")).await.expect("signed in");
    let cookie = signed_in.set_cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
    (sessions, cookie)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_hears_requests_changes_of_configuration_and_its_own_sign_out_at_once() {
    let (world, _alpha) = world().await;
    let nobody = world.raw("GET /admin/live HTTP/1.1\r\nhost: rondo\r\nconnection: close\r\n\r\n").await;
    assert_eq!(nobody.status, 401);
    let (sessions, cookie) = signed_in(&world).await;
    let mut tab = Tab::open(&world, &cookie).await;
    tab.until("event: snapshot\n").await;
    send(&world, 2).await;
    tab.until("/v1/chat/completions").await;
    let id = world.provider_ids().await["alpha"];
    world.live().providers().set_enabled(&world.who, id, false).await.expect("switched off");
    tab.until("event: changed\n").await;
    tab.until("\"state\":\"disabled\"").await;
    sessions.logout(&parts(&cookie)).await.expect("signed out");
    let heard = tab.ends().await;
    assert!(heard.contains("event: signed_out\n"), "{heard}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_of_somebody_who_is_switched_off_ends_and_a_busy_gateway_speaks_twice_a_second_at_most() {
    let (world, _alpha) = world().await;
    let (_sessions, cookie) = signed_in(&world).await;
    let mut tab = Tab::open(&world, &cookie).await;
    tab.until("event: snapshot\n").await;
    let started = std::time::Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        world.post("/api/proxy/prod/v1/x", "{}").await;
    }
    let users = world.live().users();
    let all = users.list(&world.who, Default::default()).await.expect("people").rows;
    let ana = all.iter().find(|user| user.username == "ana").expect("ana").id;
    users.delete(&world.who, ana).await.expect("deleted");
    let heard = tab.ends().await;
    let seconds = started.elapsed().as_secs() as usize + 1;
    let events = heard.matches("event: ").count();
    assert!(events <= 2 * seconds + 2, "{events} events in {seconds} s");
    assert!(heard.contains("event: signed_out\n"), "{heard}");
    world.stop().await;
}
