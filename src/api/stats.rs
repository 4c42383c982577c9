//! Statistics for the dashboard.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::{
    error::ApiError,
    id::GroupId,
    stats::{Overview, Range, StatsAnswer, StatsQuery},
};

/// Everything the dashboard shows of a range, for one group or all.
#[server(client = Browser, prefix = "/rpc", endpoint = "stats/overview")]
pub async fn read_overview(range: Range, group: Option<GroupId>) -> Result<Overview, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.stats().overview(&who, range, group).await
}

/// Figures of any stretch of time, told apart by what was asked for.
#[server(client = Browser, prefix = "/rpc", endpoint = "stats/find")]
pub async fn find_stats(query: StatsQuery) -> Result<StatsAnswer, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.stats().find(&who, query).await
}
