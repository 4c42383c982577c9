//! What happened: statistics from every request, and rows for the log from as many as the store takes.
//!
//! The two are independent. [`Recorder::record`] counts the request first, in memory, and then
//! offers its row to the [`writer`]'s bounded queue; a row that does not fit is dropped and counted,
//! and the statistics do not notice. They go to the store by themselves, as sums ([`keep`]).

pub mod bodies;
mod cell;
mod drills;
pub mod histogram;
pub mod history;
pub mod inquiry;
mod intake;
pub mod keep;
mod ledger;
pub mod redact;
pub mod rollup;
pub mod tail;
pub mod totals;
pub mod writer;

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use tokio::sync::{broadcast, mpsc};

pub use self::rollup::window::Window;
use self::{
    bodies::{BodyQueue, BodyWriter, TakenBodies},
    drills::Drills,
    history::History,
    intake::{Intake, MINUTE_MS},
    ledger::Ledger,
    rollup::{Rollup, Summary},
    tail::Tail,
    totals::Totals,
    writer::Writer,
};
use crate::{
    model::{
        drill::DrillReport,
        health::HealthEvent,
        id::{DrillId, GroupId, ProviderId},
        request_log::RequestDetail,
        stats::{Counts, Overview, Range, Step},
        trace::Trace,
    },
    server::{
        limit::calendar::Calendar,
        store::{HealthRow, RollupRow},
    },
};

/// Rows that may wait for the writer.
pub const QUEUE: usize = 16_384;

/// Takes note of every request. Cheap to clone; all clones are the same recorder.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    rows: mpsc::Sender<Arc<RequestDetail>>,
}

/// A request that ended, and its place in a trace.
#[derive(Clone, Debug)]
pub struct Told {
    /// The request.
    pub detail: Arc<RequestDetail>,
    /// Its place, where traces are made.
    pub trace: Option<Trace>,
}

#[derive(Debug)]
struct Shared {
    intake: Intake,
    drills: Drills,
    /// Held while adding up; only readers and the writer's tick come here, never a request.
    folded: Mutex<Folded>,
    /// Held to add a row or to copy those that wait.
    history: Mutex<History>,
    tail: Tail,
    bodies: BodyQueue,
    in_flight: AtomicU32,
    /// Rows lost since start.
    dropped: AtomicU64,
    /// Who else is told of every request; set once, at start.
    listener: OnceLock<mpsc::Sender<Told>>,
    /// Requests that the listener was not told of, since start.
    untold: AtomicU64,
    /// Rows lost since the store last heard of it.
    gap: AtomicU64,
}

/// What requests counted, added up for each kind of reader.
#[derive(Debug)]
struct Folded {
    /// For dashboards.
    rollup: Rollup,
    /// For the store.
    ledger: Ledger,
    /// For `/metrics`.
    totals: Totals,
}

impl Recorder {
    /// A recorder and the writer to run beside it; `queue` rows may wait between them. Its days are
    /// those of UTC.
    pub fn new(queue: usize) -> (Self, Writer) {
        Self::counting(queue, Calendar::new(jiff::tz::TimeZone::UTC))
    }

    /// The same with the days of this calendar.
    pub fn counting(queue: usize, calendar: Calendar) -> (Self, Writer) {
        let (sender, rows) = mpsc::channel(queue.max(1));
        let shared = Arc::new(Shared {
            intake: Intake::default(),
            drills: Drills::default(),
            folded: Mutex::new(Folded {
                rollup: Rollup::default(),
                ledger: Ledger::new(calendar),
                totals: Totals::default(),
            }),
            history: Mutex::default(),
            tail: Tail::default(),
            bodies: BodyQueue::default(),
            in_flight: AtomicU32::new(0),
            dropped: AtomicU64::new(0),
            listener: OnceLock::new(),
            untold: AtomicU64::new(0),
            gap: AtomicU64::new(0),
        });
        (Self { shared: Arc::clone(&shared), rows: sender }, Writer::new(rows, shared))
    }

    /// Tells a listener of every request that ends from now on, whatever the log has room for; `queue` of
    /// them may wait. The first to listen is the only one: a later one hears nothing.
    pub fn listen(&self, queue: usize) -> mpsc::Receiver<Told> {
        let (listener, told) = mpsc::channel(queue.max(1));
        let _ = self.shared.listener.set(listener);
        told
    }

    /// Takes note of a request that ended. Never blocks, never awaits.
    pub fn record(&self, detail: RequestDetail) {
        self.record_with(detail, None, None);
    }

    /// The same with the request's place in a trace, and with its bodies where somebody asked to keep them. They
    /// are the first to be dropped, when half of the rows' queue is taken or too many bytes wait; the row says
    /// whether they were.
    pub fn record_with(&self, mut detail: RequestDetail, trace: Option<Trace>, bodies: Option<Box<TakenBodies>>) {
        self.shared.intake.add(&detail);
        self.shared.drills.add(&detail);
        let place = self.rows.try_reserve();
        match (bodies, &place) {
            (None, _) => {}
            (Some(_), Err(_)) => self.shared.bodies.lose(1),
            (Some(bodies), Ok(_)) => {
                let rows_have_room = self.rows.capacity() >= self.rows.max_capacity() / 2;
                detail.bodies = Some(self.shared.bodies.offer(detail.row.id, bodies, rows_have_room));
            }
        }
        // One allocation for the queue, the tail and the batch: a row is half a kilobyte.
        let detail = Arc::new(detail);
        if let Some(listener) = self.shared.listener.get()
            && listener.try_send(Told { detail: Arc::clone(&detail), trace }).is_err()
        {
            self.shared.untold.fetch_add(1, Relaxed);
        }
        match place {
            Ok(place) => place.send(detail),
            Err(_) => self.shared.lose(1),
        }
    }

    /// What writes bodies, for whoever asks first: run it beside the writer of rows.
    pub fn body_writer(&self) -> Option<BodyWriter> {
        self.shared.bodies.writer()
    }

    /// Requests whose bodies were lost since start.
    pub fn dropped_bodies(&self) -> u64 {
        self.shared.bodies.dropped()
    }

    /// Bytes of bodies that wait to be written or are being written.
    pub fn queued_body_bytes(&self) -> u64 {
        self.shared.bodies.waiting()
    }

    /// Counts a request in flight until the guard is dropped.
    pub fn begin(&self) -> InFlight {
        self.shared.in_flight.fetch_add(1, Relaxed);
        InFlight { shared: Arc::clone(&self.shared) }
    }

    /// Requests in flight.
    pub fn in_flight(&self) -> u32 {
        self.shared.in_flight.load(Relaxed)
    }

    /// Requests per second over the last ten seconds. `now_ms` is unix time, as everywhere here.
    pub fn rate_now(&self, now_ms: i64) -> f64 {
        self.shared.intake.rate(now_ms)
    }

    /// Rows of the log lost since start.
    pub fn dropped_rows(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }

    /// Requests that the listener was not told of since start, for want of room.
    pub fn untold(&self) -> u64 {
        self.shared.untold.load(Relaxed)
    }

    /// Requests recorded since start.
    pub fn totals(&self, now_ms: i64) -> Counts {
        self.shared.fold(now_ms).rollup.totals()
    }

    /// Counters since start, for `/metrics`.
    pub fn since_start(&self, now_ms: i64) -> Totals {
        self.shared.fold(now_ms).totals.clone()
    }

    /// How often statistics were added up under `*` because a period had too many series, since start.
    pub fn merged_series(&self) -> u64 {
        self.shared.folded().ledger.merged()
    }

    /// Rows that wait for the writer.
    pub fn queued_rows(&self) -> usize {
        self.rows.max_capacity() - self.rows.capacity()
    }

    /// Notes a change of a provider's health, to mark it in its columns and to keep it.
    pub fn note(&self, event: &HealthEvent) {
        let node = {
            let mut folded = self.shared.folded();
            folded.rollup.note(event);
            folded.ledger.node()
        };
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).add(node, event.clone(), true);
    }

    /// Changes of health that the store does not have yet, and who this process is to it.
    pub fn unwritten_health(&self, provider: Option<ProviderId>) -> (i64, Vec<HealthRow>) {
        let node = self.shared.folded().ledger.node();
        let mut waiting = self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).waiting();
        waiting.retain(|row| provider.is_none_or(|provider| row.event.provider == provider));
        (node, waiting)
    }

    /// This process, as the store knows it.
    pub fn node(&self) -> i64 {
        self.shared.folded().ledger.node()
    }

    /// Statistics of periods that are still open, newer than the store's rows of the same process.
    pub fn open_rollups(&self, step: Step, from_ms: i64, to_ms: i64, now_ms: i64) -> OpenRollups {
        let mut folded = self.shared.fold(now_ms);
        let rows = folded.ledger.open(step, from_ms, to_ms);
        OpenRollups { node: folded.ledger.node(), pages: folded.ledger.open_pages(step), rows }
    }

    /// Days and weeks as statistics have them.
    pub fn calendar(&self) -> Calendar {
        self.shared.folded().ledger.calendar().clone()
    }

    /// The dashboard's numbers. Names and colours of providers, health and events are the caller's.
    pub fn overview(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Overview {
        let overview = self.shared.fold(now_ms).rollup.overview(range, group, now_ms);
        Overview { rate_now: self.rate_now(now_ms), in_flight: self.in_flight(), ..overview }
    }

    /// A range in a few numbers, without columns: for live snapshots.
    pub fn summary(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Summary {
        self.shared.fold(now_ms).rollup.summary(range, group, now_ms)
    }

    /// The last `minutes`, at most sixty: what rules of alerts measure.
    pub fn window(&self, minutes: u32, now_ms: i64) -> Window {
        self.shared.fold(now_ms).rollup.window(minutes, now_ms)
    }

    /// What the requests that met the fault of a drill came to.
    pub fn drill_report(&self, drill: DrillId) -> DrillReport {
        self.shared.drills.report(drill)
    }

    /// The last rows, newest first, at most [`tail::ROWS`].
    pub fn recent(&self, most: usize) -> Vec<Arc<RequestDetail>> {
        self.shared.tail.recent(most)
    }

    /// Rows from now on, as the writer takes them up.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<RequestDetail>> {
        self.shared.tail.subscribe()
    }
}

/// Statistics that are newer than the store's.
#[derive(Clone, Debug, Default)]
pub struct OpenRollups {
    /// This process.
    pub node: i64,
    /// Start and part of every open period: of these the store's rows of this process are old.
    pub pages: Vec<(i64, i64)>,
    /// The rows.
    pub rows: Vec<RollupRow>,
}

impl OpenRollups {
    /// Whether a stored row is an old version of one of these.
    pub fn replaces(&self, row: &RollupRow) -> bool {
        row.node == self.node && self.pages.contains(&(row.at_ms, row.part))
    }
}

impl Shared {
    /// Opens what was added up, as it is.
    fn folded(&self) -> MutexGuard<'_, Folded> {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds up what requests counted, and opens it for reading.
    fn fold(&self, now_ms: i64) -> MutexGuard<'_, Folded> {
        let mut folded = self.folded();
        let this_minute = now_ms.div_euclid(MINUTE_MS);
        // Emptied under the lock: two readers cannot fold in the wrong order, and each sees
        // everything recorded before it came.
        for (minute, counted) in self.intake.drain() {
            folded.rollup.add(minute, &counted, this_minute);
            folded.ledger.add(minute.min(this_minute), &counted);
            folded.totals.add(&counted);
        }
        folded
    }

    fn lose(&self, rows: u64) {
        self.dropped.fetch_add(rows, Relaxed);
        self.gap.fetch_add(rows, Relaxed);
    }
}

/// A request in flight; counted out when dropped.
#[derive(Debug)]
pub struct InFlight {
    shared: Arc<Shared>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
