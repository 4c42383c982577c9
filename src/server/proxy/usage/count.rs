//! What providers call their counts, and what follows from them.
//!
//! OpenAI counts cached tokens and reasoning in its totals; Anthropic counts what it read from and wrote to
//! its cache beside the input, and tells the end of the output only with the last `message_delta`; Gemini
//! counts thoughts beside the answer. Counts that come again replace the ones before: all of them add up
//! from the beginning of the answer.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::usage::Usage;

/// More tokens than one request can have used.
const MOST: u64 = 1_000_000_000;

/// Where a usage object stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// It speaks of the answer.
    #[default]
    Answer,
    /// In the event that opens a message: its output is not written yet.
    Start,
}

/// What an answer told so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    told: Told,
    /// Something was told that cannot be: nothing is believed any more.
    spoiled: bool,
}

/// Counts by what they are, whatever they are called.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    input: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
    /// Part of `input`.
    cached: Option<u64>,
    /// Part of `output`, mostly.
    reasoning: Option<u64>,
    /// Beside `input`.
    cache_read: Option<u64>,
    /// Beside `input`.
    cache_written: Option<u64>,
    /// Beside `input`.
    tool_prompt: Option<u64>,
    /// Beside `output`.
    thoughts: Option<u64>,
}

/// A count that is none: negative, broken, a text, or beyond all measure.
struct Unbelievable;

impl Tally {
    /// Takes in one object.
    pub(super) fn add(&mut self, place: Place, object: &[u8]) {
        let read = serde_json::from_slice(object).map_err(|_| Unbelievable).and_then(|report| Told::read(&report));
        match read {
            Ok(told) => self.told.renew(Told { output: told.output.filter(|_| place == Place::Answer), ..told }),
            Err(Unbelievable) => self.spoil(),
        }
    }

    /// Something was told that cannot be.
    pub(super) fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// What follows from it; `None` when it cannot be believed.
    pub(super) fn usage(&self) -> Option<Usage> {
        (!self.spoiled).then(|| self.told.usage())
    }
}

impl Told {
    fn read(report: &Report<'_>) -> Result<Self, Unbelievable> {
        let (input_parts, output_parts) = (
            [parts(report.prompt_tokens_details)?, parts(report.input_tokens_details)?],
            [parts(report.completion_tokens_details)?, parts(report.output_tokens_details)?],
        );
        Ok(Self {
            input: first(&[report.prompt_tokens, report.input_tokens, report.prompt_token_count])?,
            output: first(&[report.completion_tokens, report.output_tokens, report.candidates_token_count])?,
            total: first(&[report.total_tokens, report.total_token_count])?,
            cached: first(&[
                input_parts[0].cached_tokens,
                input_parts[1].cached_tokens,
                report.prompt_cache_hit_tokens,
                report.cached_tokens,
                report.cached_content_token_count,
            ])?,
            reasoning: first(&[
                output_parts[0].reasoning_tokens,
                output_parts[1].reasoning_tokens,
                report.reasoning_tokens,
            ])?,
            cache_read: first(&[report.cache_read_input_tokens])?,
            cache_written: first(&[report.cache_creation_input_tokens])?,
            tool_prompt: first(&[report.tool_use_prompt_token_count])?,
            thoughts: first(&[report.thoughts_token_count])?,
        })
    }

    fn renew(&mut self, newer: Self) {
        *self = Self {
            input: newer.input.or(self.input),
            output: newer.output.or(self.output),
            total: newer.total.or(self.total),
            cached: newer.cached.or(self.cached),
            reasoning: newer.reasoning.or(self.reasoning),
            cache_read: newer.cache_read.or(self.cache_read),
            cache_written: newer.cache_written.or(self.cache_written),
            tool_prompt: newer.tool_prompt.or(self.tool_prompt),
            thoughts: newer.thoughts.or(self.thoughts),
        };
    }

    fn usage(self) -> Usage {
        let sum = |counts: [Option<u64>; 3]| counts.into_iter().flatten().sum::<u64>();
        let input = self.input.map(|input| input + sum([self.cache_read, self.cache_written, self.tool_prompt]));
        let output = match (self.output, self.total, input) {
            (Some(output), ..) => Some(self.whole_output(output)),
            // Vectors have no output, and Gemini leaves out a count of nothing: the total says so.
            (None, Some(total), Some(input)) => total.checked_sub(input),
            _ => None,
        };
        let part_of = |part: Option<u64>, whole: Option<u64>| part.filter(|part| whole.is_none_or(|all| *part <= all));
        Usage {
            input,
            output,
            cached: part_of(self.cached.or(self.cache_read), input),
            reasoning: part_of(self.reasoning.or(self.thoughts), output),
            estimated: false,
        }
    }

    /// With the reasoning, where it was counted beside: Gemini has a field for it, others show it in the total.
    fn whole_output(self, output: u64) -> u64 {
        let beside = match (self.thoughts, self.reasoning, self.total, self.input) {
            (Some(thoughts), ..) => thoughts,
            (None, Some(reasoning), Some(total), Some(input)) if total == input + output + reasoning => reasoning,
            _ => 0,
        };
        output + beside
    }
}

/// A value as it stands in the answer; `None` where there is none, or null.
type Value<'a> = Option<&'a RawValue>;

/// A usage object, with every name that a provider has for a count. A name that comes twice is no report.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Report<'a> {
    #[serde(borrow)]
    prompt_tokens: Value<'a>,
    input_tokens: Value<'a>,
    #[serde(rename = "promptTokenCount")]
    prompt_token_count: Value<'a>,
    completion_tokens: Value<'a>,
    output_tokens: Value<'a>,
    #[serde(rename = "candidatesTokenCount")]
    candidates_token_count: Value<'a>,
    total_tokens: Value<'a>,
    #[serde(rename = "totalTokenCount")]
    total_token_count: Value<'a>,
    prompt_tokens_details: Value<'a>,
    input_tokens_details: Value<'a>,
    completion_tokens_details: Value<'a>,
    output_tokens_details: Value<'a>,
    prompt_cache_hit_tokens: Value<'a>,
    cached_tokens: Value<'a>,
    #[serde(rename = "cachedContentTokenCount")]
    cached_content_token_count: Value<'a>,
    reasoning_tokens: Value<'a>,
    cache_read_input_tokens: Value<'a>,
    cache_creation_input_tokens: Value<'a>,
    #[serde(rename = "toolUsePromptTokenCount")]
    tool_use_prompt_token_count: Value<'a>,
    #[serde(rename = "thoughtsTokenCount")]
    thoughts_token_count: Value<'a>,
}

/// What a count consists of.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts<'a> {
    #[serde(borrow)]
    cached_tokens: Value<'a>,
    reasoning_tokens: Value<'a>,
}

/// The parts of a count; none where something else stands in their place.
fn parts(value: Value<'_>) -> Result<Parts<'_>, Unbelievable> {
    match value.map(RawValue::get).filter(|text| text.starts_with('{')) {
        Some(text) => serde_json::from_str(text).map_err(|_| Unbelievable),
        None => Ok(Parts::default()),
    }
}

/// The first of these values that is there.
fn first(values: &[Value<'_>]) -> Result<Option<u64>, Unbelievable> {
    let told = values.iter().copied().flatten().next();
    told.map(|value| value.get().parse().ok().filter(|count| *count <= MOST).ok_or(Unbelievable)).transpose()
}
