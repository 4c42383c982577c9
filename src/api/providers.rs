//! Providers: list, read, write, test.
//!
//! The rich editor sends the whole draft as JSON; [`save_provider`] takes the flat fields a plain
//! HTML form can send, so that a provider can be made and corrected before the client has loaded.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    drill::{Drill, Drills, Fault},
    error::ApiError,
    id::ProviderId,
    page::{ListQuery, PAGE_MAX, Page},
    plain_form::ProviderBasics,
    provider::{ConnectionTest, Provider, ProviderDraft, ProviderLine, ProviderRow},
};

/// One page of the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/list", input = Json)]
pub async fn list_providers(query: ListQuery) -> Result<Page<ProviderRow>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.providers().list(&who, query).await
}

/// One page of the list with health and figures, searched, filtered and sorted by the server.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/lines", input = Json)]
pub async fn list_provider_lines(query: ListQuery) -> Result<Page<ProviderLine>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.providers().lines(&who, query).await
}

/// The whole list, page by page: for names, and for choosing the members of a group.
pub async fn all_providers() -> Result<Vec<ProviderRow>, ApiError> {
    let mut rows = Vec::new();
    for page in 0.. {
        let query = ListQuery { page, per_page: PAGE_MAX, ..ListQuery::default() };
        let answer = list_providers(query).await?;
        let last = answer.rows.len() < PAGE_MAX as usize;
        rows.extend(answer.rows);
        if last || rows.len() as u64 >= answer.total {
            break;
        }
    }
    Ok(rows)
}

/// One provider and the groups it is in.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/get")]
pub async fn get_provider(id: ProviderId) -> Result<ProviderRow, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.providers().get(&who, id).await
}

/// Makes a provider.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/create", input = Json)]
pub async fn create_provider(draft: ProviderDraft) -> Result<Provider, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageProviders).await?;
    admin.providers().create(&who, draft).await
}

/// Replaces a provider's settings; `revision` is the one the editor saw.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/update", input = Json)]
pub async fn update_provider(id: ProviderId, revision: i64, draft: ProviderDraft) -> Result<Provider, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageProviders).await?;
    admin.providers().update(&who, id, revision, draft).await
}

/// Makes or corrects a provider from a plain form, then shows it.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/save")]
pub async fn save_provider(basics: ProviderBasics) -> Result<Provider, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageProviders).await?;
    let saved = admin.providers().save(&who, basics).await?;
    leptos_axum::redirect(&format!("/admin/providers/{}", saved.id));
    Ok(saved)
}

/// Switches a provider on or off.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/set_enabled")]
pub async fn enable_provider(id: ProviderId, enabled: bool) -> Result<Provider, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.providers().set_enabled(&who, id, enabled).await
}

/// The drill of a provider that runs now, and the last ones.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/drills")]
pub async fn read_drills(id: ProviderId) -> Result<Drills, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.drills().of(&who, id).await
}

/// Makes a provider pretend to fail for some minutes.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/drill")]
pub async fn start_drill(id: ProviderId, fault: Fault, minutes: u32, percent: u32) -> Result<Drill, ApiError> {
    use crate::{
        model::{drill::DrillDraft, user::Permission},
        server::session,
    };
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.drills().start(&who, id, DrillDraft { fault, minutes, percent }).await
}

/// Ends the drill of a provider.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/stop_drill")]
pub async fn stop_drill(id: ProviderId) -> Result<Drill, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.drills().stop(&who, id).await
}

/// Deletes a provider, then shows the list.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/delete")]
pub async fn delete_provider(id: ProviderId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageProviders).await?;
    admin.providers().delete(&who, id).await?;
    leptos_axum::redirect("/admin/providers");
    Ok(())
}

/// Tries a stored provider, a draft, or a draft with the secrets of a stored one. Costs nothing.
#[server(client = Browser, prefix = "/rpc", endpoint = "providers/test", input = Json)]
pub async fn test_provider(id: Option<ProviderId>, draft: Option<ProviderDraft>) -> Result<ConnectionTest, ApiError> {
    use crate::{
        model::{provider::TestTarget, user::Permission},
        server::session,
    };
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.providers().test(&who, TestTarget { id, draft }).await
}
