//! Lists: what is asked for and what comes back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Largest page a list answers.
pub const PAGE_MAX: u32 = 200;

/// One page of a configuration list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListQuery {
    /// Text to find in names and addresses; empty finds all.
    #[serde(default)]
    pub search: String,
    /// State the rows must be in, as the list names it; empty is every state.
    #[serde(default)]
    pub state: String,
    /// Column to sort by, as the list names it; empty is the list's own order.
    #[serde(default)]
    pub sort: String,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
    /// Page number from 0.
    #[serde(default)]
    pub page: u32,
    /// Rows per page, 1–200; 0 is 50.
    #[serde(default)]
    pub per_page: u32,
}

impl ListQuery {
    /// Rows per page within bounds.
    pub fn limit(&self) -> u32 {
        if self.per_page == 0 { 50 } else { self.per_page.min(PAGE_MAX) }
    }

    /// Rows to skip.
    pub fn offset(&self) -> u64 {
        u64::from(self.page) * u64::from(self.limit())
    }
}

/// One page of rows and how many there are in all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Rows in the whole list under this search and in this state.
    pub total: u64,
    /// Rows under this search by state, for lists that have states.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

impl<T> Page<T> {
    /// Rows under this search in a state; the empty state is all of them.
    pub fn count(&self, state: &str) -> u64 {
        if state.is_empty() { self.counts.values().sum() } else { self.counts.get(state).copied().unwrap_or(0) }
    }
}

/// One stretch of a list paged by key: the log, the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Pass it back as `before` for older rows; `None` at the end.
    pub older: Option<String>,
}
