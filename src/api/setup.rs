//! The first run: one administrator, then a provider, a group and a key.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{api_key::CreatedKey, error::ApiError, plain_form::ProviderBasics, setup::SetupState};

/// How far the setup is; not found without the one-time token of the log or a session.
#[server(client = Browser, prefix = "/rpc", endpoint = "setup/state")]
pub async fn read_setup(token: String) -> Result<SetupState, ApiError> {
    crate::server::session::setup_state(token).await
}

/// Makes the first administrator, signs them in and goes on.
#[server(client = Browser, prefix = "/rpc", endpoint = "setup/administrator")]
pub async fn make_administrator(
    token: String,
    username: String,
    display_name: String,
    password: String,
) -> Result<(), ApiError> {
    use crate::{
        model::user::{Role, UserDraft},
        server::session,
    };
    session::create_administrator(token, UserDraft { username, display_name, password, role: Role::Owner }).await?;
    leptos_axum::redirect("/setup");
    Ok(())
}

/// Makes the first provider and goes on.
#[server(client = Browser, prefix = "/rpc", endpoint = "setup/provider")]
pub async fn make_first_provider(basics: ProviderBasics) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageProviders).await?;
    admin.providers().create(&who, basics.over(None)).await?;
    leptos_axum::redirect("/setup");
    Ok(())
}

/// Makes the first group with every provider in it, and a key for it; the secret is shown once.
#[server(client = Browser, prefix = "/rpc", endpoint = "setup/group")]
pub async fn make_first_group(name: String, slug: String, key_name: String) -> Result<CreatedKey, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageGroups).await?;
    let created = admin.setup().first_group(&who, name, slug, key_name).await?;
    session::show_once("/setup?done=1", &created);
    Ok(created)
}
