//! Rules and channels of alerts in the declarative file: matched by name, told without secrets.

use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::{
    ApplyOptions,
    plan::{Plan, kind},
    report::difference,
};
use crate::{
    model::{
        alert::{
            Channel, ChannelDraft, ChannelKind, ChannelSettings, MailSecurity, Rule, RuleDraft, RuleKind, Scope, Tongue,
        },
        error::ApiError,
        id::{ChannelId, GroupId, ProviderId},
        problem::{Issue, Problem},
        provider::SecretInput,
        transfer::{ChangeKind, PlannedChange},
    },
    server::{
        admin::{Admin, alerts::channels::prepare_channel, alerts::prepare_rule},
        alert::channel::OpenChannel,
        store::{Alerting, Change, Snapshot, StoredChannel},
    },
};

/// Both lists as read.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AlertsDeclared {
    pub(super) channels: Vec<Spanned<ChannelEntry>>,
    pub(super) rules: Vec<Spanned<RuleEntry>>,
}

/// Both lists as written.
#[derive(Debug, Default, Serialize)]
pub(super) struct AlertsExported {
    pub(super) channels: Vec<ChannelEntry>,
    pub(super) rules: Vec<RuleEntry>,
}

/// One channel. Its address is exported where it is no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelEntry {
    pub(super) name: String,
    pub(super) kind: ChannelKind,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<SecretInput>,
    #[serde(default, skip_serializing)]
    pub(super) url_env: Option<String>,
    #[serde(default, skip_serializing)]
    pub(super) secret: Option<SecretInput>,
    #[serde(default, skip_serializing)]
    pub(super) secret_env: Option<String>,
    #[serde(default)]
    pub(super) language: Tongue,
    #[serde(default = "per_hour")]
    pub(super) per_hour: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) to: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) from: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) username: String,
    #[serde(default)]
    pub(super) security: MailSecurity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ca_file: Option<String>,
}

/// One rule; provider, group and channels by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleEntry {
    pub(super) name: String,
    pub(super) kind: RuleKind,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) above_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) minutes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requests: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hold_seconds: Option<u32>,
    #[serde(default)]
    pub(super) channels: Vec<String>,
}

fn yes() -> bool {
    true
}

fn per_hour() -> u32 {
    ChannelSettings::of(ChannelKind::Webhook).per_hour
}

/// What is stored, as the file has it, sorted by name.
pub(super) fn exported(alerting: &Alerting, snapshot: &Snapshot) -> AlertsExported {
    let mut channels: Vec<ChannelEntry> = alerting.channels.iter().map(|one| channel_entry(&one.channel)).collect();
    channels.sort_by(|a, b| a.name.cmp(&b.name));
    let mut rules: Vec<RuleEntry> =
        alerting.rules.iter().map(|rule| rule_entry(rule, snapshot, &alerting.channels)).collect();
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    AlertsExported { channels, rules }
}

fn channel_entry(channel: &Channel) -> ChannelEntry {
    let ChannelSettings { name, kind, enabled, language, per_hour, to, from, username, security, ca_file } =
        channel.settings.clone();
    let url = (!kind.has_secret_url()).then(|| SecretInput::new(&channel.shown));
    ChannelEntry {
        name,
        kind,
        enabled,
        url,
        url_env: None,
        secret: None,
        secret_env: None,
        language,
        per_hour,
        to,
        from,
        username,
        security,
        ca_file,
    }
}

fn rule_entry(rule: &Rule, snapshot: &Snapshot, channels: &[StoredChannel]) -> RuleEntry {
    let settings = &rule.settings;
    let provider = |id: ProviderId| {
        let known = snapshot.providers.iter().find(|stored| stored.provider.id == id);
        known.map(|stored| stored.provider.name.clone())
    };
    let group = |id: GroupId| {
        let known = snapshot.groups.iter().find(|group| group.id == id);
        known.map(|group| group.slug.to_string())
    };
    let channel = |id: &ChannelId| {
        let known = channels.iter().find(|stored| stored.channel.id == *id);
        known.map(|stored| stored.channel.settings.name.clone())
    };
    let kind = settings.kind;
    let rated = matches!(kind, RuleKind::SuccessRate | RuleKind::CapNear);
    RuleEntry {
        name: settings.name.clone(),
        kind,
        enabled: settings.enabled,
        scope: settings.scope,
        provider: settings.provider.and_then(provider),
        group: settings.group.and_then(group),
        percent: rated.then_some(settings.percent),
        above_ms: (kind == RuleKind::Latency).then_some(settings.above_ms),
        minutes: kind.is_measured().then_some(settings.minutes),
        requests: kind.is_measured().then_some(settings.requests),
        hold_seconds: Some(settings.hold_seconds),
        channels: settings.channels.iter().filter_map(channel).collect(),
    }
}

impl Plan {
    /// Compares channels and rules. `snapshot` has the providers and groups as they will be.
    pub(super) fn alerts(
        &mut self,
        admin: &Admin,
        declared: &AlertsDeclared,
        snapshot: &Snapshot,
        before: &Alerting,
        options: &ApplyOptions,
    ) {
        let mut after = before.clone();
        let named = |name: &str| declared.channels.iter().any(|entry| entry.value.name == name);
        if options.prune {
            after.channels.retain(|stored| named(&stored.channel.settings.name));
        }
        for entry in &declared.channels {
            self.channel(admin, entry, &mut after, options);
        }
        for entry in &declared.rules {
            self.rule(entry, snapshot, before, &after);
        }
        if options.prune {
            self.prune_alerts(declared, before);
        }
    }

    fn channel(&mut self, admin: &Admin, entry: &Spanned<ChannelEntry>, after: &mut Alerting, options: &ApplyOptions) {
        let (line, entry) = (entry.referenced.line(), &entry.value);
        let found = after.channels.iter().position(|stored| stored.channel.settings.name == entry.name);
        let before = found.map(|at| after.channels[at].clone());
        let prepared = channel_draft(admin, entry, before.as_ref(), options)
            .and_then(|draft| prepare_channel(admin, &draft, before.as_ref()).map(|prepared| (draft, prepared)));
        let (draft, (channel, secrets)) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.refuse(line, "channel", &entry.name, error),
        };
        let mut fields = before
            .as_ref()
            .map_or_else(Vec::new, |stored| difference(&channel_entry(&stored.channel), &channel_entry(&channel)));
        if before.is_some() {
            fields.extend(draft.url.is_some().then(|| "url: changed".to_owned()));
            fields.extend(draft.secret.is_some().then(|| "secret: changed".to_owned()));
        }
        // Its envelopes matter to nobody who looks at this list.
        let sealed = |text: &str| crate::server::secret::seal::Sealed(text.to_owned());
        let stored = StoredChannel { channel: channel.clone(), url: sealed(""), secret: None };
        match found {
            Some(at) => after.channels[at].channel = channel.clone(),
            None => after.channels.push(stored),
        }
        let kind = kind(before.is_some(), &fields);
        self.report.push(PlannedChange { object: "channel".into(), name: entry.name.clone(), kind, fields });
        if kind != ChangeKind::Unchanged {
            let expect = before.map(|stored| stored.channel.revision);
            self.changes.push(Change::PutChannel { channel, secrets, expect });
        }
    }

    fn rule(&mut self, entry: &Spanned<RuleEntry>, snapshot: &Snapshot, before: &Alerting, after: &Alerting) {
        let (line, entry) = (entry.referenced.line(), &entry.value);
        let stored = before.rules.iter().find(|rule| rule.settings.name == entry.name);
        let prepared = rule_draft(entry, snapshot, after)
            .map_err(|problems| ApiError::Invalid { problems })
            .and_then(|draft| prepare_rule(draft, stored, snapshot, after));
        let rule = match prepared {
            Ok(rule) => rule,
            Err(error) => return self.refuse(line, "rule", &entry.name, error),
        };
        let fields = stored.map_or_else(Vec::new, |stored| {
            let old = rule_entry(stored, snapshot, &before.channels);
            difference(&old, &rule_entry(&rule, snapshot, &after.channels))
        });
        let kind = kind(stored.is_some(), &fields);
        self.report.push(PlannedChange { object: "rule".into(), name: entry.name.clone(), kind, fields });
        if kind != ChangeKind::Unchanged {
            self.changes.push(Change::PutRule { rule, expect: stored.map(|rule| rule.revision) });
        }
    }

    /// Deletes rules and channels that the file does not name; rules first, for they tell channels.
    fn prune_alerts(&mut self, declared: &AlertsDeclared, before: &Alerting) {
        for rule in &before.rules {
            if !declared.rules.iter().any(|entry| entry.value.name == rule.settings.name) {
                self.deletion("rule", &rule.settings.name);
                self.changes.push(Change::DeleteRule { id: rule.id });
            }
        }
        for stored in &before.channels {
            let name = &stored.channel.settings.name;
            if !declared.channels.iter().any(|entry| entry.value.name == *name) {
                self.deletion("channel", name);
                self.changes.push(Change::DeleteChannel { id: stored.channel.id });
            }
        }
    }
}

/// The draft of an entry. An address or a secret that is the stored one is left out: it changes nothing.
fn channel_draft(
    admin: &Admin,
    entry: &ChannelEntry,
    before: Option<&StoredChannel>,
    options: &ApplyOptions,
) -> Result<ChannelDraft, ApiError> {
    let url = value_of(entry.url.as_ref(), entry.url_env.as_ref(), "url", options)?;
    let secret = value_of(entry.secret.as_ref(), entry.secret_env.as_ref(), "secret", options)?;
    let opened = before.and_then(|stored| OpenChannel::open(stored, admin.master()).ok());
    let url = url.filter(|url| {
        let kept = opened.as_ref().map(|open| open.url().text(entry.kind));
        let same = kept.is_some_and(|kept| kept.trim_end_matches('/') == url.expose().trim_end_matches('/'));
        !same
    });
    let secret = secret.filter(|secret| !opened.as_ref().is_some_and(|open| open.has_secret(secret.expose())));
    let ChannelEntry { name, kind, enabled, language, per_hour, to, from, username, security, ca_file, .. } =
        entry.clone();
    let settings = ChannelSettings { name, kind, enabled, language, per_hour, to, from, username, security, ca_file };
    Ok(ChannelDraft { settings, url, secret })
}

fn value_of(
    written: Option<&SecretInput>,
    variable: Option<&String>,
    field: &str,
    options: &ApplyOptions,
) -> Result<Option<SecretInput>, ApiError> {
    let refuse = |issue| ApiError::invalid(&format!("{field}_env"), issue);
    match (written, variable) {
        (Some(_), Some(_)) => {
            let message = format!("{field} and {field}_env exclude each other; keep one");
            Err(refuse(Issue::Unreadable { message }))
        }
        (Some(text), None) => Ok(Some(SecretInput::new(text.expose()))),
        (None, Some(name)) => match options.variables.get(name) {
            Some(value) => Ok(Some(SecretInput::new(value))),
            None => Err(refuse(Issue::VariableUnset { name: name.clone() })),
        },
        (None, None) => Ok(None),
    }
}

fn rule_draft(entry: &RuleEntry, snapshot: &Snapshot, alerting: &Alerting) -> Result<RuleDraft, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut unknown =
        |field: String, name: &str| problems.push(Problem::new(format!("{field} ({name})"), Issue::Unknown));
    let provider = entry.provider.as_ref().and_then(|name| {
        let known = snapshot.providers.iter().find(|stored| stored.provider.name == *name);
        if known.is_none() {
            unknown("provider".into(), name);
        }
        known.map(|stored| stored.provider.id)
    });
    let group = entry.group.as_ref().and_then(|slug| {
        let known = snapshot.groups.iter().find(|group| group.slug.as_str() == slug);
        if known.is_none() {
            unknown("group".into(), slug);
        }
        known.map(|group| group.id)
    });
    let mut channels = Vec::with_capacity(entry.channels.len());
    for (index, name) in entry.channels.iter().enumerate() {
        match alerting.channels.iter().find(|stored| stored.channel.settings.name == *name) {
            Some(stored) => channels.push(stored.channel.id),
            None => unknown(format!("channels[{index}]"), name),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let usual = RuleDraft::of(entry.kind);
    Ok(RuleDraft {
        name: entry.name.clone(),
        kind: entry.kind,
        enabled: entry.enabled,
        scope: entry.scope,
        provider,
        group,
        percent: entry.percent.unwrap_or(usual.percent),
        above_ms: entry.above_ms.unwrap_or(usual.above_ms),
        minutes: entry.minutes.unwrap_or(usual.minutes),
        requests: entry.requests.unwrap_or(usual.requests),
        hold_seconds: entry.hold_seconds.unwrap_or(usual.hold_seconds),
        channels,
    })
}
