//! What each service is sent, and how its answer is read. Pure: building a request and judging a
//! reply touch no network; [`super::post`] carries them.
//!
//! Names of providers and keys come from people. Where a service knows plain text they go there;
//! elsewhere they are escaped as that service asks ([`escape`]), so that a provider named `<b>*x*`
//! is called just that and breaks no card.

mod dingtalk;
mod email;
mod escape;
mod feishu;
mod sign;
mod slack;
mod telegram;
mod webhook;
mod wecom;

use std::path::Path;

use serde_json::Value;

pub use self::sign::webhook_signature;
use super::post::Fault;
use crate::{
    model::{
        alert::{Alert, AlertEvent, Channel, ChannelKind, HookUrl, Tongue},
        id::DeliveryId,
    },
    server::{
        secret::seal::{MasterKey, SealError, Secret, channel_secret_aad, channel_url_aad},
        store::StoredChannel,
    },
};

pub(super) use self::email::mail;

/// A channel with its address and secret opened.
pub struct OpenChannel {
    /// The record.
    pub channel: Channel,
    pub(super) url: HookUrl,
    pub(super) secret: Option<Secret>,
}

impl OpenChannel {
    /// Opens the envelopes of a stored channel.
    pub fn open(stored: &StoredChannel, master: &MasterKey) -> Result<Self, SealError> {
        let channel = stored.channel.clone();
        let settings = &channel.settings;
        let text = master.open(&stored.url, &channel_url_aad(channel.id))?;
        let url = HookUrl::parse(settings.kind, settings.security, text.expose()).map_err(|_| SealError::Malformed)?;
        let aad = channel_secret_aad(channel.id, url.origin.host());
        let secret = stored.secret.as_ref().map(|sealed| master.open(sealed, &aad)).transpose()?;
        Ok(Self { channel, url, secret })
    }

    /// Its address; never to be shown.
    pub fn url(&self) -> &HookUrl {
        &self.url
    }

    /// Whether this is its secret.
    pub fn has_secret(&self, secret: &str) -> bool {
        self.secret().unwrap_or_default() == secret
    }

    pub(super) fn ca_file(&self) -> Option<&Path> {
        self.channel.settings.ca_file.as_deref().map(Path::new)
    }

    pub(super) fn tongue(&self) -> Tongue {
        self.channel.settings.language
    }

    /// The secret, or nothing: an empty one signs nothing.
    pub(super) fn secret(&self) -> Option<&str> {
        self.secret.as_ref().map(Secret::expose).filter(|secret| !secret.is_empty())
    }

    /// What a service said, without what must not be seen: an address that is a secret, a token.
    pub(super) fn redact(&self, said: &str) -> String {
        let mut said = said.to_owned();
        let target = (self.url.target.len() > 1).then_some(self.url.target.as_str());
        for secret in [target, self.secret()].into_iter().flatten() {
            said = said.replace(secret, "…");
        }
        // Of an address that carries its secret in the query, that part alone may be repeated.
        for (_, value) in self.url.target.split('?').skip(1).flat_map(|query| query.split('&')).filter_map(pair) {
            if value.len() >= 8 {
                said = said.replace(value, "…");
            }
        }
        let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
        plain.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

fn pair(text: &str) -> Option<(&str, &str)> {
    text.split_once('=')
}

impl std::fmt::Debug for OpenChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenChannel({})", self.channel.id)
    }
}

/// A message in the language of its channel.
#[derive(Clone, Debug)]
pub struct Message {
    /// Which one.
    pub id: DeliveryId,
    /// What it tells.
    pub event: AlertEvent,
    /// What is the matter.
    pub title: String,
    /// Why, since when, by which rule.
    pub lines: Vec<String>,
    /// Address of the page about it, where the site has one.
    pub link: Option<String>,
    /// The alerts it is about: one, those of a summary, or none for a test.
    pub alerts: Vec<Alert>,
}

impl Message {
    /// Red for what opened, green for what is over, blue for the rest.
    fn mood(&self) -> Mood {
        match self.event {
            AlertEvent::Firing if self.alerts.iter().any(|alert| alert.kind.is_critical()) => Mood::Bad,
            AlertEvent::Firing | AlertEvent::Summary => Mood::Odd,
            AlertEvent::Resolved => Mood::Good,
            AlertEvent::Test => Mood::Plain,
        }
    }
}

/// How a card looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Bad,
    Odd,
    Good,
    Plain,
}

/// A request to be posted.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Path and query.
    pub target: String,
    /// Headers besides `Host`, `Content-Type` and `User-Agent`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What came back: status and at most 4 KiB of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
}

/// The request that carries a message to an HTTP channel.
pub fn outgoing(channel: &OpenChannel, message: &Message, now_ms: i64) -> Outgoing {
    match channel.channel.settings.kind {
        ChannelKind::Webhook => webhook::outgoing(channel, message, now_ms),
        ChannelKind::DingTalk => dingtalk::outgoing(channel, message, now_ms),
        ChannelKind::Feishu => feishu::outgoing(channel, message, now_ms),
        ChannelKind::WeCom => wecom::outgoing(channel, message),
        ChannelKind::Slack => slack::outgoing(channel, message),
        ChannelKind::Telegram => telegram::outgoing(channel, message),
        ChannelKind::Email => Outgoing { target: String::new(), headers: Vec::new(), body: String::new() },
    }
}

/// Whether the service took the message, by its own word: most answer 200 and refuse in the body.
pub fn judge(kind: ChannelKind, reply: &Reply) -> Result<(), Fault> {
    let json: Value = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
    let said = |fields: &[&str]| {
        let found = fields.iter().find_map(|field| json.get(*field)?.as_str().map(str::to_owned));
        found.unwrap_or_else(|| reply.body.chars().take(200).collect())
    };
    let by_number = |code: &str, fields: &[&str]| match json.get(code).and_then(Value::as_i64) {
        Some(0) => Ok(()),
        _ => Err(Fault::refused(reply.status, &said(fields))),
    };
    if (300..400).contains(&reply.status) {
        return Err(Fault::redirected(reply.status));
    }
    let succeeded = (200..300).contains(&reply.status);
    match kind {
        ChannelKind::Webhook | ChannelKind::Email if succeeded => Ok(()),
        ChannelKind::DingTalk | ChannelKind::WeCom if succeeded => by_number("errcode", &["errmsg"]),
        ChannelKind::Feishu if succeeded && json.get("code").is_some() => by_number("code", &["msg"]),
        // As Feishu answered before it had `code`.
        ChannelKind::Feishu if succeeded => by_number("StatusCode", &["StatusMessage", "msg"]),
        ChannelKind::Slack if succeeded && reply.body.trim() == "ok" => Ok(()),
        ChannelKind::Telegram if succeeded && json.get("ok") == Some(&Value::Bool(true)) => Ok(()),
        _ => Err(Fault::refused(reply.status, &said(&["errmsg", "msg", "description", "error", "message"]))),
    }
}

/// Cuts after so many bytes, at the end of a character.
fn cut(text: &str, most_bytes: usize) -> String {
    if text.len() <= most_bytes {
        return text.to_owned();
    }
    let mut end = most_bytes.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests;
