//! Every endpoint: method, path, who may, and the service behind it.

use std::{future::Future, pin::Pin};

use http::Method;
use serde::{Deserialize, Serialize};

use super::{
    call::{Call, Reply},
    export,
};
use crate::{
    model::{
        bulk::BulkKind,
        error::ApiResult,
        id::{AlertId, GroupId},
        provider::TestTarget,
        stats::Range,
        user::{Permission, Role},
    },
    server::admin::transfer::ApplyOptions,
};

/// What an endpoint does with a call.
pub(super) type Handle = fn(Call) -> Pin<Box<dyn Future<Output = ApiResult<Reply>> + Send>>;

/// One row of the table.
pub struct Endpoint {
    /// Method.
    pub method: Method,
    /// Path under [`BASE`](super::BASE), `{id}` in braces.
    pub path: &'static str,
    /// What it takes.
    pub permission: Permission,
    pub(super) handle: Handle,
}

impl Endpoint {
    /// Whether this role may call it.
    pub fn allows(&self, role: Role) -> bool {
        role.allows(self.permission)
    }
}

macro_rules! endpoints {
    ($($method:ident $path:literal $permission:ident |$call:ident| $body:expr;)+) => {
        /// The table the router is built from.
        pub const ENDPOINTS: &[Endpoint] = &[$(Endpoint {
            method: Method::$method,
            path: $path,
            permission: Permission::$permission,
            handle: |$call| Box::pin(async move { $body }),
        }),+];
    };
}

endpoints! {
    GET "/providers" View |call| Ok(Reply::ok(&call.admin.providers().list(&call.who, call.query()?).await?));
    POST "/providers" ManageProviders |call| {
        let provider = call.admin.providers().create(&call.who, call.json()?).await?;
        Ok(Reply::created(&provider).at(provider.revision))
    };
    POST "/providers/test" ManageProviders |call| {
        let target = TestTarget { id: None, draft: Some(call.json()?) };
        Ok(Reply::ok(&call.admin.providers().test(&call.who, target).await?))
    };
    POST "/providers/bulk" Operate |call| {
        Ok(Reply::ok(&call.admin.bulk().apply(&call.who, BulkKind::Providers, call.json()?).await?))
    };
    GET "/providers/{id}" View |call| {
        let row = call.admin.providers().get(&call.who, call.id("provider")?).await?;
        Ok(Reply::ok(&row).at(row.provider.revision))
    };
    PUT "/providers/{id}" ManageProviders |call| {
        let (id, revision) = (call.id("provider")?, call.revision()?);
        let provider = call.admin.providers().update(&call.who, id, revision, call.json()?).await?;
        Ok(Reply::ok(&provider).at(provider.revision))
    };
    DELETE "/providers/{id}" ManageProviders |call| {
        call.admin.providers().delete(&call.who, call.id("provider")?).await?;
        Ok(Reply::done())
    };
    PUT "/providers/{id}/enabled" Operate |call| {
        let switch: Switch = call.json()?;
        let provider = call.admin.providers().set_enabled(&call.who, call.id("provider")?, switch.enabled).await?;
        Ok(Reply::ok(&provider).at(provider.revision))
    };
    POST "/providers/{id}/test" Operate |call| {
        let target = TestTarget { id: Some(call.id("provider")?), draft: None };
        Ok(Reply::ok(&call.admin.providers().test(&call.who, target).await?))
    };
    GET "/providers/{id}/drill" View |call| {
        Ok(Reply::ok(&call.admin.drills().of(&call.who, call.id("provider")?).await?))
    };
    POST "/providers/{id}/drill" Operate |call| {
        Ok(Reply::created(&call.admin.drills().start(&call.who, call.id("provider")?, call.json()?).await?))
    };
    DELETE "/providers/{id}/drill" Operate |call| {
        Ok(Reply::ok(&call.admin.drills().stop(&call.who, call.id("provider")?).await?))
    };

    GET "/groups" View |call| Ok(Reply::ok(&call.admin.groups().list(&call.who, call.query()?).await?));
    POST "/groups" ManageGroups |call| {
        let group = call.admin.groups().create(&call.who, call.json()?).await?;
        Ok(Reply::created(&group).at(group.revision))
    };
    POST "/groups/bulk" Operate |call| {
        Ok(Reply::ok(&call.admin.bulk().apply(&call.who, BulkKind::Groups, call.json()?).await?))
    };
    GET "/groups/{id}" View |call| {
        let group = call.admin.groups().get(&call.who, call.id("group")?).await?;
        Ok(Reply::ok(&group).at(group.revision))
    };
    PUT "/groups/{id}" ManageGroups |call| {
        let (id, revision) = (call.id("group")?, call.revision()?);
        let group = call.admin.groups().update(&call.who, id, revision, call.json()?).await?;
        Ok(Reply::ok(&group).at(group.revision))
    };
    DELETE "/groups/{id}" ManageGroups |call| {
        call.admin.groups().delete(&call.who, call.id("group")?).await?;
        Ok(Reply::done())
    };
    PUT "/groups/{id}/enabled" Operate |call| {
        let switch: Switch = call.json()?;
        let group = call.admin.groups().set_enabled(&call.who, call.id("group")?, switch.enabled).await?;
        Ok(Reply::ok(&group).at(group.revision))
    };
    POST "/groups/{id}/explain" View |call| {
        Ok(Reply::ok(&call.admin.groups().explain(&call.who, call.id("group")?, &call.json_or_default()?)?))
    };
    POST "/groups/{id}/duplicate" ManageGroups |call| {
        let group = call.admin.groups().duplicate(&call.who, call.id("group")?).await?;
        Ok(Reply::created(&group).at(group.revision))
    };

    GET "/api-keys" View |call| Ok(Reply::ok(&call.admin.api_keys().list(&call.who, call.query()?).await?));
    POST "/api-keys" ManageApiKeys |call| {
        let created = call.admin.api_keys().create(&call.who, call.json()?).await?;
        Ok(Reply::created(&created).at(created.key.revision))
    };
    POST "/api-keys/bulk" Operate |call| {
        Ok(Reply::ok(&call.admin.bulk().apply(&call.who, BulkKind::ApiKeys, call.json()?).await?))
    };
    GET "/api-keys/{id}" View |call| {
        let key = call.admin.api_keys().get(&call.who, call.id("API key")?).await?;
        Ok(Reply::ok(&key).at(key.revision))
    };
    PUT "/api-keys/{id}" ManageApiKeys |call| {
        let (id, revision) = (call.id("API key")?, call.revision()?);
        let key = call.admin.api_keys().update(&call.who, id, revision, call.json()?).await?;
        Ok(Reply::ok(&key).at(key.revision))
    };
    DELETE "/api-keys/{id}" ManageApiKeys |call| {
        call.admin.api_keys().revoke(&call.who, call.id("API key")?).await?;
        Ok(Reply::done())
    };
    PUT "/api-keys/{id}/enabled" Operate |call| {
        let switch: Switch = call.json()?;
        let key = call.admin.api_keys().set_enabled(&call.who, call.id("API key")?, switch.enabled).await?;
        Ok(Reply::ok(&key).at(key.revision))
    };
    POST "/api-keys/{id}/rotate" ManageApiKeys |call| {
        let rotated = call.admin.api_keys().rotate(&call.who, call.id("API key")?).await?;
        Ok(Reply::ok(&rotated).at(rotated.key.revision))
    };

    GET "/prices" View |call| {
        let table = call.admin.prices().get(&call.who).await?;
        Ok(Reply::ok(&table).at(table.revision))
    };
    PUT "/prices" Operate |call| {
        let table = call.admin.prices().update(&call.who, call.revision()?, call.json()?).await?;
        Ok(Reply::ok(&table).at(table.revision))
    };

    GET "/users" ManageUsers |call| Ok(Reply::ok(&call.admin.users().list(&call.who, call.query()?).await?));
    POST "/users" ManageUsers |call| Ok(Reply::created(&call.admin.users().create(&call.who, call.json()?).await?));
    GET "/users/{id}" ManageUsers |call| Ok(Reply::ok(&call.admin.users().get(&call.who, call.id("user")?).await?));
    PUT "/users/{id}" ManageUsers |call| {
        Ok(Reply::ok(&call.admin.users().update(&call.who, call.id("user")?, call.json()?).await?))
    };
    DELETE "/users/{id}" ManageUsers |call| {
        call.admin.users().delete(&call.who, call.id("user")?).await?;
        Ok(Reply::done())
    };
    PUT "/users/{id}/password" ManageUsers |call| {
        let new: NewPassword = call.json()?;
        call.admin.users().reset_password(&call.who, call.id("user")?, new.password).await?;
        Ok(Reply::done())
    };

    GET "/requests" View |call| Ok(Reply::ok(&call.admin.requests().list(&call.who, call.query()?).await?));
    GET "/requests/count" View |call| Ok(Reply::ok(&call.admin.requests().count(&call.who, call.query()?).await?));
    GET "/requests/export" View |call| {
        let wanted: ExportQuery = call.query()?;
        let export = call.admin.requests().export(&call.who, call.query()?, wanted.watch)?;
        Ok(Reply::file(export::body(export, wanted.format), wanted.format.content_type(), wanted.format.file_name()))
    };
    GET "/requests/{id}" View |call| {
        Ok(Reply::ok(&call.admin.requests().get(&call.who, call.id("request")?).await?))
    };
    GET "/requests/{id}/bodies" ReadBodies |call| {
        Ok(Reply::ok(&call.admin.requests().bodies(&call.who, call.id("request")?).await?))
    };
    POST "/requests/{id}/replay" Operate |call| {
        Ok(Reply::ok(&call.admin.requests().replay(&call.who, call.id("request")?, call.json()?).await?))
    };
    GET "/alerts" View |call| Ok(Reply::ok(&call.admin.alerts().firing(&call.who).await?));
    GET "/alerts/history" View |call| {
        let wanted: AlertQuery = call.query()?;
        Ok(Reply::ok(&call.admin.alerts().history(&call.who, wanted.before).await?))
    };
    GET "/alerts/deliveries" View |call| Ok(Reply::ok(&call.admin.alerts().deliveries(&call.who).await?));
    POST "/alerts/{id}/acknowledge" Operate |call| {
        call.admin.alerts().acknowledge(&call.who, call.id("alert")?).await?;
        Ok(Reply::done())
    };
    GET "/alerts/rules" View |call| Ok(Reply::ok(&call.admin.alerts().rules(&call.who).await?));
    POST "/alerts/rules" ManageAlerts |call| {
        let rule = call.admin.alerts().create_rule(&call.who, call.json()?).await?;
        Ok(Reply::created(&rule).at(rule.revision))
    };
    GET "/alerts/rules/{id}" View |call| {
        let rule = call.admin.alerts().rule(&call.who, call.id("alert rule")?).await?;
        Ok(Reply::ok(&rule).at(rule.revision))
    };
    PUT "/alerts/rules/{id}" ManageAlerts |call| {
        let (id, revision) = (call.id("alert rule")?, call.revision()?);
        let rule = call.admin.alerts().update_rule(&call.who, id, revision, call.json()?).await?;
        Ok(Reply::ok(&rule).at(rule.revision))
    };
    DELETE "/alerts/rules/{id}" ManageAlerts |call| {
        call.admin.alerts().delete_rule(&call.who, call.id("alert rule")?).await?;
        Ok(Reply::done())
    };
    PUT "/alerts/rules/{id}/enabled" Operate |call| {
        let switch: Switch = call.json()?;
        let rule = call.admin.alerts().enable_rule(&call.who, call.id("alert rule")?, switch.enabled).await?;
        Ok(Reply::ok(&rule).at(rule.revision))
    };
    PUT "/alerts/rules/{id}/silence" Operate |call| {
        Ok(Reply::ok(&call.admin.alerts().silence(&call.who, call.id("alert rule")?, call.json()?).await?))
    };
    GET "/alerts/channels" View |call| Ok(Reply::ok(&call.admin.alerts().channels(&call.who).await?));
    POST "/alerts/channels" ManageAlerts |call| {
        let channel = call.admin.alerts().create_channel(&call.who, call.json()?).await?;
        Ok(Reply::created(&channel).at(channel.revision))
    };
    GET "/alerts/channels/{id}" View |call| {
        let channel = call.admin.alerts().channel(&call.who, call.id("alert channel")?).await?;
        Ok(Reply::ok(&channel).at(channel.revision))
    };
    PUT "/alerts/channels/{id}" ManageAlerts |call| {
        let (id, revision) = (call.id("alert channel")?, call.revision()?);
        let channel = call.admin.alerts().update_channel(&call.who, id, revision, call.json()?).await?;
        Ok(Reply::ok(&channel).at(channel.revision))
    };
    DELETE "/alerts/channels/{id}" ManageAlerts |call| {
        call.admin.alerts().delete_channel(&call.who, call.id("alert channel")?).await?;
        Ok(Reply::done())
    };
    PUT "/alerts/channels/{id}/enabled" Operate |call| {
        let switch: Switch = call.json()?;
        let channel = call.admin.alerts().enable_channel(&call.who, call.id("alert channel")?, switch.enabled).await?;
        Ok(Reply::ok(&channel).at(channel.revision))
    };
    POST "/alerts/channels/{id}/test" Operate |call| {
        Ok(Reply::ok(&call.admin.alerts().test_channel(&call.who, call.id("alert channel")?).await?))
    };
    GET "/stats" View |call| Ok(Reply::ok(&call.admin.stats().find(&call.who, call.query()?).await?));
    GET "/stats/overview" View |call| {
        let wanted: OverviewQuery = call.query()?;
        Ok(Reply::ok(&call.admin.stats().overview(&call.who, wanted.range, wanted.group).await?))
    };
    GET "/health" View |call| Ok(Reply::ok(&call.admin.health().all(&call.who).await?));
    GET "/health/{id}/history" View |call| {
        Ok(Reply::ok(&call.admin.health().history(&call.who, call.id("provider")?).await?))
    };
    GET "/audit" ReadAudit |call| {
        let wanted: AuditQuery = call.query()?;
        Ok(Reply::ok(&call.admin.audit().list(&call.who, wanted.before).await?))
    };
    GET "/config" Transfer |call| Ok(Reply::yaml(call.admin.transfer().export(&call.who).await?));
    POST "/config" Transfer |call| {
        let wanted: ApplyQuery = call.query()?;
        let options = ApplyOptions { dry_run: wanted.dry_run, prune: wanted.prune, ..ApplyOptions::default() };
        Ok(Reply::ok(&call.admin.transfer().apply(&call.who, call.text()?, options).await?))
    };
}

/// What an export takes beside the filter.
#[derive(Deserialize, Serialize)]
struct ExportQuery {
    #[serde(default)]
    format: export::Form,
    /// Any UUID: progress can be asked for by it.
    watch: Option<uuid::Uuid>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverviewQuery {
    #[serde(default)]
    range: Range,
    #[serde(default)]
    group: Option<GroupId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertQuery {
    #[serde(default)]
    before: Option<AlertId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    #[serde(default)]
    before: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplyQuery {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    prune: bool,
}
