//! What dashboards show, in bounded memory: the same requests at four grains.
//!
//! | range | columns | made of stored | kept |
//! |---|---|---|---|
//! | 1 h | 60 × 1 min | minutes | 2 h |
//! | 24 h | 96 × 15 min | quarters | 48 h |
//! | 7 d | 84 × 2 h | hours | 14 d |
//! | 30 d | 90 × 8 h | hours | 60 d |
//!
//! Each grain has columns that divide its range evenly, and keeps the range twice: the older half as
//! counts only, to compare with. Every request of this process is added to all four; what the store
//! knows from before its start and from other processes lies beside it in the same columns.

use std::collections::{HashMap, VecDeque};

use super::{
    cell::{self, Cell, Latency},
    histogram::Sum,
    intake::{Counted, MINUTE_MS},
    ledger,
};
use crate::{
    model::{
        health::{HealthEvent, HealthState},
        id::{GroupId, ProviderId},
        stats::{Bucket, Counts, Overview, ProviderColumn, ProviderStats, Quantiles, Range, Step, UsageTotals},
    },
    server::store::{GroupCounts, RollupRow},
};

/// Stretches of being taken out that are kept per provider.
const OUTAGES: usize = 1_000;
/// Groups, and pairs of group and provider, told apart in one period.
const SERIES: usize = 2_000;

/// All grains, and when providers were out.
#[derive(Debug)]
pub(super) struct Rollup {
    grains: [Grain; 4],
    outages: HashMap<ProviderId, VecDeque<Outage>>,
    /// Every request since start, whatever has become of its column.
    totals: Counts,
}

/// Columns of one length, the newest last.
#[derive(Debug)]
struct Grain {
    minutes: i64,
    columns: usize,
    /// Length of the stored periods it is made of.
    step: Step,
    /// Number of the newest column; columns are numbered from 1970.
    newest: i64,
    kept: VecDeque<Column>,
}

/// One column: what this process counted, and what the store knows of before it and of others.
#[derive(Debug, Default)]
struct Column {
    own: Period,
    stored: Period,
}

/// What happened in one period; which one, its holder knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Period {
    requests: HashMap<Option<GroupId>, Cell>,
    attempts: HashMap<(Option<GroupId>, ProviderId), Cell>,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    from_ms: i64,
    to_ms: Option<i64>,
}

/// Columns of one grain that are to be read from the store, and the stored periods they are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    grain: usize,
    pub(super) step: Step,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

impl Default for Rollup {
    fn default() -> Self {
        let grain = |minutes, columns, step| Grain { minutes, columns, step, newest: i64::MIN, kept: VecDeque::new() };
        Self {
            grains: [
                grain(1, 60, Step::Minute),
                grain(15, 96, Step::Quarter),
                grain(120, 84, Step::Hour),
                grain(480, 90, Step::Hour),
            ],
            outages: HashMap::new(),
            totals: Counts::default(),
        }
    }
}

impl Rollup {
    /// Adds what a shard counted in a minute. A minute ahead of now (a wall clock set back) counts as now.
    pub(super) fn add(&mut self, minute: i64, counted: &Counted, this_minute: i64) {
        let period = Period::of(counted);
        for cell in period.requests.values() {
            self.totals.add(&cell.counts);
        }
        for grain in &mut self.grains {
            grain.add(minute.min(this_minute), &period);
        }
    }

    /// What to read from the store: `all` columns with their detail, or the last two of each grain.
    pub(super) fn wanted(&mut self, all: bool, now_ms: i64) -> Vec<Wanted> {
        let this_minute = now_ms.div_euclid(MINUTE_MS);
        let want = |(at, grain): (usize, &mut Grain)| {
            let newest = grain.number(this_minute);
            grain.move_on(newest);
            let columns = if all { grain.columns as i64 } else { 2 };
            Wanted {
                grain: at,
                step: grain.step,
                from_ms: (newest - columns + 1) * grain.step_ms(),
                to_ms: (newest + 1) * grain.step_ms(),
            }
        };
        self.grains.iter_mut().enumerate().map(want).collect()
    }

    /// The halves of all grains that are only compared with.
    pub(super) fn wanted_before(&self) -> Vec<Wanted> {
        let want = |(at, grain): (usize, &Grain)| {
            let first = grain.newest - grain.columns as i64 + 1;
            let from_ms = (first - grain.columns as i64) * grain.step_ms();
            Wanted { grain: at, step: grain.step, from_ms, to_ms: first * grain.step_ms() }
        };
        self.grains.iter().enumerate().map(want).collect()
    }

    /// Puts what the store knows into its columns, in place of what it knew before.
    pub(super) fn learn(&mut self, wanted: Wanted, rows: &[RollupRow]) {
        let grain = &mut self.grains[wanted.grain];
        grain.forget_stored(wanted);
        for row in rows {
            let mut period = Period::default();
            let group = ledger::id_of(&row.group).map(GroupId);
            match ledger::id_of(&row.provider).map(ProviderId) {
                Some(provider) => period.attempts.insert((group, provider), ledger::cell_of(row)),
                None => period.requests.insert(group, ledger::cell_of(row)),
            };
            if let Some(column) = grain.column_at(row.at_ms) {
                column.stored.merge_within(&period, SERIES);
            }
        }
    }

    /// The same for columns of which only counts are wanted.
    pub(super) fn learn_counts(&mut self, wanted: Wanted, rows: &[GroupCounts]) {
        let grain = &mut self.grains[wanted.grain];
        grain.forget_stored(wanted);
        for row in rows {
            if let Some(column) = grain.column_at(row.at_ms) {
                let cell = column.stored.requests.entry(ledger::id_of(&row.group).map(GroupId)).or_default();
                cell.counts.add(&row.counts);
            }
        }
    }

    /// Requests since start.
    pub(super) fn totals(&self) -> Counts {
        self.totals
    }

    /// Notes when a provider was taken out and when it came back.
    pub(super) fn note(&mut self, event: &HealthEvent) {
        let out = matches!(event.state, HealthState::Unhealthy | HealthState::Cooling | HealthState::CredentialFailed);
        let outages = self.outages.entry(event.provider).or_default();
        match (out, outages.back_mut().filter(|last| last.to_ms.is_none())) {
            (true, None) => outages.push_back(Outage { from_ms: event.at_ms, to_ms: None }),
            (false, Some(last)) => last.to_ms = Some(event.at_ms),
            _ => {}
        }
        if outages.len() > OUTAGES {
            outages.pop_front();
        }
    }

    /// Adds stretches of being out that an earlier process saw, oldest first.
    pub(super) fn was_out(&mut self, provider: ProviderId, stretches: &[(i64, i64)]) {
        let outages = self.outages.entry(provider).or_default();
        for (from_ms, to_ms) in stretches.iter().rev().take(OUTAGES.saturating_sub(outages.len())) {
            outages.push_front(Outage { from_ms: *from_ms, to_ms: Some(*to_ms) });
        }
    }

    /// The part of an [`Overview`] that requests tell; names, health and pace are the caller's.
    pub(super) fn overview(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Overview {
        let grain = self.grain(range);
        let newest = grain.number(now_ms.div_euclid(MINUTE_MS));
        let first = newest - grain.columns as i64 + 1;
        let (mut first_byte, mut total) = (Sum::default(), Sum::default());
        let (mut counts, mut usage) = (Counts::default(), UsageTotals::default());
        let mut buckets = Vec::with_capacity(grain.columns);
        for number in first..=newest {
            let (mut column_first_byte, mut column_total) = (Sum::default(), Sum::default());
            let mut bucket = Bucket { at_ms: number * grain.step_ms(), ..Bucket::default() };
            for cell in grain.requests(number, group) {
                bucket.counts.add(&cell.counts);
                bucket.tokens += cell.usage.tokens();
                usage.add(&cell.usage);
                column_first_byte.add(&cell.latency.first_byte);
                column_total.add(&cell.latency.total);
                first_byte.add(&cell.latency.first_byte);
                total.add(&cell.latency.total);
            }
            bucket.first_byte = column_first_byte.quantiles();
            bucket.total = column_total.quantiles();
            counts.add(&bucket.counts);
            buckets.push(bucket);
        }
        Overview {
            range,
            group,
            at_ms: now_ms,
            counts,
            before: grain.counts(first - grain.columns as i64, first, group),
            first_byte: first_byte.quantiles(),
            total: total.quantiles(),
            usage,
            step_ms: grain.step_ms(),
            buckets,
            providers: self.providers(grain, group, first, newest, true),
            ..Overview::default()
        }
    }

    /// Counts and latencies of a range without columns: small enough for twice a second.
    pub(super) fn summary(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Summary {
        let grain = self.grain(range);
        let newest = grain.number(now_ms.div_euclid(MINUTE_MS));
        let first = newest - grain.columns as i64 + 1;
        let (mut first_byte, mut total) = (Sum::default(), Sum::default());
        for number in first..=newest {
            for cell in grain.requests(number, group) {
                first_byte.add(&cell.latency.first_byte);
                total.add(&cell.latency.total);
            }
        }
        Summary {
            counts: grain.counts(first, newest + 1, group),
            first_byte: first_byte.quantiles(),
            total: total.quantiles(),
            providers: self.providers(grain, group, first, newest, false),
        }
    }

    fn grain(&self, range: Range) -> &Grain {
        match range {
            Range::Hour => &self.grains[0],
            Range::Day => &self.grains[1],
            Range::Week => &self.grains[2],
            Range::Month => &self.grains[3],
        }
    }

    /// Every provider with an attempt between two periods, the busiest first.
    fn providers(
        &self,
        grain: &Grain,
        group: Option<GroupId>,
        first: i64,
        newest: i64,
        columns: bool,
    ) -> Vec<ProviderStats> {
        let width = if columns { grain.columns } else { 0 };
        let mut found: HashMap<ProviderId, (ProviderStats, Sum)> = HashMap::new();
        for (column, number) in (first..=newest).enumerate() {
            let mut latencies: HashMap<ProviderId, Sum> = HashMap::new();
            for (provider, cell) in grain.attempts(number, group) {
                let (stats, sum) = found.entry(provider).or_insert_with(|| (empty(provider, width), Sum::default()));
                stats.attempts += cell.counts.total;
                stats.answered += cell.counts.served;
                stats.failed += cell.counts.failed;
                sum.add(&cell.latency.first_byte);
                if let Some(column) = stats.columns.get_mut(column) {
                    column.answered += u32::try_from(cell.counts.served).unwrap_or(u32::MAX);
                    column.failed += u32::try_from(cell.counts.failed).unwrap_or(u32::MAX);
                    latencies.entry(provider).or_default().add(&cell.latency.first_byte);
                }
            }
            for (provider, sum) in latencies {
                if let Some((stats, _)) = found.get_mut(&provider) {
                    stats.columns[column].p95_us = sum.quantile(95);
                }
            }
        }
        let step_ms = grain.step_ms();
        let mut all: Vec<ProviderStats> = found
            .into_iter()
            .map(|(provider, (mut stats, sum))| {
                stats.first_byte = sum.quantiles();
                self.mark_outages(provider, &mut stats.columns, first * step_ms, step_ms);
                stats
            })
            .collect();
        all.sort_by(|left, right| right.attempts.cmp(&left.attempts).then(left.provider.cmp(&right.provider)));
        all
    }

    fn mark_outages(&self, provider: ProviderId, columns: &mut [ProviderColumn], from_ms: i64, step_ms: i64) {
        for outage in self.outages.get(&provider).into_iter().flatten() {
            for (column, start_ms) in columns.iter_mut().zip((0..).map(|column| from_ms + column * step_ms)) {
                let began = outage.from_ms < start_ms + step_ms;
                let lasted = outage.to_ms.is_none_or(|to_ms| to_ms > start_ms);
                column.taken_out |= began && lasted;
            }
        }
    }
}

/// A range in a few numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Requests by how they ended.
    pub counts: Counts,
    /// Time to first byte.
    pub first_byte: Quantiles,
    /// Total time.
    pub total: Quantiles,
    /// Providers, busiest first, without columns and names.
    pub providers: Vec<ProviderStats>,
}

fn empty(provider: ProviderId, columns: usize) -> ProviderStats {
    ProviderStats {
        provider: Some(provider),
        columns: vec![ProviderColumn::default(); columns],
        ..ProviderStats::default()
    }
}

impl Grain {
    fn number(&self, minute: i64) -> i64 {
        minute.div_euclid(self.minutes)
    }

    fn step_ms(&self) -> i64 {
        self.minutes * MINUTE_MS
    }

    fn add(&mut self, minute: i64, period: &Period) {
        let number = self.number(minute);
        self.move_on(number);
        if let Some(column) = self.column_mut(number) {
            column.own.merge_within(period, SERIES);
        }
    }

    /// Opens columns up to this one; older ones lose their detail, the oldest go.
    fn move_on(&mut self, number: i64) {
        let kept = 2 * self.columns;
        if self.newest == i64::MIN || number - self.newest >= kept as i64 {
            self.kept.clear();
            self.kept.resize_with(kept, Column::default);
            self.newest = number;
        }
        while self.newest < number {
            self.newest += 1;
            self.kept.pop_front();
            self.kept.push_back(Column::default());
            let shrunk = self.kept.len() - 2;
            self.kept[shrunk].own.shrink();
            let thinned = self.kept.len() - 1 - self.columns;
            self.kept[thinned].own.thin();
            self.kept[thinned].stored.thin();
        }
    }

    fn column(&self, number: i64) -> Option<&Column> {
        let age = self.newest.checked_sub(number).and_then(|age| usize::try_from(age).ok())?;
        self.kept.iter().nth_back(age)
    }

    fn column_mut(&mut self, number: i64) -> Option<&mut Column> {
        let age = self.newest.checked_sub(number).and_then(|age| usize::try_from(age).ok())?;
        self.kept.iter_mut().nth_back(age)
    }

    /// The column a stored period lies in.
    fn column_at(&mut self, at_ms: i64) -> Option<&mut Column> {
        self.column_mut(at_ms.div_euclid(self.step_ms()))
    }

    fn forget_stored(&mut self, wanted: Wanted) {
        let step_ms = self.step_ms();
        for number in wanted.from_ms.div_euclid(step_ms)..wanted.to_ms.div_euclid(step_ms) {
            if let Some(column) = self.column_mut(number) {
                column.stored = Period::default();
            }
        }
    }

    /// Requests of a group, or of all, in one column.
    fn requests(&self, number: i64, group: Option<GroupId>) -> impl Iterator<Item = &Cell> {
        let of = move |(known, cell): (Option<GroupId>, _)| (group.is_none() || known == group).then_some(cell);
        self.requests_by_group(number).filter_map(of)
    }

    /// Requests of every group in one column; of one group perhaps twice.
    fn requests_by_group(&self, number: i64) -> impl Iterator<Item = (Option<GroupId>, &Cell)> {
        let periods = self.column(number).into_iter().flat_map(|column| [&column.own, &column.stored]);
        periods.flat_map(|period| &period.requests).map(|(group, cell)| (*group, cell))
    }

    /// Attempts of a group's requests, or of all, in one column.
    fn attempts(&self, number: i64, group: Option<GroupId>) -> impl Iterator<Item = (ProviderId, &Cell)> {
        let periods = self.column(number).into_iter().flat_map(|column| [&column.own, &column.stored]);
        let of = move |((known, provider), cell): (&(Option<GroupId>, ProviderId), _)| {
            (group.is_none() || *known == group).then_some((*provider, cell))
        };
        periods.flat_map(|period| &period.attempts).filter_map(of)
    }

    fn counts(&self, from: i64, to: i64, group: Option<GroupId>) -> Counts {
        let mut sum = Counts::default();
        for cell in (from..to).flat_map(|number| self.requests(number, group)) {
            sum.add(&cell.counts);
        }
        sum
    }
}

impl Period {
    /// What a shard counted, without what no dashboard tells apart.
    fn of(counted: &Counted) -> Self {
        let mut period = Self::default();
        for (key, tally) in &counted.requests {
            let cell = period.requests.entry(key.group).or_default();
            cell.counts.add(&cell::requests(key.outcome, tally.count));
            cell.usage.add(&tally.usage);
            cell.latency.merge(&tally.latency);
        }
        for (key, tally) in &counted.attempts {
            let cell = period.attempts.entry((key.group, key.provider)).or_default();
            cell.counts.add(&cell::attempts(key.outcome, tally.count));
            cell.usage.add(&tally.usage);
            cell.latency.merge(&tally.latency);
        }
        period
    }

    /// Adds all of another. Beyond `most` series the rest is added under "no group": sums stay exact.
    fn merge_within(&mut self, other: &Self, most: usize) {
        for (group, cell) in &other.requests {
            let fits = self.requests.len() < most || self.requests.contains_key(group);
            self.requests.entry(group.filter(|_| fits)).or_default().merge(cell);
        }
        for (key, cell) in &other.attempts {
            let fits = self.attempts.len() < most || self.attempts.contains_key(key);
            self.attempts.entry((key.0.filter(|_| fits), key.1)).or_default().merge(cell);
        }
    }

    /// Gives back memory that growing left over: the period is complete.
    fn shrink(&mut self) {
        self.requests.values_mut().chain(self.attempts.values_mut()).for_each(|cell| cell.latency.shrink());
        self.requests.shrink_to_fit();
        self.attempts.shrink_to_fit();
    }

    /// Keeps the counts and drops everything else: the period is only compared with from now on.
    fn thin(&mut self) {
        self.attempts = HashMap::new();
        self.requests.values_mut().for_each(|cell| cell.latency = Latency::default());
    }
}

pub(in crate::server::record) mod window;

#[cfg(test)]
mod tests;
