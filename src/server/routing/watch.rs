//! Keeps the table up to date: told by the bus, and asking the store now and then for what was not told.

use std::{sync::Arc, time::Duration};

use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::{Routing, compile::Compiler};
use crate::server::{
    bus::Bus,
    health::clock::Clock,
    store::{Store, StoreError},
};

/// How often the store is asked for its revision: a change made by another process on the same
/// database (`rondo apply` beside a running server) is live within a second.
const POLL: Duration = Duration::from_millis(700);

/// The task that swaps tables.
pub struct Watch {
    store: Store,
    bus: Bus,
    routing: Routing,
    compiler: Compiler,
    clock: Clock,
    /// Revision in force, for screens and `/readyz`.
    live: Arc<watch::Sender<i64>>,
}

impl Watch {
    /// Compiles the first table and hands out the routing it keeps up to date.
    pub async fn start(
        store: Store,
        bus: Bus,
        mut compiler: Compiler,
        clock: Clock,
    ) -> Result<(Self, Routing), StoreError> {
        let snapshot = store.snapshot().await?;
        let (table, faults) = compiler.compile(snapshot, clock.now_ms());
        report(&faults);
        let live = Arc::new(watch::Sender::new(table.revision));
        let routing = Routing::new(table);
        Ok((Self { store, bus, routing: routing.clone(), compiler, clock, live }, routing))
    }

    /// Follows the revision in force.
    pub fn revision(&self) -> watch::Receiver<i64> {
        self.live.subscribe()
    }

    /// Runs until cancelled. A store that cannot be read leaves the table as it is: known keys keep working.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.bus.subscribe();
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                change = changes.recv() => match change {
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => changes = self.bus.subscribe(),
                },
                () = tokio::time::sleep(POLL) => {}
            }
            match self.refresh().await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "the configuration store cannot be read; requests go on with the last table");
                }
                Err(_) => {}
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), StoreError> {
        let live = *self.live.borrow();
        // Only newer: an empty or older database never wipes the table.
        if self.store.revision().await? <= live {
            return Ok(());
        }
        let snapshot = self.store.snapshot().await?;
        if snapshot.revision <= live {
            return Ok(());
        }
        let (table, faults) = self.compiler.compile(snapshot, self.clock.now_ms());
        report(&faults);
        let revision = table.revision;
        self.routing.swap(table);
        self.live.send_replace(revision);
        tracing::info!(revision, "configuration is live");
        Ok(())
    }
}

fn report(faults: &[super::compile::CompileFault]) {
    for fault in faults {
        tracing::warn!(%fault, "left out of the routing table");
    }
}
