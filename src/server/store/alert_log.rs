//! What was alerted, and how each message about it fared.
//!
//! The rows lie in the log's database: alerting goes on without them, and they go when they are old.

use crate::model::{
    alert::{Alert, Delivery, Words},
    id::{AlertId, ChannelId},
};

use super::{
    Store, StoreError,
    column::{Reader, json, word},
    sql::{Value, record, sql, statements},
};

statements! {
    PUT_ALERT = "INSERT INTO alerts (id, rule_id, rule_name, kind, subject, words, link, since_ms, opened_at_ms, \
                 resolved_at_ms, told) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                 ON CONFLICT (id) DO UPDATE SET words = $6, resolved_at_ms = $10, told = $11";
    OPEN_ALERTS = "SELECT id, rule_id, rule_name, kind, subject, words, link, since_ms, opened_at_ms, resolved_at_ms, \
                   told FROM alerts WHERE resolved_at_ms IS NULL ORDER BY id DESC LIMIT 1000";
    PAST_ALERTS = "SELECT id, rule_id, rule_name, kind, subject, words, link, since_ms, opened_at_ms, resolved_at_ms, \
                   told FROM alerts WHERE resolved_at_ms IS NOT NULL AND id < $1 ORDER BY id DESC LIMIT $2";
    FORGET_ALERTS = "DELETE FROM alerts WHERE resolved_at_ms IS NOT NULL AND resolved_at_ms < $1";
    PUT_DELIVERY = "INSERT INTO alert_deliveries (id, alert_id, channel_id, channel_name, event, title, at_ms, state, \
                    attempts, status, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                    ON CONFLICT (id) DO UPDATE SET at_ms = $7, state = $8, attempts = $9, status = $10, detail = $11";
    DELIVERIES = "SELECT id, alert_id, channel_id, channel_name, event, title, at_ms, state, attempts, status, detail \
                  FROM alert_deliveries WHERE id < $1 ORDER BY id DESC LIMIT $2";
    LAST_DELIVERY = "SELECT id, alert_id, channel_id, channel_name, event, title, at_ms, state, attempts, status, detail \
                     FROM alert_deliveries WHERE channel_id = $1 ORDER BY id DESC LIMIT 1";
    END_RETRIES = "UPDATE alert_deliveries SET state = 'failed', detail = 'Rondo was stopped before the next try' \
                   WHERE state = 'retrying'";
    FORGET_DELIVERIES = "DELETE FROM alert_deliveries WHERE at_ms < $1";
}

record! {
    /// A row of `alerts`.
    AlertRow {
        id: String, rule_id: String, rule_name: String, kind: String, subject: String, words: String, link: String,
        since_ms: i64, opened_at_ms: i64, resolved_at_ms: Option<i64>, told: String,
    }
}

record! {
    /// A row of `alert_deliveries`.
    DeliveryRow {
        id: String, alert_id: Option<String>, channel_id: String, channel_name: String, event: String, title: String,
        at_ms: i64, state: String, attempts: i64, status: Option<i64>, detail: String,
    }
}

/// Greater than every id: where a list begins.
const END: &str = "g";

impl Store {
    /// Writes an alert down, or how it stands now.
    pub async fn put_alert(&self, alert: &Alert) -> Result<(), StoreError> {
        let put = sql(PUT_ALERT)
            .bind(Value::text(alert.id))
            .bind(Value::text(alert.rule))
            .bind(alert.rule_name.as_str())
            .bind(alert.kind.as_str())
            .bind(alert.subject.as_str())
            .bind(json(&(&alert.title, &alert.reason)))
            .bind(alert.link.as_str())
            .bind(alert.since_ms)
            .bind(alert.opened_at_ms)
            .bind(alert.resolved_at_ms)
            .bind(json(&alert.told));
        self.log.run(put).await.map(drop)
    }

    /// Alerts that are open, newest first, at most a thousand.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let rows: Vec<AlertRow> = self.log.all(sql(OPEN_ALERTS)).await?;
        rows.into_iter().map(assemble_alert).collect()
    }

    /// Alerts that are over and older than `before`, newest first.
    pub async fn past_alerts(&self, before: Option<AlertId>, limit: u32) -> Result<Vec<Alert>, StoreError> {
        let before = before.map_or_else(|| END.to_owned(), |id| id.to_string());
        let rows: Vec<AlertRow> = self.log.all(sql(PAST_ALERTS).bind(before).bind(limit)).await?;
        rows.into_iter().map(assemble_alert).collect()
    }

    /// Writes down how a message fared.
    pub async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let put = sql(PUT_DELIVERY)
            .bind(Value::text(delivery.id))
            .bind(delivery.alert.map(|id| id.to_string()))
            .bind(Value::text(delivery.channel))
            .bind(delivery.channel_name.as_str())
            .bind(word(&delivery.event))
            .bind(delivery.title.as_str())
            .bind(delivery.at_ms)
            .bind(word(&delivery.state))
            .bind(delivery.attempts)
            .bind(delivery.status.map(i64::from))
            .bind(delivery.detail.as_str());
        self.log.run(put).await.map(drop)
    }

    /// The last messages, newest first.
    pub async fn deliveries(&self, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let rows: Vec<DeliveryRow> = self.log.all(sql(DELIVERIES).bind(END).bind(limit)).await?;
        rows.into_iter().map(assemble_delivery).collect()
    }

    /// The last message to a channel.
    pub async fn last_delivery(&self, channel: ChannelId) -> Result<Option<Delivery>, StoreError> {
        let row: Option<DeliveryRow> = self.log.one(sql(LAST_DELIVERY).bind(Value::text(channel))).await?;
        row.map(assemble_delivery).transpose()
    }

    /// Messages that an earlier process meant to send again: it does not any more.
    pub async fn end_retries(&self) -> Result<(), StoreError> {
        self.log.run(sql(END_RETRIES)).await.map(drop)
    }

    /// Deletes what is older than this moment; open alerts stay.
    pub async fn forget_alerts(&self, before_ms: i64) -> Result<(), StoreError> {
        self.log.run(sql(FORGET_ALERTS).bind(before_ms)).await?;
        self.log.run(sql(FORGET_DELIVERIES).bind(before_ms)).await.map(drop)
    }
}

fn assemble_alert(row: AlertRow) -> Result<Alert, StoreError> {
    let read = Reader { what: "alert", id: &row.id };
    let (title, reason): (Words, Words) = read.json(&row.words)?;
    Ok(Alert {
        id: read.parse(&row.id)?,
        rule: read.parse(&row.rule_id)?,
        kind: read.word(&row.kind)?,
        told: read.json(&row.told)?,
        rule_name: row.rule_name,
        subject: row.subject,
        title,
        reason,
        link: row.link,
        since_ms: row.since_ms,
        opened_at_ms: row.opened_at_ms,
        resolved_at_ms: row.resolved_at_ms,
        acknowledged: None,
    })
}

fn assemble_delivery(row: DeliveryRow) -> Result<Delivery, StoreError> {
    let read = Reader { what: "alert delivery", id: &row.id };
    Ok(Delivery {
        id: read.parse(&row.id)?,
        alert: read.parse_optional(row.alert_id.as_deref())?,
        channel: read.parse(&row.channel_id)?,
        event: read.word(&row.event)?,
        state: read.word(&row.state)?,
        attempts: read.number(row.attempts)?,
        status: read.number_optional(row.status)?,
        channel_name: row.channel_name,
        title: row.title,
        at_ms: row.at_ms,
        detail: row.detail,
    })
}
