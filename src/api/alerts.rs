//! Alerts: rules, channels, silences, and what was alerted.

use leptos::{prelude::*, server_fn::codec::Json};

use super::browser::Browser;
use crate::model::{
    alert::{Alert, AlertBoard, ChannelDraft, Delivery, RuleDraft},
    error::ApiError,
    id::{AlertId, ChannelId, RuleId},
};

/// All that the screen of alerts shows.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/board")]
pub async fn read_alerts() -> Result<AlertBoard, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.alerts().board(&who).await
}

/// Alerts that are open, newest first.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/firing")]
pub async fn firing_alerts() -> Result<Vec<Alert>, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::View).await?;
    admin.alerts().firing(&who).await
}

/// Takes an open alert in hand.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/acknowledge")]
pub async fn acknowledge_alert(id: AlertId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.alerts().acknowledge(&who, id).await
}

/// Makes a rule, or replaces the one that is still at this revision.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/save_rule", input = Json)]
pub async fn save_rule(id: Option<RuleId>, revision: i64, draft: RuleDraft) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageAlerts).await?;
    match id {
        None => admin.alerts().create_rule(&who, draft).await.map(drop),
        Some(id) => admin.alerts().update_rule(&who, id, revision, draft).await.map(drop),
    }
}

/// Switches a rule on or off.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/enable_rule")]
pub async fn enable_rule(id: RuleId, enabled: bool) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.alerts().enable_rule(&who, id, enabled).await.map(drop)
}

/// Deletes a rule.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/delete_rule")]
pub async fn delete_rule(id: RuleId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageAlerts).await?;
    admin.alerts().delete_rule(&who, id).await
}

/// Silences a rule, or one subject of it, for some minutes; 0 ends the silence.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/silence")]
pub async fn silence_rule(id: RuleId, subject: String, minutes: u32) -> Result<(), ApiError> {
    use crate::{
        model::{alert::SilenceDraft, user::Permission},
        server::session,
    };
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.alerts().silence(&who, id, SilenceDraft { subject, minutes }).await.map(drop)
}

/// Makes a channel, or replaces the one that is still at this revision.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/save_channel", input = Json)]
pub async fn save_channel(id: Option<ChannelId>, revision: i64, draft: ChannelDraft) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageAlerts).await?;
    match id {
        None => admin.alerts().create_channel(&who, draft).await.map(drop),
        Some(id) => admin.alerts().update_channel(&who, id, revision, draft).await.map(drop),
    }
}

/// Switches a channel on or off.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/enable_channel")]
pub async fn enable_channel(id: ChannelId, enabled: bool) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.alerts().enable_channel(&who, id, enabled).await.map(drop)
}

/// Deletes a channel.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/delete_channel")]
pub async fn delete_channel(id: ChannelId) -> Result<(), ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::ManageAlerts).await?;
    admin.alerts().delete_channel(&who, id).await
}

/// Sends a test to a channel.
#[server(client = Browser, prefix = "/rpc", endpoint = "alerts/test_channel")]
pub async fn test_channel(id: ChannelId) -> Result<Delivery, ApiError> {
    use crate::{model::user::Permission, server::session};
    let (admin, who) = session::require(Permission::Operate).await?;
    admin.alerts().test_channel(&who, id).await
}
