//! The request log: batches of packed rows in segments, read newest first by whatever filter.
//!
//! An id is a UUID of version 7, made when the request began, so ids order by time. A batch becomes one block (see
//! [`block`]), which goes into the open segment (see [`segments`]); a search walks the blocks that may have what it
//! asks for (see [`walk`]) and stops after a bounded stretch, from which the next one goes on.

mod block;
mod bodies;
mod merge;
mod old;
mod segment;
mod segments;
mod sieve;
mod walk;

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use uuid::Uuid;

use self::{
    block::{Block, Packed, Torn},
    bodies::drop_old,
    segment::{Head, Segment},
    sieve::{Sieve, after, first_id_at, millis_of, stretch_of},
    walk::Walk,
};
pub use self::{
    bodies::PackedBodies,
    segments::{LogLimits, SetAside},
};
pub(super) use self::{
    old::ALL as OLD,
    segments::{ALL as SEGMENTS, Family, Segments},
};
use super::{
    Store, StoreError,
    database::Database,
    sql::{Value, sql, statements},
};
use crate::model::{
    id::RequestId,
    page::{PAGE_MAX, Stretch},
    request_log::{COUNT_MAX, RequestCount, RequestDetail, RequestFilter, RequestRow},
};

/// Rows and blocks one search reads at most beyond those that straddle its start; then it answers how far it came.
const SCAN: (u32, u32) = (300_000, 1_500);

/// Rows that were lost before they could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Before when, unix milliseconds.
    pub at_ms: i64,
    /// How many.
    pub lost: u64,
}

/// Segments that are filled apart from what happens now: the one under way.
#[derive(Default)]
pub struct Lane(Option<std::sync::Arc<Segment>>);

/// A stretch of the log in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Requests, newest first.
    pub requests: Vec<RequestDetail>,
    /// To be passed as `before` for what is older; `None` at the end of the log.
    pub older: Option<RequestId>,
    /// Until when the log was read, unix milliseconds, where the search stopped before it had its rows.
    pub reached_ms: Option<i64>,
}

statements! {
    PUT_GAP = "INSERT INTO request_gaps (id, at_ms, lost) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    GAPS = "SELECT at_ms, lost FROM request_gaps WHERE at_ms >= $1 AND at_ms < $2 ORDER BY id DESC LIMIT 1000";
    FORGET_GAPS = "DELETE FROM request_gaps WHERE id < $1";
}

impl Store {
    /// Appends requests in one transaction. `gap` counts rows that were lost before these; it leaves a row of
    /// its own. A batch that is sent again after an error whose outcome is unknown writes nothing twice.
    pub async fn append_requests(
        &self,
        requests: &[impl Borrow<RequestDetail> + Sync],
        gap: u64,
    ) -> Result<(), StoreError> {
        if !requests.is_empty() {
            self.requests.append(&blocks_of(requests), &day_of(now_ms())).await?;
        }
        if gap > 0 {
            self.put_gap(requests.first().map(|request| &request.borrow().row), gap).await?;
        }
        Ok(())
    }

    /// Appends requests that are older than the log's end into segments of their own, cut by their days: what
    /// another version or a seed wrote. Call [`Self::finish_old_requests`] behind the last.
    pub async fn append_old_requests(&self, lane: &mut Lane, requests: &[RequestDetail]) -> Result<(), StoreError> {
        let Some(first) = requests.first() else { return Ok(()) };
        self.requests.append_apart(&mut lane.0, &blocks_of(requests), &day_of(first.row.at_ms)).await
    }

    /// Seals the last segment of a lane.
    pub async fn finish_old_requests(&self, lane: Lane) -> Result<(), StoreError> {
        self.requests.finish(lane.0).await
    }

    /// A gap takes the id of the request it comes before, so that a batch sent twice tells of it once.
    async fn put_gap(&self, before: Option<&RequestRow>, lost: u64) -> Result<(), StoreError> {
        let (id, at_ms) = match before {
            Some(row) => (row.id.0, row.at_ms),
            None => {
                let id = Uuid::now_v7();
                (id, millis_of(id))
            }
        };
        let put = sql(PUT_GAP).bind(Value::text(id.as_hyphenated())).bind(at_ms).bind(Value::count(lost));
        self.log.run(put).await.map(drop)
    }

    /// Requests, newest first, by filter. `older` of the answer is the id to pass as `before` for the next page.
    pub async fn requests(&self, filter: &RequestFilter) -> Result<Stretch<RequestRow>, StoreError> {
        let found = self.search(filter).await?;
        let rows = found.requests.into_iter().map(|detail| detail.row).collect();
        Ok(Stretch { rows, older: found.older.map(|id| id.to_string()) })
    }

    /// Requests in full, newest first, by filter. Reads a bounded stretch of the log: a filter that finds little
    /// answers with fewer rows than asked for and with `reached_ms`, and goes on from `older`.
    pub async fn search(&self, filter: &RequestFilter) -> Result<Found, StoreError> {
        let limit = if filter.limit == 0 { 50 } else { filter.limit.min(PAGE_MAX) } as usize;
        let sieve = Sieve::new(filter);
        if let Some(id) = filter.id {
            return self.search_one(&sieve, id).await;
        }
        let range = sieve.range();
        let start = range.first_below;
        let mut walk = Walk::new(&self.requests, range).await?;
        let mut page = Page { rows: BTreeMap::new(), limit };
        let (mut effort, mut begun) = (self.effort(), false);
        while let Some((segment, head)) = walk.next().await? {
            if page.is_full_above(head.last) {
                break;
            }
            // What straddles the start and one block more are always read: every answer comes nearer to the end.
            if head.last < start && std::mem::replace(&mut begun, true) && !effort.spend(&head) {
                return Ok(page.stopped_at(head.last));
            }
            self.read_block(&segment, &head, |block| page.take(&sieve, block)).await?;
        }
        Ok(page.turn())
    }

    async fn search_one(&self, sieve: &Sieve, id: RequestId) -> Result<Found, StoreError> {
        let mut page = Page { rows: BTreeMap::new(), limit: 1 };
        if let Some(detail) = self.request(id).await? {
            let packed = block::pack(&[&detail]);
            if let Ok(mut block) = Block::read(&packed.body) {
                let _ = page.take(sieve, &mut block);
            }
        }
        Ok(page.turn())
    }

    /// How many requests a filter finds, at most [`COUNT_MAX`], over a bounded stretch of the log.
    pub async fn count_requests(&self, filter: &RequestFilter) -> Result<RequestCount, StoreError> {
        let sieve = Sieve::new(filter);
        if let Some(id) = filter.id {
            let rows = self.search_one(&sieve, id).await?.requests.len() as u64;
            return Ok(RequestCount { rows, more: false });
        }
        let range = sieve.range();
        let marks = range.marks.len();
        let mut walk = Walk::new(&self.requests, range).await?;
        let (mut rows, mut effort) = (0_u64, self.effort());
        while let Some((segment, head)) = walk.next().await? {
            if rows > COUNT_MAX {
                break;
            }
            if sieve.takes_all(head.first, head.last, marks) {
                rows += u64::from(head.rows);
                continue;
            }
            if !effort.spend(&head) {
                return Ok(RequestCount { rows: rows.min(COUNT_MAX), more: true });
            }
            self.read_block(&segment, &head, |block| {
                let Some(held) = sieve.over(block) else { return Ok(()) };
                while let Some(row) = block.next()? {
                    rows += u64::from(sieve.takes(&held, block, &row)?);
                }
                Ok(())
            })
            .await?;
        }
        Ok(RequestCount { rows: rows.min(COUNT_MAX), more: rows > COUNT_MAX })
    }

    /// One request with its attempts.
    pub async fn request(&self, id: RequestId) -> Result<Option<RequestDetail>, StoreError> {
        let range = Sieve::new(&RequestFilter { before: Some(after(id.0)), ..RequestFilter::default() }).range();
        let mut walk = Walk::new(&self.requests, segment::Range { last_from: id.0, ..range }).await?;
        while let Some((segment, head)) = walk.next().await? {
            let mut found = None;
            self.read_block(&segment, &head, |block| {
                while let Some(row) = block.next()? {
                    if row.id == id {
                        found = Some(block.detail(&row)?);
                        break;
                    }
                }
                Ok(())
            })
            .await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Reads one block; one that is torn is told and passed over, a segment that is damaged set aside.
    async fn read_block(
        &self,
        segment: &Segment,
        head: &Head,
        read: impl FnOnce(&mut Block<'_>) -> Result<(), Torn>,
    ) -> Result<(), StoreError> {
        let body = match segment.body(head.last).await {
            Ok(Some(body)) => body,
            Ok(None) => return Ok(()),
            Err(error) => return walk::pass_over(&self.requests, segment, error).await,
        };
        let done = Block::read(&body).and_then(|mut block| read(&mut block));
        if let Err(reason) = done {
            let (segment, rows) = (segment.name(), head.rows);
            tracing::warn!(segment, rows, %reason, "a block of the request log cannot be read");
        }
        Ok(())
    }

    /// Gaps of the log in a stretch of time, newest first.
    pub async fn request_gaps(&self, from_ms: i64, to_ms: i64) -> Result<Vec<Gap>, StoreError> {
        let rows: Vec<(i64, i64)> = self.log.all(sql(GAPS).bind(from_ms).bind(to_ms)).await?;
        Ok(rows.into_iter().map(|(at_ms, lost)| Gap { at_ms, lost: lost.unsigned_abs() }).collect())
    }

    /// Segments that were damaged and set aside: their rows are missing from the log.
    pub async fn damaged_segments(&self) -> Result<Vec<SetAside>, StoreError> {
        self.requests.set_aside().await
    }

    /// Bytes the log has on disk, indexes and journals included.
    pub async fn request_log_bytes(&self) -> Result<u64, StoreError> {
        self.requests.bytes().await
    }

    /// Says how much of the log is kept. The size of segments follows from it; so do cuts while rows are written.
    pub fn limit_request_log(&self, limits: LogLimits) {
        self.requests.limit(limits);
    }

    /// Says how long a search may read before it answers how far it came; 150 ms without.
    pub fn limit_search(&self, patience: Duration) {
        self.requests.limit_search(patience);
    }

    fn effort(&self) -> Effort {
        Effort { rows: SCAN.0, blocks: SCAN.1, until: Instant::now() + self.requests.patience() }
    }

    /// Drops whole segments: those that hold nothing newer than the days that are kept, then the oldest until
    /// all are within their bytes. Returns how many went.
    pub async fn trim_requests(&self, now_ms: i64) -> Result<u64, StoreError> {
        const DAY_MS: i64 = 86_400_000;
        let gone = drop_old(&self.requests, now_ms).await?;
        if gone > 0 {
            let before = first_id_at(now_ms.saturating_sub(i64::from(self.requests.limits().days) * DAY_MS));
            self.log.run(sql(FORGET_GAPS).bind(Value::text(before.as_hyphenated()))).await?;
        }
        Ok(gone)
    }

    /// Packs the rows of one sealed segment anew where they lie in many small blocks; returns whether there was
    /// one. Call it from time to time.
    pub async fn merge_requests(&self) -> Result<bool, StoreError> {
        self.requests.merge_one().await
    }

    /// Every text that is put together, for the test that prepares all; those of segments against one of them.
    pub(super) async fn prepare_requests(&self) -> Result<Vec<(Database, Vec<String>)>, StoreError> {
        let mut prepared = Vec::new();
        for segments in [&self.requests, &self.bodies] {
            let segment = segments.sample().await?;
            prepared.push((segment.database.clone(), segment.texts()));
        }
        Ok(prepared)
    }
}

/// What one search may read.
#[derive(Clone, Copy)]
struct Effort {
    rows: u32,
    blocks: u32,
    until: Instant,
}

impl Effort {
    /// `false` when it is used up.
    fn spend(&mut self, head: &Head) -> bool {
        if self.blocks == 0 || self.rows == 0 || Instant::now() > self.until {
            return false;
        }
        self.blocks -= 1;
        self.rows = self.rows.saturating_sub(head.rows);
        true
    }
}

/// The rows of an answer, by id, and one more that tells whether there are more.
struct Page {
    rows: BTreeMap<RequestId, RequestDetail>,
    limit: usize,
}

impl Page {
    /// Whether no block that ends here or before can change the page.
    fn is_full_above(&self, last: Uuid) -> bool {
        self.rows.len() > self.limit && self.rows.first_key_value().is_some_and(|(id, _)| id.0 > last)
    }

    fn take(&mut self, sieve: &Sieve, block: &mut Block<'_>) -> Result<(), Torn> {
        let Some(held) = sieve.over(block) else { return Ok(()) };
        let mut passed = Vec::new();
        while let Some(row) = block.next()? {
            if sieve.takes(&held, block, &row)? {
                passed.push(row);
            }
        }
        // Rows lie in the order of their ids: the newest are the last.
        for row in passed.iter().rev().take(self.limit + 1) {
            self.rows.insert(row.id, block.detail(row)?);
        }
        while self.rows.len() > self.limit + 1 {
            self.rows.pop_first();
        }
        Ok(())
    }

    /// The page when everything was read.
    fn turn(mut self) -> Found {
        let more = self.rows.len() > self.limit;
        if more {
            self.rows.pop_first();
        }
        let older = self.rows.first_key_value().map(|(id, _)| *id).filter(|_| more);
        Found { requests: self.rows.into_values().rev().collect(), older, reached_ms: None }
    }

    /// The page when the search stopped before a block whose newest row is this: older rows found so far
    /// are found again by whoever goes on.
    fn stopped_at(mut self, last: Uuid) -> Found {
        let seen = self.rows.split_off(&after(last));
        let requests = seen.into_values().rev().collect();
        Found { requests, older: Some(after(last)), reached_ms: Some(millis_of(last)) }
    }
}

/// Packs requests into blocks, each of one stretch of time.
fn blocks_of(requests: &[impl Borrow<RequestDetail>]) -> Vec<Packed> {
    let mut rows: Vec<&RequestDetail> = requests.iter().map(Borrow::borrow).collect();
    rows.sort_unstable_by_key(|detail| detail.row.id);
    rows.chunk_by(|a, b| stretch_of(a.row.id.0) == stretch_of(b.row.id.0)).map(block::pack).collect()
}

/// The day of a moment, UTC: `2026-11-23`.
fn day_of(ms: i64) -> String {
    const LAST_MS: i64 = 253_402_300_799_999;
    let at = jiff::Timestamp::from_millisecond(ms.clamp(0, LAST_MS)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
