//! The declarative file: applied all or nothing, matched by name and slug; exported without secrets.

mod alerts;
mod file;
mod plan;
mod report;

use std::collections::BTreeMap;

use self::plan::Plan;
use super::{Admin, Principal, refusal};
use crate::model::{
    error::ApiResult,
    transfer::{ApplyReport, ChangeKind},
    user::Permission,
};

/// How to apply a file.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    /// Only say what would happen.
    pub dry_run: bool,
    /// Also delete what the file does not name.
    pub prune: bool,
    /// Variables that `secret_env` may name. Empty for a file that came over the network: whoever may
    /// send one must not be able to read the server's environment with it.
    pub variables: BTreeMap<String, String>,
}

/// Whether a text can be read as a declarative file, without a look at what is stored.
pub fn check(text: &str) -> ApiResult<()> {
    file::read(text).map(drop)
}

/// What may be done with the configuration as a whole.
#[derive(Clone, Copy)]
pub struct Transfer<'a>(pub(super) &'a Admin);

impl Transfer<'_> {
    /// Makes the configuration what the file says; one revision, or nothing at all.
    pub async fn apply(self, who: &Principal, text: &str, options: ApplyOptions) -> ApiResult<ApplyReport> {
        who.require(Permission::Transfer)?;
        let declared = file::read(text)?;
        let snapshot = self.0.snapshot().await?;
        let alerting = self.0.store().alerting().await.map_err(refusal::of_store)?;
        let plan = Plan::make(self.0, &declared, (&snapshot, &alerting), &options)?;
        let changes = plan.changes;
        let mut report = ApplyReport { changes: plan.report, revision: None };
        let nothing = report.changes.iter().all(|change| change.kind == ChangeKind::Unchanged);
        if !options.dry_run && !nothing {
            report.revision = Some(self.0.change(who, changes).await?);
        }
        Ok(report)
    }

    /// The configuration as a file. Applying it again changes nothing.
    pub async fn export(self, who: &Principal) -> ApiResult<String> {
        who.require(Permission::Transfer)?;
        let alerting = self.0.store().alerting().await.map_err(refusal::of_store)?;
        Ok(file::write(&report::exported(&self.0.snapshot().await?, &alerting)))
    }
}
