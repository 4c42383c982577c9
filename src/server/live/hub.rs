//! Makes snapshots and hands them to every tab.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    model::{
        event::{LiveEvent, Snapshot},
        request_log::{RequestDetail, RequestRow},
        stats::{ProviderStats, Range},
    },
    server::{
        health::{board::Board, clock::Clock},
        record::Recorder,
        routing::Routing,
    },
};

/// Time between two snapshots.
const BEAT: Duration = Duration::from_secs(1);
/// With nothing new, a snapshot goes out all the same after so many beats: clocks on screen move on.
const QUIET_BEATS: u32 = 10;
/// Messages a tab may lag behind before it is told to refetch.
const BACKLOG: usize = 16;
/// Rows of the log tail in one snapshot.
const ROWS: usize = 50;

/// Where snapshots come from.
#[derive(Clone)]
pub struct Sources {
    /// The table in force.
    pub routing: Routing,
    /// Health of providers.
    pub board: Board,
    /// Statistics and the tail of the log.
    pub recorder: Recorder,
    /// The clock the board is read with.
    pub clock: Clock,
}

/// The sender of live events. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    sources: Sources,
    messages: broadcast::Sender<Arc<str>>,
    closing: CancellationToken,
    /// Alerts opened or ended and nobody was told yet.
    alerts: Arc<Notify>,
    /// When the last snapshot was made, for tests and for the first snapshot of a tab.
    last_ms: Arc<AtomicI64>,
}

impl Hub {
    /// A hub; streams end when `closing` is cancelled.
    pub fn new(sources: Sources, closing: CancellationToken) -> Self {
        let (messages, _) = broadcast::channel(BACKLOG);
        Self { sources, messages, closing, alerts: Arc::default(), last_ms: Arc::default() }
    }

    /// From now on. The first message is made by [`Hub::now`].
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.messages.subscribe()
    }

    /// When streams have to end.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// The state of things now, as a message.
    pub fn now(&self) -> Arc<str> {
        encode(&LiveEvent::Snapshot(Box::new(self.snapshot(Vec::new()))))
    }

    /// Runs until cancelled: a snapshot each beat while somebody listens, changes as they come.
    pub async fn run(self, mut revision: watch::Receiver<i64>, stop: CancellationToken) {
        let mut rows = self.sources.recorder.subscribe();
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut quiet, mut last_totals) = (0, None);
        // One piece of news a beat is enough: it says that there is something new, not what.
        let mut told = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = revision.changed(), if !told => {
                    if changed.is_err() {
                        return;
                    }
                    told = true;
                    let revision = *revision.borrow_and_update();
                    self.send(&LiveEvent::Changed { revision });
                }
                () = self.alerts.notified(), if !told => {
                    told = true;
                    self.send(&LiveEvent::Alerted);
                }
                _ = beat.tick() => {
                    told = false;
                    let new_rows = drain(&mut rows);
                    if self.messages.receiver_count() == 0 {
                        continue;
                    }
                    let snapshot = self.snapshot(new_rows);
                    let totals = fingerprint(&snapshot);
                    quiet = if last_totals.as_ref() == Some(&totals) { quiet + 1 } else { 0 };
                    last_totals = Some(totals);
                    if quiet == 0 || quiet % QUIET_BEATS == 0 {
                        self.send(&LiveEvent::Snapshot(Box::new(snapshot)));
                    }
                }
            }
        }
    }

    /// An alert opened or ended: screens that show alerts refetch, once a beat at most.
    pub fn alerted(&self) {
        self.alerts.notify_one();
    }

    fn send(&self, event: &LiveEvent) {
        // Nobody listening is not an error.
        let _ = self.messages.send(encode(event));
    }

    fn snapshot(&self, requests: Vec<RequestRow>) -> Snapshot {
        let Sources { routing, board, recorder, clock } = &self.sources;
        let now_ms = clock.now_ms();
        let at_ms = clock.epoch_unix_ms() + i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.last_ms.store(at_ms, Relaxed);
        let table = routing.load();
        let summary = recorder.summary(Range::Hour, None, at_ms);
        let named = |mut stats: ProviderStats| {
            let provider = table.providers.iter().find(|provider| Some(provider.id) == stats.provider)?;
            stats.name.clone_from(&provider.name);
            stats.color = provider.color;
            Some(stats)
        };
        let health = table.providers.iter().map(|provider| board.view(provider, &table.stored_groups, now_ms));
        Snapshot {
            at_ms,
            revision: table.revision,
            rate_now: recorder.rate_now(at_ms),
            in_flight: recorder.in_flight(),
            hour: summary.counts,
            first_byte: summary.first_byte,
            total: summary.total,
            providers: summary.providers.into_iter().filter_map(named).collect(),
            health: health.collect(),
            requests,
            dropped_rows: recorder.dropped_rows(),
        }
    }
}

/// What would look different on screen.
fn fingerprint(snapshot: &Snapshot) -> (crate::model::stats::Counts, u32, u64, Vec<crate::model::health::HealthState>) {
    let states = snapshot.health.iter().map(|health| health.state).collect();
    (snapshot.hour, snapshot.in_flight, (snapshot.rate_now * 10.0) as u64, states)
}

/// Rows since the last beat, newest first, at most [`ROWS`].
fn drain(rows: &mut broadcast::Receiver<Arc<RequestDetail>>) -> Vec<RequestRow> {
    let mut taken = Vec::new();
    loop {
        match rows.try_recv() {
            Ok(row) => taken.push(row),
            Err(broadcast::error::TryRecvError::Lagged(_)) => {}
            Err(_) => break,
        }
    }
    taken.into_iter().rev().take(ROWS).map(|detail| detail.row.clone()).collect()
}

/// `event: <tag>` and the JSON of the whole event.
pub(super) fn encode(event: &LiveEvent) -> Arc<str> {
    let name = match event {
        LiveEvent::Snapshot(_) => "snapshot",
        LiveEvent::Changed { .. } => "changed",
        LiveEvent::Alerted => "alerted",
        LiveEvent::Resync => "resync",
        LiveEvent::SignedOut => "signed_out",
    };
    let json = serde_json::to_string(event).expect("plain data");
    format!("event: {name}\ndata: {json}\n\n").into()
}
