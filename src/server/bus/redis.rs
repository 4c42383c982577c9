//! The bus between processes: Redis pub/sub.
//!
//! One connection both publishes and listens (RESP3, Redis 6 and later). It is kept for ever: lost, it is
//! made again with a growing pause, and the newest revision is told again after that. A message is
//! `<sender> <revision>`; the sender, a random number per process, lets a node ignore its own echo.

use std::{sync::atomic::Ordering, time::Duration};

use fred::{
    clients::SubscriberClient,
    error::Error as FredError,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::{
        Builder, RespVersion,
        config::{Config, ReconnectPolicy, UnresponsiveConfig},
    },
};
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{Bus, Change};

/// Default channel. Processes that share a Redis but not a configuration set another by `?prefix=`.
const PREFIX: &str = "rondo";
const COMMAND_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that answers nothing for this long is dead: the other machine may have vanished without a word.
const SILENCE: Duration = Duration::from_secs(5);
const PROBE: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(1);

/// Why an address of a Redis cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("REDIS_URL is not a usable address; write redis://host:6379 or rediss://user:password@host:6379/0")]
pub struct RedisUrlError;

/// A Redis that carries changes.
pub(super) struct Remote {
    config: Config,
    channel: String,
    sender: String,
}

impl Remote {
    pub(super) fn parse(url: &str) -> Result<Self, RedisUrlError> {
        // What fred says about an address may quote it, password and all.
        let (address, prefix) = split_prefix(url.trim());
        // fred takes any scheme for plain Redis.
        if !["redis://", "rediss://"].iter().any(|scheme| address.starts_with(scheme)) {
            return Err(RedisUrlError);
        }
        let mut config = Config::from_url(&address).map_err(|_| RedisUrlError)?;
        config.version = RespVersion::RESP3;
        config.fail_fast = false;
        let sender = uuid::Uuid::now_v7().simple().to_string();
        Ok(Self { config, channel: format!("{prefix}:changes"), sender })
    }

    fn client(&self) -> Result<SubscriberClient, FredError> {
        Builder::from_config(self.config.clone())
            .set_policy(ReconnectPolicy::new_exponential(0, 100, 2_000, 2))
            .with_performance_config(|performance| performance.default_command_timeout = COMMAND_TIMEOUT)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
                connection.unresponsive =
                    UnresponsiveConfig { max_timeout: Some(SILENCE), interval: Duration::from_secs(1) };
            })
            .build_subscriber_client()
    }

    pub(super) async fn run(&self, bus: &Bus) {
        loop {
            match self.client() {
                Ok(client) => self.serve(bus, Connection::open(client)).await,
                Err(error) => {
                    tracing::error!(%error, "the Redis client cannot be set up; changes reach other nodes by polling")
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Works on one client, which reconnects by itself; returns only when the client has given up.
    async fn serve(&self, bus: &Bus, mut connection: Connection) {
        let client = connection.client.clone();
        let (mut messages, mut reconnects) = (client.message_rx(), client.reconnect_rx());
        let mut outgoing = Outgoing::new(bus);
        let mut probe = interval(PROBE);
        probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Ok(message) => self.hear(bus, message.value.as_str().as_deref()),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                // Sent on the first connection too.
                _ = reconnects.recv() => {
                    let subscribed = client.subscribe(self.channel.as_str()).await;
                    self.connected(bus, subscribed);
                    outgoing.send_again();
                }
                revision = outgoing.next() => {
                    let text = format!("{} {revision}", self.sender);
                    let sent: Result<(), FredError> = client.publish(self.channel.as_str(), text).await;
                    outgoing.done(bus, revision, sent);
                }
                _ = probe.tick() => {
                    let alive: Result<(), FredError> = client.ping(None).await;
                    if let Err(error) = alive { self.connected(bus, Err(error)); }
                    else if !bus.shared.connected.load(Ordering::Relaxed) {
                        let subscribed = client.subscribe(self.channel.as_str()).await;
                        self.connected(bus, subscribed);
                    }
                }
                _ = &mut connection.task => break,
            }
        }
        bus.shared.connected.store(false, Ordering::Relaxed);
    }

    fn hear(&self, bus: &Bus, message: Option<&str>) {
        let Some((sender, revision)) = message.and_then(|message| message.split_once(' ')) else { return };
        if let (true, Ok(revision)) = (sender != self.sender, revision.parse()) {
            bus.received(Change { revision });
        }
    }

    fn connected(&self, bus: &Bus, outcome: Result<(), FredError>) {
        let before = bus.shared.connected.swap(outcome.is_ok(), Ordering::Relaxed);
        match outcome {
            Ok(()) if !before => tracing::info!(channel = self.channel, "listening for changes of other nodes"),
            Err(error) if before => {
                tracing::warn!(
                    error = error.details(),
                    "Redis is away; changes reach other nodes by polling until it is back"
                );
            }
            _ => {}
        }
    }
}

/// What is still to be told to the other processes.
struct Outgoing {
    newest: watch::Receiver<i64>,
    told: i64,
    not_before: Instant,
}

impl Outgoing {
    fn new(bus: &Bus) -> Self {
        Self { newest: bus.shared.outgoing.subscribe(), told: 0, not_before: Instant::now() }
    }

    /// The next revision to tell. Cancellation-safe: nothing is taken until [`done`](Self::done).
    async fn next(&mut self) -> i64 {
        loop {
            let newest = *self.newest.borrow_and_update();
            if newest > self.told {
                sleep_until(self.not_before).await;
                return *self.newest.borrow();
            }
            if self.newest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn done(&mut self, bus: &Bus, revision: i64, sent: Result<(), FredError>) {
        match sent {
            Ok(()) => self.told = revision,
            Err(error) => {
                bus.shared.failures.fetch_add(1, Ordering::Relaxed);
                self.not_before = Instant::now() + RETRY;
                tracing::debug!(revision, error = error.details(), "a revision could not be told to other nodes yet");
            }
        }
    }

    /// After a reconnection: what was sent shortly before may have been lost.
    fn send_again(&mut self) {
        self.told = 0;
    }
}

/// A client with the task that keeps it connected; dropped together.
struct Connection {
    client: SubscriberClient,
    task: JoinHandle<Result<(), FredError>>,
}

impl Connection {
    fn open(client: SubscriberClient) -> Self {
        let task = client.connect();
        Self { client, task }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes `prefix=…` out of an address: it is ours, the rest is the client's.
fn split_prefix(url: &str) -> (String, String) {
    let Some((address, query)) = url.split_once('?') else { return (url.to_owned(), PREFIX.to_owned()) };
    let (ours, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("prefix="));
    let prefix = ours.first().and_then(|pair| pair.strip_prefix("prefix=")).filter(|prefix| !prefix.is_empty());
    let address = if rest.is_empty() { address.to_owned() } else { format!("{address}?{}", rest.join("&")) };
    (address, prefix.unwrap_or(PREFIX).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_out_of_the_address() {
        let split = |url: &str| split_prefix(url);
        assert_eq!(split("redis://h:1"), ("redis://h:1".to_owned(), "rondo".to_owned()));
        assert_eq!(split("redis://h:1?prefix=blue"), ("redis://h:1".to_owned(), "blue".to_owned()));
        assert_eq!(split("redis://h:1?a=b&prefix=blue"), ("redis://h:1?a=b".to_owned(), "blue".to_owned()));
    }

    #[test]
    fn a_wrong_address_is_refused_without_quoting_its_password() {
        let error = Remote::parse("http://user:hunter2@host").map(drop).expect_err("not redis").to_string();
        assert!(error.contains("REDIS_URL") && !error.contains("hunter2"), "{error}");
    }
}
