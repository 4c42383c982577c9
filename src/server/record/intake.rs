//! Where requests are counted first: small maps of what happened since they were last emptied.
//!
//! A request meets only the lock of one shard, for a few map lookups; it never meets a reader that
//! adds up a month. Readers (and the writer, once a second) take the maps away whole and fold them
//! into the [`super::rollup`] and the [`super::ledger`] outside these locks. Names of models become
//! numbers here, so that a request looks one up and copies none.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::cell::{self, Latency};
use crate::model::{
    id::{ApiKeyId, GroupId, ProviderId},
    request_log::{AttemptOutcome, Outcome, RequestDetail},
    stats::UsageTotals,
};

const SHARDS: usize = 8;
/// Length of the finest period, milliseconds.
pub(super) const MINUTE_MS: i64 = 60_000;
/// Seconds of which the pace is kept.
const PACE: usize = 16;
/// Models told apart in one map; clients choose their names.
const MODELS: usize = 1_000;
/// Models that are looked through before they are looked up.
const HANDFUL: usize = 8;
/// Bytes of a model's name that are kept.
const MODEL_BYTES: usize = 120;
/// The series that stands for many.
pub(super) const MANY: &str = "*";

/// What tells requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) group: Option<GroupId>,
    pub(super) api_key: Option<ApiKeyId>,
    /// Number of the model's name.
    pub(super) model: u16,
    /// First digit of the status the client saw.
    pub(super) status_class: u8,
    pub(super) outcome: Outcome,
}

/// What tells attempts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AttemptKey {
    pub(super) group: Option<GroupId>,
    pub(super) provider: ProviderId,
    /// Number of the model's name.
    pub(super) model: u16,
    pub(super) outcome: AttemptOutcome,
}

/// What requests or attempts of one key came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) usage: UsageTotals,
    pub(super) latency: Latency,
}

/// What one shard counted in one minute; which one, its holder knows.
#[derive(Debug, Default)]
pub(super) struct Counted {
    models: Models,
    pub(super) requests: HashMap<RequestKey, Tally, Quick>,
    pub(super) attempts: HashMap<AttemptKey, Tally, Quick>,
}

/// What one shard counted, by minute.
type Minutes = Vec<(i64, Counted)>;

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
        shard.minute(ended_ms.div_euclid(MINUTE_MS)).add(detail);
    }

    /// Takes away what was counted since the last time: minutes since 1970 and what happened in them.
    pub(super) fn drain(&self) -> Vec<(i64, Counted)> {
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
    fn minute(&mut self, minute: i64) -> &mut Counted {
        // One or two minutes at a time: the newest is last.
        let at = self.minutes.iter().rposition(|(known, _)| *known == minute).unwrap_or_else(|| {
            self.minutes.push((minute, Counted::default()));
            self.minutes.len() - 1
        });
        &mut self.minutes[at].1
    }
}

impl Counted {
    fn add(&mut self, detail: &RequestDetail) {
        let row = &detail.row;
        let model = self.models.number(row.model.as_deref().unwrap_or_default());
        let usage = cell::usage(row);
        let status_class = u8::try_from(row.status / 100).unwrap_or(0);
        let key = RequestKey { group: row.group, api_key: row.api_key, model, status_class, outcome: row.outcome };
        let tally = self.requests.entry(key).or_default();
        tally.count += 1;
        tally.usage.add(&usage);
        if let Some(first_byte_us) = row.first_byte_us {
            tally.latency.first_byte.add(first_byte_us);
        }
        if let Some(last) = detail.attempts.last() {
            // What never reached a provider is answered in microseconds: it would flatter the latency.
            tally.latency.total.add(row.total_us);
            if let Some(first_output_us) = last.first_output_us {
                tally.latency.first_output.add(last.started_us + first_output_us);
            }
        }
        for (index, attempt) in detail.attempts.iter().enumerate() {
            let key = AttemptKey { group: row.group, provider: attempt.provider, model, outcome: attempt.outcome };
            let tally = self.attempts.entry(key).or_default();
            tally.count += 1;
            if index + 1 == detail.attempts.len() {
                // Who answered last wrote the tokens.
                tally.usage.add(&usage);
            }
            if let Some(first_byte_us) = attempt.first_byte_us {
                tally.latency.first_byte.add(first_byte_us);
                tally.latency.total.add(attempt.ended_us);
            }
            if let Some(first_output_us) = attempt.first_output_us {
                tally.latency.first_output.add(first_output_us);
            }
        }
    }

    /// The name behind a number.
    pub(super) fn model(&self, number: u16) -> &Arc<str> {
        &self.models.names[usize::from(number)]
    }
}

/// Names of models, numbered in the order of their coming.
#[derive(Debug, Default)]
struct Models {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u16>,
}

impl Models {
    fn number(&mut self, name: &str) -> u16 {
        let name = shortened(name);
        // Most gateways serve a handful: comparing is cheaper than hashing.
        if let Some(number) = self.names.iter().take(HANDFUL).position(|known| **known == *name) {
            return number as u16;
        }
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name: Arc<str> = if self.names.len() < MODELS { name.into() } else { MANY.into() };
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.names.len() as u16;
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }
}

/// Hashes keys made of our own ids: nobody outside chooses them, so that a few multiplications will do
/// where the standard hash takes several times as long.
type Quick = BuildHasherDefault<Folding>;

/// Folds words into one, as rustc's own hasher does.
#[derive(Debug, Default)]
pub(super) struct Folding(u64);

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(padded));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        // The table looks at both ends.
        self.0.rotate_left(26)
    }
}

/// At most [`MODEL_BYTES`], whole characters.
fn shortened(name: &str) -> &str {
    let mut end = name.len().min(MODEL_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
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
