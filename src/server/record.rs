//! What happened: statistics from every request, and rows for the log from as many as the store takes.
//!
//! The two are independent. [`Recorder::record`] counts the request first, in memory, and then
//! offers its row to the [`writer`]'s bounded queue; a row that does not fit is dropped and counted,
//! and the statistics do not notice.

mod drills;
mod entries;
pub mod histogram;
mod intake;
mod keep;
pub mod rollup;
pub mod tail;
pub mod writer;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use tokio::sync::{broadcast, mpsc};

pub use self::rollup::window::Window;
use self::{
    drills::Drills,
    intake::Intake,
    rollup::{Rollup, Summary},
    tail::Tail,
    writer::Writer,
};
use crate::model::{
    drill::DrillReport,
    health::HealthEvent,
    id::{DrillId, GroupId},
    request_log::RequestDetail,
    stats::{Counts, Overview, Range},
};

/// Rows that may wait for the writer.
pub const QUEUE: usize = 16_384;

/// Takes note of every request. Cheap to clone; all clones are the same recorder.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    rows: mpsc::Sender<Arc<RequestDetail>>,
}

#[derive(Debug, Default)]
struct Shared {
    intake: Intake,
    drills: Drills,
    /// Held while adding up; only readers and the writer's tick come here, never a request.
    rollup: Mutex<Rollup>,
    tail: Tail,
    in_flight: AtomicU32,
    /// Rows lost since start.
    dropped: AtomicU64,
    /// Rows lost since the store last heard of it.
    gap: AtomicU64,
}

impl Recorder {
    /// A recorder and the writer to run beside it; `queue` rows may wait between them.
    pub fn new(queue: usize) -> (Self, Writer) {
        let (sender, rows) = mpsc::channel(queue.max(1));
        let shared = Arc::new(Shared::default());
        (Self { shared: Arc::clone(&shared), rows: sender }, Writer::new(rows, shared))
    }

    /// Takes note of a request that ended. Never blocks, never awaits.
    pub fn record(&self, detail: RequestDetail) {
        self.shared.intake.add(&detail);
        self.shared.drills.add(&detail);
        // One allocation for the queue, the tail and the batch: a row is half a kilobyte.
        if self.rows.try_send(Arc::new(detail)).is_err() {
            self.shared.lose(1);
        }
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

    /// Requests recorded since start.
    pub fn totals(&self, now_ms: i64) -> Counts {
        self.shared.fold(now_ms).totals()
    }

    /// Notes a change of a provider's health, to mark it in its columns.
    pub fn note(&self, event: &HealthEvent) {
        self.shared.rollup().note(event);
    }

    /// The dashboard's numbers. Names and colours of providers, health and events are the caller's.
    pub fn overview(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Overview {
        let overview = self.shared.fold(now_ms).overview(range, group, now_ms);
        Overview { rate_now: self.rate_now(now_ms), in_flight: self.in_flight(), ..overview }
    }

    /// A range in a few numbers, without columns: for live snapshots.
    pub fn summary(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Summary {
        self.shared.fold(now_ms).summary(range, group, now_ms)
    }

    /// The last `minutes`, at most sixty: what rules of alerts measure.
    pub fn window(&self, minutes: u32, now_ms: i64) -> Window {
        self.shared.fold(now_ms).window(minutes, now_ms)
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

impl Shared {
    fn rollup(&self) -> MutexGuard<'_, Rollup> {
        self.rollup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings what requests counted into the rollup, and opens it for reading.
    fn fold(&self, now_ms: i64) -> MutexGuard<'_, Rollup> {
        let mut rollup = self.rollup();
        // Emptied under the rollup's lock: two readers cannot fold in the wrong order, and each
        // sees everything recorded before it came.
        rollup.add(&self.intake.drain(), now_ms);
        rollup
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
