//! What applying a declarative file did or would do.

use serde::{Deserialize, Serialize};

/// What happens to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Create,
    /// Some fields change.
    Update,
    /// It goes (only with `--prune`).
    Delete,
    /// Nothing changes.
    Unchanged,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// `provider`, `group`.
    pub object: String,
    /// Its name or slug.
    pub name: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// Fields that change, as `field: old → new`; secrets say only that they change.
    pub fields: Vec<String>,
}

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyReport {
    /// Line by line.
    pub changes: Vec<PlannedChange>,
    /// Revision after it; `None` for a dry run or when nothing changed.
    pub revision: Option<i64>,
}
