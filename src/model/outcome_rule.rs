//! Rules of an operator about what an answer means, ahead of the built-in table.

use serde::{Deserialize, Serialize};

use super::{
    problem::{Issue, Problem, Validate, note, path, within},
    provider::{is_header_name, is_header_value},
    request_log::AttemptOutcome,
};

/// Rules of one group at most: each is looked at for every answer.
pub const RULES_MAX: usize = 50;

/// An answer that meets all conditions is given this outcome. Rules are read in order, the first that fits decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRule {
    /// Lowest status it fits, 100–599.
    pub status_from: u16,
    /// Highest status it fits, inclusive.
    pub status_to: u16,
    /// Text that the first 64 KiB of an error's body hold, in any case; `None` fits every body.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// `name`, or `name: part of its value`; `None` fits every head.
    #[serde(default)]
    pub header: Option<String>,
    /// What such an answer is called.
    pub outcome: RuledOutcome,
}

/// The outcomes a rule may give; what each means for failover and health is the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuledOutcome {
    /// A success: passed on.
    Answered,
    /// The client's mistake: passed on, blames nobody.
    ClientError,
    /// A limit of the provider: its credential cools, another is asked.
    RateLimited,
    /// A used-up quota: its credential cools for long, another is asked.
    QuotaExhausted,
    /// Our credential is refused: another is asked.
    CredentialRefused,
    /// The provider has too much to do: another provider is asked.
    Overloaded,
    /// The provider failed.
    ServerError,
    /// The provider does not know the model: another provider is asked.
    ModelNotFound,
}

impl RuledOutcome {
    /// All of them, in the order of the form.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::ClientError,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::CredentialRefused,
        Self::Overloaded,
        Self::ServerError,
        Self::ModelNotFound,
    ];
}

impl From<RuledOutcome> for AttemptOutcome {
    fn from(ruled: RuledOutcome) -> Self {
        match ruled {
            RuledOutcome::Answered => Self::Answered,
            RuledOutcome::ClientError => Self::ClientError,
            RuledOutcome::RateLimited => Self::RateLimited,
            RuledOutcome::QuotaExhausted => Self::QuotaExhausted,
            RuledOutcome::CredentialRefused => Self::CredentialRefused,
            RuledOutcome::Overloaded => Self::Overloaded,
            RuledOutcome::ServerError => Self::ServerError,
            RuledOutcome::ModelNotFound => Self::ModelNotFound,
        }
    }
}

impl Validate for OutcomeRule {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "status_from", within(i64::from(self.status_from), 100, 599));
        note(problems, at, "status_to", within(i64::from(self.status_to), i64::from(self.status_from.max(100)), 599));
        if let Some(text) = &self.body_contains {
            let issue = match text.len() {
                0 => Err(Issue::Required),
                1..=500 => Ok(()),
                _ => Err(Issue::TooLong { max: 500 }),
            };
            note(problems, at, "body_contains", issue);
        }
        if let Some(header) = &self.header {
            let (name, value) = header.split_once(':').unwrap_or((header, ""));
            let valid = is_header_name(name.trim()) && is_header_value(value);
            note(problems, at, "header", if valid { Ok(()) } else { Err(Issue::InvalidHeader) });
        }
    }
}

/// Checks all rules of a group.
pub(super) fn check_rules(rules: &[OutcomeRule], at: &str, problems: &mut Vec<Problem>) {
    if rules.len() > RULES_MAX {
        note(problems, at, "outcome_rules", within(rules.len() as i64, 0, RULES_MAX as i64));
    }
    for (index, rule) in rules.iter().enumerate() {
        rule.check(&path(at, &format!("outcome_rules[{index}]")), problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> OutcomeRule {
        OutcomeRule {
            status_from: 400,
            status_to: 499,
            body_contains: Some("capacity".into()),
            header: Some("x-reason: full".into()),
            outcome: RuledOutcome::Overloaded,
        }
    }

    #[test]
    fn a_rule_names_a_range_of_statuses_and_sound_conditions() {
        assert_eq!(rule().validate(), Ok(()));
        let fields = |rule: OutcomeRule| -> Vec<String> {
            rule.validate().expect_err("problems").into_iter().map(|problem| problem.field).collect()
        };
        assert_eq!(fields(OutcomeRule { status_to: 399, ..rule() }), ["status_to"]);
        assert_eq!(fields(OutcomeRule { status_from: 99, ..rule() }), ["status_from"]);
        assert_eq!(fields(OutcomeRule { body_contains: Some(String::new()), ..rule() }), ["body_contains"]);
        assert_eq!(fields(OutcomeRule { header: Some("no name: x".into()), ..rule() }), ["header"]);
    }

    #[test]
    fn a_rule_is_written_with_words() {
        let text = serde_json::to_string(&rule()).expect("plain data");
        assert!(text.contains(r#""outcome":"overloaded""#), "{text}");
        for outcome in RuledOutcome::ALL {
            let word = serde_json::to_value(outcome).expect("a word");
            assert_eq!(word, AttemptOutcome::from(outcome).as_str());
        }
    }
}
