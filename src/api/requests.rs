//! The request log.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    error::ApiError,
    id::RequestId,
    page::Stretch,
    request_log::{LogLine, RequestDetail, RequestFilter},
};

/// A stretch of the log, newest first, with the way each troubled request took.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/list", input = Json)]
pub async fn list_requests(filter: RequestFilter) -> Result<Stretch<LogLine>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    let stretch = admin.requests().list(&who, filter).await?;
    let mut lines = Vec::with_capacity(stretch.rows.len());
    for row in stretch.rows {
        // One attempt that answered is told by the row itself; the rest is read by key.
        let tried =
            if LogLine::needs_attempts(&row) { admin.requests().get(&who, row.id).await?.attempts } else { Vec::new() };
        lines.push(LogLine::new(row, &tried));
    }
    Ok(Stretch { rows: lines, older: stretch.older })
}

/// The newest requests that another provider saved, that failed, or that broke.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/exceptions")]
pub async fn list_exceptions(limit: u32) -> Result<Vec<LogLine>, ApiError> {
    use crate::model::request_log::Outcome;
    let mut lines = Vec::new();
    for outcome in [Outcome::Saved, Outcome::Failed, Outcome::Interrupted] {
        let filter = RequestFilter { outcome: Some(outcome), limit: limit.clamp(1, 50), ..RequestFilter::default() };
        lines.extend(list_requests(filter).await?.rows);
    }
    lines.sort_by_key(|line| std::cmp::Reverse((line.row.at_ms, line.row.id)));
    lines.truncate(limit as usize);
    Ok(lines)
}

/// One request in full.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/get")]
pub async fn get_request(id: RequestId) -> Result<RequestDetail, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.requests().get(&who, id).await
}
