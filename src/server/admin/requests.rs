//! The request log as people and programs read it: a page at a time, counted, or as a stream of everything.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use uuid::Uuid;

use super::{Admin, Principal, layout, refusal};
use crate::{
    model::{
        body::RequestBodies,
        error::{ApiError, ApiResult},
        id::RequestId,
        page::PAGE_MAX,
        problem::{Issue, Problem},
        request_log::{ExportProgress, LogPage, RequestCount, RequestDetail, RequestFilter, RequestRow},
        user::Permission,
    },
    server::store::Store,
};

/// The last moment that has a date of four digits, unix milliseconds.
const LAST_MS: i64 = 253_402_300_799_999;
/// Longest text to look for, characters.
const TEXT_MAX: u32 = 200;
/// Exports whose progress is remembered; the oldest are forgotten.
const EXPORTS: usize = 32;

/// The request log.
#[derive(Clone, Copy)]
pub struct Requests<'a>(pub(super) &'a Admin);

impl Requests<'_> {
    /// A stretch of the log, newest first.
    pub async fn list(self, who: &Principal, filter: RequestFilter) -> ApiResult<LogPage<RequestRow>> {
        Ok(self.search(who, filter).await?.map(|detail| detail.row))
    }

    /// The same with every attempt.
    pub async fn search(self, who: &Principal, filter: RequestFilter) -> ApiResult<LogPage<RequestDetail>> {
        who.require(Permission::View)?;
        check(&filter)?;
        let store = self.0.store();
        let found = store.search(&filter).await.map_err(refusal::of_store)?;
        let newest =
            if filter.before.is_some() { found.requests.first().map(|detail| detail.row.at_ms) } else { filter.to_ms };
        let oldest = found.reached_ms.or_else(|| found.requests.last().map(|detail| detail.row.at_ms));
        let from = if found.older.is_some() { oldest } else { filter.from_ms };
        let gaps = store.request_gaps(from.unwrap_or(0), newest.map_or(i64::MAX, |at| at.saturating_add(1))).await;
        let aside = store.damaged_segments().await.map_err(refusal::of_store)?;
        Ok(LogPage {
            rows: found.requests,
            older: found.older.map(|id| id.to_string()),
            reached_ms: found.reached_ms,
            lost: gaps.map_err(refusal::of_store)?.iter().map(|gap| gap.lost).sum(),
            damaged: aside.into_iter().map(|aside| aside.name).collect(),
        })
    }

    /// How many rows a filter finds, up to [`crate::model::request_log::COUNT_MAX`].
    pub async fn count(self, who: &Principal, filter: RequestFilter) -> ApiResult<RequestCount> {
        who.require(Permission::View)?;
        check(&filter)?;
        self.0.store().count_requests(&filter).await.map_err(refusal::of_store)
    }

    /// One request in full.
    pub async fn get(self, who: &Principal, id: RequestId) -> ApiResult<RequestDetail> {
        who.require(Permission::View)?;
        let found = self.0.store().request(id).await.map_err(refusal::of_store)?;
        found.ok_or_else(|| ApiError::NotFound { what: "request".into() })
    }

    /// The bodies of a request, where they were asked for and are still kept. They hold what people wrote: whoever
    /// reads them is noted in the audit trail first.
    pub async fn bodies(self, who: &Principal, id: RequestId) -> ApiResult<RequestBodies> {
        who.require(Permission::ReadBodies)?;
        let store = self.0.store();
        let found = store.request_bodies(id).await.map_err(refusal::of_store)?;
        let bodies = found.ok_or_else(|| ApiError::NotFound { what: "bodies of the request".into() })?;
        let noted = store.note(who.name(), self.0.now_ms(), "request.read_bodies", &id.to_string(), "{}").await;
        noted.map_err(refusal::of_store)?;
        Ok(bodies)
    }

    /// The same to be looked at: JSON with a line for each value.
    pub async fn show_bodies(self, who: &Principal, id: RequestId) -> ApiResult<RequestBodies> {
        let mut bodies = self.bodies(who, id).await?;
        for body in [&mut bodies.request, &mut bodies.response] {
            body.text = body.text.take().map(|text| layout::lay_out(&text).unwrap_or(text));
        }
        Ok(bodies)
    }

    /// Everything a filter finds, a page at a time. `watch` is a number its caller made up to ask for the progress
    /// or to end it.
    pub fn export(self, who: &Principal, filter: RequestFilter, watch: Option<Uuid>) -> ApiResult<Export> {
        who.require(Permission::View)?;
        check(&filter)?;
        let progress = Arc::<Running>::default();
        if let Some(watch) = watch {
            self.0.exports().remember(watch, Arc::clone(&progress));
        }
        let filter = RequestFilter { limit: PAGE_MAX, ..filter };
        Ok(Export { store: self.0.store().clone(), next: Some(filter), progress })
    }

    /// How far an export is; nothing of one that is not known (any more).
    pub fn export_progress(self, who: &Principal, watch: Uuid) -> ApiResult<Option<ExportProgress>> {
        who.require(Permission::View)?;
        Ok(self
            .0
            .exports()
            .find(watch)
            .map(|running| ExportProgress { rows: running.rows.load(Relaxed), ended: running.ended.load(Relaxed) }))
    }

    /// Ends an export; the file its reader has so far is cut short.
    pub fn end_export(self, who: &Principal, watch: Uuid) -> ApiResult<()> {
        who.require(Permission::View)?;
        if let Some(running) = self.0.exports().find(watch) {
            running.stopped.store(true, Relaxed);
        }
        Ok(())
    }
}

/// Refuses what no row can be, instead of finding nothing without a word.
fn check(filter: &RequestFilter) -> ApiResult<()> {
    let mut problems = Vec::new();
    for (field, at) in [("from_ms", filter.from_ms), ("to_ms", filter.to_ms)] {
        if at.is_some_and(|at| !(0..=LAST_MS).contains(&at)) {
            problems.push(Problem::new(field, Issue::OutOfRange { min: 0, max: LAST_MS }));
        }
    }
    if let (Some(from), Some(to)) = (filter.from_ms, filter.to_ms)
        && problems.is_empty()
        && from >= to
    {
        problems.push(Problem::new("to_ms", Issue::OutOfRange { min: from + 1, max: LAST_MS }));
    }
    if filter.status.is_some_and(|status| status > 999) {
        problems.push(Problem::new("status", Issue::OutOfRange { min: 0, max: 999 }));
    }
    if filter.text.as_deref().is_some_and(|text| text.chars().count() > TEXT_MAX as usize) {
        problems.push(Problem::new("text", Issue::TooLong { max: TEXT_MAX }));
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid { problems }) }
}

/// Why an export has no end.
#[derive(Debug, thiserror::Error)]
pub enum ExportBroken {
    /// Somebody ended it.
    #[error("the export was ended")]
    Ended,
    /// The log cannot be read any further.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

/// An export under way. Holds one page at a time, and no connection between two.
pub struct Export {
    store: Store,
    next: Option<RequestFilter>,
    progress: Arc<Running>,
}

impl Export {
    /// The next rows, newest first; `None` at the end. An empty page is not the end.
    pub async fn next(&mut self) -> Option<Result<Vec<RequestDetail>, ExportBroken>> {
        let filter = self.next.take()?;
        if self.progress.stopped.load(Relaxed) {
            return Some(Err(ExportBroken::Ended));
        }
        let found = match self.store.search(&filter).await {
            Ok(found) => found,
            Err(error) => return Some(Err(refusal::of_store(error).into())),
        };
        self.next = found.older.map(|older| RequestFilter { before: Some(older), ..filter });
        self.progress.rows.fetch_add(found.requests.len() as u64, Relaxed);
        Some(Ok(found.requests))
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        self.progress.ended.store(true, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Running {
    rows: AtomicU64,
    ended: AtomicBool,
    stopped: AtomicBool,
}

/// Exports whose progress may be asked for.
#[derive(Debug, Default)]
pub(super) struct Exports {
    /// Held for a look through a short list; never across an await.
    running: Mutex<Vec<(Uuid, Arc<Running>)>>,
}

impl Exports {
    fn remember(&self, watch: Uuid, running: Arc<Running>) {
        let mut list = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() == EXPORTS {
            list.remove(0);
        }
        list.push((watch, running));
    }

    fn find(&self, watch: Uuid) -> Option<Arc<Running>> {
        let list = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().find(|(known, _)| *known == watch).map(|(_, running)| Arc::clone(running))
    }
}
