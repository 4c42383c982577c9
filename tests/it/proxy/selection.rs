//! Who is asked: strategies, tiers, pools of credentials and upstreams that are full, as providers saw it.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use rondo::model::{api_key::ApiKeyDraft, provider::ProviderDraft, request_log::SkipReason};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify};

use crate::world::{
    World,
    provider::{Act, Provider, json, with_headers},
    read_answer,
};

/// A declarative file: providers with more lines each, and one group `prod` with these lines.
struct File {
    providers: String,
    members: String,
}

impl File {
    fn new() -> Self {
        Self { providers: "providers:\n".into(), members: String::new() }
    }

    fn provider(mut self, name: &str, address: SocketAddr, more: &str) -> Self {
        let credentials =
            if more.contains("credentials") { "" } else { "    credentials: [{ label: main, secret: sk-main }]\n" };
        self.providers.push_str(&format!("  - name: {name}\n    base_url: http://{address}/base\n{credentials}{more}"));
        self
    }

    fn member(mut self, name: &str, priority: u32, tier: u32) -> Self {
        self.members.push_str(&format!("      - {{ provider: {name}, priority: {priority}, tier: {tier} }}\n"));
        self
    }

    fn group(self, more: &str) -> String {
        let Self { providers, members } = self;
        format!(
            "{providers}groups:\n  - name: Production\n    slug: prod\n    kind: llm\n    path_policy: everything\n{more}    providers:\n{members}"
        )
    }
}

/// So many good providers with these priorities, all of tier 1, in a group with these lines.
async fn providers(group: &str, priorities: &[u32]) -> (Vec<Provider>, World) {
    let mut started = Vec::new();
    let mut file = File::new();
    for (number, priority) in priorities.iter().enumerate() {
        let provider = Provider::start(json(200, "{}")).await;
        let name = format!("p{number}");
        file = file.provider(&name, provider.address, "").member(&name, *priority, 1);
        started.push(provider);
    }
    (started, World::start(&file.group(group)).await)
}

/// Sends so many requests one after another on one connection; all must be answered with 200.
async fn ask(world: &World, count: usize) {
    ask_as(world, &world.key, "", count).await;
}

async fn ask_as(world: &World, key: &str, headers: &str, count: usize) {
    for _ in 0..count {
        let request = format!(
            "POST /api/proxy/prod/v1/x HTTP/1.1\r\nhost: rondo\r\nauthorization: Bearer {key}\r\n{headers}content-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        let answer = world.raw(&request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn counts(providers: &[Provider]) -> Vec<usize> {
    providers.iter().map(Provider::count).collect()
}

#[tokio::test]
async fn weights_of_five_three_two_are_the_shares_of_a_thousand_requests_within_a_point() {
    let (providers, world) = providers("    strategy: weighted\n", &[50, 30, 20]).await;
    ask(&world, 1_000).await;
    for (count, share) in counts(&providers).into_iter().zip([500_usize, 300, 200]) {
        assert!(count.abs_diff(share) <= 10, "{count} instead of {share}");
    }
}

#[tokio::test]
async fn round_robin_asks_each_in_turn_whatever_its_priority() {
    let (providers, world) = providers("    strategy: round_robin\n", &[900, 50, 1]).await;
    for turn in 1..=20 {
        ask(&world, 3).await;
        assert_eq!(counts(&providers), [turn; 3]);
    }
}

#[tokio::test]
async fn priority_asks_the_highest_alone() {
    let (providers, world) = providers("    strategy: priority\n", &[10, 900, 899]).await;
    ask(&world, 20).await;
    assert_eq!(counts(&providers), [0, 20, 0]);
}

#[tokio::test]
async fn least_in_flight_leaves_the_slow_one_alone_while_it_is_busy() {
    let go = Arc::new(Notify::new());
    let slow = Provider::start(held(&go)).await;
    let fast = Provider::start(json(200, "{}")).await;
    let file = File::new()
        .provider("slow", slow.address, "")
        .provider("fast", fast.address, "")
        .member("slow", 100, 1)
        .member("fast", 1_000, 1);
    let world = World::start(&file.group("    strategy: least_in_flight\n")).await;
    // While both are idle they share by weight: sooner or later one goes to the slow one, and stays there.
    let mut waiting = Vec::new();
    while slow.count() == 0 {
        waiting.push(begin(&world, &[&slow, &fast]).await);
    }
    let before = fast.count();
    ask(&world, 20).await;
    assert_eq!((slow.count(), fast.count()), (1, before + 20));
    go.notify_one();
    for mut stream in waiting {
        assert_eq!(read_answer(&mut stream).await.status, 200);
    }
}

#[tokio::test]
async fn lowest_latency_prefers_the_fast_one() {
    let fast = Provider::start(json(200, "{}")).await;
    let slow = Provider::start(Act::Late(Duration::from_millis(150), Box::new(json(200, "{}")))).await;
    let file = File::new()
        .provider("slow", slow.address, "")
        .provider("fast", fast.address, "")
        .member("slow", 100, 1)
        .member("fast", 100, 1);
    let world = World::start(&file.group("    strategy: lowest_latency\n")).await;
    // Until both are measured, load alone decides between two at random.
    while slow.count() == 0 || fast.count() == 0 {
        ask(&world, 1).await;
    }
    let before = slow.count();
    ask(&world, 50).await;
    assert_eq!(slow.count(), before, "of two measured ones the faster is taken");
}

#[tokio::test]
async fn sticky_holds_on_to_the_key_and_only_the_clients_of_a_provider_that_goes_move_until_it_is_back() {
    let (providers, world) = providers("    strategy: sticky\n", &[100, 100, 100]).await;
    let mut keys = Vec::new();
    for number in 0..12 {
        keys.push(world.new_key(ApiKeyDraft { name: format!("k{number}"), ..ApiKeyDraft::default() }).await);
    }
    let mut homes = Vec::new();
    for key in &keys {
        homes.push(home_of(&world, &providers, key, "").await);
    }
    assert!(homes.iter().collect::<BTreeSet<_>>().len() > 1, "twelve clients are spread: {homes:?}");
    let gone = homes[0];
    switch(&world, &format!("p{gone}"), false).await;
    for (key, home) in keys.iter().zip(&homes) {
        let now = home_of(&world, &providers, key, "").await;
        assert!(now != gone && (now == *home || *home == gone), "{home} -> {now}");
    }
    switch(&world, &format!("p{gone}"), true).await;
    for (key, home) in keys.iter().zip(&homes) {
        assert_eq!(home_of(&world, &providers, key, "").await, *home);
    }
}

#[tokio::test]
async fn sticky_holds_on_to_a_header_and_without_it_to_the_key() {
    let (providers, world) =
        providers("    strategy: sticky\n    sticky: { by: header, header: X-Session }\n", &[100; 5]).await;
    let other = world.new_key(ApiKeyDraft { name: "other".into(), ..ApiKeyDraft::default() }).await;
    let mut homes = BTreeSet::new();
    for session in 0..12 {
        let header = format!("x-session: s{session}\r\n");
        let home = home_of(&world, &providers, &world.key, &header).await;
        assert_eq!(home_of(&world, &providers, &other, &header).await, home, "one session, two keys");
        homes.insert(home);
    }
    assert!(homes.len() > 1, "twelve sessions are spread");
    home_of(&world, &providers, &other, "").await;
}

/// The provider that answers a client three times.
async fn home_of(world: &World, providers: &[Provider], key: &str, headers: &str) -> usize {
    let before = counts(providers);
    ask_as(world, key, headers, 3).await;
    let home = counts(providers).iter().zip(&before).position(|(now, before)| now - before == 3);
    home.expect("one provider got all three")
}

/// Switches a provider on or off, and waits until that is in force.
async fn switch(world: &World, name: &str, enabled: bool) {
    let rows = world.admin.providers().list(&world.who, Default::default()).await.expect("providers").rows;
    let provider =
        rows.into_iter().map(|row| row.provider).find(|provider| provider.name == name).expect("the provider");
    let draft = ProviderDraft { enabled, ..ProviderDraft::from(&provider) };
    world.admin.providers().update(&world.who, provider.id, provider.revision, draft).await.expect("saved");
    // A key made later is live with a table that holds the change.
    world.new_key(ApiKeyDraft { name: format!("after {name} {enabled}"), ..ApiKeyDraft::default() }).await;
}

/// An answer that begins at once and ends when it is told to.
fn held(go: &Arc<Notify>) -> Act {
    let steps = vec![b"HTTP/1.1 200 OK\r\n".to_vec(), b"content-length: 2\r\n\r\n{}".to_vec()];
    Act::InSteps(steps, go.clone())
}

/// Sends a request, and returns once one of the providers has it.
async fn begin(world: &World, providers: &[&Provider]) -> TcpStream {
    let total = || providers.iter().map(|provider| provider.count()).sum::<usize>();
    let before = total();
    let mut stream = world.connect().await;
    let request = format!(
        "POST /api/proxy/prod/x HTTP/1.1\r\nhost: rondo\r\nauthorization: Bearer {}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}",
        world.key
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    for _ in 0..500 {
        if total() > before {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody was asked")
}

#[tokio::test]
async fn the_next_tier_is_asked_only_when_the_one_before_can_take_nothing() {
    let model = r#"{"model":"gpt-4"}"#;
    for (name, more) in [
        ("disabled", "    enabled: false\n"),
        ("model not served", "    models: { only: [\"o3*\"] }\n"),
        ("full for today", "    limits: { requests_per_day: 1 }\n"),
        ("full this minute", "    limits: { rpm: 1 }\n"),
    ] {
        let first = Provider::start(json(200, "{}")).await;
        let second = Provider::start(json(200, "{}")).await;
        let file = File::new()
            .provider("first", first.address, more)
            .provider("second", second.address, "")
            .member("first", 100, 1)
            .member("second", 900, 2);
        let world = World::start(&file.group("")).await;
        let taken = usize::from(name.starts_with("full"));
        for _ in 0..3 {
            assert_eq!(world.post("/api/proxy/prod/v1/x", model).await.status, 200, "{name}");
        }
        assert_eq!((first.count(), second.count()), (taken, 3 - taken), "{name}");
    }
    for (act, asked) in [(with_headers(429, "retry-after: 60\r\n", "{}"), 1), (Act::Close, 5)] {
        let (first, second) = (Provider::start(act).await, Provider::start(json(200, "{}")).await);
        let file = File::new()
            .provider("first", first.address, "")
            .provider("second", second.address, "")
            .member("first", 100, 1)
            .member("second", 900, 2);
        let world = World::start(&file.group("")).await;
        for _ in 0..12 {
            assert_eq!(world.post("/api/proxy/prod/v1/x", model).await.status, 200);
        }
        // Once, and it cools; five times, and it is open.
        assert_eq!((first.count(), second.count()), (asked, 12));
    }
}

#[tokio::test]
async fn credentials_of_a_pool_share_by_weight_and_have_their_own_state() {
    let provider = Provider::start(json(200, "{}")).await;
    let credentials = "    credentials:\n      - { label: a, secret: sk-a, weight: 300 }\n      - { label: b, secret: sk-b, weight: 100 }\n      - { label: c, secret: sk-c, weight: 100, limits: { requests_per_day: 2 } }\n";
    let file = File::new().provider("pool", provider.address, credentials).member("pool", 100, 1);
    let world = World::start(&file.group("")).await;
    ask(&world, 42).await;
    let with = |secret: &str| {
        let header = format!("authorization: bearer {secret}");
        provider.seen().iter().filter(|request| request.to_ascii_lowercase().contains(&header)).count()
    };
    // c took part in the first ten draws or so, until its day was over.
    let (a, b, c) = (with("sk-a"), with("sk-b"), with("sk-c"));
    assert_eq!((a + b + c, c), (42, 2));
    assert!((29..=31).contains(&a), "three of four of the rest: {a}, {b}, {c}");
}

#[tokio::test]
async fn a_provider_that_is_full_is_skipped_and_that_is_no_attempt() {
    let go = Arc::new(Notify::new());
    let narrow = Provider::start(held(&go)).await;
    let wide = Provider::start(json(200, "{}")).await;
    let file = File::new()
        .provider("narrow", narrow.address, "    limits: { concurrency: 1 }\n")
        .provider("wide", wide.address, "")
        .member("narrow", 900, 1)
        .member("wide", 100, 1);
    let world = World::start(&file.group("    strategy: priority\n")).await;
    let mut waiting = begin(&world, &[&narrow]).await;
    ask(&world, 5).await;
    assert_eq!((narrow.count(), wide.count()), (1, 5));
    let record = world.log(5).await.remove(0);
    assert_eq!(record.attempts.len(), 1);
    let why: Vec<_> = record.attempts[0].skipped.iter().map(|skip| (skip.provider.as_str(), skip.reason)).collect();
    assert_eq!(why, [("narrow", SkipReason::Full)]);
    go.notify_one();
    assert_eq!(read_answer(&mut waiting).await.status, 200);
}

#[tokio::test]
async fn a_group_of_which_everybody_is_full_for_today_is_503_and_stays_so_after_a_restart() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = File::new()
        .provider("alpha", provider.address, "    limits: { requests_per_day: 2 }\n")
        .member("alpha", 100, 1);
    let world = World::start(&file.group("")).await;
    ask(&world, 2).await;
    let refused = world.post("/api/proxy/prod/x", "{}").await;
    assert_eq!(refused.code(), "no_provider_available");
    assert!(refused.text().contains("at a limit of its own"), "{}", refused.text());
    let world = world.restart().await;
    assert_eq!(world.post("/api/proxy/prod/x", "{}").await.code(), "no_provider_available");
    assert_eq!(provider.count(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_large_group_finds_the_few_that_serve_a_model() {
    let provider = Provider::start(json(200, "{}")).await;
    let mut file = File::new();
    for number in 0..120 {
        let (name, more) =
            (format!("p{number:03}"), if number % 10 == 0 { "" } else { "    models: { only: [\"o3*\"] }\n" });
        file = file.provider(&name, provider.address, more).member(&name, 100, 1);
    }
    let world = World::start(&file.group("")).await;
    let mut names = BTreeSet::new();
    for _ in 0..200 {
        let answer = world.post("/api/proxy/prod/v1/x", r#"{"model":"gpt-4"}"#).await;
        assert_eq!(answer.status, 200);
        names.insert(answer.header("x-proxy-provider").expect("a name").to_owned());
    }
    assert!(names.iter().all(|name| name.ends_with('0')) && names.len() > 9, "{names:?}");
    assert_eq!(provider.count(), 200);
}
