//! Groups: list, read, write.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    error::ApiError,
    explain::{ExplainQuery, Explanation},
    group::{Group, GroupDraft},
    id::GroupId,
    page::{ListQuery, PAGE_MAX, Page},
    plain_form::GroupBasics,
};

/// One page of the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/list", input = Json)]
pub async fn list_groups(query: ListQuery) -> Result<Page<Group>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.groups().list(&who, query).await
}

/// The whole list, page by page; there are few groups.
pub async fn all_groups() -> Result<Vec<Group>, ApiError> {
    let mut rows = Vec::new();
    for page in 0.. {
        let answer = list_groups(ListQuery { page, per_page: PAGE_MAX, ..ListQuery::default() }).await?;
        let last = answer.rows.len() < PAGE_MAX as usize;
        rows.extend(answer.rows);
        if last || rows.len() as u64 >= answer.total {
            break;
        }
    }
    Ok(rows)
}

/// One group.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/get")]
pub async fn get_group(id: GroupId) -> Result<Group, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.groups().get(&who, id).await
}

/// Makes a group.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/create", input = Json)]
pub async fn create_group(draft: GroupDraft) -> Result<Group, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageGroups).await?;
    admin.groups().create(&who, draft).await
}

/// Makes a group from a plain form, then shows it.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/add")]
pub async fn add_group(basics: GroupBasics) -> Result<Group, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageGroups).await?;
    let group = admin.groups().create(&who, basics.into()).await?;
    leptos_axum::redirect(&format!("/admin/groups/{}", group.id));
    Ok(group)
}

/// Replaces a group's settings; `revision` is the one the editor saw.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/update", input = Json)]
pub async fn update_group(id: GroupId, revision: i64, draft: GroupDraft) -> Result<Group, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageGroups).await?;
    admin.groups().update(&who, id, revision, draft).await
}

/// Makes a group like another one, switched off, then shows it.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/duplicate")]
pub async fn duplicate_group(id: GroupId) -> Result<Group, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageGroups).await?;
    let group = admin.groups().duplicate(&who, id).await?;
    leptos_axum::redirect(&format!("/admin/groups/{}", group.id));
    Ok(group)
}

/// Switches a group on or off.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/set_enabled")]
pub async fn enable_group(id: GroupId, enabled: bool) -> Result<Group, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.groups().set_enabled(&who, id, enabled).await
}

/// What a group would do with such a request now, and why.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/explain", input = Json)]
pub async fn explain_group(id: GroupId, query: ExplainQuery) -> Result<Explanation, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.groups().explain(&who, id, &query)
}

/// Deletes a group, then shows the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "groups/delete")]
pub async fn delete_group(id: GroupId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageGroups).await?;
    admin.groups().delete(&who, id).await?;
    leptos_axum::redirect("/admin/groups");
    Ok(())
}
