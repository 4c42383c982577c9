//! What a rule finds in what is seen now.

use std::collections::HashMap;

use crate::{
    model::{
        alert::{RuleDraft, RuleKind, Scope, Words},
        health::{CredentialState, HealthState, ProviderHealth},
        id::{CredentialId, GroupId, ProviderId},
    },
    server::{
        alert::{rules::Ending, words},
        store::Presence,
    },
};

/// A credential that cools for longer than this is exhausted: no rate limit of a minute takes so long.
/// Milliseconds.
const EXHAUSTED_MS: i64 = 300_000;

/// A process that says nothing for so long, and did not end, is lost. It speaks every ten seconds. Milliseconds.
const LOST_MS: i64 = 60_000;
/// How long after the start of the next on the same machine it is still told that one was lost.
const RESTART_TOLD_MS: i64 = 600_000;
/// How long it is told of one that nothing came after.
const LOST_TOLD_MS: i64 = 86_400_000;

/// Everything that rules look at, as it is now.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Now, unix milliseconds.
    pub at_ms: i64,
    /// Every provider.
    pub providers: Vec<ProviderSeen>,
    /// Every group with its slug.
    pub groups: Vec<(GroupId, String)>,
    /// What was measured, as far as a rule asks for it.
    pub measured: HashMap<Measure, Measured>,
    /// Every account with a cap.
    pub caps: Vec<CapSeen>,
    /// Rows of the log lost since the start.
    pub dropped_rows: u64,
    /// Processes of the gateway, as they were when the store was last asked.
    pub nodes: Nodes,
}

/// Processes of the gateway.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    /// When the store was asked, unix milliseconds: a store that is away makes no node silent.
    pub at_ms: i64,
    /// The one that looks.
    pub own: i64,
    /// All of the last days.
    pub all: Vec<Presence>,
}

/// A provider as it is now.
#[derive(Clone, Debug)]
pub struct ProviderSeen {
    /// Which one.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// Its health.
    pub health: ProviderHealth,
    /// Labels of its credentials.
    pub labels: Vec<(CredentialId, String)>,
}

/// Traffic that is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// All requests.
    All,
    /// Attempts at a provider.
    Provider(ProviderId),
    /// Requests of a group.
    Group(GroupId),
}

/// Traffic of the last minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    /// Which.
    pub traffic: Traffic,
    /// How many minutes.
    pub minutes: u32,
}

/// What it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// That succeeded.
    pub answered: u64,
    /// That failed.
    pub failed: u64,
    /// P95 of the time to first byte, microseconds.
    pub p95_us: u64,
}

impl Measured {
    /// How many there are to judge by.
    pub fn judged(&self) -> u64 {
        self.answered + self.failed
    }
}

/// A cap and what was used of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapSeen {
    /// Whose, as the store of uses names it: `key:0192…`.
    pub account: String,
    /// Their name.
    pub name: String,
    /// What it counts.
    pub cap: CapKind,
    /// Used so far.
    pub used: u64,
    /// The cap.
    pub most: u64,
    /// Page about them.
    pub link: String,
}

/// What a cap counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapKind {
    /// Requests a day.
    RequestsPerDay,
    /// Requests a month.
    RequestsPerMonth,
    /// Tokens a day.
    TokensPerDay,
    /// Tokens a month.
    TokensPerMonth,
}

impl CapKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::RequestsPerDay => "requests_per_day",
            Self::RequestsPerMonth => "requests_per_month",
            Self::TokensPerDay => "tokens_per_day",
            Self::TokensPerMonth => "tokens_per_month",
        }
    }
}

/// A rule holds for a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is about.
    pub subject: String,
    /// What is the matter.
    pub title: Words,
    /// Why.
    pub reason: Words,
    /// Page about it.
    pub link: String,
    /// Whether it may open an alert, or only keep one open.
    pub opens: bool,
}

/// Every subject that the rule holds for. `dropped` are the rows lost in the trouble that is going on.
pub fn find(rule: &RuleDraft, seen: &Seen, dropped: u64) -> Vec<Finding> {
    match rule.kind {
        RuleKind::ProviderDown => providers(rule, seen).filter_map(down).collect(),
        RuleKind::CredentialFailed => {
            providers(rule, seen).flat_map(|provider| credentials(provider, seen.at_ms)).collect()
        }
        RuleKind::SuccessRate | RuleKind::Latency => {
            measures(rule, seen).into_iter().filter_map(|measure| poor(rule, measure, seen)).collect()
        }
        RuleKind::CapNear => seen.caps.iter().filter_map(|cap| near(rule, cap)).collect(),
        RuleKind::LogDropped if dropped > 0 => vec![Finding {
            subject: "log".to_owned(),
            title: words::rows_lost(),
            reason: words::rows_lost_so_far(dropped),
            link: "/admin/requests".to_owned(),
            opens: true,
        }],
        RuleKind::LogDropped => Vec::new(),
        RuleKind::NodeLost => seen.nodes.all.iter().filter_map(|one| lost(one, &seen.nodes)).collect(),
    }
}

fn node_subject(one: &Presence) -> String {
    format!("node:{:016x}", one.run.node)
}

fn lost(one: &Presence, nodes: &Nodes) -> Option<Finding> {
    let silent_ms = nodes.at_ms - one.run.seen_ms;
    if one.ended || one.run.node == nodes.own || silent_ms < LOST_MS {
        return None;
    }
    let next = nodes.all.iter().filter(|other| other.host == one.host && other.run.started_ms > one.run.seen_ms);
    let next_ms = next.map(|other| other.run.started_ms).min();
    let until_ms = match next_ms {
        Some(next_ms) => next_ms.max(one.run.seen_ms + LOST_MS) + RESTART_TOLD_MS,
        None => one.run.seen_ms + LOST_TOLD_MS,
    };
    (nodes.at_ms < until_ms).then(|| Finding {
        subject: node_subject(one),
        title: words::node_lost(&one.host),
        reason: if next_ms.is_some() { words::node_restarted() } else { words::node_silent(silent_ms) },
        link: "/admin/health".to_owned(),
        opens: true,
    })
}

fn providers<'a>(rule: &RuleDraft, seen: &'a Seen) -> impl Iterator<Item = &'a ProviderSeen> {
    let only = rule.provider;
    seen.providers.iter().filter(move |provider| only.is_none_or(|only| only == provider.id))
}

fn page_of(provider: ProviderId) -> String {
    format!("/admin/providers/{provider}")
}

fn down(provider: &ProviderSeen) -> Option<Finding> {
    let health = &provider.health;
    if !matches!(health.state, HealthState::Unhealthy | HealthState::Cooling | HealthState::CredentialFailed) {
        return None;
    }
    Some(Finding {
        subject: format!("provider:{}", provider.id),
        title: words::provider_down(&provider.name),
        reason: words::health(&health.reason),
        link: page_of(provider.id),
        opens: true,
    })
}

fn credentials(provider: &ProviderSeen, now_ms: i64) -> Vec<Finding> {
    let judged = provider.health.credentials.iter().filter_map(|credential| {
        let label = provider.labels.iter().find(|(id, _)| *id == credential.credential)?;
        let name = format!("{} / {}", provider.name, label.1);
        let (title, reason, opens) = match credential.state {
            CredentialState::Failed => (words::credential_refused(&name), words::refused_by_provider(), true),
            CredentialState::Cooling { until_ms } => {
                let left_ms = until_ms - now_ms;
                (words::credential_exhausted(&name), words::resets_in(left_ms), left_ms > EXHAUSTED_MS)
            }
            CredentialState::Ready | CredentialState::Disabled => return None,
        };
        let subject = format!("credential:{}", credential.credential);
        Some(Finding { subject, title, reason, link: page_of(provider.id), opens })
    });
    judged.collect()
}

/// What a rule measures: one window for each subject.
pub fn measures(rule: &RuleDraft, seen: &Seen) -> Vec<Measure> {
    let minutes = rule.minutes;
    let traffic: Vec<Traffic> = match rule.scope {
        Scope::All => vec![Traffic::All],
        Scope::Provider => providers(rule, seen).map(|provider| Traffic::Provider(provider.id)).collect(),
        Scope::Group => {
            let named = seen.groups.iter().filter(|(id, _)| rule.group.is_none_or(|only| only == *id));
            named.map(|(id, _)| Traffic::Group(*id)).collect()
        }
    };
    traffic.into_iter().map(|traffic| Measure { traffic, minutes }).collect()
}

fn poor(rule: &RuleDraft, measure: Measure, seen: &Seen) -> Option<Finding> {
    let measured = *seen.measured.get(&measure)?;
    if measured.judged() < u64::from(rule.requests) {
        return None;
    }
    let (name, link) = describe(measure.traffic, seen);
    let (title, reason) = if rule.kind == RuleKind::SuccessRate {
        let percent = measured.answered as f64 * 100.0 / measured.judged() as f64;
        if percent >= rule.percent {
            return None;
        }
        (words::success_low(&name, percent), words::success_below(rule, measured.failed, measured.judged()))
    } else {
        if measured.p95_us <= u64::from(rule.above_ms) * 1_000 {
            return None;
        }
        (words::slow(&name, measured.p95_us / 1_000), words::slower_than(rule, measured.judged()))
    };
    Some(Finding { subject: subject_of(measure.traffic), title, reason, link, opens: true })
}

fn subject_of(traffic: Traffic) -> String {
    match traffic {
        Traffic::All => "all".to_owned(),
        Traffic::Provider(id) => format!("provider:{id}"),
        Traffic::Group(id) => format!("group:{id}"),
    }
}

/// Name and page of what is measured; `None` for the name of everything.
fn describe(traffic: Traffic, seen: &Seen) -> (Option<String>, String) {
    match traffic {
        Traffic::All => (None, "/admin".to_owned()),
        Traffic::Provider(id) => {
            let known = seen.providers.iter().find(|provider| provider.id == id);
            (Some(known.map_or_else(|| id.to_string(), |provider| provider.name.clone())), page_of(id))
        }
        Traffic::Group(id) => {
            let known = seen.groups.iter().find(|(group, _)| *group == id);
            (Some(known.map_or_else(|| id.to_string(), |(_, slug)| slug.clone())), format!("/admin/groups/{id}"))
        }
    }
}

fn near(rule: &RuleDraft, cap: &CapSeen) -> Option<Finding> {
    let percent = cap.used as f64 * 100.0 / cap.most.max(1) as f64;
    if percent < rule.percent {
        return None;
    }
    Some(Finding {
        subject: format!("{}:{}", cap.account, cap.cap.as_str()),
        title: words::cap_near(&cap.name, cap.cap, percent),
        reason: words::cap_used(cap.used, cap.most),
        link: cap.link.clone(),
        opens: true,
    })
}

/// Why a rule that held for a subject does so no more.
pub fn ending(rule: &RuleDraft, subject: &str, seen: &Seen) -> Ending {
    let gone = |health: &ProviderHealth| matches!(health.state, HealthState::Disabled | HealthState::Drained);
    match rule.kind {
        RuleKind::ProviderDown => {
            let known = seen.providers.iter().find(|provider| subject == format!("provider:{}", provider.id));
            if known.is_none_or(|provider| gone(&provider.health)) { Ending::Gone } else { Ending::Recovered }
        }
        RuleKind::CredentialFailed => {
            let mut all = seen.providers.iter().flat_map(|provider| &provider.health.credentials);
            let known = all.find(|credential| subject == format!("credential:{}", credential.credential));
            let works = known.is_some_and(|credential| credential.state == CredentialState::Ready);
            if works { Ending::Recovered } else { Ending::Gone }
        }
        RuleKind::SuccessRate | RuleKind::Latency => {
            let own = measures(rule, seen).into_iter().find(|measure| subject_of(measure.traffic) == subject);
            match own.and_then(|measure| seen.measured.get(&measure)) {
                None => Ending::Gone,
                Some(measured) if measured.judged() < u64::from(rule.requests) => Ending::Quiet,
                Some(_) => Ending::Recovered,
            }
        }
        RuleKind::NodeLost => {
            let known = seen.nodes.all.iter().find(|one| node_subject(one) == subject);
            let is_back = |one: &Presence| seen.nodes.at_ms - one.run.seen_ms < LOST_TOLD_MS;
            if known.is_some_and(is_back) { Ending::Recovered } else { Ending::Gone }
        }
        RuleKind::CapNear | RuleKind::LogDropped => Ending::Recovered,
    }
}
