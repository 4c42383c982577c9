//! A channel: a service that alerts are told to.
//!
//! Its address and its secret are write-only: the address of a chat webhook is all one needs to
//! write into that chat. Of the address the host and the last four characters are shown.

use serde::{Deserialize, Serialize};

use crate::model::{
    id::ChannelId,
    name::{BaseUrl, UrlFault, check_name},
    problem::{Issue, Problem, Validate, note, path, within},
    provider::{SecretInput, yes},
};

/// Most messages an hour that a channel may be set to.
const PER_HOUR_MAX: i64 = 1_000;
/// Most recipients of one channel.
const RECIPIENTS: usize = 50;
/// Where Telegram's bots are.
pub const TELEGRAM: &str = "https://api.telegram.org";

/// Which service a channel speaks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// JSON to an address of one's own, signed.
    #[default]
    Webhook,
    /// A robot of a DingTalk group.
    DingTalk,
    /// A bot of a Feishu (Lark) group.
    Feishu,
    /// A robot of a WeCom group.
    WeCom,
    /// An incoming webhook of Slack.
    Slack,
    /// A bot of Telegram.
    Telegram,
    /// E-mail over SMTP.
    Email,
}

impl ChannelKind {
    /// All kinds, in the order of a form.
    pub const ALL: [Self; 7] =
        [Self::Webhook, Self::DingTalk, Self::Feishu, Self::WeCom, Self::Slack, Self::Telegram, Self::Email];

    /// The word stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::DingTalk => "dingtalk",
            Self::Feishu => "feishu",
            Self::WeCom => "wecom",
            Self::Slack => "slack",
            Self::Telegram => "telegram",
            Self::Email => "email",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether the address alone lets anybody write there, so that it is kept like a secret.
    pub fn has_secret_url(self) -> bool {
        !matches!(self, Self::Telegram | Self::Email)
    }

    /// Whether there is a secret beside the address: a signing secret, a bot's token, a password.
    pub fn takes_secret(self) -> bool {
        !matches!(self, Self::WeCom | Self::Slack)
    }

    /// Whether it names recipients: addresses of people, or a chat.
    pub fn takes_recipients(self) -> bool {
        matches!(self, Self::Telegram | Self::Email)
    }
}

/// The language of a channel's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tongue {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

/// How the connection to a mail server is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// TLS after `STARTTLS` (RFC 3207), port 587 by default; a server that does not offer it is refused.
    #[default]
    StartTls,
    /// TLS from the first byte (RFC 8314), port 465 by default.
    Tls,
    /// None, port 25 by default: for a relay on the same machine or network.
    Plain,
}

impl MailSecurity {
    /// All of them, in the order of a form.
    pub const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::Plain];

    /// The word stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "start_tls",
            Self::Tls => "tls",
            Self::Plain => "plain",
        }
    }

    /// The port where none is said.
    pub fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::Plain => 25,
        }
    }
}

/// What may be seen of a channel and changed without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// Unique name.
    pub name: String,
    /// Which service.
    pub kind: ChannelKind,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Language of its messages.
    #[serde(default)]
    pub language: Tongue,
    /// Most messages an hour; the rest are told in one.
    #[serde(default = "per_hour")]
    pub per_hour: u32,
    /// Recipients: addresses for e-mail, the chat's id for Telegram.
    #[serde(default)]
    pub to: Vec<String>,
    /// Sender of e-mail.
    #[serde(default)]
    pub from: String,
    /// Sign-in name at the mail server; empty signs in nowhere.
    #[serde(default)]
    pub username: String,
    /// How the mail server is connected to.
    #[serde(default)]
    pub security: MailSecurity,
    /// PEM file on the server with certificates to trust besides the system's.
    #[serde(default)]
    pub ca_file: Option<String>,
}

fn per_hour() -> u32 {
    30
}

impl ChannelSettings {
    /// What a new channel of this kind starts with.
    pub fn of(kind: ChannelKind) -> Self {
        Self { kind, enabled: true, per_hour: per_hour(), ..Self::default() }
    }
}

/// A channel as the screens see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Which one.
    pub id: ChannelId,
    /// What may be seen and changed.
    pub settings: ChannelSettings,
    /// The part of its address that may be seen.
    pub shown: String,
    /// The part of its secret that may be seen; empty without one.
    pub hint: String,
    /// Revision of the configuration that last changed it.
    pub revision: i64,
    /// Made at, unix milliseconds.
    pub created_at_ms: i64,
    /// Changed at, unix milliseconds.
    pub updated_at_ms: i64,
}

/// A channel to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelDraft {
    /// What may be seen.
    pub settings: ChannelSettings,
    /// Its address; `None` or empty keeps the one that is there. `host:port` of the server for e-mail.
    #[serde(default)]
    pub url: Option<SecretInput>,
    /// Its secret; `None` keeps the one that is there, empty removes it.
    #[serde(default)]
    pub secret: Option<SecretInput>,
}

impl ChannelDraft {
    /// The address as it was entered, if any; Telegram has one of its own.
    pub fn entered_url(&self) -> Option<&str> {
        let entered = self.url.as_ref().map(SecretInput::expose).filter(|url| !url.is_empty());
        entered.or((self.settings.kind == ChannelKind::Telegram && self.url.is_some()).then_some(TELEGRAM))
    }
}

impl Validate for ChannelDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        let settings = &self.settings;
        let inner = path(at, "settings");
        note(problems, &inner, "name", check_name(&settings.name));
        note(problems, &inner, "per_hour", within(i64::from(settings.per_hour), 1, PER_HOUR_MAX));
        if let Some(url) = self.entered_url() {
            note(problems, at, "url", HookUrl::parse(settings.kind, settings.security, url).map(drop));
        }
        let secret = self.secret.as_ref().map(SecretInput::expose).unwrap_or_default();
        let sendable = secret.bytes().all(|byte| (b'!'..=b'~').contains(&byte) || byte >= 0x80 || byte == b' ');
        // A bot's token goes into the path of a request.
        let token = settings.kind != ChannelKind::Telegram
            || secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte));
        note(problems, at, "secret", if sendable && token { Ok(()) } else { Err(Issue::InvalidSecret) });
        if settings.kind.takes_recipients() && settings.to.is_empty() {
            note(problems, &inner, "to", Err(Issue::Required));
        }
        let most = if settings.kind == ChannelKind::Telegram { 1 } else { RECIPIENTS };
        note(problems, &inner, "to", within(settings.to.len().max(1) as i64, 1, most as i64));
        for (index, to) in settings.to.iter().enumerate() {
            let result = match settings.kind {
                ChannelKind::Email => check_email(to),
                ChannelKind::Telegram => check_chat(to),
                _ => Ok(()),
            };
            note(problems, &inner, &format!("to[{index}]"), result);
        }
        if settings.kind == ChannelKind::Email {
            note(problems, &inner, "from", check_email(&settings.from));
        }
    }
}

/// `somebody@example.com`: one `@` between two parts without spaces or brackets. The mail server knows the rest.
fn check_email(text: &str) -> Result<(), Issue> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c);
    match text.rsplit_once('@') {
        None if text.is_empty() => Err(Issue::Required),
        Some((name, host))
            if !name.is_empty()
                && !host.is_empty()
                && text.len() <= 254
                && !text.chars().any(odd)
                && !name.contains('@') =>
        {
            Ok(())
        }
        _ => Err(Issue::InvalidEmail),
    }
}

/// A number such as `-1001234567890`, or `@name` of a public channel.
fn check_chat(text: &str) -> Result<(), Issue> {
    let name = text
        .strip_prefix('@')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    if name || text.parse::<i64>().is_ok() { Ok(()) } else { Err(Issue::InvalidChat) }
}

/// An address to send to, by parts: nothing is ever joined to it as text.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl {
    /// Scheme, host and port.
    pub origin: BaseUrl,
    /// Path and query, as they go into the request line; empty for a mail server.
    pub target: String,
}

impl HookUrl {
    /// Parses the address of a channel of this kind. Userinfo and fragments are refused: the one would be
    /// shown, the other is never sent.
    pub fn parse(kind: ChannelKind, security: MailSecurity, text: &str) -> Result<Self, Issue> {
        let text = text.trim();
        if kind == ChannelKind::Email {
            let origin = BaseUrl::parse(&format!("http://{text}"))?;
            let bare = origin.base_path().is_empty() && !text.ends_with('/') && !text.contains("://");
            if !bare {
                return Err(Issue::InvalidServer);
            }
            let given = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let with_port = if given { text.to_owned() } else { format!("{text}:{}", security.port()) };
            return Ok(Self { origin: BaseUrl::parse(&format!("http://{with_port}"))?, target: String::new() });
        }
        let fault = |reason| Issue::InvalidUrl { reason };
        let scheme = text.find("://").ok_or(fault(UrlFault::Scheme))?;
        let (origin, target) = match text[scheme + 3..].find(['/', '?', '#']) {
            Some(at) => text.split_at(scheme + 3 + at),
            None => (text, ""),
        };
        if target.contains('#') {
            return Err(fault(UrlFault::Fragment));
        }
        if target.len() > 2_000 || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(fault(UrlFault::Path));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { origin: BaseUrl::parse(origin)?, target })
    }

    /// The whole of it, as it is sealed.
    pub fn text(&self, kind: ChannelKind) -> String {
        if kind == ChannelKind::Email {
            return self.origin.authority().to_owned();
        }
        format!("{}{}", self.origin, self.target)
    }

    /// What may be seen of it: the whole address where it is no secret, else host and last four characters.
    pub fn shown(&self, kind: ChannelKind) -> String {
        let authority = self.origin.authority();
        if kind == ChannelKind::Email {
            return authority.to_owned();
        }
        if !kind.has_secret_url() {
            return format!("{}{}", self.origin, self.target.trim_end_matches('/'));
        }
        let chars: Vec<char> = self.target.chars().collect();
        // Of a short one, four characters would be most of it.
        if chars.len() < 12 {
            return format!("{}://{authority}/…", self.origin.scheme());
        }
        let tail: String = chars[chars.len() - 4..].iter().collect();
        format!("{}://{authority}/…{tail}", self.origin.scheme())
    }
}

impl std::fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookUrl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: ChannelKind, text: &str) -> Result<HookUrl, Issue> {
        HookUrl::parse(kind, MailSecurity::StartTls, text)
    }

    #[test]
    fn an_address_is_kept_by_parts_and_shown_by_its_ends() {
        let url = parse(ChannelKind::Slack, "https://hooks.slack.com/services/T0/B0/abcdefgh9Ae1").expect("an address");
        assert_eq!((url.origin.host(), url.target.as_str()), ("hooks.slack.com", "/services/T0/B0/abcdefgh9Ae1"));
        assert_eq!(url.shown(ChannelKind::Slack), "https://hooks.slack.com/…9Ae1");
        let url = parse(ChannelKind::WeCom, "https://q.example:8443/send?key=0123-4567").expect("an address");
        assert_eq!((url.origin.port(), url.shown(ChannelKind::WeCom).as_str()), (8443, "https://q.example:8443/…4567"));
        let url = parse(ChannelKind::Webhook, "http://127.0.0.1:9?a=1").expect("an address");
        assert_eq!((url.target.as_str(), url.shown(ChannelKind::Webhook).as_str()), ("/?a=1", "http://127.0.0.1:9/…"));
        assert_eq!(format!("{url:?}"), "HookUrl");
    }

    #[test]
    fn an_address_that_cannot_be_meant_is_refused_with_its_fault() {
        for (text, reason) in [
            ("hooks.slack.com/x", UrlFault::Scheme),
            ("ftp://host/x", UrlFault::Scheme),
            ("https://user:pass@host/x", UrlFault::UserInfo),
            ("https:///x", UrlFault::Host),
            ("https://host:0/x", UrlFault::Port),
            ("https://host/x#y", UrlFault::Fragment),
            ("https://host/x y", UrlFault::Path),
            ("https://host/x\r\nevil: 1", UrlFault::Path),
        ] {
            let refused = parse(ChannelKind::Webhook, text).err();
            assert_eq!(refused, Some(Issue::InvalidUrl { reason }), "{text}");
        }
    }

    #[test]
    fn a_mail_server_is_a_host_and_perhaps_a_port() {
        let port = |security, text| {
            HookUrl::parse(ChannelKind::Email, security, text)
                .map(|url| (url.origin.port(), url.shown(ChannelKind::Email)))
        };
        assert_eq!(port(MailSecurity::StartTls, "mail.example.com"), Ok((587, "mail.example.com:587".into())));
        assert_eq!(port(MailSecurity::Tls, "mail.example.com"), Ok((465, "mail.example.com:465".into())));
        assert_eq!(port(MailSecurity::Plain, "[::1]:2525"), Ok((2525, "[::1]:2525".into())));
        for bad in ["smtp://mail.example.com", "mail.example.com/x", "mail example", ""] {
            assert!(port(MailSecurity::Tls, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn recipients_are_checked_by_kind() {
        let fields = |kind, to: &[&str], from: &str| -> Vec<String> {
            let settings = ChannelSettings {
                name: "c".into(),
                to: to.iter().map(|to| (*to).to_owned()).collect(),
                from: from.into(),
                ..ChannelSettings::of(kind)
            };
            let draft = ChannelDraft { settings, ..ChannelDraft::default() };
            draft.validate().err().unwrap_or_default().into_iter().map(|problem| problem.field).collect()
        };
        assert!(fields(ChannelKind::Email, &["a@example.com"], "rondo@example.com").is_empty());
        assert_eq!(fields(ChannelKind::Email, &[], "rondo@example.com"), ["settings.to"]);
        for bad in ["a", "a@", "@b", "a b@c", "a@b\r\nBcc: x@y", "<a@b>", "a@b,c@d"] {
            assert_eq!(fields(ChannelKind::Email, &[bad], "r@e.x"), ["settings.to[0]"], "{bad}");
        }
        assert!(fields(ChannelKind::Telegram, &["-100123"], "").is_empty());
        assert!(fields(ChannelKind::Telegram, &["@ops_room"], "").is_empty());
        assert_eq!(fields(ChannelKind::Telegram, &["ops room"], ""), ["settings.to[0]"]);
        assert_eq!(fields(ChannelKind::Telegram, &["1", "2"], ""), ["settings.to"]);
        assert!(fields(ChannelKind::Webhook, &[], "").is_empty());
    }
}
