//! From a file and the present configuration to the changes between them.

use std::collections::BTreeMap;

use serde_saphyr::Spanned;
use uuid::Uuid;

use super::{
    ApplyOptions,
    alerts::AlertsDeclared,
    file::{CredentialEntry, Declared, GroupEntry, ProviderEntry},
    report::{difference, group_entry, names, provider_entry},
};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        group::{Group, GroupDraft, Member, PathPolicy},
        id::ProviderId,
        price::{PriceDraft, PriceTable},
        problem::{Issue, Problem, Validate},
        provider::{CredentialDraft, Provider, ProviderDraft, SecretInput},
        transfer::{ChangeKind, PlannedChange},
    },
    server::{
        admin::{Admin, groups, providers},
        secret::seal::credential_aad,
        store::{Alerting, Change, Snapshot, StoredProvider},
    },
};

/// What applying a file comes to.
#[derive(Default)]
pub(super) struct Plan {
    /// To be made in one transaction, in this order.
    pub(super) changes: Vec<Change>,
    /// Line by line, what that means.
    pub(super) report: Vec<PlannedChange>,
    problems: Vec<Problem>,
}

impl Plan {
    /// Compares everything, finds every problem, touches nothing.
    pub(super) fn make(
        admin: &Admin,
        declared: &Declared,
        (snapshot, alerting): (&Snapshot, &Alerting),
        options: &ApplyOptions,
    ) -> ApiResult<Self> {
        let mut plan = Self::default();
        let mut snapshot = snapshot.clone();
        let before = snapshot.clone();
        plan.refuse_doubles(declared);
        if options.prune {
            plan.prune_groups(declared, &before);
        }
        for entry in &declared.providers {
            plan.provider(admin, entry, &mut snapshot, options);
        }
        for entry in &declared.groups {
            plan.group(admin, entry, &snapshot, &before);
        }
        if let Some(alerts) = &declared.alerts {
            let groups = plan.groups_after(&before);
            plan.alerts(admin, alerts, &Snapshot { groups, ..snapshot }, alerting, options);
        }
        if options.prune {
            plan.prune_providers(declared, &before);
        }
        if let Some(entry) = &declared.prices {
            plan.prices(entry, &before.prices);
        }
        if plan.problems.is_empty() { Ok(plan) } else { Err(ApiError::Invalid { problems: plan.problems }) }
    }

    /// Groups as they will be: what is stored, without those that go, with those that change.
    fn groups_after(&self, before: &Snapshot) -> Vec<Group> {
        let mut groups = before.groups.clone();
        for change in &self.changes {
            match change {
                Change::DeleteGroup { id, .. } => groups.retain(|group| group.id != *id),
                Change::PutGroup { group, .. } => {
                    groups.retain(|known| known.id != group.id);
                    groups.push(group.clone());
                }
                _ => {}
            }
        }
        groups
    }

    fn refuse_doubles(&mut self, declared: &Declared) {
        let mut seen = BTreeMap::new();
        let providers =
            declared.providers.iter().map(|entry| ("provider", &entry.value.name, "name", entry.referenced.line()));
        let groups = declared.groups.iter().map(|entry| ("group", &entry.value.slug, "slug", entry.referenced.line()));
        let (none, alerts) = (AlertsDeclared::default(), declared.alerts.as_ref());
        let alerts = alerts.unwrap_or(&none);
        let channels =
            alerts.channels.iter().map(|entry| ("channel", &entry.value.name, "name", entry.referenced.line()));
        let rules = alerts.rules.iter().map(|entry| ("rule", &entry.value.name, "name", entry.referenced.line()));
        for (object, name, field, line) in providers.chain(groups).chain(channels).chain(rules) {
            if seen.insert((object, name), line).is_some() {
                self.problems.push(Problem::new(place(line, object, name, field), Issue::Duplicate));
            }
        }
    }

    fn provider(
        &mut self,
        admin: &Admin,
        entry: &Spanned<ProviderEntry>,
        snapshot: &mut Snapshot,
        options: &ApplyOptions,
    ) {
        let (line, entry) = (entry.referenced.line(), &entry.value);
        let found = snapshot.providers.iter().position(|stored| stored.provider.name == entry.name);
        let before = found.map(|at| snapshot.providers[at].clone());
        let color = before.as_ref().map_or_else(|| providers::free_color(snapshot), |stored| stored.provider.color);
        let prepared = provider_draft(entry, before.as_ref(), options)
            .map_err(|problems| ApiError::Invalid { problems })
            .and_then(|draft| admin.providers().prepare(&draft, before.as_ref(), color));
        let (provider, sealed) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.refuse(line, "provider", &entry.name, error),
        };
        let mut fields = before
            .as_ref()
            .map_or_else(Vec::new, |stored| difference(&provider_entry(&stored.provider), &provider_entry(&provider)));
        if let Some(stored) = &before {
            fields.extend(new_secrets(admin, stored, &provider, entry, options));
        }
        let expect = before.as_ref().map(|stored| stored.provider.revision);
        let stored = StoredProvider { provider: provider.clone(), sealed: sealed.clone() };
        match found {
            Some(at) => snapshot.providers[at] = stored,
            None => snapshot.providers.push(stored),
        }
        let kind = kind(before.is_some(), &fields);
        self.report.push(PlannedChange { object: "provider".into(), name: entry.name.clone(), kind, fields });
        if kind != ChangeKind::Unchanged {
            self.changes.push(Change::PutProvider { provider, sealed, expect });
        }
    }

    fn group(&mut self, admin: &Admin, entry: &Spanned<GroupEntry>, snapshot: &Snapshot, before: &Snapshot) {
        let (line, entry) = (entry.referenced.line(), &entry.value);
        let stored = before.groups.iter().find(|group| group.slug.as_str() == entry.slug);
        let prepared = group_draft(entry, snapshot)
            .map_err(|problems| ApiError::Invalid { problems })
            .and_then(|draft| groups::prepare(&draft, stored, snapshot, admin.now_ms()));
        let group = match prepared {
            Ok(group) => group,
            Err(error) => return self.refuse(line, "group", &entry.slug, error),
        };
        let names = names(snapshot);
        let fields = stored
            .map_or_else(Vec::new, |stored| difference(&group_entry(stored, &names), &group_entry(&group, &names)));
        let kind = kind(stored.is_some(), &fields);
        self.report.push(PlannedChange { object: "group".into(), name: entry.slug.clone(), kind, fields });
        if kind != ChangeKind::Unchanged {
            self.changes.push(Change::PutGroup { group, expect: stored.map(|group| group.revision) });
        }
    }

    /// The price table is replaced as a whole; a file without one leaves it alone.
    fn prices(&mut self, entry: &Spanned<PriceDraft>, before: &PriceTable) {
        let (line, draft) = (entry.referenced.line(), &entry.value);
        if let Err(problems) = draft.validate() {
            return self.refuse(line, "prices", &draft.currency, ApiError::Invalid { problems });
        }
        let fields = difference(&before.to_draft(), draft);
        let kind = kind(true, &fields);
        self.report.push(PlannedChange { object: "prices".into(), name: draft.currency.clone(), kind, fields });
        if kind != ChangeKind::Unchanged {
            self.changes.push(Change::PutPrices { draft: draft.clone(), expect: Some(before.revision) });
        }
    }

    /// Deletes groups that the file does not name, first of all: their names and providers become free.
    fn prune_groups(&mut self, declared: &Declared, before: &Snapshot) {
        let named = |group: &&Group| declared.groups.iter().any(|entry| entry.value.slug == group.slug.as_str());
        for group in before.groups.iter().filter(|group| !named(group)) {
            self.deletion("group", group.slug.as_str());
            self.changes.push(Change::DeleteGroup { id: group.id, expect: Some(group.revision) });
        }
    }

    /// Deletes providers that the file does not name, last of all: no group holds on to them any more.
    fn prune_providers(&mut self, declared: &Declared, before: &Snapshot) {
        let named = |provider: &Provider| declared.providers.iter().any(|entry| entry.value.name == provider.name);
        for stored in before.providers.iter().filter(|stored| !named(&stored.provider)) {
            let Provider { id, revision, name, .. } = &stored.provider;
            if let Some(entry) =
                declared.groups.iter().find(|entry| entry.value.providers.iter().any(|member| member.provider == *name))
            {
                let by = format!(
                    "group {} in this file; declare the provider or leave it out of the group",
                    entry.value.slug
                );
                self.problems.push(Problem::new(format!("provider {name}"), Issue::InUse { by }));
                continue;
            }
            self.deletion("provider", name);
            self.changes.push(Change::DeleteProvider { id: *id, expect: Some(*revision), leave_groups: false });
        }
    }

    pub(super) fn deletion(&mut self, object: &str, name: &str) {
        let (object, name) = (object.to_owned(), name.to_owned());
        self.report.push(PlannedChange { object, name, kind: ChangeKind::Delete, fields: Vec::new() });
    }

    pub(super) fn refuse(&mut self, line: u64, object: &str, name: &str, error: ApiError) {
        let problems = match error {
            ApiError::Invalid { problems } => problems,
            other => vec![Problem::new("entry", Issue::Unreadable { message: other.to_string() })],
        };
        // The model's word for what the file calls `providers`.
        let in_file =
            |field: &str| if object == "group" { field.replace("members[", "providers[") } else { field.to_owned() };
        let told = problems
            .into_iter()
            .map(|problem| Problem::new(place(line, object, name, &in_file(&problem.field)), problem.issue));
        self.problems.extend(told);
    }
}

/// Where a problem is: `line 3, provider alpha, base_url`.
fn place(line: u64, object: &str, name: &str, field: &str) -> String {
    format!("line {line}, {object} {name}, {field}")
}

pub(super) fn kind(exists: bool, fields: &[String]) -> ChangeKind {
    match (exists, fields.is_empty()) {
        (false, _) => ChangeKind::Create,
        (true, false) => ChangeKind::Update,
        (true, true) => ChangeKind::Unchanged,
    }
}

fn provider_draft(
    entry: &ProviderEntry,
    before: Option<&StoredProvider>,
    options: &ApplyOptions,
) -> Result<ProviderDraft, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut credentials = Vec::with_capacity(entry.credentials.len());
    for (index, credential) in entry.credentials.iter().enumerate() {
        let secret = secret_of(credential, options).unwrap_or_else(|issue| {
            problems.push(Problem::new(format!("credentials[{index}].secret_env"), issue));
            None
        });
        let stored =
            before.and_then(|stored| stored.provider.credentials.iter().find(|old| old.label == credential.label));
        credentials.push(CredentialDraft {
            id: stored.map(|stored| stored.id),
            label: credential.label.clone(),
            secret,
            weight: credential.weight,
            enabled: credential.enabled,
            limits: credential.limits,
        });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let ProviderEntry {
        name,
        website,
        base_url,
        auth,
        enabled,
        headers,
        models,
        timeouts,
        limits,
        tls,
        connection,
        ..
    } = entry.clone();
    Ok(ProviderDraft {
        name,
        website,
        base_url,
        auth,
        enabled,
        headers,
        models,
        timeouts,
        limits,
        tls,
        connection,
        credentials,
    })
}

fn secret_of(credential: &CredentialEntry, options: &ApplyOptions) -> Result<Option<SecretInput>, Issue> {
    match (&credential.secret, &credential.secret_env) {
        (Some(_), Some(_)) => {
            Err(Issue::Unreadable { message: "secret and secret_env exclude each other; keep one".into() })
        }
        (Some(secret), None) => Ok(Some(SecretInput::new(secret.expose()))),
        (None, Some(name)) => match options.variables.get(name) {
            Some(value) => Ok(Some(SecretInput::new(value))),
            None => Err(Issue::VariableUnset { name: name.clone() }),
        },
        (None, None) => Ok(None),
    }
}

/// Which secrets of the file are not the stored ones. A secret that is the same changes nothing.
fn new_secrets(
    admin: &Admin,
    stored: &StoredProvider,
    provider: &Provider,
    entry: &ProviderEntry,
    options: &ApplyOptions,
) -> Vec<String> {
    let changed = provider.credentials.iter().filter(|credential| {
        let written = entry.credentials.iter().find(|written| written.label == credential.label);
        let Some(secret) = written.and_then(|written| secret_of(written, options).ok().flatten()) else { return false };
        let aad = credential_aad(credential.id, stored.provider.base_url.host());
        let kept = stored.sealed.iter().find(|(id, _)| *id == credential.id);
        let opened = kept.and_then(|(_, sealed)| admin.master().open(sealed, &aad).ok());
        opened.is_none_or(|opened| opened.expose() != secret.expose())
    });
    changed.map(|credential| format!("credentials[{}].secret: changed", credential.label)).collect()
}

fn group_draft(entry: &GroupEntry, snapshot: &Snapshot) -> Result<GroupDraft, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut members = Vec::with_capacity(entry.providers.len());
    for (index, member) in entry.providers.iter().enumerate() {
        let found = snapshot.providers.iter().find(|stored| stored.provider.name == member.provider);
        if found.is_none() {
            problems.push(Problem::new(format!("providers[{index}].provider ({})", member.provider), Issue::Unknown));
        }
        let provider = found.map_or(ProviderId(Uuid::nil()), |stored| stored.provider.id);
        members.push(Member { provider, priority: member.priority, tier: member.tier });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let GroupEntry {
        name,
        slug,
        description,
        kind,
        strategy,
        enabled,
        failover,
        anonymous,
        allowed_origins,
        hide_provider_headers,
        sticky,
        outcome_rules,
        websocket,
        stream_usage,
        log_bodies,
        ..
    } = entry.clone();
    let path_policy = entry.path_policy.clone().unwrap_or_else(|| PathPolicy::default_for(kind));
    Ok(GroupDraft {
        name,
        slug,
        description,
        kind,
        strategy,
        enabled,
        path_policy,
        failover,
        anonymous,
        allowed_origins,
        hide_provider_headers,
        sticky,
        outcome_rules,
        websocket,
        stream_usage,
        log_bodies,
        members,
    })
}
