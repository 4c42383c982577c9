//! The price table: read and replaced as lines of text.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{error::ApiError, price::PriceSheet};

/// The table.
#[server(client = Browser, prefix = "/rpc", endpoint = "prices/get")]
pub async fn get_prices() -> Result<PriceSheet, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    Ok(admin.prices().get(&who).await?.to_sheet())
}

/// The currency of every cost.
#[server(client = Browser, prefix = "/rpc", endpoint = "prices/currency")]
pub async fn price_currency() -> Result<String, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    Ok(admin.prices().get(&who).await?.currency)
}

/// Replaces the table; `revision` is the one the editor saw.
#[server(client = Browser, prefix = "/rpc", endpoint = "prices/save")]
pub async fn save_prices(revision: i64, currency: String, lines: String) -> Result<PriceSheet, ApiError> {
    use crate::{
        model::{price::PriceDraft, user::Permission},
        server::session,
    };
    let (admin, who) = session::require(Permission::Operate).await?;
    let draft = PriceDraft::from_lines(&currency, &lines).map_err(|problems| ApiError::Invalid { problems })?;
    Ok(admin.prices().update(&who, revision, draft).await?.to_sheet())
}
