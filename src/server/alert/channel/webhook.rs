//! A webhook of one's own: JSON, signed where the channel has a secret.

use serde_json::{Value, json};

use super::{Message, OpenChannel, Outgoing, sign::webhook_signature};
use crate::model::alert::Alert;

pub(super) fn outgoing(channel: &OpenChannel, message: &Message, now_ms: i64) -> Outgoing {
    let seconds = now_ms.div_euclid(1_000);
    let told = |alert: &Alert| {
        json!({
            "id": alert.id,
            "rule": alert.rule_name,
            "kind": alert.kind,
            "subject": alert.subject,
            "title": alert.title,
            "reason": alert.reason,
            "since_ms": alert.since_ms,
            "opened_at_ms": alert.opened_at_ms,
            "resolved_at_ms": alert.resolved_at_ms,
        })
    };
    let body = json!({
        "version": 1,
        "id": message.id,
        "event": message.event,
        "at_ms": now_ms,
        "title": message.title,
        "text": message.lines.join("\n"),
        "link": message.link.as_ref().map_or(Value::Null, |link| json!(link)),
        "alerts": message.alerts.iter().map(told).collect::<Vec<_>>(),
    })
    .to_string();
    let mut headers = vec![("rondo-delivery", message.id.to_string()), ("rondo-timestamp", seconds.to_string())];
    headers.extend(channel.secret().map(|secret| ("rondo-signature", webhook_signature(secret, seconds, &body))));
    Outgoing { target: channel.url.target.clone(), headers, body }
}
