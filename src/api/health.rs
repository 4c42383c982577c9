//! Health of the providers.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{
    error::ApiError,
    health::{HealthHistory, ProviderHealth},
    id::ProviderId,
};

/// Every provider's health now.
#[server(client = Browser, prefix = "/rpc", endpoint = "health/all")]
pub async fn all_health() -> Result<Vec<ProviderHealth>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.health().all(&who).await
}

/// How long every provider was up, without what changed.
#[server(client = Browser, prefix = "/rpc", endpoint = "health/uptimes")]
pub async fn all_uptimes() -> Result<Vec<HealthHistory>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.health().uptimes(&who).await
}

/// How long a provider was up, and what changed.
#[server(client = Browser, prefix = "/rpc", endpoint = "health/history")]
pub async fn read_history(id: ProviderId) -> Result<HealthHistory, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.health().history(&who, id).await
}
