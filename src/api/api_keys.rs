//! API keys of clients: list, make, change, revoke.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    api_key::{ApiKey, ApiKeyDraft, CreatedKey},
    error::ApiError,
    id::ApiKeyId,
    page::{ListQuery, PAGE_MAX, Page},
    plain_form::KeyBasics,
};

/// One page of the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/list", input = Json)]
pub async fn list_api_keys(query: ListQuery) -> Result<Page<ApiKey>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.api_keys().list(&who, query).await
}

/// Most keys that are named beside something else: in the log, on the page of a group.
const KEYS_ON_SCREEN: usize = 2000;

/// Every key, page by page, up to what a screen can hold.
pub async fn all_api_keys() -> Result<Vec<ApiKey>, ApiError> {
    let mut rows = Vec::new();
    for page in 0.. {
        let query = ListQuery { page, per_page: PAGE_MAX, ..ListQuery::default() };
        let answer = list_api_keys(query).await?;
        let last = answer.rows.len() < PAGE_MAX as usize;
        rows.extend(answer.rows);
        if last || rows.len() as u64 >= answer.total || rows.len() >= KEYS_ON_SCREEN {
            break;
        }
    }
    Ok(rows)
}

/// One key's record.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/get")]
pub async fn get_api_key(id: ApiKeyId) -> Result<ApiKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.api_keys().get(&who, id).await
}

/// Makes a key; its secret is in the answer and nowhere else.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/create", input = Json)]
pub async fn create_api_key(draft: ApiKeyDraft) -> Result<CreatedKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageApiKeys).await?;
    admin.api_keys().create(&who, draft).await
}

/// Makes a key from a plain form; the secret is shown by the page that follows, once.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/add")]
pub async fn add_api_key(basics: KeyBasics) -> Result<CreatedKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageApiKeys).await?;
    let created = admin.api_keys().create(&who, basics.into()).await?;
    session::show_once("/admin/api-keys", &created);
    Ok(created)
}

/// The key a plain form made a moment ago, once.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/just_created")]
pub async fn just_created_key() -> Result<Option<CreatedKey>, ApiError> {
    use crate::{model::user::Permission, server::session};
    session::require(Permission::ManageApiKeys).await?;
    Ok(session::shown_once())
}

/// Changes a key's settings; `revision` is the one the editor saw.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/update", input = Json)]
pub async fn update_api_key(id: ApiKeyId, revision: i64, draft: ApiKeyDraft) -> Result<ApiKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageApiKeys).await?;
    admin.api_keys().update(&who, id, revision, draft).await
}

/// Switches a key on or off.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/set_enabled")]
pub async fn enable_api_key(id: ApiKeyId, enabled: bool) -> Result<ApiKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.api_keys().set_enabled(&who, id, enabled).await
}

/// Gives a key a new secret; it is in the answer and nowhere else. The old one is refused from then on.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/rotate")]
pub async fn rotate_api_key(id: ApiKeyId) -> Result<CreatedKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageApiKeys).await?;
    let rotated = admin.api_keys().rotate(&who, id).await?;
    session::show_once("/admin/api-keys", &rotated);
    Ok(rotated)
}

/// Revokes a key for ever, then shows the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "api_keys/revoke")]
pub async fn revoke_api_key(id: ApiKeyId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageApiKeys).await?;
    admin.api_keys().revoke(&who, id).await?;
    leptos_axum::redirect("/admin/api-keys");
    Ok(())
}
