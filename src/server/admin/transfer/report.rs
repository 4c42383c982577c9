//! From stored records to the file's entries, and the difference of two entries in words.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{
    alerts,
    file::{CredentialEntry, Exported, GroupEntry, MemberEntry, ProviderEntry},
};
use crate::{
    model::{group::Group, id::ProviderId, provider::Provider},
    server::store::{Alerting, Snapshot},
};

/// The whole configuration, sorted by name and slug.
pub(super) fn exported(snapshot: &Snapshot, alerting: &Alerting) -> Exported {
    let mut providers: Vec<ProviderEntry> =
        snapshot.providers.iter().map(|stored| provider_entry(&stored.provider)).collect();
    providers.sort_by(|a, b| a.name.cmp(&b.name));
    let names = names(snapshot);
    let mut groups: Vec<GroupEntry> = snapshot.groups.iter().map(|group| group_entry(group, &names)).collect();
    groups.sort_by(|a, b| a.slug.cmp(&b.slug));
    let prices = (!snapshot.prices.models.is_empty()).then(|| snapshot.prices.to_draft());
    Exported { providers, groups, prices, alerts: alerts::exported(alerting, snapshot) }
}

/// Names of providers by id.
pub(super) fn names(snapshot: &Snapshot) -> BTreeMap<ProviderId, String> {
    snapshot.providers.iter().map(|stored| (stored.provider.id, stored.provider.name.clone())).collect()
}

/// A stored provider as the file has it.
pub(super) fn provider_entry(provider: &Provider) -> ProviderEntry {
    let credentials = provider.credentials.iter().map(|credential| CredentialEntry {
        label: credential.label.clone(),
        secret: None,
        secret_env: None,
        weight: credential.weight,
        enabled: credential.enabled,
        limits: credential.limits,
    });
    ProviderEntry {
        name: provider.name.clone(),
        website: provider.website.clone(),
        base_url: provider.base_url.to_string(),
        auth: provider.auth.clone(),
        enabled: provider.enabled,
        credentials: credentials.collect(),
        headers: provider.headers.clone(),
        models: provider.models.clone(),
        timeouts: provider.timeouts,
        limits: provider.limits,
        tls: provider.tls.clone(),
        connection: provider.connection.clone(),
    }
}

/// A stored group as the file has it.
pub(super) fn group_entry(group: &Group, names: &BTreeMap<ProviderId, String>) -> GroupEntry {
    let members = group.members.iter().map(|member| MemberEntry {
        provider: names.get(&member.provider).cloned().unwrap_or_else(|| member.provider.to_string()),
        priority: member.priority,
        tier: member.tier,
    });
    GroupEntry {
        name: group.name.clone(),
        slug: group.slug.to_string(),
        description: group.description.clone(),
        kind: group.kind,
        strategy: group.strategy,
        enabled: group.enabled,
        path_policy: Some(group.path_policy.clone()),
        providers: members.collect(),
        failover: group.failover,
        anonymous: group.anonymous,
        allowed_origins: group.allowed_origins.clone(),
        hide_provider_headers: group.hide_provider_headers,
        sticky: group.sticky.clone(),
        outcome_rules: group.outcome_rules.clone(),
        websocket: group.websocket,
        stream_usage: group.stream_usage,
        log_bodies: group.log_bodies,
    }
}

/// Fields that differ, as `field: old → new`.
pub(super) fn difference(old: &impl Serialize, new: &impl Serialize) -> Vec<String> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten("", &value(old), &mut before);
    flatten("", &value(new), &mut after);
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let shown = |text: Option<&String>| text.cloned().unwrap_or_else(|| "–".to_owned());
    let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    changed.map(|path| format!("{path}: {} → {}", shown(before.get(path)), shown(after.get(path)))).collect()
}

fn value(entry: &impl Serialize) -> Value {
    serde_json::to_value(entry).expect("entries are plain data with text keys")
}

fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, out);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let name = ["label", "provider", "model"].into_iter().find_map(|key| item.get(key)?.as_str());
                let name = name.map_or_else(|| index.to_string(), str::to_owned);
                flatten(&format!("{path}[{name}]"), item, out);
            }
            let order: Vec<&str> =
                items.iter().filter_map(|item| item.get("provider").or(item.get("label"))?.as_str()).collect();
            if order.len() > 1 {
                out.insert(format!("{path} order"), order.join(", "));
            }
        }
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::String(text) => {
            out.insert(path.to_owned(), format!("{text:?}"));
        }
        other => {
            out.insert(path.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_field_the_old_and_the_new_value() {
        let old =
            serde_json::json!({"enabled": true, "limits": {"rpm": 0}, "credentials": [{"label": "a", "weight": 1}]});
        let new =
            serde_json::json!({"enabled": true, "limits": {"rpm": 5}, "credentials": [{"label": "b", "weight": 1}]});
        assert_eq!(
            difference(&old, &new),
            [
                "credentials[a].label: \"a\" → –",
                "credentials[a].weight: 1 → –",
                "credentials[b].label: – → \"b\"",
                "credentials[b].weight: – → 1",
                "limits.rpm: 0 → 5",
            ]
        );
        assert!(difference(&old, &old).is_empty());
    }
}
