//! The task that brings rows to the store: in batches, one transaction each.
//!
//! A store that is slow or gone holds nobody up. Rows wait in a bounded queue; when it is full they
//! are dropped, counted, and the next batch that arrives tells the store how many are missing. While
//! one batch is being written the next is already collected.

use std::{
    future::{Future, pending},
    mem,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::Shared;
use crate::{model::request_log::RequestDetail, server::store::Store};

/// Rows written at once.
pub const BATCH: usize = 500;
/// Longest time a row waits for others, while the store is fine.
pub const LINGER: Duration = Duration::from_millis(200);
/// How long rows come together in the queue before they are taken up: being woken for each one costs
/// more than all else that is done with it.
pub const GATHER: Duration = Duration::from_millis(20);
/// How often the intake is emptied while requests come, screens or none.
const FOLD: Duration = Duration::from_secs(1);
/// Rows collected while the store does not take any; more wait in the queue.
const PENDING: usize = 4 * BATCH;
/// First and longest pause after the store refused a batch.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Tries of one batch, after which its rows are given up: one row the store cannot take must not
/// end the log.
const TRIES: u32 = 8;

/// Where rows go: the store, or a test's.
pub trait Sink: Send + Sync + 'static {
    /// Writes rows in one transaction. `gap` rows were lost before these.
    fn append(&self, rows: &[Arc<RequestDetail>], gap: u64) -> impl Future<Output = Result<(), String>> + Send;
}

impl Sink for Store {
    async fn append(&self, rows: &[Arc<RequestDetail>], gap: u64) -> Result<(), String> {
        self.append_requests(rows, gap).await.map_err(|error| error.to_string())
    }
}

/// Keeps nothing: an installation that wants no log. The live tail and last uses of keys go on.
#[derive(Clone, Copy, Debug)]
pub struct Unkept;

impl Sink for Unkept {
    async fn append(&self, _: &[Arc<RequestDetail>], _: u64) -> Result<(), String> {
        Ok(())
    }
}

/// The receiving end of a [`super::Recorder`]; run it as a task.
#[derive(Debug)]
pub struct Writer {
    rows: mpsc::Receiver<Arc<RequestDetail>>,
    desk: Desk,
}

/// What is on its way to the store.
#[derive(Debug)]
struct Desk {
    shared: Arc<Shared>,
    /// Collected, not yet being written.
    pending: Vec<Arc<RequestDetail>>,
    /// Refused by the store, to be written again before anything else.
    refused: Option<Batch>,
    /// When to write next, if there is anything to write.
    due: Instant,
    stopping: bool,
}

/// Rows of one transaction.
#[derive(Debug)]
struct Batch {
    rows: Vec<Arc<RequestDetail>>,
    gap: u64,
    tries: u32,
}

type Writing = Pin<Box<dyn Future<Output = (Batch, Result<(), String>)> + Send>>;

impl Writer {
    pub(super) fn new(rows: mpsc::Receiver<Arc<RequestDetail>>, shared: Arc<Shared>) -> Self {
        let desk = Desk { shared, pending: Vec::new(), refused: None, due: Instant::now(), stopping: false };
        Self { rows, desk }
    }

    /// Writes until `stop` completes or every recorder is gone, then what is left, and returns.
    /// While stopping, a batch the store refuses twice is given up: put a deadline around it.
    pub async fn run(mut self, sink: impl Sink, stop: impl Future<Output = ()>) {
        let sink = Arc::new(sink);
        let mut stop = pin!(stop);
        let mut open = true;
        let mut writing: Option<Writing> = None;
        let mut fold_at: Option<Instant> = None;
        let mut incoming = Vec::with_capacity(BATCH);
        let mut gathering: Option<Instant> = None;
        loop {
            if writing.is_none() && self.desk.is_due(open) {
                writing = self.desk.next().map(|batch| write(Arc::clone(&sink), batch));
            }
            if !open && writing.is_none() && self.desk.is_empty() {
                self.desk.close(&*sink).await;
                return;
            }
            let wait_for = (writing.is_none() && !self.desk.is_empty()).then_some(self.desk.due);
            tokio::select! {
                count = self.rows.recv_many(&mut incoming, BATCH), if gathering.is_none() && open && self.desk.has_room() => {
                    open = count > 0;
                    self.desk.collect(&mut incoming);
                    // A queue that still holds rows is not waited for.
                    gathering = (open && self.rows.is_empty()).then(|| Instant::now() + GATHER);
                    fold_at = fold_at.or(Some(Instant::now() + FOLD));
                }
                (batch, result) = finished(&mut writing) => {
                    writing = None;
                    self.desk.settle(batch, result);
                }
                () = at(wait_for) => {}
                () = at(gathering) => gathering = None,
                () = at(fold_at) => {
                    fold_at = None;
                    drop(self.desk.shared.fold(unix_ms()));
                }
                () = &mut stop, if !self.desk.stopping => {
                    (self.desk.stopping, gathering) = (true, None);
                    self.rows.close();
                }
            }
        }
    }
}

impl Desk {
    fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.refused.is_none()
    }

    fn has_room(&self) -> bool {
        self.pending.len() < PENDING
    }

    /// Whether to write now: a full batch, the end of waiting, or nobody left to wait for.
    fn is_due(&self, open: bool) -> bool {
        let waited = Instant::now() >= self.due;
        match self.refused {
            Some(_) => waited || self.stopping,
            None => waited || self.pending.len() >= BATCH || !open,
        }
    }

    fn collect(&mut self, incoming: &mut Vec<Arc<RequestDetail>>) {
        if self.is_empty() {
            self.due = Instant::now() + LINGER;
        }
        for detail in incoming.iter() {
            self.shared.tail.push(Arc::clone(detail));
        }
        self.pending.append(incoming);
    }

    fn next(&mut self) -> Option<Batch> {
        if let Some(batch) = self.refused.take() {
            return Some(batch);
        }
        if self.pending.is_empty() {
            return None;
        }
        let rest = self.pending.split_off(self.pending.len().min(BATCH));
        let rows = mem::replace(&mut self.pending, rest);
        // Rows still waiting for the next batch have waited as long as these.
        self.due = Instant::now();
        Some(Batch { rows, gap: self.shared.gap.swap(0, Relaxed), tries: 0 })
    }

    /// Rows lost since the last batch would otherwise be lost without a trace.
    async fn close(&self, sink: &impl Sink) {
        let gap = self.shared.gap.swap(0, Relaxed);
        if gap > 0
            && let Err(reason) = sink.append(&[], gap).await
        {
            tracing::error!(rows = gap, %reason, "the request log does not say that rows are missing");
        }
    }

    fn settle(&mut self, mut batch: Batch, result: Result<(), String>) {
        let Err(reason) = result else {
            if batch.tries > 0 {
                tracing::info!(rows = batch.rows.len(), "the request log is written again");
            }
            return;
        };
        batch.tries += 1;
        if batch.tries == 1 {
            tracing::warn!(%reason, "the request log cannot be written; proxying goes on");
        }
        if batch.tries >= TRIES || (self.stopping && batch.tries >= 2) {
            let rows = batch.rows.len() as u64;
            tracing::error!(rows, %reason, "rows of the request log were given up");
            self.shared.gap.fetch_add(batch.gap, Relaxed);
            self.shared.lose(rows);
            return;
        }
        let pause = PAUSES.0.saturating_mul(1 << (batch.tries - 1)).min(PAUSES.1);
        self.due = Instant::now() + pause;
        self.refused = Some(batch);
    }
}

fn write(sink: Arc<impl Sink>, batch: Batch) -> Writing {
    Box::pin(async move {
        let result = sink.append(&batch.rows, batch.gap).await;
        (batch, result)
    })
}

/// The end of the write under way; never, without one.
async fn finished(writing: &mut Option<Writing>) -> (Batch, Result<(), String>) {
    match writing {
        Some(writing) => writing.await,
        None => pending().await,
    }
}

/// That moment; never, without one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
