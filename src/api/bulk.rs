//! One act for several records of a list.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    bulk::{BulkDone, BulkDraft, BulkKind},
    error::ApiError,
};

/// Enables, disables or deletes several records, and says what came of each. Deleting asks for more than the door.
#[server(client = Browser, prefix = "/rpc", endpoint = "bulk", input = Json)]
pub async fn apply_to_all(kind: BulkKind, draft: BulkDraft) -> Result<BulkDone, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.bulk().apply(&who, kind, draft).await
}
