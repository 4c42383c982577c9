//! Every background task of the server, so that all of them end with it.

use std::{future::Future, time::Duration};

use tokio::sync::broadcast::error::RecvError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    model::health::{HealthEvent, HealthReason},
    server::{
        health::{board::Board, clock::Clock, probe::Checker},
        limit::local::Limiter,
        record::{Recorder, writer::Writer},
        routing::Routing,
        store::Store,
    },
};

/// How often time alone moves health on.
const SWEEP: Duration = Duration::from_secs(1);
/// How often idle subjects of the limiter are forgotten.
const FORGET: Duration = Duration::from_secs(300);
/// How long the log writer may take to write what is queued at the end.
const FLUSH: Duration = Duration::from_secs(5);

/// The tasks.
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Cancelled when the tasks have to end.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task that ends by itself once [`Tasks::stop`] is cancelled.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Moves health on with time, checks who is not asked, marks changes in the statistics, forgets
    /// idle limits.
    pub(crate) fn watch_health(
        &mut self,
        board: Board,
        routing: Routing,
        recorder: Recorder,
        limiter: Limiter,
        clock: Clock,
    ) {
        let stop = self.stop();
        self.spawn(async move {
            let mut events = board.events();
            let mut checker = Checker::new();
            let mut sweep = tokio::time::interval(SWEEP);
            let mut forget = tokio::time::interval(FORGET);
            sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = sweep.tick() => {
                        let now_ms = clock.now_ms();
                        board.sweep(now_ms);
                        checker.tick(now_ms, clock.unix_ms(now_ms), &routing.load().checked);
                    }
                    _ = forget.tick() => limiter.sweep(clock.now_ns()),
                    event = events.recv() => match event {
                        Ok(event) => {
                            tell(&routing, &event);
                            recorder.note(&event);
                        }
                        Err(RecvError::Lagged(lost)) => tracing::warn!(lost, "changes of health were not marked"),
                        Err(RecvError::Closed) => return,
                    },
                }
            }
        });
    }

    /// Writes the request log until the end, and what is queued then.
    pub(crate) fn write_log(&mut self, writer: Writer, store: Store) {
        let stop = self.stop();
        self.spawn(async move { writer.run(store, async move { stop.cancelled().await }).await });
    }

    /// Ends all tasks and waits for them.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(FLUSH, self.tracker.wait()).await.is_err() {
            tracing::warn!("background tasks did not end in {} s", FLUSH.as_secs());
        }
    }
}

/// One line for a change of health, by the provider's name.
fn tell(routing: &Routing, event: &HealthEvent) {
    let table = routing.load();
    let known = table.providers.iter().find(|provider| provider.id == event.provider);
    let provider = known.map_or_else(|| event.provider.to_string(), |provider| provider.name.clone());
    let state = event.state;
    match &event.reason {
        HealthReason::Failures { count, outcome, .. } => {
            tracing::info!(provider, ?state, failures = count, outcome, "health changed");
        }
        HealthReason::Cooling { count, .. } | HealthReason::Refused { count } => {
            tracing::info!(provider, ?state, credentials = count, "health changed");
        }
        HealthReason::SuccessRate { percent } | HealthReason::Ramp { percent } => {
            tracing::info!(provider, ?state, percent, "health changed");
        }
        HealthReason::None | HealthReason::Trial => tracing::info!(provider, ?state, "health changed"),
    }
}
