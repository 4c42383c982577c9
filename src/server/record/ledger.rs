//! What the store will be told: every series in full, in periods of four lengths, until it is written.
//!
//! | period | kept in the store | series told apart |
//! |---|---|---|
//! | minute | 48 hours | 200 |
//! | quarter of an hour | 8 days | 300 |
//! | hour | 62 days | 500 |
//! | day of the time zone | 2 years | 1,000 |
//!
//! Two cubes instead of one of all dimensions, which would explode: **requests** by group, API key,
//! model and class of status, **attempts** by provider, group and model. A question that needs a
//! provider and a key at once is one for the log. Beyond the bound of a period new series are added
//! up under their group with the rest as `*`, so that sums stay exact.
//!
//! Every request is added to all four lengths, so that nothing depends on folding one into another.
//! Rows carry the process they come from and are replaced as a whole: whoever writes twice counts
//! once, and several processes never touch each other's rows.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use uuid::Uuid;

use super::{
    cell::{self, Cell, Latency},
    intake::{Counted, MANY, MINUTE_MS, Tally},
};
use crate::{
    model::{
        id::{ApiKeyId, GroupId, ProviderId},
        stats::{Counts, Step},
    },
    server::{limit::calendar::Calendar, store::RollupRow},
};

/// The id that stands for many.
const MANY_ID: Uuid = Uuid::max();
/// A period stays open so long after its end: requests are folded in a little late.
const LINGER_MS: i64 = 2 * MINUTE_MS;
/// Periods of one length that may wait while the store does not take any.
const WAITING: usize = 180;

/// Which requests, or with a provider which attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series {
    pub(super) provider: Option<ProviderId>,
    pub(super) group: Option<GroupId>,
    pub(super) api_key: Option<ApiKeyId>,
    pub(super) model: Arc<str>,
    pub(super) status_class: u8,
}

/// Open periods of all lengths.
#[derive(Debug)]
pub(super) struct Ledger {
    calendar: Calendar,
    /// This process, to the store.
    node: i64,
    parts: i64,
    many: Arc<str>,
    /// By minute, not yet added to the periods: requests are folded in each second, periods filled each flush.
    fresh: HashMap<(i64, Series), Cell>,
    books: [Book; 4],
    /// Requests and attempts that were counted without their series.
    merged: AtomicU64,
}

/// Open periods of one length.
#[derive(Debug)]
struct Book {
    step: Step,
    pages: Vec<Page>,
}

#[derive(Debug)]
struct Page {
    at_ms: i64,
    ends_ms: i64,
    part: i64,
    entries: HashMap<Series, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    cell: Cell,
    /// Whether the store does not have it as it is.
    changed: bool,
}

impl Ledger {
    pub(super) fn new(calendar: Calendar) -> Self {
        // Random, and positive in the store's signed numbers.
        let node = (Uuid::now_v7().as_u128() & i64::MAX as u128) as i64;
        let books = Step::ALL.map(|step| Book { step, pages: Vec::new() });
        Self { calendar, node, parts: 0, many: MANY.into(), fresh: HashMap::new(), books, merged: AtomicU64::new(0) }
    }

    /// This process, to the store.
    pub(super) fn node(&self) -> i64 {
        self.node
    }

    /// Takes what a shard counted in a minute.
    pub(super) fn add(&mut self, minute: i64, counted: &Counted) {
        for (key, tally) in &counted.requests {
            let model = counted.model(key.model);
            let series = self.fit(
                minute,
                Series {
                    provider: None,
                    group: key.group,
                    api_key: key.api_key,
                    model: Arc::clone(model),
                    status_class: key.status_class,
                },
            );
            add(self.fresh.entry((minute, series)).or_default(), cell::requests(key.outcome, tally.count), tally);
        }
        for (key, tally) in &counted.attempts {
            let model = counted.model(key.model);
            let series = self.fit(
                minute,
                Series {
                    provider: Some(key.provider),
                    group: key.group,
                    api_key: None,
                    model: Arc::clone(model),
                    status_class: 0,
                },
            );
            add(self.fresh.entry((minute, series)).or_default(), cell::attempts(key.outcome, tally.count), tally);
        }
    }

    /// Between two flushes no more series than a day takes.
    fn fit(&self, minute: i64, series: Series) -> Series {
        let room = self.fresh.len() < 2 * most(Step::Day);
        let key = (minute, series);
        if room || self.fresh.contains_key(&key) { key.1 } else { self.folded(key.1) }
    }

    /// The series that stands for many of one group, or of all.
    fn folded(&self, series: Series) -> Series {
        self.merged.fetch_add(1, Relaxed);
        Series {
            provider: series.provider.map(|_| ProviderId(MANY_ID)),
            group: Some(GroupId(MANY_ID)),
            api_key: series.api_key.map(|_| ApiKeyId(MANY_ID)),
            model: Arc::clone(&self.many),
            status_class: series.status_class,
        }
    }

    /// Series that were added up under `*`, since start.
    pub(super) fn merged(&self) -> u64 {
        self.merged.load(Relaxed)
    }

    /// Adds what is fresh to the periods of every length.
    pub(super) fn settle(&mut self) {
        let mut merged = 0;
        for ((minute, series), cell) in self.fresh.drain() {
            for book in &mut self.books {
                let (at_ms, ends_ms) = span(&self.calendar, book.step, minute * MINUTE_MS);
                let most = most(book.step);
                let page = book.page(at_ms, ends_ms, &mut self.parts);
                merged += u64::from(page.add(&series, &cell, most, &self.many));
            }
        }
        self.merged.fetch_add(merged, Relaxed);
    }

    /// What the store does not have, and takes it for written: on failure hand it to [`Ledger::refused`].
    /// Periods that ended and were written before are let go.
    pub(super) fn changed(&mut self, now_ms: i64) -> Vec<RollupRow> {
        self.settle();
        let mut rows = Vec::new();
        for book in &mut self.books {
            book.let_go(now_ms);
            for page in &mut book.pages {
                for (series, entry) in page.entries.iter_mut().filter(|(_, entry)| entry.changed) {
                    entry.changed = false;
                    rows.push(row(book.step, page.at_ms, self.node, page.part, series, &entry.cell));
                }
            }
        }
        rows
    }

    /// The store did not take these: they are told again.
    pub(super) fn refused(&mut self, rows: &[RollupRow]) {
        for book in &mut self.books {
            for page in &mut book.pages {
                let mine = |row: &&RollupRow| (row.step, row.at_ms, row.part) == (book.step, page.at_ms, page.part);
                if rows.iter().any(|row| mine(&row)) {
                    page.entries.values_mut().for_each(|entry| entry.changed = true);
                }
            }
        }
    }

    /// Every row of open periods of one length that start between two moments: newer than the store's.
    pub(super) fn open(&mut self, step: Step, from_ms: i64, to_ms: i64) -> Vec<RollupRow> {
        self.settle();
        let node = self.node;
        let Some(book) = self.books.iter().find(|book| book.step == step) else { return Vec::new() };
        let within = book.pages.iter().filter(|page| (from_ms..to_ms).contains(&page.at_ms));
        within
            .flat_map(|page| {
                page.entries.iter().map(|(series, entry)| row(step, page.at_ms, node, page.part, series, &entry.cell))
            })
            .collect()
    }

    /// Which rows of one length the store may have and [`Ledger::open`] has better: start and part.
    pub(super) fn open_pages(&self, step: Step) -> Vec<(i64, i64)> {
        let books = self.books.iter().filter(|book| book.step == step);
        books.flat_map(|book| &book.pages).map(|page| (page.at_ms, page.part)).collect()
    }

    /// Days and weeks as statistics have them.
    pub(super) fn calendar(&self) -> &Calendar {
        &self.calendar
    }
}

fn most(step: Step) -> usize {
    match step {
        Step::Minute => 200,
        Step::Quarter => 300,
        Step::Hour => 500,
        Step::Day => 1_000,
    }
}

/// Start and end of the period a moment lies in.
pub(super) fn span(calendar: &Calendar, step: Step, at_ms: i64) -> (i64, i64) {
    if step == Step::Day {
        let day = calendar.at(at_ms).day;
        return (day.starts_at_ms, day.ends_at_ms);
    }
    let start_ms = at_ms.div_euclid(step.length_ms()) * step.length_ms();
    (start_ms, start_ms + step.length_ms())
}

fn add(cell: &mut Cell, counts: Counts, tally: &Tally) {
    cell.counts.add(&counts);
    cell.usage.add(&tally.usage);
    cell.latency.merge(&tally.latency);
}

impl Book {
    /// The open period that starts there. One that was let go is opened once more, as another part.
    fn page(&mut self, at_ms: i64, ends_ms: i64, parts: &mut i64) -> &mut Page {
        let at = self.pages.iter().rposition(|page| page.at_ms == at_ms).unwrap_or_else(|| {
            *parts += 1;
            self.pages.push(Page { at_ms, ends_ms, part: *parts, entries: HashMap::new() });
            self.pages.len() - 1
        });
        &mut self.pages[at]
    }

    fn let_go(&mut self, now_ms: i64) {
        self.pages.retain(|page| page.is_open(now_ms) || page.entries.values().any(|entry| entry.changed));
        if self.pages.len() > WAITING {
            // The longer lengths still have them: only the detail is lost.
            let lost = self.pages.len() - WAITING;
            tracing::warn!(
                step = self.step.as_str(),
                lost,
                "columns of statistics were given up: the store takes none"
            );
            self.pages.drain(..lost);
        }
    }
}

impl Page {
    fn is_open(&self, now_ms: i64) -> bool {
        // Also one ahead of a clock that was set back.
        now_ms < self.ends_ms + LINGER_MS
    }

    /// Adds to a series; says whether it had to be one that stands for many.
    fn add(&mut self, series: &Series, cell: &Cell, most: usize, many: &Arc<str>) -> bool {
        let fits = self.entries.len() < most || self.entries.contains_key(series);
        if fits {
            self.entry(series.clone()).merge(cell);
            return false;
        }
        // Groups are few, keys and models are many. Providers are few too.
        let api_key = series.api_key.map(|_| ApiKeyId(MANY_ID));
        let mut wider = Series { api_key, model: Arc::clone(many), ..series.clone() };
        if self.entries.len() >= 2 * most && !self.entries.contains_key(&wider) {
            wider.group = Some(GroupId(MANY_ID));
            wider.provider = wider.provider.map(|_| ProviderId(MANY_ID));
        }
        self.entry(wider).merge(cell);
        true
    }

    fn entry(&mut self, series: Series) -> &mut Cell {
        let entry = self.entries.entry(series).or_default();
        entry.changed = true;
        &mut entry.cell
    }
}

fn row(step: Step, at_ms: i64, node: i64, part: i64, series: &Series, cell: &Cell) -> RollupRow {
    RollupRow {
        step,
        at_ms,
        node,
        part,
        provider: text(series.provider.map(|id| id.0)),
        group: text(series.group.map(|id| id.0)),
        api_key: text(series.api_key.map(|id| id.0)),
        model: series.model.to_string(),
        status_class: series.status_class.into(),
        counts: cell.counts,
        usage: cell.usage,
        latency: cell.latency.to_bytes(),
    }
}

/// The cell of a stored row.
pub(super) fn cell_of(row: &RollupRow) -> Cell {
    Cell { counts: row.counts, usage: row.usage, latency: Latency::of_bytes(&row.latency) }
}

/// An id as the store has it.
fn text(id: Option<Uuid>) -> String {
    match id {
        None => String::new(),
        Some(id) if id == MANY_ID => MANY.to_owned(),
        Some(id) => id.to_string(),
    }
}

/// The id of a stored row; the one of many for `*`, none for what is no id.
pub(super) fn id_of(text: &str) -> Option<Uuid> {
    if text == MANY { Some(MANY_ID) } else { Uuid::parse_str(text).ok() }
}

#[cfg(test)]
mod tests;
