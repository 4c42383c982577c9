//! Rules, channels and silences of alerts. Few rows, read as a whole; the data plane never reads them.

use std::collections::HashMap;

use crate::{
    model::{
        alert::{Acknowledged, Channel, Rule, Silence},
        id::{AlertId, ChannelId, RuleId},
    },
    server::secret::seal::Sealed,
};

use super::{
    Store, StoreError, audit,
    audit::Entry,
    change::{Stamp, check_expected},
    column::{self, Reader, json},
    database::Tx,
    sql::{Value, record, sql, statements},
};

/// A channel with the envelopes of its address and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredChannel {
    /// The record, without secrets.
    pub channel: Channel,
    /// Its address.
    pub url: Sealed,
    /// Its secret, if it has one.
    pub secret: Option<Sealed>,
}

/// What becomes of the envelopes of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelSecrets {
    /// A new address; `None` keeps the stored one. A channel that is new needs one.
    pub url: Option<Sealed>,
    /// A new secret, or `Some(None)` for none any more; `None` keeps the stored one.
    pub secret: Option<Option<Sealed>>,
}

/// All that alerting is configured by, as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alerting {
    /// Channels, oldest first.
    pub channels: Vec<StoredChannel>,
    /// Rules, oldest first.
    pub rules: Vec<Rule>,
    /// Silences, those that are over included.
    pub silences: Vec<Silence>,
    /// Alerts that somebody has in hand, those that are over included for a while.
    pub acknowledged: HashMap<AlertId, Acknowledged>,
}

statements! {
    ALL_CHANNELS = "SELECT id, settings, shown, hint, sealed_url, sealed_secret, revision, created_at_ms, updated_at_ms \
                    FROM alert_channels ORDER BY created_at_ms, id";
    ONE_CHANNEL = "SELECT id, settings, shown, hint, sealed_url, sealed_secret, revision, created_at_ms, updated_at_ms \
                   FROM alert_channels WHERE id = $1";
    CHANNEL_HOLDER = "SELECT id FROM alert_channels WHERE name = $1";
    PUT_CHANNEL = "INSERT INTO alert_channels (id, name, settings, shown, hint, sealed_url, sealed_secret, revision, \
                   created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                   ON CONFLICT (id) DO UPDATE SET name = $2, settings = $3, shown = $4, hint = $5, sealed_url = $6, \
                   sealed_secret = $7, revision = $8, updated_at_ms = $10";
    DELETE_CHANNEL = "DELETE FROM alert_channels WHERE id = $1";
    ALL_RULES = "SELECT id, settings, revision, created_at_ms, updated_at_ms FROM alert_rules ORDER BY created_at_ms, id";
    ONE_RULE = "SELECT id, settings, revision, created_at_ms, updated_at_ms FROM alert_rules WHERE id = $1";
    RULE_HOLDER = "SELECT id FROM alert_rules WHERE name = $1";
    PUT_RULE = "INSERT INTO alert_rules (id, name, settings, revision, created_at_ms, updated_at_ms) \
                VALUES ($1, $2, $3, $4, $5, $6) \
                ON CONFLICT (id) DO UPDATE SET name = $2, settings = $3, revision = $4, updated_at_ms = $6";
    DELETE_RULE = "DELETE FROM alert_rules WHERE id = $1";
    ALL_SILENCES = "SELECT rule_id, subject, until_ms, actor FROM alert_silences ORDER BY rule_id, subject";
    PUT_SILENCE = "INSERT INTO alert_silences (rule_id, subject, until_ms, actor) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (rule_id, subject) DO UPDATE SET until_ms = $3, actor = $4";
    LIFT_SILENCE = "DELETE FROM alert_silences WHERE rule_id = $1 AND subject = $2";
    SWEEP_SILENCES = "DELETE FROM alert_silences WHERE until_ms <= $1";
    ALL_ACKNOWLEDGED = "SELECT alert_id, actor, at_ms FROM alert_acknowledgements ORDER BY alert_id";
    ACKNOWLEDGE = "INSERT INTO alert_acknowledgements (alert_id, actor, at_ms) VALUES ($1, $2, $3) \
                   ON CONFLICT (alert_id) DO UPDATE SET actor = $2, at_ms = $3";
    SWEEP_ACKNOWLEDGED = "DELETE FROM alert_acknowledgements WHERE at_ms < $1";
}

record! {
    /// A row of `alert_channels`.
    ChannelRow {
        id: String, settings: String, shown: String, hint: String, sealed_url: String, sealed_secret: Option<String>,
        revision: i64, created_at_ms: i64, updated_at_ms: i64,
    }
}

record! {
    /// A row of `alert_rules`.
    RuleRow { id: String, settings: String, revision: i64, created_at_ms: i64, updated_at_ms: i64 }
}

record! {
    /// A row of `alert_silences`.
    SilenceRow { rule_id: String, subject: String, until_ms: i64, actor: String }
}

record! {
    /// A row of `alert_acknowledgements`.
    AcknowledgedRow { alert_id: String, actor: String, at_ms: i64 }
}

/// How long it is remembered who had an alert in hand, milliseconds.
const ACKNOWLEDGED_MS: i64 = 90 * 86_400_000;

impl Store {
    /// Rules, channels, silences and acknowledgements, read in one transaction.
    pub async fn alerting(&self) -> Result<Alerting, StoreError> {
        let mut tx = self.config.read().await?;
        let channels: Vec<ChannelRow> = tx.all(sql(ALL_CHANNELS)).await?;
        let rules: Vec<RuleRow> = tx.all(sql(ALL_RULES)).await?;
        let silences: Vec<SilenceRow> = tx.all(sql(ALL_SILENCES)).await?;
        let acknowledged: Vec<AcknowledgedRow> = tx.all(sql(ALL_ACKNOWLEDGED)).await?;
        Ok(Alerting {
            channels: channels.into_iter().map(assemble_channel).collect::<Result<_, _>>()?,
            rules: rules.into_iter().map(assemble_rule).collect::<Result<_, _>>()?,
            silences: silences.into_iter().map(assemble_silence).collect::<Result<_, _>>()?,
            acknowledged: acknowledged.into_iter().map(assemble_acknowledged).collect::<Result<_, _>>()?,
        })
    }
}

fn assemble_channel(row: ChannelRow) -> Result<StoredChannel, StoreError> {
    let read = Reader { what: "alert channel", id: &row.id };
    let channel = Channel {
        id: read.parse(&row.id)?,
        settings: read.json(&row.settings)?,
        shown: row.shown,
        hint: row.hint,
        revision: row.revision,
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
    };
    Ok(StoredChannel { channel, url: Sealed(row.sealed_url), secret: row.sealed_secret.map(Sealed) })
}

fn assemble_rule(row: RuleRow) -> Result<Rule, StoreError> {
    let read = Reader { what: "alert rule", id: &row.id };
    Ok(Rule {
        id: read.parse(&row.id)?,
        settings: read.json(&row.settings)?,
        revision: row.revision,
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
    })
}

fn assemble_silence(row: SilenceRow) -> Result<Silence, StoreError> {
    let rule = Reader { what: "alert silence", id: &row.rule_id }.parse(&row.rule_id)?;
    Ok(Silence { rule, subject: row.subject, until_ms: row.until_ms, by: row.actor })
}

fn assemble_acknowledged(row: AcknowledgedRow) -> Result<(AlertId, Acknowledged), StoreError> {
    let alert = Reader { what: "acknowledged alert", id: &row.alert_id }.parse(&row.alert_id)?;
    Ok((alert, Acknowledged { by: row.actor, at_ms: row.at_ms }))
}

async fn read_channel(tx: &mut Tx, id: ChannelId) -> Result<Option<StoredChannel>, StoreError> {
    let row: Option<ChannelRow> = tx.one(sql(ONE_CHANNEL).bind(Value::text(id))).await?;
    row.map(assemble_channel).transpose()
}

async fn read_rule(tx: &mut Tx, id: RuleId) -> Result<Option<Rule>, StoreError> {
    let row: Option<RuleRow> = tx.one(sql(ONE_RULE).bind(Value::text(id))).await?;
    row.map(assemble_rule).transpose()
}

/// Refuses a name that another record has.
async fn check_free(
    tx: &mut Tx,
    holder: &'static str,
    field: &'static str,
    name: &str,
    id: &str,
) -> Result<(), StoreError> {
    let found: Option<(String,)> = tx.one(sql(holder).bind(name)).await?;
    if found.is_some_and(|(holder,)| holder != id) { Err(StoreError::Taken { field }) } else { Ok(()) }
}

pub(super) async fn put_channel(
    tx: &mut Tx,
    mut channel: Channel,
    secrets: ChannelSecrets,
    expect: Option<i64>,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let id = channel.id.to_string();
    let stored = read_channel(tx, channel.id).await?;
    let before = stored.as_ref().map(|stored| &stored.channel);
    check_expected(tx, "alert channel", &id, before.map(|channel| channel.revision), expect).await?;
    check_free(tx, CHANNEL_HOLDER, "settings.name", &channel.settings.name, &id).await?;
    channel.revision = stamp.revision;
    channel.created_at_ms = stamp.created(before.map(|channel| channel.created_at_ms), channel.created_at_ms);
    channel.updated_at_ms = stamp.at_ms;
    let mut renewed = Vec::new();
    renewed.extend(secrets.url.is_some().then(|| "url".to_owned()));
    renewed.extend(secrets.secret.is_some().then(|| "secret".to_owned()));
    let url = secrets.url.or_else(|| stored.as_ref().map(|stored| stored.url.clone()));
    let url = url.ok_or(StoreError::NotFound { what: "alert channel" })?;
    let secret = secrets.secret.unwrap_or_else(|| stored.as_ref().and_then(|stored| stored.secret.clone()));
    let put = sql(PUT_CHANNEL)
        .bind(id.as_str())
        .bind(channel.settings.name.as_str())
        .bind(json(&channel.settings))
        .bind(channel.shown.as_str())
        .bind(channel.hint.as_str())
        .bind(url.0)
        .bind(secret.map(|secret| secret.0))
        .bind(channel.revision)
        .bind(channel.created_at_ms)
        .bind(channel.updated_at_ms);
    tx.run(put).await?;
    let old = before.map(column::value);
    Ok(Entry {
        action: if stored.is_some() { "alert_channel.update" } else { "alert_channel.create" }.to_owned(),
        object_id: id,
        detail: audit::difference(old.as_ref(), &column::value(&channel), &renewed),
        object: channel.settings.name,
    })
}

pub(super) async fn delete_channel(tx: &mut Tx, id: ChannelId) -> Result<Entry, StoreError> {
    let stored = read_channel(tx, id).await?.ok_or(StoreError::NotFound { what: "alert channel" })?;
    tx.run(sql(DELETE_CHANNEL).bind(Value::text(id))).await?;
    Ok(Entry {
        action: "alert_channel.delete".to_owned(),
        object_id: id.to_string(),
        object: stored.channel.settings.name,
        detail: "{}".to_owned(),
    })
}

pub(super) async fn put_rule(
    tx: &mut Tx,
    mut rule: Rule,
    expect: Option<i64>,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let id = rule.id.to_string();
    let stored = read_rule(tx, rule.id).await?;
    check_expected(tx, "alert rule", &id, stored.as_ref().map(|rule| rule.revision), expect).await?;
    check_free(tx, RULE_HOLDER, "name", &rule.settings.name, &id).await?;
    rule.revision = stamp.revision;
    rule.created_at_ms = stamp.created(stored.as_ref().map(|rule| rule.created_at_ms), rule.created_at_ms);
    rule.updated_at_ms = stamp.at_ms;
    let put = sql(PUT_RULE)
        .bind(id.as_str())
        .bind(rule.settings.name.as_str())
        .bind(json(&rule.settings))
        .bind(rule.revision)
        .bind(rule.created_at_ms)
        .bind(rule.updated_at_ms);
    tx.run(put).await?;
    let old = stored.as_ref().map(column::value);
    Ok(Entry {
        action: if stored.is_some() { "alert_rule.update" } else { "alert_rule.create" }.to_owned(),
        object_id: id,
        detail: audit::difference(old.as_ref(), &column::value(&rule), &[]),
        object: rule.settings.name,
    })
}

pub(super) async fn delete_rule(tx: &mut Tx, id: RuleId) -> Result<Entry, StoreError> {
    let stored = read_rule(tx, id).await?.ok_or(StoreError::NotFound { what: "alert rule" })?;
    tx.run(sql(DELETE_RULE).bind(Value::text(id))).await?;
    Ok(Entry {
        action: "alert_rule.delete".to_owned(),
        object_id: id.to_string(),
        object: stored.settings.name,
        detail: "{}".to_owned(),
    })
}

/// Also clears away the silences that are over, so that they do not add up.
pub(super) async fn put_silence(tx: &mut Tx, silence: Silence, stamp: Stamp) -> Result<Entry, StoreError> {
    let rule = read_rule(tx, silence.rule).await?.ok_or(StoreError::NotFound { what: "alert rule" })?;
    tx.run(sql(SWEEP_SILENCES).bind(stamp.at_ms)).await?;
    let begins = silence.until_ms > stamp.at_ms;
    let place = |statement| sql(statement).bind(Value::text(silence.rule)).bind(silence.subject.as_str());
    if begins {
        tx.run(place(PUT_SILENCE).bind(silence.until_ms).bind(silence.by.as_str())).await?;
    } else {
        tx.run(place(LIFT_SILENCE)).await?;
    }
    let detail = serde_json::json!({ "subject": silence.subject, "until_ms": silence.until_ms });
    Ok(Entry {
        action: if begins { "alert_rule.silence" } else { "alert_rule.unsilence" }.to_owned(),
        object_id: silence.rule.to_string(),
        object: rule.settings.name,
        detail: detail.to_string(),
    })
}

/// Also forgets who had alerts in hand that are over for long.
pub(super) async fn acknowledge(
    tx: &mut Tx,
    alert: AlertId,
    title: String,
    by: &str,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    tx.run(sql(SWEEP_ACKNOWLEDGED).bind(stamp.at_ms - ACKNOWLEDGED_MS)).await?;
    tx.run(sql(ACKNOWLEDGE).bind(Value::text(alert)).bind(by).bind(stamp.at_ms)).await?;
    Ok(Entry {
        action: "alert.acknowledge".to_owned(),
        object_id: alert.to_string(),
        object: title,
        detail: "{}".to_owned(),
    })
}
