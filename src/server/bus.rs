//! The bus: "the configuration has a new revision", told to everybody who compiles or shows it.
//!
//! Within the process a broadcast channel carries it; between processes Redis may (see [`redis`]). The bus is
//! a hint, never the truth: every node also polls the store's revision, so a lost message costs seconds and a
//! dead Redis costs nothing. For that reason [`Bus::publish`] cannot fail and never waits.

pub mod redis;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::{broadcast, watch};

/// Messages a slow subscriber may fall behind; then it is told so, and loads the newest revision anyway.
const BACKLOG: usize = 64;

/// The configuration has reached a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The newest revision, as far as the sender knows.
    pub revision: i64,
}

/// How the bus between processes is doing; all zero and `false` without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStatus {
    /// Whether there is a bus between processes.
    pub shared: bool,
    /// Whether it is connected and subscribed now.
    pub connected: bool,
    /// Times a revision could not be sent at once; it is sent again until it could.
    pub failures: u64,
    /// Revisions received from other processes.
    pub received: u64,
}

/// The bus. Cheap to clone: clones share their channels.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

struct Shared {
    changes: broadcast::Sender<Change>,
    /// Newest revision to be told to other processes. Only the newest matters, so it is a value, not a queue.
    outgoing: watch::Sender<i64>,
    remote: Option<redis::Remote>,
    connected: AtomicBool,
    failures: AtomicU64,
    received: AtomicU64,
}

impl Bus {
    /// A bus within this process.
    pub fn local() -> Self {
        Self::with(None)
    }

    /// A bus shared by the processes that name the same Redis. Connecting, and reconnecting for ever, is the
    /// work of [`Bus::run`]; until then, and whenever Redis is away, the bus is a local one.
    pub fn redis(url: &str) -> Result<Self, redis::RedisUrlError> {
        Ok(Self::with(Some(redis::Remote::parse(url)?)))
    }

    fn with(remote: Option<redis::Remote>) -> Self {
        let shared = Shared {
            changes: broadcast::Sender::new(BACKLOG),
            outgoing: watch::Sender::new(0),
            remote,
            connected: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            received: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Tells everybody. Never waits and never fails: nobody listening is nobody's loss.
    pub fn publish(&self, change: Change) {
        let _ = self.shared.changes.send(change);
        self.shared.outgoing.send_if_modified(|newest| {
            let newer = change.revision > *newest;
            *newest = change.revision.max(*newest);
            newer
        });
    }

    /// Changes from now on, of this process and of others. A receiver that lags is told by
    /// [`broadcast::error::RecvError::Lagged`] and should simply look at the newest revision.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// How the connection to other processes is doing.
    pub fn status(&self) -> BusStatus {
        BusStatus {
            shared: self.shared.remote.is_some(),
            connected: self.shared.connected.load(Ordering::Relaxed),
            failures: self.shared.failures.load(Ordering::Relaxed),
            received: self.shared.received.load(Ordering::Relaxed),
        }
    }

    /// Keeps the connection to other processes; runs until it is dropped. On a local bus it does nothing, for ever.
    pub async fn run(&self) {
        match &self.shared.remote {
            Some(remote) => remote.run(self).await,
            None => std::future::pending().await,
        }
    }

    fn received(&self, change: Change) {
        self.shared.received.fetch_add(1, Ordering::Relaxed);
        let _ = self.shared.changes.send(change);
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bus({:?})", self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_subscriber_hears_a_change() {
        let bus = Bus::local();
        let (mut one, mut two) = (bus.subscribe(), bus.clone().subscribe());
        bus.publish(Change { revision: 7 });
        assert_eq!(one.recv().await, Ok(Change { revision: 7 }));
        assert_eq!(two.recv().await, Ok(Change { revision: 7 }));
    }

    #[test]
    fn publishing_to_nobody_is_no_error() {
        let bus = Bus::local();
        bus.publish(Change { revision: 1 });
        assert_eq!(bus.status(), BusStatus::default());
    }

    #[test]
    fn only_the_newest_revision_waits_to_be_sent() {
        let bus = Bus::redis("redis://127.0.0.1:1").expect("an address");
        for revision in [3, 9, 5] {
            bus.publish(Change { revision });
        }
        assert_eq!(*bus.shared.outgoing.borrow(), 9);
    }
}
