//! One act for several records: what is asked, and what came of each.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    error::ApiError,
    page::PAGE_MAX,
    problem::{Issue, Problem, Validate, note, path},
};

/// Records that are listed, chosen and acted on together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkKind {
    /// Providers.
    Providers,
    /// Groups.
    Groups,
    /// API keys of clients.
    ApiKeys,
}

/// What is done to each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAct {
    /// Switches it on.
    Enable,
    /// Switches it off.
    Disable,
    /// Deletes it; revokes an API key.
    Delete,
}

/// An act and the records it is for, 1 to 200 of one kind, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkDraft {
    /// What is done.
    pub act: BulkAct,
    /// To which, in this order. All of one [`BulkKind`], which the place of the call names.
    pub ids: Vec<Uuid>,
}

impl Validate for BulkDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "ids", if self.ids.is_empty() { Err(Issue::Required) } else { Ok(()) });
        if self.ids.len() > PAGE_MAX as usize {
            note(problems, at, "ids", Err(Issue::TooMany { max: PAGE_MAX }));
            return;
        }
        let mut seen = HashSet::new();
        let twice = self.ids.iter().enumerate().filter(|(_, id)| !seen.insert(**id));
        problems.extend(twice.map(|(index, _)| Problem::new(path(at, &format!("ids[{index}]")), Issue::Duplicate)));
    }
}

/// What came of it: every record that was named is in exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkDone {
    /// Changed or deleted; each has a row in the audit trail.
    pub done: Vec<Uuid>,
    /// Was so already.
    pub unchanged: Vec<Uuid>,
    /// Stays as it was.
    pub refused: Vec<BulkRefusal>,
}

/// A record that stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRefusal {
    /// Which one.
    pub id: Uuid,
    /// Why.
    pub error: ApiError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_once_and_at_least_one_is() {
        let draft =
            |ids: &[u128]| BulkDraft { act: BulkAct::Enable, ids: ids.iter().map(|id| Uuid::from_u128(*id)).collect() };
        let first = |ids: &[u128]| draft(ids).validate().map_err(|mut problems| problems.remove(0));
        assert_eq!(first(&[]), Err(Problem::new("ids", Issue::Required)));
        assert_eq!(first(&[1, 2, 1]), Err(Problem::new("ids[2]", Issue::Duplicate)));
        let many: Vec<u128> = (0..201).collect();
        assert_eq!(first(&many), Err(Problem::new("ids", Issue::TooMany { max: 200 })));
        assert_eq!(first(&many[1..]), Ok(()));
    }
}
