//! The request log.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    body::RequestBodies,
    error::ApiError,
    id::{ProviderId, RequestId},
    replay::Replayed,
    request_log::{ExportProgress, LogLine, LogPage, RequestCount, RequestDetail, RequestFilter},
};

/// A stretch of the log, newest first, with the way each troubled request took.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/list", input = Json)]
pub async fn list_requests(filter: RequestFilter) -> Result<LogPage<LogLine>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    Ok(admin.requests().search(&who, filter).await?.map(|detail| {
        // One attempt that answered is told by the row itself.
        let tried = if LogLine::needs_attempts(&detail.row) { detail.attempts.as_slice() } else { &[] };
        LogLine::new(detail.row, tried)
    }))
}

/// How many rows a filter finds, as far as counting goes.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/count", input = Json)]
pub async fn count_requests(filter: RequestFilter) -> Result<RequestCount, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.requests().count(&who, filter).await
}

/// How far an export is, by the number it was given when it was asked for.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/watch_export")]
pub async fn watch_export(watch: RequestId) -> Result<Option<ExportProgress>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.requests().export_progress(&who, watch.0)
}

/// Ends an export.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/end_export")]
pub async fn end_export(watch: RequestId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.requests().end_export(&who, watch.0)
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

/// The bodies of a request as they are kept, laid out to be read. Noted in the audit trail.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/bodies")]
pub async fn get_bodies(id: RequestId) -> Result<RequestBodies, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ReadBodies).await?;
    admin.requests().show_bodies(&who, id).await
}

/// Sends a request again, to one member of its group or through it; without a body the one that was kept.
#[server(client = Browser, prefix = "/rpc", endpoint = "requests/replay", input = Json)]
pub async fn replay_request(
    id: RequestId,
    provider: Option<ProviderId>,
    body: Option<String>,
) -> Result<Replayed, ApiError> {
    use crate::{
        model::{replay::ReplayDraft, user::Permission},
        server::session,
    };
    let (admin, who) = session::require(Permission::Operate).await?;
    let draft = ReplayDraft { provider, body, content_type: None };
    admin.requests().show_replay(&who, id, draft).await
}
