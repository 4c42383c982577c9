//! Every background task of the server, so that all of them end with it.

use std::{future::Future, time::Duration};

use tokio::sync::{broadcast::error::RecvError, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    model::{
        drill::{Drill, DrillReport},
        health::{HealthEvent, HealthReason},
        id::ProviderId,
    },
    server::{
        health::{board::Board, clock::Clock, probe::Checker},
        limit::local::Limiter,
        record::{
            Recorder,
            bodies::{BodySink, BodyWriter},
            writer::{Sink, Writer},
        },
        routing::Routing,
        store::Store,
    },
};

/// How often time alone moves health on.
const SWEEP: Duration = Duration::from_secs(1);
/// How often idle subjects of the limiter are forgotten.
const FORGET: Duration = Duration::from_secs(300);
/// Ended drills that may wait to be written down.
const DRILLS: usize = 64;
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
        drills: mpsc::Sender<Drill>,
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
                        for drill in board.sweep(now_ms) {
                            // Whoever writes them down has fallen far behind; the log has its requests.
                            let _ = drills.try_send(drill);
                        }
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

    /// Writes drills into the audit trail that ended without anybody stopping them, which leaves a row of its own.
    pub(crate) fn note_drills(&mut self, store: Store, recorder: Recorder, routing: Routing) -> mpsc::Sender<Drill> {
        let (sender, mut ended) = mpsc::channel::<Drill>(DRILLS);
        let stop = self.stop();
        self.spawn(async move {
            while let Some(Some(drill)) = stop.run_until_cancelled(ended.recv()).await {
                let provider = name_of(&routing, drill.provider);
                let met = recorder.drill_report(drill.id);
                let report = DrillReport { taken_out_after: drill.report.taken_out_after, ..met };
                let detail = serde_json::json!({"end": drill.end, "started_by": drill.started_by, "report": report});
                let at_ms = drill.ended_at_ms.unwrap_or(drill.ends_at_ms);
                if let Err(error) = store.note("gateway", at_ms, "drill.end", &provider, &detail.to_string()).await {
                    tracing::warn!(%error, provider, "the end of a drill is not in the audit trail");
                }
            }
        });
        sender
    }

    /// Writes the request log until the end, and what is queued then.
    pub(crate) fn write_log(&mut self, writer: Writer, sink: impl Sink) {
        let stop = self.stop();
        self.spawn(async move { writer.run(sink, async move { stop.cancelled().await }).await });
    }

    /// Writes bodies of requests until the end, and what is queued then.
    pub(crate) fn write_bodies(&mut self, writer: BodyWriter, sink: impl BodySink) {
        let stop = self.stop();
        self.spawn(async move { writer.run(sink, async move { stop.cancelled().await }).await });
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
    let provider = name_of(routing, event.provider);
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

/// Its name, or its id where it is gone.
fn name_of(routing: &Routing, id: ProviderId) -> String {
    let table = routing.load();
    let known = table.providers.iter().find(|provider| provider.id == id);
    known.map_or_else(|| id.to_string(), |provider| provider.name.clone())
}
