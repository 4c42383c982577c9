//! Everything that has a name, in one question: what the command palette asks with each key.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{api_key::ApiKey, error::ApiError, group::Group, page::Page, provider::ProviderRow};

/// Providers, groups and API keys.
pub type Things = (Page<ProviderRow>, Page<Group>, Page<ApiKey>);

/// The first providers, groups and keys that hold this text. Without a text: the providers in trouble, and no keys.
#[server(client = Browser, prefix = "/rpc", endpoint = "search/things")]
pub async fn find_things(text: String) -> Result<Things, ApiError> {
    use crate::{
        model::{page::ListQuery, user::Permission},
        server::session,
    };
    let (admin, who) = session::require(Permission::View).await?;
    let query = ListQuery { search: text.trim().to_owned(), per_page: 5, ..ListQuery::default() };
    let idle = query.search.is_empty();
    let providers = if idle {
        let troubled = ListQuery { state: "trouble".to_owned(), ..query.clone() };
        let lines = admin.providers().lines(&who, troubled).await?;
        let rows = lines.rows.into_iter().map(|line| line.row).collect();
        Page { rows, total: lines.total, counts: lines.counts }
    } else {
        admin.providers().list(&who, query.clone()).await?
    };
    let groups = admin.groups().list(&who, query.clone()).await?;
    let mut keys = admin.api_keys().list(&who, query).await?;
    if idle {
        keys.rows.clear();
    }
    Ok((providers, groups, keys))
}
