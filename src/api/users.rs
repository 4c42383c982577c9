//! People: list, make, change.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    error::ApiError,
    id::UserId,
    page::{ListQuery, PAGE_MAX, Page},
    user::{Role, User, UserPatch},
};

/// One page of the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "users/list", input = Json)]
pub async fn list_users(query: ListQuery) -> Result<Page<User>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageUsers).await?;
    admin.users().list(&who, query).await
}

/// The whole list, page by page.
pub async fn all_users() -> Result<Vec<User>, ApiError> {
    let mut rows = Vec::new();
    for page in 0.. {
        let answer = list_users(ListQuery { page, per_page: PAGE_MAX, ..ListQuery::default() }).await?;
        let last = answer.rows.len() < PAGE_MAX as usize;
        rows.extend(answer.rows);
        if last || rows.len() as u64 >= answer.total {
            break;
        }
    }
    Ok(rows)
}

/// Adds a person.
#[server(client = Browser, prefix = "/rpc", endpoint = "users/create")]
pub async fn create_user(
    username: String,
    display_name: String,
    password: String,
    role: Role,
) -> Result<User, ApiError> {
    use crate::{
        model::user::{Permission, UserDraft},
        server::session,
    };
    let (admin, who) = session::require(Permission::ManageUsers).await?;
    let user = admin.users().create(&who, UserDraft { username, display_name, password, role }).await?;
    leptos_axum::redirect("/admin/users");
    Ok(user)
}

/// Changes a person's name, role and access.
#[server(client = Browser, prefix = "/rpc", endpoint = "users/update", input = Json)]
pub async fn update_user(id: UserId, patch: UserPatch) -> Result<User, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageUsers).await?;
    admin.users().update(&who, id, patch).await
}

/// Gives a person a new password and ends their sessions.
#[server(client = Browser, prefix = "/rpc", endpoint = "users/reset_password")]
pub async fn reset_user_password(id: UserId, password: String) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageUsers).await?;
    admin.users().reset_password(&who, id, password).await
}

/// Removes a person and their sessions.
#[server(client = Browser, prefix = "/rpc", endpoint = "users/delete")]
pub async fn delete_user(id: UserId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageUsers).await?;
    admin.users().delete(&who, id).await?;
    leptos_axum::redirect("/admin/users");
    Ok(())
}
