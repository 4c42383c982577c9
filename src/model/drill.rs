//! Failover drills: a provider pretends to fail for some minutes, and a report says whether clients noticed.

use serde::{Deserialize, Serialize};

use super::{
    id::{DrillId, ProviderId},
    problem::{Problem, Validate, note, within},
};

/// How the provider pretends to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// Answers 429 with `Retry-After: 5`.
    #[serde(rename = "429")]
    RateLimited,
    /// Answers 500.
    #[default]
    #[serde(rename = "500")]
    ServerError,
    /// Answers 503.
    #[serde(rename = "503")]
    Overloaded,
    /// Takes the request and never answers.
    #[serde(rename = "stall")]
    Stall,
    /// Answers truly, and breaks off within the first part of the body.
    #[serde(rename = "truncate")]
    Truncate,
}

impl Fault {
    /// All faults, in the order of the form.
    pub const ALL: [Self; 5] = [Self::ServerError, Self::Overloaded, Self::RateLimited, Self::Stall, Self::Truncate];

    /// The word sent and shown: `429`, `500`, `503`, `stall`, `truncate`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "429",
            Self::ServerError => "500",
            Self::Overloaded => "503",
            Self::Stall => "stall",
            Self::Truncate => "truncate",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == word)
    }
}

/// Length of a drill that names none, minutes.
pub const MINUTES_DEFAULT: u32 = 2;
/// The longest drill, minutes.
pub const MINUTES_MAX: u32 = 60;

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillDraft {
    /// How it pretends to fail.
    pub fault: Fault,
    /// For how long, 1–60.
    #[serde(default = "two_minutes")]
    pub minutes: u32,
    /// Share of its attempts that meet the fault, 1–100.
    #[serde(default = "every_attempt")]
    pub percent: u32,
}

fn two_minutes() -> u32 {
    MINUTES_DEFAULT
}

fn every_attempt() -> u32 {
    100
}

impl Default for DrillDraft {
    fn default() -> Self {
        Self { fault: Fault::default(), minutes: MINUTES_DEFAULT, percent: 100 }
    }
}

impl Validate for DrillDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "minutes", within(self.minutes.into(), 1, MINUTES_MAX.into()));
        note(problems, at, "percent", within(self.percent.into(), 1, 100));
    }
}

/// Why a drill ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillEnd {
    /// Its time was over.
    TimeOver,
    /// Somebody stopped it.
    Stopped,
    /// The provider was switched off.
    Disabled,
}

/// One drill, running or over, with its report so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Which drill; attempts of the log that met its fault carry it.
    pub id: DrillId,
    /// Which provider.
    pub provider: ProviderId,
    /// What was asked for.
    #[serde(flatten)]
    pub draft: DrillDraft,
    /// Who started it.
    pub started_by: String,
    /// Start, unix milliseconds.
    pub started_at_ms: i64,
    /// When it ends by itself, unix milliseconds.
    pub ends_at_ms: i64,
    /// When it ended, unix milliseconds; `None` while it runs.
    pub ended_at_ms: Option<i64>,
    /// Why it ended.
    pub end: Option<DrillEnd>,
    /// What came of it.
    pub report: DrillReport,
}

/// What the requests that met the fault came to; those still under way are not in it yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Requests that met the fault and ended.
    pub met: u64,
    /// Answered by another provider, or by another credential.
    pub saved: u64,
    /// The client saw an error.
    pub failed: u64,
    /// The answer broke off after content.
    pub interrupted: u64,
    /// The client left, or its own request was at fault.
    pub client: u64,
    /// What the fault cost the saved ones: median from the faulty attempt's start to the next one's, microseconds.
    pub added_p50_us: Option<u64>,
    /// Attempts that met the fault before the provider was left alone: its breaker opened, or every
    /// credential cooled; `None` when it never was.
    pub taken_out_after: Option<u32>,
}

impl DrillReport {
    /// Requests whose client noticed.
    pub fn noticed(&self) -> u64 {
        self.failed + self.interrupted
    }
}

/// The drill of a provider that runs now, and the last ones, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drills {
    /// Runs now.
    pub running: Option<Drill>,
    /// Over; kept until the gateway stops, at most five.
    pub past: Vec<Drill>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_needs_only_its_fault() {
        let draft: DrillDraft = serde_json::from_str(r#"{"fault":"429"}"#).expect("a draft");
        assert_eq!(draft, DrillDraft { fault: Fault::RateLimited, minutes: 2, percent: 100 });
        assert!(draft.validate().is_ok());
        for fault in Fault::ALL {
            assert_eq!(serde_json::to_value(fault).expect("a word"), fault.as_str());
            assert_eq!(Fault::parse(fault.as_str()), Some(fault));
        }
    }

    #[test]
    fn an_endless_or_an_empty_drill_is_refused() {
        for (minutes, percent) in [(0, 100), (61, 100), (2, 0), (2, 101)] {
            assert!(
                DrillDraft { minutes, percent, ..DrillDraft::default() }.validate().is_err(),
                "{minutes} {percent}"
            );
        }
    }
}
