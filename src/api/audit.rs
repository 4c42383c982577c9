//! The audit trail.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{audit::AuditRow, error::ApiError, page::Stretch};

/// Changes, newest first; `before` is the place in the chain to go on from.
#[server(client = Browser, prefix = "/rpc", endpoint = "audit/list")]
pub async fn list_audit(before: Option<i64>) -> Result<Stretch<AuditRow>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ReadAudit).await?;
    admin.audit().list(&who, before).await
}
