//! Settings: moving the configuration in and out as one declarative file.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{error::ApiError, transfer::ApplyReport};

/// The whole configuration as a declarative file, without secrets.
#[server(client = Browser, prefix = "/rpc", endpoint = "transfer/export")]
pub async fn export_configuration() -> Result<String, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Transfer).await?;
    admin.transfer().export(&who).await
}

/// Applies a declarative file, or with `dry_run` only says what it would do.
#[server(client = Browser, prefix = "/rpc", endpoint = "transfer/apply", input = Json)]
pub async fn apply_configuration(text: String, dry_run: bool, prune: bool) -> Result<ApplyReport, ApiError> {
    use crate::{
        model::user::Permission,
        server::{admin::ApplyOptions, session},
    };
    let (admin, who) = session::require(Permission::Transfer).await?;
    admin.transfer().apply(&who, &text, ApplyOptions { dry_run, prune, ..ApplyOptions::default() }).await
}
