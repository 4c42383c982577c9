//! The tokens of an answer, read while it passes: constant memory, nothing of it is kept.
//!
//! Providers tell what they counted in one small object, `usage` or `usageMetadata`, somewhere in an answer
//! of any size. [`json`] follows the structure of the JSON without building it, so that only such an object
//! in its own place is read, never one that the model wrote into a text or an argument. [`events`] does the
//! same for each event of a stream, and passes over events without the word. [`count`] understands the object.
//!
//! What cannot be read is unknown, never zero. A stream that tells no count is estimated (see [`Meter::usage`]).

mod count;
mod events;
pub mod include;
mod json;
pub mod sieve;

use std::sync::Arc;

use bytes::Bytes;
use http::{StatusCode, header, response::Parts};

use self::{count::Tally, events::Events, json::Finder};
use super::{attempt, dialect::Dialect};
use crate::{
    model::{group::GroupKind, usage::Usage},
    server::{
        health::clock::Clock,
        limit::caps::{Account, Caps},
        routing::prices::Prices,
    },
};

/// Bytes of text that make a token, about: four characters of English, a good one of Chinese (UTF-8).
const BYTES_PER_TOKEN: u64 = 4;
/// Longest body whose tokens are estimated, bytes: it is searched for what is no text.
const LONGEST_ESTIMATED: usize = 1 << 20;

/// Reads one answer.
#[derive(Debug)]
pub struct Meter {
    form: Form,
    tally: Tally,
    dialect: Dialect,
    /// Estimate of the tokens asked with.
    asked: Option<u64>,
}

#[derive(Debug)]
enum Form {
    /// One JSON document.
    Document(Finder),
    /// An event stream.
    Events(Events),
}

impl Meter {
    /// For an answer with this head; `None` where there is nothing to read. `asked` is what [`estimate`]
    /// says of the request.
    pub fn new(head: &Parts, kind: GroupKind, dialect: Dialect, asked: Option<u64>) -> Option<Self> {
        let may_tell = kind == GroupKind::Llm || dialect != Dialect::Unknown;
        let has_content = head.status.is_success() && head.status != StatusCode::NO_CONTENT;
        if !may_tell || !has_content || !attempt::is_identity(&head.headers) {
            return None;
        }
        let form = if attempt::is_event_stream(&head.headers) {
            Form::Events(Events::default())
        } else if head.headers.get(header::CONTENT_TYPE)?.to_str().ok()?.contains("json") {
            Form::Document(Finder::default())
        } else {
            return None;
        };
        Some(Self { form, tally: Tally::default(), dialect, asked })
    }

    /// The next bytes of the answer, in any split.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.form {
            Form::Document(finder) => finder.feed(bytes, &mut self.tally),
            Form::Events(events) => events.feed(bytes, &mut self.tally),
        }
    }

    /// What was used, as far as it is known by now.
    ///
    /// A stream whose provider told no count of what it wrote, because it never does or because the stream
    /// ended early, is estimated and says so: a token for each event after the first (these protocols send
    /// a token or more with each), and what the request holds by [`estimate`] where the provider did not
    /// tell that either. An answer that is no stream has no such base: it stays unknown.
    pub fn usage(&self) -> Option<Usage> {
        let told = self.tally.usage()?;
        let Form::Events(events) = &self.form else { return known(told) };
        let counts_events = matches!(self.dialect, Dialect::Chat | Dialect::Responses | Dialect::Anthropic);
        if told.output.is_some() || !counts_events || events.count() < 2 {
            return known(told);
        }
        let (input, output) = (told.input.or(self.asked), Some(events.count() - 1));
        Some(Usage { input, output, estimated: true, ..told })
    }
}

fn known(usage: Usage) -> Option<Usage> {
    usage.total().is_some().then_some(usage)
}

/// About how many tokens a request holds: a fourth of its bytes, where they are all text.
pub fn estimate(body: &Bytes) -> Option<u64> {
    let is_text = body.len() <= LONGEST_ESTIMATED && memchr::memmem::find(body, b";base64,").is_none();
    is_text.then(|| (body.len() as u64).div_ceil(BYTES_PER_TOKEN))
}

/// What a request's tokens are counted against: a key, or a group's clients without one.
#[derive(Debug)]
pub struct Charge {
    /// The counts.
    pub caps: Caps,
    /// Whose.
    pub account: Account,
    /// For the day on which the request ended.
    pub clock: Clock,
}

/// All that is done with the tokens of one request.
#[derive(Debug, Default)]
pub struct Bill {
    /// Prices of the table that served the request; `None` where there are none.
    pub prices: Option<Arc<Prices>>,
    /// Where the account has a cap.
    pub charge: Option<Charge>,
    /// Estimate of the tokens asked with, where a stream was asked for.
    pub asked: Option<u64>,
    /// Reads the answer, where it can be read.
    pub meter: Option<Meter>,
}

impl Bill {
    /// The next bytes of the answer.
    pub fn feed(&mut self, bytes: &[u8]) {
        if let Some(meter) = &mut self.meter {
            meter.feed(bytes);
        }
    }

    /// The request has ended: settles the caps. What was used, and an estimate of its cost in billionths of
    /// the currency's unit.
    pub fn close(&mut self, model: Option<&str>) -> (Option<Usage>, Option<i64>) {
        let usage = self.meter.take().and_then(|meter| meter.usage());
        if let (Some(charge), Some(tokens)) = (&self.charge, usage.and_then(|usage| usage.total())) {
            charge.caps.settle(charge.account, tokens, charge.clock.now_ns());
        }
        let cost = usage.and_then(|usage| self.prices.as_ref()?.cost_nanos(model?, &usage));
        (usage, cost)
    }
}

/// What a whole answer in these parts tells; also the target of the bench.
pub fn read<'a>(head: &Parts, dialect: Dialect, parts: impl IntoIterator<Item = &'a [u8]>) -> Option<Usage> {
    let mut meter = Meter::new(head, GroupKind::Llm, dialect, None)?;
    parts.into_iter().for_each(|part| meter.feed(part));
    meter.usage()
}

#[cfg(test)]
mod tests;
