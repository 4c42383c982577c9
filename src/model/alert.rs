//! Alerts: what is watched, what was found, where it is told.
//!
//! A rule looks at many subjects at once (every provider, every key with a cap); an alert is about
//! one of them, and of a rule and a subject there is at most one open at a time.

mod channel;

use serde::{Deserialize, Serialize};

pub use self::channel::{Channel, ChannelDraft, ChannelKind, ChannelSettings, HookUrl, MailSecurity, TELEGRAM, Tongue};
use super::{
    id::{AlertId, ChannelId, DeliveryId, GroupId, ProviderId, RuleId},
    name::check_name,
    problem::{Issue, Problem, Validate, note, path, within},
    provider::yes,
};

/// Longest hold time, seconds.
pub const HOLD_MAX_S: i64 = 86_400;
/// Longest window of a success rate or a latency, minutes.
pub const WINDOW_MAX_MIN: i64 = 60;
/// Longest silence, minutes: thirty days.
pub const SILENCE_MAX_MIN: i64 = 30 * 24 * 60;

/// What a rule watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A provider is taken out: its breaker is open, or all of its credentials cool or are refused.
    #[default]
    ProviderDown,
    /// Success falls below `percent` over `minutes`.
    SuccessRate,
    /// P95 of the time to first byte rises above `above_ms` over `minutes`.
    Latency,
    /// A provider refuses a credential, or its quota is used up.
    CredentialFailed,
    /// A daily or monthly cap is used to `percent`.
    CapNear,
    /// Rows of the request log were lost.
    LogDropped,
    /// A process of the gateway says nothing any more and did not end as it should.
    NodeLost,
}

impl RuleKind {
    /// All kinds, in the order of a form.
    pub const ALL: [Self; 7] = [
        Self::ProviderDown,
        Self::SuccessRate,
        Self::Latency,
        Self::CredentialFailed,
        Self::CapNear,
        Self::LogDropped,
        Self::NodeLost,
    ];

    /// The word stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProviderDown => "provider_down",
            Self::SuccessRate => "success_rate",
            Self::Latency => "latency",
            Self::CredentialFailed => "credential_failed",
            Self::CapNear => "cap_near",
            Self::LogDropped => "log_dropped",
            Self::NodeLost => "node_lost",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it measures a window of traffic, and so has `scope`, `minutes` and `requests`.
    pub fn is_measured(self) -> bool {
        matches!(self, Self::SuccessRate | Self::Latency)
    }

    /// Whether it may be narrowed to one provider.
    pub fn takes_provider(self) -> bool {
        self.is_measured() || matches!(self, Self::ProviderDown | Self::CredentialFailed)
    }

    /// Whether clients are likely to notice what it tells.
    pub fn is_critical(self) -> bool {
        matches!(self, Self::ProviderDown | Self::CredentialFailed | Self::SuccessRate | Self::NodeLost)
    }
}

/// What a success rate or a latency is measured of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All requests together.
    #[default]
    All,
    /// The attempts of each provider, or of the one that is named.
    Provider,
    /// The requests of each group, or of the one that is named.
    Group,
}

impl Scope {
    /// All of them, in the order of a form.
    pub const ALL: [Self; 3] = [Self::All, Self::Provider, Self::Group];

    /// The word stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Provider => "provider",
            Self::Group => "group",
        }
    }
}

/// A rule to be stored: the whole record, as the form holds it. Fields that its kind does not use are ignored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDraft {
    /// Unique name.
    pub name: String,
    /// What it watches.
    pub kind: RuleKind,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What is measured together.
    #[serde(default)]
    pub scope: Scope,
    /// Only this provider; `None` watches every one.
    #[serde(default)]
    pub provider: Option<ProviderId>,
    /// Only this group; `None` watches every one.
    #[serde(default)]
    pub group: Option<GroupId>,
    /// Success below this, or a cap used to this, in percent.
    #[serde(default)]
    pub percent: f64,
    /// P95 above this, milliseconds.
    #[serde(default)]
    pub above_ms: u32,
    /// Length of the window that is measured, 1–60 minutes.
    #[serde(default)]
    pub minutes: u32,
    /// Fewer requests than this in the window are too few to judge.
    #[serde(default)]
    pub requests: u32,
    /// How long it must be so before it is alerted, seconds.
    #[serde(default)]
    pub hold_seconds: u32,
    /// Where it is told; without any it shows in the back office only.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
}

impl RuleDraft {
    /// What a new rule of this kind starts with.
    pub fn of(kind: RuleKind) -> Self {
        let percent = match kind {
            RuleKind::SuccessRate => 95.0,
            RuleKind::CapNear => 90.0,
            _ => 0.0,
        };
        let (minutes, requests) = if kind.is_measured() { (5, 20) } else { (0, 0) };
        let above_ms = if kind == RuleKind::Latency { 5_000 } else { 0 };
        let hold_seconds = match kind {
            RuleKind::ProviderDown => 60,
            // After the store was away, every node needs a moment to say that it is there.
            RuleKind::NodeLost => 30,
            _ => 0,
        };
        Self { kind, enabled: true, percent, above_ms, minutes, requests, hold_seconds, ..Self::default() }
    }
}

impl Validate for RuleDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "name", check_name(&self.name));
        note(problems, at, "hold_seconds", within(i64::from(self.hold_seconds), 0, HOLD_MAX_S));
        if matches!(self.kind, RuleKind::SuccessRate | RuleKind::CapNear) {
            // NaN is in no range.
            let fits = self.percent >= 1.0 && self.percent <= 100.0;
            note(problems, at, "percent", if fits { Ok(()) } else { Err(Issue::OutOfRange { min: 1, max: 100 }) });
        }
        if self.kind == RuleKind::Latency {
            note(problems, at, "above_ms", within(i64::from(self.above_ms), 1, 3_600_000));
        }
        if self.kind.is_measured() {
            note(problems, at, "minutes", within(i64::from(self.minutes), 1, WINDOW_MAX_MIN));
            note(problems, at, "requests", within(i64::from(self.requests), 1, 1_000_000));
        }
        for (index, channel) in self.channels.iter().enumerate() {
            if self.channels[..index].contains(channel) {
                problems.push(Problem::new(path(at, &format!("channels[{index}]")), Issue::Duplicate));
            }
        }
    }
}

/// A rule as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Which one.
    pub id: RuleId,
    /// What it says.
    pub settings: RuleDraft,
    /// Revision of the configuration that last changed it.
    pub revision: i64,
    /// Made at, unix milliseconds; 0 came with the installation.
    pub created_at_ms: i64,
    /// Changed at, unix milliseconds.
    pub updated_at_ms: i64,
}

/// A time in which a rule, or one subject of it, tells nobody. Alerts still open and close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which rule.
    pub rule: RuleId,
    /// Which subject of it; empty is all of them.
    pub subject: String,
    /// Until then, unix milliseconds.
    pub until_ms: i64,
    /// Who asked for it.
    pub by: String,
}

impl Silence {
    /// Whether it keeps this subject of a rule quiet at this moment.
    pub fn covers(&self, rule: RuleId, subject: &str, now_ms: i64) -> bool {
        self.rule == rule && self.until_ms > now_ms && (self.subject.is_empty() || self.subject == subject)
    }
}

/// A silence that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceDraft {
    /// Which subject; empty is all of the rule.
    #[serde(default)]
    pub subject: String,
    /// For how long from now, minutes; 0 ends the silence.
    pub minutes: u32,
}

/// A sentence in both languages of the back office.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// An alert, open or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which one.
    pub id: AlertId,
    /// The rule that found it.
    pub rule: RuleId,
    /// The rule's name then.
    pub rule_name: String,
    /// What the rule watches.
    pub kind: RuleKind,
    /// What it is about, as a silence names it: `provider:0192…`.
    pub subject: String,
    /// What is the matter: “openrouter is down”.
    pub title: Words,
    /// Why.
    pub reason: Words,
    /// Page of the back office about the subject.
    pub link: String,
    /// Since when it has been so, unix milliseconds.
    pub since_ms: i64,
    /// When the hold time was over, unix milliseconds.
    pub opened_at_ms: i64,
    /// When it was over; `None` while it is open.
    pub resolved_at_ms: Option<i64>,
    /// Channels that were told of it.
    pub told: Vec<ChannelId>,
    /// Who has it in hand: no more channels are told that it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

/// Who took an open alert in hand, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Their name.
    pub by: String,
    /// When, unix milliseconds.
    pub at_ms: i64,
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertEvent {
    /// An alert opened.
    Firing,
    /// An alert is over.
    Resolved,
    /// Those that the hourly cap of the channel held back.
    Summary,
    /// Somebody tried the channel.
    Test,
}

/// How a message fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The service took it.
    Sent,
    /// It did not, and will be asked again.
    Retrying,
    /// It did not, and is not asked again.
    Failed,
    /// Not sent: the hourly cap was reached; a summary tells of it.
    Held,
}

/// A message to a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which one; receivers of a webhook see it too.
    pub id: DeliveryId,
    /// The alert it is about; none for a summary or a test.
    pub alert: Option<AlertId>,
    /// Where to.
    pub channel: ChannelId,
    /// Its name then.
    pub channel_name: String,
    /// What it tells.
    pub event: AlertEvent,
    /// Its first line, in the channel's language.
    pub title: String,
    /// Last tried at, unix milliseconds.
    pub at_ms: i64,
    /// How it fared.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// Status of the last answer; none without one, or for e-mail its reply code.
    pub status: Option<u16>,
    /// What went wrong, in one line; empty when it was taken.
    pub detail: String,
}

/// A channel as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelLine {
    /// The channel.
    pub channel: Channel,
    /// Its last message.
    pub last: Option<Delivery>,
}

/// All that the screen of alerts shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertBoard {
    /// Open alerts, newest first.
    pub firing: Vec<Alert>,
    /// Rules in the order of names.
    pub rules: Vec<Rule>,
    /// Channels in the order of names.
    pub channels: Vec<ChannelLine>,
    /// Silences that are not over.
    pub silences: Vec<Silence>,
    /// The last alerts that are over, newest first.
    pub history: Vec<Alert>,
    /// The last messages, newest first.
    pub deliveries: Vec<Delivery>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(draft: &RuleDraft) -> Vec<String> {
        draft.validate().err().unwrap_or_default().into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn a_new_rule_of_every_kind_lacks_only_its_name() {
        for kind in RuleKind::ALL {
            assert_eq!(fields(&RuleDraft::of(kind)), ["name"], "{kind:?}");
            assert_eq!(RuleKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.as_str());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        let rule = |kind| RuleDraft { name: "r".into(), ..RuleDraft::of(kind) };
        let cases = [
            (RuleDraft { percent: 0.0, ..rule(RuleKind::SuccessRate) }, "percent"),
            (RuleDraft { percent: f64::NAN, ..rule(RuleKind::SuccessRate) }, "percent"),
            (RuleDraft { percent: 100.5, ..rule(RuleKind::CapNear) }, "percent"),
            (RuleDraft { minutes: 0, ..rule(RuleKind::Latency) }, "minutes"),
            (RuleDraft { minutes: 61, ..rule(RuleKind::SuccessRate) }, "minutes"),
            (RuleDraft { requests: 0, ..rule(RuleKind::SuccessRate) }, "requests"),
            (RuleDraft { above_ms: 0, ..rule(RuleKind::Latency) }, "above_ms"),
            (RuleDraft { hold_seconds: 86_401, ..rule(RuleKind::LogDropped) }, "hold_seconds"),
        ];
        for (draft, field) in cases {
            assert_eq!(fields(&draft), [field], "{draft:?}");
        }
        let channel = ChannelId(uuid::Uuid::nil());
        let doubled = RuleDraft { channels: vec![channel, channel], ..rule(RuleKind::ProviderDown) };
        assert_eq!(fields(&doubled), ["channels[1]"]);
    }

    #[test]
    fn a_silence_covers_its_subject_until_its_end() {
        let (rule, other) = (RuleId(uuid::Uuid::from_u128(1)), RuleId(uuid::Uuid::from_u128(2)));
        let silence = Silence { rule, subject: "provider:a".into(), until_ms: 100, by: "eve".into() };
        assert!(silence.covers(rule, "provider:a", 99));
        assert!(!silence.covers(rule, "provider:a", 100));
        assert!(!silence.covers(rule, "provider:b", 99));
        assert!(!silence.covers(other, "provider:a", 99));
        assert!(Silence { subject: String::new(), ..silence }.covers(rule, "provider:b", 99));
    }
}
