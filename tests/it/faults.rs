//! The fault table of docs/FAULTS.md: two healthy providers and a faulty one behind one Rondo, a
//! steady stream of requests, and for every fault the number that makes it pass.
//!
//! `make soak` (RONDO_SOAK=1) runs the same tests for five minutes each, or a hundred thousand requests.

mod answers;
mod caller;
mod clients;
mod connecting;
mod errors;
mod limits;
mod paths;
mod slow;
mod streams;
mod tls;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use rondo::{
    model::health::HealthState,
    serve::chaos::{Chaos, Options, Script},
};
use tokio::time::MissedTickBehavior;

use self::caller::{Caller, Heard};
use crate::world::World;

/// A path that every kind of group lets through.
const PATH: &str = "/api/proxy/prod/v1/chat/completions";
/// Connect timeout of every provider here, milliseconds.
const CONNECT_MS: u64 = 300;
/// First-byte and idle timeout of every provider here, milliseconds.
const SILENCE_MS: u64 = 400;
/// What a loaded machine may add to a timeout.
const SLACK: Duration = Duration::from_millis(250);
/// Between two requests of a steady stream: fifty a second.
const TICK: Duration = Duration::from_millis(20);

/// The short form of a length, or the long one of `make soak`.
fn long<T>(short: T, soak: T) -> T {
    if std::env::var_os("RONDO_SOAK").is_some() { soak } else { short }
}

/// How long a steady stream lasts.
fn steady_time() -> Duration {
    long(Duration::from_secs(3), Duration::from_secs(300))
}

/// A scripted provider on a free port.
async fn chaos(name: &str) -> Chaos {
    let options = Options { name: name.to_owned(), ..Options::default() };
    Chaos::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await.expect("a port")
}

/// A file with one group `prod` of these providers, all of the same weight.
fn file(kind: &str, providers: &[(&str, String)]) -> String {
    let mut file = "providers:\n".to_owned();
    for (name, address) in providers {
        file.push_str(&format!(
            "  - name: {name}\n    base_url: {address}/base\n    credentials: [{{ label: main, secret: sk-secret-of-{name} }}]\n\
             \x20   timeouts: {{ connect_ms: {CONNECT_MS}, first_byte_ms: {SILENCE_MS}, idle_ms: {SILENCE_MS} }}\n"
        ));
    }
    file.push_str(&format!(
        "groups:\n  - name: Production\n    slug: prod\n    kind: {kind}\n    path_policy: everything\n    providers:\n"
    ));
    for (name, _) in providers {
        file.push_str(&format!("      - {{ provider: {name} }}\n"));
    }
    file
}

/// One provider alone behind Rondo.
async fn alone(kind: &str, script: Script) -> (Chaos, World) {
    let provider = chaos("bad").await;
    provider.play(script);
    let world = World::start(&file(kind, &[("bad", format!("http://{}", provider.address))])).await;
    (provider, world)
}

/// Two healthy providers and a faulty one, of the same weight.
struct Trio {
    good: [Chaos; 2],
    bad: Chaos,
    world: World,
}

impl Trio {
    /// Of a group of this kind; the faulty one does this.
    async fn start(kind: &str, script: Script) -> Self {
        let (one, two, bad) = (chaos("one").await, chaos("two").await, chaos("bad").await);
        bad.play(script);
        let address = |chaos: &Chaos| format!("http://{}", chaos.address);
        let members = [("one", address(&one)), ("bad", address(&bad)), ("two", address(&two))];
        let world = World::start(&file(kind, &members)).await;
        Self { good: [one, two], bad, world }
    }

    /// Fifty requests a second, one after another, for so long.
    async fn steady(&self, time: Duration) -> Vec<Heard> {
        let mut caller = Caller::of(&self.world);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (began, mut heard) = (Instant::now(), Vec::new());
        while began.elapsed() < time {
            ticks.tick().await;
            heard.push(caller.post(PATH).await);
        }
        heard
    }

    /// So many requests as fast as one after another goes, by so many callers at once.
    async fn asked(&self, count: usize, at_once: usize) -> Vec<Heard> {
        asked(&self.world, count, at_once).await
    }

    /// The faulty provider as the running server sees it.
    async fn state_of_bad(&self) -> HealthState {
        state_of(&self.world, "bad").await
    }
}

/// So many requests, by so many callers at once.
async fn asked(world: &World, count: usize, at_once: usize) -> Vec<Heard> {
    let callers = (0..at_once).map(|_| async {
        let mut caller = Caller::of(world);
        let mut heard = Vec::with_capacity(count / at_once);
        for _ in 0..count / at_once {
            heard.push(caller.post(PATH).await);
        }
        heard
    });
    futures_util::future::join_all(callers).await.concat()
}

async fn state_of(world: &World, name: &str) -> HealthState {
    let providers = world.admin.providers().list(&world.who, Default::default()).await.expect("providers").rows;
    let id = providers.iter().find(|row| row.provider.name == name).expect("the provider").provider.id;
    let health = world.health().await;
    health.into_iter().find(|health| health.provider == id).expect("its health").state
}

/// Answers that a client would count as failed.
fn failures(heard: &[Heard]) -> usize {
    heard.iter().filter(|heard| heard.status != 200 || !heard.complete).count()
}

/// Attempts beside the one that every request needs.
fn extra_attempts(heard: &[Heard]) -> u64 {
    heard.iter().map(|heard| heard.attempts.saturating_sub(1)).sum()
}

/// The slowest answer.
fn slowest(heard: &[Heard]) -> Duration {
    heard.iter().map(|heard| heard.took).max().unwrap_or_default()
}

/// Trials that a tripped provider may get in this time: it stays out for five seconds at least.
fn trials_in(time: Duration) -> u64 {
    time.as_secs() / 5
}
