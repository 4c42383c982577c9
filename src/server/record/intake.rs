//! Where requests are counted first: small maps of what happened since they were last emptied.
//!
//! A request meets only the lock of one shard, for a few map lookups; it never meets a reader that
//! adds up a month. Readers (and the writer, once a second) take the maps away whole and fold them
//! into the [`super::rollup`] outside these locks.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use crate::model::{
    id::{GroupId, ProviderId},
    request_log::{Outcome, RequestDetail},
    stats::Counts,
};

const SHARDS: usize = 8;
/// Length of the finest period, milliseconds.
pub(super) const MINUTE_MS: i64 = 60_000;
/// Seconds of which the pace is kept.
const PACE: usize = 16;

/// Requests of one group in one period.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RequestCell {
    pub(super) counts: Counts,
    pub(super) first_byte: Histogram,
    pub(super) total: Histogram,
}

/// Attempts of one group at one provider in one period.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct AttemptCell {
    pub(super) attempts: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) first_byte: Histogram,
}

/// What happened in one period; which one, its holder knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Period {
    #[serde(with = "super::entries")]
    pub(super) requests: HashMap<Option<GroupId>, RequestCell>,
    #[serde(with = "super::entries")]
    pub(super) attempts: HashMap<(Option<GroupId>, ProviderId), AttemptCell>,
}

/// What one shard counted, by minute.
type Minutes = Vec<(i64, Period)>;

#[derive(Debug, Default)]
struct Shard {
    minutes: Minutes,
    pace: Pace,
}

/// The shards.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Held for a few map lookups per request, and to take a map away; never across an await.
    shards: [Mutex<Shard>; SHARDS],
}

impl Intake {
    /// Counts a request and its attempts, at the moment it ended.
    pub(super) fn add(&self, detail: &RequestDetail) {
        // The tail of a UUID is random: cores spread over the shards without knowing who they are.
        let shard = &self.shards[usize::from(detail.row.id.0.as_bytes()[15]) % SHARDS];
        let ended_ms = detail.row.at_ms.saturating_add_unsigned(detail.row.total_us / 1_000);
        let mut shard = lock(shard);
        shard.pace.add(ended_ms.div_euclid(1_000));
        shard.period(ended_ms.div_euclid(MINUTE_MS)).add(detail);
    }

    /// Takes away what was counted since the last time: minutes since 1970 and what happened in them.
    pub(super) fn drain(&self) -> Vec<(i64, Period)> {
        self.shards.iter().flat_map(|shard| mem::take(&mut lock(shard).minutes)).collect()
    }

    /// Requests per second that ended in the ten seconds before this one.
    pub(super) fn rate(&self, now_ms: i64) -> f64 {
        let second = now_ms.div_euclid(1_000);
        let ended: u64 = self.shards.iter().map(|shard| lock(shard).pace.ended(second - 10, second)).sum();
        ended as f64 / 10.0
    }
}

impl Shard {
    fn period(&mut self, minute: i64) -> &mut Period {
        // One or two minutes at a time: the newest is last.
        let at = self.minutes.iter().rposition(|(known, _)| *known == minute).unwrap_or_else(|| {
            self.minutes.push((minute, Period::default()));
            self.minutes.len() - 1
        });
        &mut self.minutes[at].1
    }
}

impl Period {
    fn add(&mut self, detail: &RequestDetail) {
        let row = &detail.row;
        let cell = self.requests.entry(row.group).or_default();
        count(&mut cell.counts, row.outcome);
        // What never reached a provider is answered in microseconds: it would flatter the latency.
        if !detail.attempts.is_empty() {
            cell.total.add(row.total_us);
        }
        if let Some(first_byte_us) = row.first_byte_us {
            cell.first_byte.add(first_byte_us);
        }
        for attempt in &detail.attempts {
            let cell = self.attempts.entry((row.group, attempt.provider)).or_default();
            cell.attempts += 1;
            match attempt.outcome.success() {
                Some(true) => cell.answered += 1,
                Some(false) => cell.failed += 1,
                None => {}
            }
            if let Some(first_byte_us) = attempt.first_byte_us {
                cell.first_byte.add(first_byte_us);
            }
        }
    }

    /// Adds all of another period. Beyond `most` series the rest is added under "no group": sums stay exact.
    pub(super) fn merge_within(&mut self, other: &Self, most: usize) {
        for (group, cell) in &other.requests {
            let fits = self.requests.len() < most || self.requests.contains_key(group);
            let sum = self.requests.entry(group.filter(|_| fits)).or_default();
            add(&mut sum.counts, &cell.counts);
            sum.first_byte.merge(&cell.first_byte);
            sum.total.merge(&cell.total);
        }
        for (key, cell) in &other.attempts {
            let fits = self.attempts.len() < most || self.attempts.contains_key(key);
            let sum = self.attempts.entry((key.0.filter(|_| fits), key.1)).or_default();
            sum.attempts += cell.attempts;
            sum.answered += cell.answered;
            sum.failed += cell.failed;
            sum.first_byte.merge(&cell.first_byte);
        }
    }

    /// Requests of a group, or of all.
    pub(super) fn requests_of(&self, group: Option<GroupId>) -> impl Iterator<Item = (&Option<GroupId>, &RequestCell)> {
        self.requests.iter().filter(move |(of, _)| group.is_none() || **of == group)
    }

    /// Attempts of a group's requests, or of all.
    pub(super) fn attempts_of(
        &self,
        group: Option<GroupId>,
    ) -> impl Iterator<Item = (&(Option<GroupId>, ProviderId), &AttemptCell)> {
        self.attempts.iter().filter(move |((of, _), _)| group.is_none() || *of == group)
    }

    /// Gives back memory that growing left over: the period is complete.
    pub(super) fn shrink(&mut self) {
        for cell in self.requests.values_mut() {
            cell.first_byte.shrink();
            cell.total.shrink();
        }
        self.attempts.values_mut().for_each(|cell| cell.first_byte.shrink());
        self.requests.shrink_to_fit();
        self.attempts.shrink_to_fit();
    }

    /// Keeps the counts and drops everything else: the period is only compared with from now on.
    pub(super) fn thin(&mut self) {
        self.attempts = HashMap::new();
        for cell in self.requests.values_mut() {
            (cell.first_byte, cell.total) = (Histogram::default(), Histogram::default());
        }
    }
}

fn count(counts: &mut Counts, outcome: Outcome) {
    counts.total += 1;
    match outcome {
        Outcome::Served => counts.served += 1,
        Outcome::Saved => counts.saved += 1,
        Outcome::Failed | Outcome::Interrupted => counts.failed += 1,
        Outcome::RateLimited => counts.rate_limited += 1,
        Outcome::ClientLeft | Outcome::ClientError => counts.client += 1,
    }
}

/// Adds counts to counts.
pub(super) fn add(sum: &mut Counts, counts: &Counts) {
    sum.total += counts.total;
    sum.served += counts.served;
    sum.saved += counts.saved;
    sum.failed += counts.failed;
    sum.rate_limited += counts.rate_limited;
    sum.client += counts.client;
}

/// How many ended in each of the last seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    seconds: [(i64, u32); PACE],
}

impl Pace {
    fn add(&mut self, second: i64) {
        let slot = &mut self.seconds[second.rem_euclid(PACE as i64) as usize];
        if slot.0 < second {
            *slot = (second, 0);
        }
        if slot.0 == second {
            slot.1 = slot.1.saturating_add(1);
        }
    }

    /// From the second `from` on, before the second `to`.
    fn ended(&self, from: i64, to: i64) -> u64 {
        let within = self.seconds.iter().filter(|(second, _)| (from..to).contains(second));
        within.map(|(_, count)| u64::from(*count)).sum()
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
