//! Puts alerts into the words of a channel and carries them there.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};
use uuid::Uuid;

use super::{
    channel::{Message, OpenChannel},
    post::{Fault, Post},
    words,
};
use crate::{
    model::{
        alert::{Alert, AlertEvent, Delivery, DeliveryState, Tongue},
        id::DeliveryId,
    },
    server::upstream::guard::AddressPolicy,
};

/// Lines of a summary that name an alert.
const NAMED: usize = 10;

/// What every message carries of this installation.
#[derive(Clone, Debug)]
pub struct Postmark {
    /// The site's own address, where it is known: what links begin with.
    pub site: Option<String>,
    /// The zone times are told in.
    pub zone: TimeZone,
}

impl Default for Postmark {
    fn default() -> Self {
        Self { site: None, zone: TimeZone::UTC }
    }
}

/// Writes and sends messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Messenger {
    post: Post,
    postmark: Arc<Postmark>,
}

impl Messenger {
    /// Messages go only where `policy` allows.
    pub fn new(policy: Arc<AddressPolicy>, postmark: Postmark) -> Self {
        Self { post: Post::new(policy), postmark: Arc::new(postmark) }
    }

    /// An alert that opened or ended, for this channel.
    pub(super) fn message(&self, channel: &OpenChannel, alert: &Alert) -> Message {
        let tongue = channel.tongue();
        let title = alert.title.say(tongue);
        let mut lines = vec![alert.reason.say(tongue).to_owned()];
        let (event, title) = match alert.resolved_at_ms {
            None => {
                lines.push(words::since(&self.time(alert.since_ms), tongue));
                (AlertEvent::Firing, title.to_owned())
            }
            Some(resolved_at_ms) => {
                lines.push(words::lasted(&self.time(alert.since_ms), &self.time(resolved_at_ms), tongue));
                (AlertEvent::Resolved, words::resolved(title, tongue))
            }
        };
        lines.push(words::rule(&alert.rule_name, tongue));
        let link = self.link(&alert.link);
        Message { id: DeliveryId(Uuid::now_v7()), event, title, lines, link, alerts: vec![alert.clone()] }
    }

    /// What the hourly cap held back: `count` alerts, of which `first` are named.
    pub(super) fn summary(&self, channel: &OpenChannel, count: usize, first: Vec<Alert>) -> Message {
        let tongue = channel.tongue();
        let mut lines: Vec<String> = first.iter().take(NAMED).map(|alert| self.line(alert, tongue)).collect();
        if count > lines.len() {
            lines.push(words::more(count - lines.len(), tongue));
        }
        lines.push(words::hourly_cap(channel.channel.settings.per_hour, tongue));
        Message {
            id: DeliveryId(Uuid::now_v7()),
            event: AlertEvent::Summary,
            title: words::summary(count, tongue),
            lines,
            link: self.link("/admin/alerts"),
            alerts: first,
        }
    }

    fn line(&self, alert: &Alert, tongue: Tongue) -> String {
        let title = alert.title.say(tongue);
        match alert.resolved_at_ms {
            None => format!("{}  {title}", self.time(alert.opened_at_ms)),
            Some(at_ms) => format!("{}  {}", self.time(at_ms), words::resolved(title, tongue)),
        }
    }

    /// Sends one message that says who sent it, and nothing else. Tried once.
    pub async fn test(&self, channel: &OpenChannel, now_ms: i64) -> Delivery {
        let tongue = channel.tongue();
        let message = Message {
            id: DeliveryId(Uuid::now_v7()),
            event: AlertEvent::Test,
            title: words::test(tongue).to_owned(),
            lines: vec![words::test_line(&channel.channel.settings.name, tongue), self.time(now_ms)],
            link: self.link("/admin/alerts"),
            alerts: Vec::new(),
        };
        let mut delivery = delivery(channel, &message, now_ms);
        let sent = self.send(channel, &message, now_ms).await;
        note(&mut delivery, now_ms, &sent, Again::No);
        delivery
    }

    /// Tries once.
    pub(super) async fn send(&self, channel: &OpenChannel, message: &Message, now_ms: i64) -> Result<u16, Fault> {
        self.post.send(channel, message, now_ms).await
    }

    /// A time in the installation's zone, with its offset: the reader may be elsewhere.
    fn time(&self, unix_ms: i64) -> String {
        let at = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(self.postmark.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    fn link(&self, path: &str) -> Option<String> {
        self.postmark.site.as_ref().map(|site| format!("{site}{path}"))
    }
}

/// The record of a message that was not tried yet.
pub(super) fn delivery(channel: &OpenChannel, message: &Message, now_ms: i64) -> Delivery {
    Delivery {
        id: message.id,
        alert: match message.event {
            AlertEvent::Firing | AlertEvent::Resolved => message.alerts.first().map(|alert| alert.id),
            AlertEvent::Summary | AlertEvent::Test => None,
        },
        channel: channel.channel.id,
        channel_name: channel.channel.settings.name.clone(),
        event: message.event,
        title: message.title.clone(),
        at_ms: now_ms,
        state: DeliveryState::Retrying,
        attempts: 0,
        status: None,
        detail: String::new(),
    }
}

/// Whether there will be another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// If the fault is worth it.
    IfRetryable,
    /// It was the last.
    No,
}

/// Notes how a try went.
pub(super) fn note(delivery: &mut Delivery, now_ms: i64, sent: &Result<u16, Fault>, again: Again) {
    delivery.at_ms = now_ms;
    delivery.attempts += 1;
    match sent {
        Ok(status) => {
            (delivery.state, delivery.status, delivery.detail) = (DeliveryState::Sent, Some(*status), String::new());
        }
        Err(fault) => {
            let retried = again == Again::IfRetryable && fault.retryable;
            delivery.state = if retried { DeliveryState::Retrying } else { DeliveryState::Failed };
            delivery.status = fault.status;
            delivery.detail.clone_from(&fault.detail);
        }
    }
}
