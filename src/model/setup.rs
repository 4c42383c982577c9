//! The first run.

use serde::{Deserialize, Serialize};

/// How far the setup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupState {
    /// Nobody may sign in yet: the first step makes the administrator.
    NeedsAdministrator,
    /// An administrator exists, no provider does.
    NeedsProvider,
    /// A provider exists, no group and key do.
    NeedsGroup,
    /// Done.
    Done,
}
