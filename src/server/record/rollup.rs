//! Statistics of the last sixty days in bounded memory: the same requests at four grains.
//!
//! | range | columns | kept |
//! |---|---|---|
//! | 1 h | 60 × 1 min | 2 h |
//! | 24 h | 96 × 15 min | 48 h |
//! | 7 d | 96 × 105 min | 14 d |
//! | 30 d | 96 × 450 min | 60 d |
//!
//! Each grain has columns that divide its range evenly, and keeps the range twice: the older half as
//! counts only, to compare with. Every request is added to all four, so that no reading depends on
//! folding one into another.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    histogram::Sum,
    intake::{self, MINUTE_MS, Period},
};
use crate::model::{
    health::{HealthEvent, HealthState},
    id::{GroupId, ProviderId},
    stats::{Bucket, Counts, Overview, ProviderColumn, ProviderStats, Quantiles, Range},
};

/// Stretches of being taken out that are kept per provider.
const OUTAGES: usize = 1_000;
/// Groups, and pairs of group and provider, told apart in one period.
const SERIES: usize = 2_000;

/// All grains, and when providers were out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rollup {
    grains: [Grain; 4],
    #[serde(with = "super::entries")]
    outages: HashMap<ProviderId, VecDeque<Outage>>,
    /// Every request since start, whatever has become of its column.
    #[serde(skip)]
    totals: Counts,
}

/// Periods of one length, the newest last.
#[derive(Debug, Serialize, Deserialize)]
struct Grain {
    minutes: i64,
    columns: usize,
    /// Number of the newest period; periods are numbered from 1970.
    newest: i64,
    periods: VecDeque<Period>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Outage {
    from_ms: i64,
    to_ms: Option<i64>,
}

impl Default for Rollup {
    fn default() -> Self {
        let grain = |minutes, columns| Grain { minutes, columns, newest: i64::MIN, periods: VecDeque::new() };
        Self {
            grains: [grain(1, 60), grain(15, 96), grain(105, 96), grain(450, 96)],
            outages: HashMap::new(),
            totals: Counts::default(),
        }
    }
}

impl Rollup {
    /// Adds what the intake counted. A minute ahead of now (a wall clock set back) counts as now.
    pub(super) fn add(&mut self, minutes: &[(i64, Period)], now_ms: i64) {
        let this = now_ms.div_euclid(MINUTE_MS);
        for (minute, period) in minutes {
            for cell in period.requests.values() {
                intake::add(&mut self.totals, &cell.counts);
            }
            for grain in &mut self.grains {
                grain.add((*minute).min(this), period);
            }
        }
    }

    /// Takes over an earlier process' columns, saved at `saved_at_ms`; what this one counted is added.
    pub(super) fn resume(&mut self, mut earlier: Self, saved_at_ms: i64) {
        let fits = |(kept, own): (&Grain, &Grain)| {
            kept.is_sound() && (kept.minutes, kept.columns) == (own.minutes, own.columns)
        };
        if !earlier.grains.iter().zip(&self.grains).all(fits) {
            return;
        }
        for (kept, own) in earlier.grains.iter_mut().zip(&self.grains) {
            for (age, period) in own.periods.iter().rev().enumerate() {
                kept.add((own.newest - age as i64) * own.minutes, period);
            }
        }
        // Health starts anew: nobody would ever say that these providers are back.
        for outage in earlier.outages.values_mut().flatten().filter(|outage| outage.to_ms.is_none()) {
            outage.to_ms = Some(saved_at_ms);
        }
        for (provider, outages) in self.outages.drain() {
            earlier.outages.entry(provider).or_default().extend(outages);
        }
        (self.grains, self.outages) = (earlier.grains, earlier.outages);
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

    /// The part of an [`Overview`] that requests tell; names, health and pace are the caller's.
    pub(super) fn overview(&self, range: Range, group: Option<GroupId>, now_ms: i64) -> Overview {
        let grain = self.grain(range);
        let newest = grain.number(now_ms.div_euclid(MINUTE_MS));
        let first = newest - grain.columns as i64 + 1;
        let (mut first_byte, mut total) = (Sum::default(), Sum::default());
        let mut counts = Counts::default();
        let mut buckets = Vec::with_capacity(grain.columns);
        for number in first..=newest {
            let (mut column_first_byte, mut column_total) = (Sum::default(), Sum::default());
            let mut bucket = Bucket { at_ms: number * grain.step_ms(), ..Bucket::default() };
            for (_, cell) in grain.period(number).iter().flat_map(|period| period.requests_of(group)) {
                intake::add(&mut bucket.counts, &cell.counts);
                column_first_byte.add(&cell.first_byte);
                column_total.add(&cell.total);
                first_byte.add(&cell.first_byte);
                total.add(&cell.total);
            }
            bucket.first_byte = column_first_byte.quantiles();
            bucket.total = column_total.quantiles();
            intake::add(&mut counts, &bucket.counts);
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
            for (_, cell) in grain.period(number).iter().flat_map(|period| period.requests_of(group)) {
                first_byte.add(&cell.first_byte);
                total.add(&cell.total);
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
            for ((_, provider), cell) in grain.period(number).iter().flat_map(|period| period.attempts_of(group)) {
                let (stats, sum) = found.entry(*provider).or_insert_with(|| (empty(*provider, width), Sum::default()));
                stats.attempts += cell.attempts;
                stats.answered += cell.answered;
                stats.failed += cell.failed;
                sum.add(&cell.first_byte);
                if let Some(column) = stats.columns.get_mut(column) {
                    column.answered += u32::try_from(cell.answered).unwrap_or(u32::MAX);
                    column.failed += u32::try_from(cell.failed).unwrap_or(u32::MAX);
                    latencies.entry(*provider).or_default().add(&cell.first_byte);
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
    /// Whether what was read from a file can be worked with.
    fn is_sound(&self) -> bool {
        let empty = self.newest == i64::MIN && self.periods.is_empty();
        let plausible = (0..i64::MAX / MINUTE_MS / 1_000).contains(&self.newest);
        empty || (plausible && self.periods.len() == 2 * self.columns)
    }

    fn number(&self, minute: i64) -> i64 {
        minute.div_euclid(self.minutes)
    }

    fn step_ms(&self) -> i64 {
        self.minutes * MINUTE_MS
    }

    fn add(&mut self, minute: i64, period: &Period) {
        let number = self.number(minute);
        self.move_on(number);
        let age = self.newest - number;
        if let Some(kept) = usize::try_from(age).ok().and_then(|age| self.periods.iter_mut().nth_back(age)) {
            kept.merge_within(period, SERIES);
        }
    }

    /// Opens periods up to this one; older ones lose their detail, the oldest go.
    fn move_on(&mut self, number: i64) {
        let kept = 2 * self.columns;
        if self.newest == i64::MIN || number - self.newest >= kept as i64 {
            self.periods.clear();
            self.periods.resize_with(kept, Period::default);
            self.newest = number;
        }
        while self.newest < number {
            self.newest += 1;
            self.periods.pop_front();
            self.periods.push_back(Period::default());
            let shrunk = self.periods.len() - 2;
            self.periods[shrunk].shrink();
            let thinned = self.periods.len() - 1 - self.columns;
            self.periods[thinned].thin();
        }
    }

    fn period(&self, number: i64) -> Option<&Period> {
        let age = self.newest.checked_sub(number).and_then(|age| usize::try_from(age).ok())?;
        self.periods.iter().nth_back(age)
    }

    fn counts(&self, from: i64, to: i64, group: Option<GroupId>) -> Counts {
        let mut sum = Counts::default();
        for period in (from..to).filter_map(|number| self.period(number)) {
            for (_, cell) in period.requests_of(group) {
                intake::add(&mut sum, &cell.counts);
            }
        }
        sum
    }
}

pub(in crate::server::record) mod window;

#[cfg(test)]
mod tests;
