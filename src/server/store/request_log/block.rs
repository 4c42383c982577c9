//! A block of the log: the rows of one batch, packed.
//!
//! Rows of one batch say the same things again and again: the same group, key, provider, path and client.
//! A block says each of them once and lets the rows point at it, so that a row costs some eighty bytes where
//! a table with its indexes took more than a kilobyte, and writing a batch is one insert instead of five
//! hundred. Reading looks for text in what the block says, once, and then only follows the pointers.
//!
//! Layout: version, CRC-32 of all that follows, then numbers as LEB128: rows, texts, ids, the time of the first
//! row; then each row behind its length. A row, and an attempt in it, may grow at its end: an older reader
//! skips what it does not know, a newer one takes what is missing as not recorded.

use std::collections::HashMap;

use serde::{Deserialize, de::IntoDeserializer};
use uuid::Uuid;

use super::super::column::word;
use crate::model::{
    body::BodyNote,
    id::{ApiKeyId, CredentialId, DrillId, GroupId, ProviderId, RequestId},
    request_log::{Attempt, Choice, Outcome, RequestDetail, RequestRow, Skipped},
    usage::Usage,
};

const VERSION: u8 = 1;
/// Version and checksum.
const HEAD: usize = 5;

/// What a block can be found by, beside its ids: one number for each value that occurs in its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    ApiKey,
    Provider,
    Model,
    Status,
    Outcome,
}

/// The number of a value: the first eight bytes of its SHA-256, the kind in front. Two values with one number
/// would only have a block read in vain: rows are compared by what they say.
pub(super) fn mark(kind: Kind, value: &[u8]) -> i64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new().chain_update([kind as u8]).chain_update(value).finalize();
    i64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// A block ready to be written.
pub(super) struct Packed {
    pub(super) first_id: RequestId,
    pub(super) last_id: RequestId,
    pub(super) rows: u32,
    pub(super) body: Vec<u8>,
    /// Every mark and how many rows have it.
    pub(super) marks: Vec<(i64, u32)>,
}

/// Packs rows that lie in the order of their ids; there is at least one.
pub(super) fn pack(rows: &[&RequestDetail]) -> Packed {
    let (first, last) = (rows.first().expect("a block has rows"), rows.last().expect("a block has rows"));
    let base_ms = first.row.at_ms;
    let mut packer = Packer::default();
    let mut packed = Vec::with_capacity(rows.len() * 96);
    let mut one = Vec::with_capacity(256);
    for detail in rows {
        one.clear();
        packer.row(&mut one, detail, base_ms);
        put(&mut packed, one.len() as u64);
        packed.extend_from_slice(&one);
    }
    let mut body = Vec::with_capacity(packed.len() + packer.size + 64);
    body.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
    put(&mut body, rows.len() as u64);
    put(&mut body, packer.texts.len() as u64);
    packer.texts.iter().for_each(|text| put_bytes(&mut body, text.as_bytes()));
    put(&mut body, packer.ids.len() as u64);
    packer.ids.iter().for_each(|id| body.extend_from_slice(id.as_bytes()));
    put(&mut body, zigzag(base_ms));
    body.extend_from_slice(&packed);
    let sum = crc32fast::hash(&body[HEAD..]).to_le_bytes();
    body[1..HEAD].copy_from_slice(&sum);
    Packed { first_id: first.row.id, last_id: last.row.id, rows: rows.len() as u32, body, marks: packer.marks() }
}

/// Places of the fields in [`Packer`]'s memory of what the row before said.
#[derive(Clone, Copy)]
enum Slot {
    Group,
    Slug,
    ApiKey,
    KeyName,
    Method,
    Path,
    Model,
    Outcome,
    Provider,
    ProviderName,
    ErrorCode,
    Client,
    Agent,
    AttemptProvider,
    AttemptName,
    Credential,
    AttemptOutcome,
    Chosen,
    Detail,
    Skipped,
    Drill,
}
const SLOTS: usize = Slot::Drill as usize + 1;

#[derive(Default)]
struct Packer<'a> {
    texts: Vec<&'a str>,
    text_at: HashMap<&'a str, u32>,
    ids: Vec<Uuid>,
    id_at: HashMap<Uuid, u32>,
    /// What the row before said in each place: mostly the same again.
    last: [u32; SLOTS],
    seen: Seen,
    size: usize,
}

/// How often each value occurred, by its place among texts or ids.
#[derive(Default)]
struct Seen {
    groups: Vec<u32>,
    keys: Vec<u32>,
    providers: Vec<u32>,
    models: Vec<u32>,
    outcomes: Vec<u32>,
    statuses: Vec<(u16, u32)>,
}

impl<'a> Packer<'a> {
    fn text(&mut self, slot: Slot, text: &'a str) -> u32 {
        let last = self.last[slot as usize];
        if self.texts.get(last as usize) == Some(&text) {
            return last;
        }
        let at = *self.text_at.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.size += text.len() + 3;
            self.texts.len() as u32 - 1
        });
        self.last[slot as usize] = at;
        at
    }

    fn id(&mut self, slot: Slot, id: Uuid) -> u32 {
        let last = self.last[slot as usize];
        if self.ids.get(last as usize) == Some(&id) {
            return last;
        }
        let at = *self.id_at.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.size += 16;
            self.ids.len() as u32 - 1
        });
        self.last[slot as usize] = at;
        at
    }

    fn put_text(&mut self, to: &mut Vec<u8>, slot: Slot, text: &'a str) -> u32 {
        let at = self.text(slot, text);
        put(to, u64::from(at));
        at
    }

    fn put_maybe_text(&mut self, to: &mut Vec<u8>, slot: Slot, text: Option<&'a str>) -> Option<u32> {
        let at = text.map(|text| self.text(slot, text));
        put(to, at.map_or(0, |at| u64::from(at) + 1));
        at
    }

    fn put_maybe_id(&mut self, to: &mut Vec<u8>, slot: Slot, id: Option<Uuid>) -> Option<u32> {
        let at = id.map(|id| self.id(slot, id));
        put(to, at.map_or(0, |at| u64::from(at) + 1));
        at
    }

    fn row(&mut self, to: &mut Vec<u8>, detail: &'a RequestDetail, base_ms: i64) {
        let row = &detail.row;
        to.extend_from_slice(row.id.0.as_bytes());
        put(to, zigzag(row.at_ms.wrapping_sub(base_ms)));
        let group = self.put_maybe_id(to, Slot::Group, row.group.map(|id| id.0));
        self.put_text(to, Slot::Slug, &row.group_slug);
        let key = self.put_maybe_id(to, Slot::ApiKey, row.api_key.map(|id| id.0));
        self.put_text(to, Slot::KeyName, &row.api_key_name);
        self.put_text(to, Slot::Method, &row.method);
        self.put_text(to, Slot::Path, &row.path);
        let model = self.put_maybe_text(to, Slot::Model, row.model.as_deref());
        put(to, u64::from(row.status));
        let outcome = self.put_text(to, Slot::Outcome, row.outcome.as_str());
        let provider = self.put_maybe_id(to, Slot::Provider, row.provider.map(|id| id.0));
        self.put_text(to, Slot::ProviderName, &row.provider_name);
        put(to, u64::from(row.attempts));
        put_maybe(to, row.first_byte_us);
        put(to, row.total_us);
        put(to, row.request_bytes);
        put(to, row.response_bytes);
        self.put_maybe_text(to, Slot::ErrorCode, row.error_code.as_deref());
        self.put_text(to, Slot::Client, &row.client_ip);
        put_use(to, row);
        self.put_text(to, Slot::Agent, &detail.user_agent);
        put(to, detail.attempts.len() as u64);
        let mut one = Vec::with_capacity(64);
        for attempt in &detail.attempts {
            one.clear();
            self.attempt(&mut one, attempt);
            put_bytes(to, &one);
        }
        put_note(to, detail.bodies);
        self.seen.note(row.status, [group, key, provider, model, Some(outcome)]);
    }

    fn attempt(&mut self, to: &mut Vec<u8>, attempt: &'a Attempt) {
        let provider = self.id(Slot::AttemptProvider, attempt.provider.0);
        put(to, u64::from(provider));
        self.put_text(to, Slot::AttemptName, &attempt.provider_name);
        self.put_maybe_id(to, Slot::Credential, attempt.credential.map(|id| id.0));
        self.put_text(to, Slot::AttemptOutcome, attempt.outcome.as_str());
        put_maybe(to, attempt.status.map(u64::from));
        put(to, attempt.started_us);
        put_maybe(to, attempt.first_byte_us);
        put_maybe(to, attempt.first_output_us);
        put(to, attempt.ended_us);
        put_choice(to, attempt.choice);
        self.put_text(to, Slot::Chosen, &attempt.chosen);
        self.put_text(to, Slot::Detail, &attempt.detail);
        self.put_maybe_id(to, Slot::Drill, attempt.drill.map(|id| id.0));
        put(to, attempt.skipped.len() as u64);
        for skipped in &attempt.skipped {
            self.put_text(to, Slot::Skipped, &skipped.provider);
            // Its word stands in the row: it is short, and only rows with several candidates have it.
            put_bytes(to, word(&skipped.reason).as_bytes());
            put_maybe(to, skipped.wait_ms);
        }
    }

    fn marks(&self) -> Vec<(i64, u32)> {
        let (ids, texts, seen) = (&self.ids, &self.texts, &self.seen);
        let mut marks = Vec::with_capacity(32);
        let mut add = |kind, value: &[u8], count| marks.push((mark(kind, value), count));
        for (kind, counts) in
            [(Kind::Group, &seen.groups), (Kind::ApiKey, &seen.keys), (Kind::Provider, &seen.providers)]
        {
            used(counts).for_each(|(at, count)| add(kind, ids[at].as_bytes(), count));
        }
        for (kind, counts) in [(Kind::Model, &seen.models), (Kind::Outcome, &seen.outcomes)] {
            used(counts).for_each(|(at, count)| add(kind, texts[at].as_bytes(), count));
        }
        seen.statuses.iter().for_each(|(status, count)| add(Kind::Status, &status.to_be_bytes(), *count));
        marks.sort_unstable();
        marks.dedup_by(|next, kept| {
            next.0 == kept.0 && {
                kept.1 += next.1;
                true
            }
        });
        marks
    }
}

fn used(counts: &[u32]) -> impl Iterator<Item = (usize, u32)> {
    counts.iter().copied().enumerate().filter(|(_, count)| *count > 0)
}

impl Seen {
    fn note(&mut self, status: u16, [group, key, provider, model, outcome]: [Option<u32>; 5]) {
        count(&mut self.groups, group);
        count(&mut self.keys, key);
        count(&mut self.providers, provider);
        count(&mut self.models, model);
        count(&mut self.outcomes, outcome);
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((status, 1)),
        }
    }
}

fn count(counts: &mut Vec<u32>, at: Option<u32>) {
    let Some(at) = at.map(|at| at as usize) else { return };
    if counts.len() <= at {
        counts.resize(at + 1, 0);
    }
    counts[at] += 1;
}

fn put(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Nothing is 0, and a number one more than it is; the largest number of all is told as one less.
fn put_maybe(to: &mut Vec<u8>, number: Option<u64>) {
    put(to, number.map_or(0, |number| number.saturating_add(1)));
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn put_choice(to: &mut Vec<u8>, choice: Option<Choice>) {
    let Some(choice) = choice else { return to.push(0) };
    let Choice { tier, weight, factor_percent, credit, in_flight, trial, out_of } = choice;
    to.push(1 | u8::from(trial) << 1);
    put(to, u64::from(tier));
    put(to, u64::from(weight));
    to.push(factor_percent);
    put_maybe(to, credit.map(|credit| zigzag(i64::from(credit))));
    put(to, u64::from(in_flight));
    put_maybe(to, out_of.map(u64::from));
}

/// Whether it was streamed, and what is known of tokens and cost.
fn put_use(to: &mut Vec<u8>, row: &RequestRow) {
    let usage = row.usage.unwrap_or_default();
    let flags = [row.streamed, row.usage.is_some(), usage.estimated, row.cost_nanos.is_some()];
    to.push(flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(*flag)));
    if row.usage.is_some() {
        [usage.input, usage.output, usage.cached, usage.reasoning].into_iter().for_each(|tokens| put_maybe(to, tokens));
    }
    if let Some(cost) = row.cost_nanos {
        put(to, zigzag(cost));
    }
}

/// Behind everything else a row has; nothing at all where nobody asked for its bodies.
fn put_note(to: &mut Vec<u8>, note: Option<BodyNote>) {
    let Some(note) = note else { return };
    to.push(u8::from(note.kept) | u8::from(note.request_truncated) << 1 | u8::from(note.response_truncated) << 2);
    put(to, note.request_bytes);
    put(to, note.response_bytes);
}

/// Small numbers of either sign become small numbers.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Why a block cannot be read. The words are for a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Torn {
    #[error("it ends early")]
    Short,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it was written by a newer rondo (form {0})")]
    Version(u8),
    #[error("it contradicts itself")]
    Nonsense,
}

/// A block that has been read: what it says, and its rows still packed.
pub(super) struct Block<'a> {
    pub(super) texts: Vec<&'a str>,
    pub(super) ids: Vec<Uuid>,
    base_ms: i64,
    rows: Bytes<'a>,
    left: u64,
}

impl<'a> Block<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Torn> {
        let (head, rest) = body.split_at_checked(HEAD).ok_or(Torn::Short)?;
        if head[0] != VERSION {
            return Err(Torn::Version(head[0]));
        }
        if crc32fast::hash(rest).to_le_bytes() != head[1..HEAD] {
            return Err(Torn::Checksum);
        }
        let mut bytes = Bytes(rest);
        let left = bytes.number()?;
        let texts = (0..bytes.number()?).map(|_| bytes.text()).collect::<Result<_, _>>()?;
        let ids = (0..bytes.number()?).map(|_| bytes.id()).collect::<Result<_, _>>()?;
        let base_ms = unzigzag(bytes.number()?);
        Ok(Self { texts, ids, base_ms, rows: bytes, left })
    }

    /// The next row, its small fields read; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Row<'a>>, Torn> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Row::read(Bytes(self.rows.bytes()?), self.base_ms).map(Some)
    }

    fn text(&self, at: u32) -> Result<&'a str, Torn> {
        self.texts.get(at as usize).copied().ok_or(Torn::Nonsense)
    }

    fn owned(&self, at: u32) -> Result<String, Torn> {
        self.text(at).map(str::to_owned)
    }

    fn id(&self, at: u32) -> Result<Uuid, Torn> {
        self.ids.get(at as usize).copied().ok_or(Torn::Nonsense)
    }

    fn maybe_id(&self, at: Option<u32>) -> Result<Option<Uuid>, Torn> {
        at.map(|at| self.id(at)).transpose()
    }

    /// The whole request.
    pub(super) fn detail(&self, row: &Row<'a>) -> Result<RequestDetail, Torn> {
        let mut rest = row.attempts;
        let attempts = (0..rest.number()?).map(|_| self.attempt(Bytes(rest.bytes()?))).collect::<Result<_, Torn>>()?;
        let request = RequestRow {
            id: row.id,
            at_ms: row.at_ms,
            group: self.maybe_id(row.group)?.map(GroupId),
            group_slug: self.owned(row.slug)?,
            api_key: self.maybe_id(row.api_key)?.map(ApiKeyId),
            api_key_name: self.owned(row.key_name)?,
            method: self.owned(row.method)?,
            path: self.owned(row.path)?,
            model: row.model.map(|at| self.owned(at)).transpose()?,
            status: row.status,
            outcome: Outcome::parse(self.text(row.outcome)?).ok_or(Torn::Nonsense)?,
            provider: self.maybe_id(row.provider)?.map(ProviderId),
            provider_name: self.owned(row.provider_name)?,
            attempts: row.attempt_count,
            first_byte_us: row.first_byte_us,
            total_us: row.total_us,
            request_bytes: row.request_bytes,
            response_bytes: row.response_bytes,
            error_code: row.error_code.map(|at| self.owned(at)).transpose()?,
            client_ip: self.owned(row.client)?,
            streamed: row.used.streamed,
            usage: row.used.usage,
            cost_nanos: row.used.cost_nanos,
        };
        let bodies = rest.note()?;
        Ok(RequestDetail { row: request, user_agent: self.owned(row.agent)?, attempts, bodies })
    }

    fn attempt(&self, mut bytes: Bytes<'a>) -> Result<Attempt, Torn> {
        Ok(Attempt {
            provider: ProviderId(self.id(bytes.small()?)?),
            provider_name: self.owned(bytes.small()?)?,
            credential: self.maybe_id(bytes.maybe_small()?)?.map(CredentialId),
            outcome: parse(self.text(bytes.small()?)?)?,
            status: bytes.maybe()?.map(|status| u16::try_from(status).map_err(|_| Torn::Nonsense)).transpose()?,
            started_us: bytes.number()?,
            first_byte_us: bytes.maybe()?,
            first_output_us: bytes.maybe()?,
            ended_us: bytes.number()?,
            choice: bytes.choice()?,
            chosen: self.owned(bytes.small()?)?,
            detail: self.owned(bytes.small()?)?,
            drill: self.maybe_id(bytes.maybe_small()?)?.map(DrillId),
            skipped: (0..bytes.number()?).map(|_| self.skipped(&mut bytes)).collect::<Result<_, Torn>>()?,
        })
    }

    fn skipped(&self, bytes: &mut Bytes<'a>) -> Result<Skipped, Torn> {
        Ok(Skipped { provider: self.owned(bytes.small()?)?, reason: parse(bytes.text()?)?, wait_ms: bytes.maybe()? })
    }

    /// Whether a text of the row, or of its attempts, is one of those marked in `hit` (by place among texts).
    pub(super) fn says(&self, row: &Row<'a>, hit: &[bool]) -> Result<bool, Torn> {
        let hit = |at: u32| hit.get(at as usize).copied().unwrap_or(false);
        let own = [row.slug, row.key_name, row.method, row.path, row.provider_name, row.client, row.agent];
        if own.into_iter().chain(row.model).chain(row.error_code).any(hit) {
            return Ok(true);
        }
        let mut rest = row.attempts;
        for _ in 0..rest.number()? {
            let mut bytes = Bytes(rest.bytes()?);
            bytes.small()?;
            let name = bytes.small()?;
            bytes.small()?;
            let outcome = bytes.small()?;
            for _ in 0..5 {
                bytes.number()?;
            }
            bytes.choice()?;
            bytes.small()?;
            if hit(name) || hit(outcome) || hit(bytes.small()?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A row whose texts and ids are places in its block.
pub(super) struct Row<'a> {
    pub(super) id: RequestId,
    pub(super) at_ms: i64,
    pub(super) group: Option<u32>,
    slug: u32,
    pub(super) api_key: Option<u32>,
    key_name: u32,
    method: u32,
    path: u32,
    pub(super) model: Option<u32>,
    pub(super) status: u16,
    pub(super) outcome: u32,
    pub(super) provider: Option<u32>,
    provider_name: u32,
    attempt_count: u32,
    first_byte_us: Option<u64>,
    total_us: u64,
    request_bytes: u64,
    response_bytes: u64,
    error_code: Option<u32>,
    client: u32,
    used: Used,
    agent: u32,
    attempts: Bytes<'a>,
}

impl<'a> Row<'a> {
    fn read(mut bytes: Bytes<'a>, base_ms: i64) -> Result<Self, Torn> {
        let bytes = &mut bytes;
        Ok(Self {
            id: RequestId(bytes.id()?),
            at_ms: base_ms.wrapping_add(unzigzag(bytes.number()?)),
            group: bytes.maybe_small()?,
            slug: bytes.small()?,
            api_key: bytes.maybe_small()?,
            key_name: bytes.small()?,
            method: bytes.small()?,
            path: bytes.small()?,
            model: bytes.maybe_small()?,
            status: u16::try_from(bytes.number()?).map_err(|_| Torn::Nonsense)?,
            outcome: bytes.small()?,
            provider: bytes.maybe_small()?,
            provider_name: bytes.small()?,
            attempt_count: bytes.small()?,
            first_byte_us: bytes.maybe()?,
            total_us: bytes.number()?,
            request_bytes: bytes.number()?,
            response_bytes: bytes.number()?,
            error_code: bytes.maybe_small()?,
            client: bytes.small()?,
            used: bytes.used()?,
            agent: bytes.small()?,
            attempts: *bytes,
        })
    }
}

/// See [`put_use`].
struct Used {
    streamed: bool,
    usage: Option<Usage>,
    cost_nanos: Option<i64>,
}

/// Reads the serde name of an enum without fields.
fn parse<'de, T: Deserialize<'de>>(word: &'de str) -> Result<T, Torn> {
    let word: serde::de::value::StrDeserializer<'de, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(word).map_err(|_| Torn::Nonsense)
}

/// Bytes still to be read.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Result<u8, Torn> {
        let (first, rest) = self.0.split_first().ok_or(Torn::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Torn> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Torn::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, Torn> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Torn::Nonsense)
    }

    fn small(&mut self) -> Result<u32, Torn> {
        u32::try_from(self.number()?).map_err(|_| Torn::Nonsense)
    }

    fn maybe(&mut self) -> Result<Option<u64>, Torn> {
        self.number().map(|number| number.checked_sub(1))
    }

    fn maybe_small(&mut self) -> Result<Option<u32>, Torn> {
        self.small().map(|number| number.checked_sub(1))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Torn> {
        let count = usize::try_from(self.number()?).map_err(|_| Torn::Nonsense)?;
        self.take(count)
    }

    fn text(&mut self) -> Result<&'a str, Torn> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Torn::Nonsense)
    }

    fn id(&mut self) -> Result<Uuid, Torn> {
        Ok(Uuid::from_slice(self.take(16)?).expect("sixteen bytes"))
    }

    fn used(&mut self) -> Result<Used, Torn> {
        let flags = self.byte()?;
        let usage = match flags & 2 {
            0 => None,
            _ => Some(Usage {
                input: self.maybe()?,
                output: self.maybe()?,
                cached: self.maybe()?,
                reasoning: self.maybe()?,
                estimated: flags & 4 == 4,
            }),
        };
        let cost_nanos = if flags & 8 == 8 { Some(unzigzag(self.number()?)) } else { None };
        Ok(Used { streamed: flags & 1 == 1, usage, cost_nanos })
    }

    fn note(&mut self) -> Result<Option<BodyNote>, Torn> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let flags = self.byte()?;
        Ok(Some(BodyNote {
            kept: flags & 1 == 1,
            request_truncated: flags & 2 == 2,
            response_truncated: flags & 4 == 4,
            request_bytes: self.number()?,
            response_bytes: self.number()?,
        }))
    }

    fn choice(&mut self) -> Result<Option<Choice>, Torn> {
        let flags = self.byte()?;
        if flags == 0 {
            return Ok(None);
        }
        Ok(Some(Choice {
            trial: flags & 2 == 2,
            tier: self.small()?,
            weight: self.small()?,
            factor_percent: self.byte()?,
            credit: self
                .maybe()?
                .map(|credit| i32::try_from(unzigzag(credit)).map_err(|_| Torn::Nonsense))
                .transpose()?,
            in_flight: self.small()?,
            out_of: self.maybe_small()?,
        }))
    }
}

#[cfg(test)]
mod tests;
