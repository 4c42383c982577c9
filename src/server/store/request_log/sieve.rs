//! A filter as blocks and rows are held against it.

use uuid::Uuid;

use super::{
    block::{Block, Kind, Row, Torn, mark},
    segment::Range,
};
use crate::model::{
    id::RequestId,
    request_log::{Outcome, RequestFilter},
};

/// An id may have been made this much before or after the time noted in its row.
const ID_SLACK_MS: i64 = 60_000;

/// What rows have to be.
pub(super) struct Sieve {
    before: Option<Uuid>,
    from_ms: i64,
    to_ms: i64,
    group: Option<Uuid>,
    api_key: Option<Uuid>,
    provider: Option<Uuid>,
    outcome: Option<Outcome>,
    status: Option<u16>,
    model: Option<String>,
    /// In small letters.
    text: Option<String>,
}

impl Sieve {
    pub(super) fn new(filter: &RequestFilter) -> Self {
        Self {
            before: filter.before.map(|id| id.0),
            from_ms: filter.from_ms.unwrap_or(i64::MIN),
            to_ms: filter.to_ms.unwrap_or(i64::MAX),
            group: filter.group.map(|id| id.0),
            api_key: filter.api_key.map(|id| id.0),
            provider: filter.provider.map(|id| id.0),
            outcome: filter.outcome,
            status: filter.status,
            model: filter.model.clone(),
            text: filter.text.as_deref().map(str::to_lowercase).filter(|text| !text.is_empty()),
        }
    }

    fn marks(&self) -> Vec<i64> {
        let id = |kind, id: Option<Uuid>| id.map(|id| mark(kind, id.as_bytes()));
        // The one that tells most apart first: its blocks are walked, the others only looked up.
        let marks = [
            id(Kind::ApiKey, self.api_key),
            self.model.as_ref().map(|model| mark(Kind::Model, model.as_bytes())),
            self.status.map(|status| mark(Kind::Status, &status.to_be_bytes())),
            self.outcome.map(|outcome| mark(Kind::Outcome, outcome.as_str().as_bytes())),
            id(Kind::Provider, self.provider),
            id(Kind::Group, self.group),
        ];
        marks.into_iter().flatten().collect()
    }

    /// The blocks that may have such rows.
    pub(super) fn range(&self) -> Range {
        let marks = self.marks();
        let until = first_id_at(self.to_ms.saturating_add(ID_SLACK_MS));
        let first_below = self.before.map_or(until, |before| before.min(until));
        // A block spans no more than its stretch of time: see `stretch_of`.
        let last_below = first_id_of_stretch(stretch_of(first_below) + 1);
        let last_from = first_id_at(self.from_ms.saturating_sub(ID_SLACK_MS));
        Range { last_below, first_below, last_from, marks }
    }

    /// Whether every row of a block between these ids that has the marks passes: it need not be read to be counted.
    pub(super) fn takes_all(&self, first: Uuid, last: Uuid, marks: usize) -> bool {
        let within = first >= first_id_at(self.from_ms.saturating_add(ID_SLACK_MS))
            && last < first_id_at(self.to_ms.saturating_sub(ID_SLACK_MS))
            && self.before.is_none_or(|before| last < before);
        within && self.text.is_none() && marks <= 1
    }

    /// Holds the sieve against a block: `None` when none of its rows can pass.
    pub(super) fn over(&self, block: &Block<'_>) -> Option<Held> {
        let id = |wanted: Option<Uuid>| match wanted {
            None => Some(None),
            Some(wanted) => block.ids.iter().position(|id| *id == wanted).map(|at| Some(at as u32)),
        };
        let text = |wanted: Option<&str>| match wanted {
            None => Some(None),
            Some(wanted) => block.texts.iter().position(|text| *text == wanted).map(|at| Some(at as u32)),
        };
        let says = self.text.as_deref().map(|wanted| {
            let hit = |text: &&str| text.to_lowercase().contains(wanted);
            block.texts.iter().map(hit).collect::<Vec<bool>>()
        });
        if says.as_ref().is_some_and(|says| !says.contains(&true)) {
            return None;
        }
        Some(Held {
            group: id(self.group)?,
            api_key: id(self.api_key)?,
            provider: id(self.provider)?,
            outcome: text(self.outcome.map(Outcome::as_str))?,
            model: text(self.model.as_deref())?,
            says,
        })
    }

    pub(super) fn takes<'a>(&self, held: &Held, block: &Block<'a>, row: &Row<'a>) -> Result<bool, Torn> {
        let wants = |wanted: Option<u32>, found: Option<u32>| wanted.is_none() || wanted == found;
        let plain = (self.from_ms..self.to_ms).contains(&row.at_ms)
            && self.before.is_none_or(|before| row.id.0 < before)
            && wants(held.group, row.group)
            && wants(held.api_key, row.api_key)
            && wants(held.provider, row.provider)
            && wants(held.outcome, Some(row.outcome))
            && wants(held.model, row.model)
            && self.status.is_none_or(|status| status == row.status);
        match &held.says {
            Some(says) if plain => block.says(row, says),
            _ => Ok(plain),
        }
    }
}

/// What the sieve asks for, as places in one block.
pub(super) struct Held {
    group: Option<u32>,
    api_key: Option<u32>,
    provider: Option<u32>,
    outcome: Option<u32>,
    model: Option<u32>,
    says: Option<Vec<bool>>,
}

/// Stretch of time an id was made in, of some eight seconds. No block holds ids of two of them: a stream that
/// ends after minutes does not stretch the block it is written with over all that time.
pub(super) fn stretch_of(id: Uuid) -> u64 {
    (id.as_u128() >> (80 + 13)) as u64
}

fn first_id_of_stretch(stretch: u64) -> Uuid {
    Uuid::from_u128(u128::from(stretch).checked_shl(80 + 13).filter(|_| stretch < 1 << 35).unwrap_or(u128::MAX))
}

/// The smallest id made at that millisecond: RFC 9562 §5.7 puts the time first.
pub(super) fn first_id_at(ms: i64) -> Uuid {
    const LATEST: u64 = (1 << 48) - 1;
    let ms = u64::try_from(ms).unwrap_or(0).min(LATEST);
    if ms == LATEST { Uuid::max() } else { Uuid::from_u128(u128::from(ms) << 80) }
}

/// When an id was made, unix milliseconds.
pub(super) fn millis_of(id: Uuid) -> i64 {
    (id.as_u128() >> 80) as i64
}

/// The id after this one: to ask for it and everything before it.
pub(super) fn after(id: Uuid) -> RequestId {
    RequestId(Uuid::from_u128(id.as_u128().saturating_add(1)))
}
