//! What providers call their counts, and what follows from them.
//!
//! OpenAI counts cached tokens and reasoning in its totals; Anthropic counts what it read from and wrote to
//! its cache beside the input, and tells the end of the output only with the last `message_delta`; Gemini
//! counts thoughts beside the answer. Counts that come again replace the ones before: all of them add up
//! from the beginning of the answer.

use serde_json::Value;

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
        let read = serde_json::from_slice(object).map_err(|_| Unbelievable).and_then(|object| Told::read(&object));
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
    fn read(object: &Value) -> Result<Self, Unbelievable> {
        let first = |paths: &[&[&str]]| -> Result<Option<u64>, Unbelievable> {
            for path in paths {
                if let Some(count) = count(object, path)? {
                    return Ok(Some(count));
                }
            }
            Ok(None)
        };
        Ok(Self {
            input: first(&[&["prompt_tokens"], &["input_tokens"], &["promptTokenCount"]])?,
            output: first(&[&["completion_tokens"], &["output_tokens"], &["candidatesTokenCount"]])?,
            total: first(&[&["total_tokens"], &["totalTokenCount"]])?,
            cached: first(&[
                &["prompt_tokens_details", "cached_tokens"],
                &["input_tokens_details", "cached_tokens"],
                &["prompt_cache_hit_tokens"],
                &["cached_tokens"],
                &["cachedContentTokenCount"],
            ])?,
            reasoning: first(&[
                &["completion_tokens_details", "reasoning_tokens"],
                &["output_tokens_details", "reasoning_tokens"],
                &["reasoning_tokens"],
            ])?,
            cache_read: first(&[&["cache_read_input_tokens"]])?,
            cache_written: first(&[&["cache_creation_input_tokens"]])?,
            tool_prompt: first(&[&["toolUsePromptTokenCount"]])?,
            thoughts: first(&[&["thoughtsTokenCount"]])?,
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

/// The count at the end of a path of names; `None` where there is none, or null.
fn count(object: &Value, path: &[&str]) -> Result<Option<u64>, Unbelievable> {
    match path.iter().try_fold(object, |value, name| value.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().filter(|count| *count <= MOST).map(Some).ok_or(Unbelievable),
    }
}
