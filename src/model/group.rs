//! A group: providers behind one slug, and the rules between client and provider.

use serde::{Deserialize, Serialize};

use super::{
    id::{GroupId, ProviderId},
    name::{Slug, check_name},
    outcome_rule::{OutcomeRule, check_rules},
    problem::{Issue, Problem, Validate, note, path, within},
    provider::{WEIGHT_MAX, default_weight, yes},
    rate_limit::KeyLimits,
};

/// What kind of API stands behind a group; decides what may be retried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Language models: a repeated request costs, but does no harm.
    #[default]
    Llm,
    /// Anything else: only idempotent requests are repeated.
    Generic,
}

/// How the next candidate is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Smooth weighted round robin over priority × health, with bounded load.
    #[default]
    Weighted,
    /// Each in turn.
    RoundRobin,
    /// The fewest requests in flight for its weight.
    LeastInFlight,
    /// The better of two by time to first byte.
    LowestLatency,
    /// The same client to the same provider.
    Sticky,
    /// Strictly the highest healthy priority.
    Priority,
}

impl Strategy {
    /// All strategies, in the order of the form.
    pub const ALL: [Self; 6] =
        [Self::Weighted, Self::RoundRobin, Self::LeastInFlight, Self::LowestLatency, Self::Sticky, Self::Priority];
}

/// Which paths a client key may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathPolicy {
    /// The known inference and model-list paths.
    Inference,
    /// `GET` and `HEAD` on any path.
    ReadOnly,
    /// Any method on any path: files, batches and account endpoints too.
    Everything,
    /// What is listed, nothing else.
    #[serde(untagged)]
    Rules(Vec<PathRule>),
}

impl PathPolicy {
    /// The policy of a new group of this kind.
    pub fn default_for(kind: GroupKind) -> Self {
        match kind {
            GroupKind::Llm => Self::Inference,
            GroupKind::Generic => Self::Everything,
        }
    }
}

impl Default for PathPolicy {
    fn default() -> Self {
        Self::default_for(GroupKind::default())
    }
}

/// One allowed method and path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathRule {
    /// Method, or `*`.
    pub method: String,
    /// Glob over the path after the slug: `*` stays within a segment, `**` crosses them.
    pub path: String,
}

/// How failures are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailoverRules {
    /// Distinct providers tried at most, 1–10.
    pub max_attempts: u32,
    /// Longest wait for the first output of a stream; 0 = off.
    pub first_output_timeout_ms: u32,
    /// Silence before keep-alive comments are sent; 0 = off.
    pub keepalive_after_ms: u32,
}

impl Default for FailoverRules {
    fn default() -> Self {
        Self { max_attempts: 3, first_output_timeout_ms: 0, keepalive_after_ms: 15_000 }
    }
}

/// What the strategy `sticky` holds on to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sticky {
    /// Which part of a request.
    pub by: StickyBy,
    /// Name of the header, where `by` is `header`.
    pub header: Option<String>,
}

/// The part of a request that `sticky` holds on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StickyBy {
    /// The API key; without one, the client's address.
    #[default]
    Key,
    /// The client's address.
    ClientIp,
    /// A header's value; without it, the key.
    Header,
}

impl Validate for Sticky {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        let header = match (&self.header, self.by) {
            (None, StickyBy::Header) => Err(Issue::Required),
            (Some(name), _) if !super::provider::is_header_name(name) => Err(Issue::InvalidHeader),
            _ => Ok(()),
        };
        note(problems, at, "header", header);
    }
}

/// A provider's place in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which provider.
    pub provider: ProviderId,
    /// Base weight, 0–1000; 0 drains it.
    #[serde(default = "default_weight")]
    pub priority: u32,
    /// 1 first; the next tier only when the one before can take nothing.
    #[serde(default = "first_tier")]
    pub tier: u32,
}

pub(crate) fn first_tier() -> u32 {
    1
}

/// Access without a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnonymousAccess {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Limits shared by all anonymous clients, counted per client address.
    pub limits: KeyLimits,
}

/// A group as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Which one.
    pub id: GroupId,
    /// Unique name.
    pub name: String,
    /// Part of the proxy address.
    pub slug: Slug,
    /// For people.
    pub description: String,
    /// Kind of the API.
    pub kind: GroupKind,
    /// How candidates are drawn.
    pub strategy: Strategy,
    /// Switched on.
    pub enabled: bool,
    /// What clients may reach.
    pub path_policy: PathPolicy,
    /// How failures are met.
    pub failover: FailoverRules,
    /// Access without a key.
    pub anonymous: AnonymousAccess,
    /// Origins a browser may call from; `*` allows all.
    pub allowed_origins: Vec<String>,
    /// Leave `X-Proxy-Provider…` out of answers.
    pub hide_provider_headers: bool,
    /// What the strategy `sticky` holds on to.
    pub sticky: Sticky,
    /// What answers mean here, ahead of the built-in table.
    pub outcome_rules: Vec<OutcomeRule>,
    /// Pass WebSocket upgrades on.
    pub websocket: bool,
    /// Ask for the usage of streams whose client does not, where the kind is `llm`.
    pub stream_usage: bool,
    /// Keep the bodies of its requests and answers beside the request log.
    pub log_bodies: bool,
    /// Members in their order.
    pub members: Vec<Member>,
    /// Revision of the configuration that last changed this record.
    pub revision: i64,
    /// Made at, unix milliseconds.
    pub created_at_ms: i64,
    /// Changed at, unix milliseconds.
    pub updated_at_ms: i64,
}

/// A group to be stored: the whole record, as the form holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDraft {
    /// Unique name.
    pub name: String,
    /// Part of the proxy address.
    pub slug: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Kind of the API.
    #[serde(default)]
    pub kind: GroupKind,
    /// How candidates are drawn.
    #[serde(default)]
    pub strategy: Strategy,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What clients may reach.
    #[serde(default)]
    pub path_policy: PathPolicy,
    /// How failures are met.
    #[serde(default)]
    pub failover: FailoverRules,
    /// Access without a key.
    #[serde(default)]
    pub anonymous: AnonymousAccess,
    /// Origins a browser may call from.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Leave `X-Proxy-Provider…` out of answers.
    #[serde(default)]
    pub hide_provider_headers: bool,
    /// What the strategy `sticky` holds on to.
    #[serde(default)]
    pub sticky: Sticky,
    /// What answers mean here, ahead of the built-in table.
    #[serde(default)]
    pub outcome_rules: Vec<OutcomeRule>,
    /// Pass WebSocket upgrades on.
    #[serde(default)]
    pub websocket: bool,
    /// Ask for the usage of streams whose client does not, where the kind is `llm`.
    #[serde(default = "yes")]
    pub stream_usage: bool,
    /// Keep the bodies of its requests and answers beside the request log.
    #[serde(default)]
    pub log_bodies: bool,
    /// Members in their order; those missing here leave the group.
    #[serde(default)]
    pub members: Vec<Member>,
}

impl Default for GroupDraft {
    fn default() -> Self {
        Self {
            name: String::new(),
            slug: String::new(),
            description: String::new(),
            kind: GroupKind::default(),
            strategy: Strategy::default(),
            enabled: true,
            path_policy: PathPolicy::default(),
            failover: FailoverRules::default(),
            anonymous: AnonymousAccess::default(),
            allowed_origins: Vec::new(),
            hide_provider_headers: false,
            sticky: Sticky::default(),
            outcome_rules: Vec::new(),
            websocket: false,
            stream_usage: true,
            log_bodies: false,
            members: Vec::new(),
        }
    }
}

impl From<&Group> for GroupDraft {
    fn from(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            slug: group.slug.to_string(),
            description: group.description.clone(),
            kind: group.kind,
            strategy: group.strategy,
            enabled: group.enabled,
            path_policy: group.path_policy.clone(),
            failover: group.failover,
            anonymous: group.anonymous,
            allowed_origins: group.allowed_origins.clone(),
            hide_provider_headers: group.hide_provider_headers,
            sticky: group.sticky.clone(),
            outcome_rules: group.outcome_rules.clone(),
            websocket: group.websocket,
            stream_usage: group.stream_usage,
            log_bodies: group.log_bodies,
            members: group.members.clone(),
        }
    }
}

impl Validate for GroupDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "name", check_name(&self.name));
        note(problems, at, "slug", Slug::parse(&self.slug).map(drop));
        if self.description.chars().count() > 1000 {
            note(problems, at, "description", Err(Issue::TooLong { max: 1000 }));
        }
        self.path_policy.check(&path(at, "path_policy"), problems);
        note(problems, at, "failover.max_attempts", within(i64::from(self.failover.max_attempts), 1, 10));
        note(
            problems,
            at,
            "failover.first_output_timeout_ms",
            within(i64::from(self.failover.first_output_timeout_ms), 0, 3_600_000),
        );
        note(
            problems,
            at,
            "failover.keepalive_after_ms",
            within(i64::from(self.failover.keepalive_after_ms), 0, 3_600_000),
        );
        self.anonymous.limits.check(&path(at, "anonymous.limits"), problems);
        for (index, origin) in self.allowed_origins.iter().enumerate() {
            note(problems, at, &format!("allowed_origins[{index}]"), check_origin(origin));
        }
        self.sticky.check(&path(at, "sticky"), problems);
        check_rules(&self.outcome_rules, at, problems);
        for (index, member) in self.members.iter().enumerate() {
            let at = path(at, &format!("members[{index}]"));
            note(problems, &at, "priority", within(i64::from(member.priority), 0, WEIGHT_MAX));
            note(problems, &at, "tier", within(i64::from(member.tier), 1, 100));
            if self.members[..index].iter().any(|other| other.provider == member.provider) {
                note(problems, &at, "provider", Err(Issue::Duplicate));
            }
        }
    }
}

fn check_origin(origin: &str) -> Result<(), Issue> {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let valid = origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']));
    if valid { Ok(()) } else { Err(Issue::InvalidOrigin) }
}

impl Validate for PathPolicy {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        let Self::Rules(rules) = self else { return };
        if rules.is_empty() {
            problems.push(Problem::new(at, Issue::Required));
        }
        for (index, rule) in rules.iter().enumerate() {
            let at = format!("{at}[{index}]");
            let method =
                rule.method == "*" || (!rule.method.is_empty() && rule.method.bytes().all(|b| b.is_ascii_uppercase()));
            note(problems, &at, "method", if method { Ok(()) } else { Err(Issue::InvalidMethod) });
            let pattern = rule.path.starts_with('/') && rule.path.len() <= 500 && rule.path.is_ascii();
            note(problems, &at, "path", if pattern { Ok(()) } else { Err(Issue::InvalidPattern) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_policy_is_a_word_or_a_list() {
        let word: PathPolicy = serde_json::from_str(r#""read_only""#).expect("a word");
        assert_eq!(word, PathPolicy::ReadOnly);
        let list: PathPolicy = serde_json::from_str(r#"[{"method":"POST","path":"/v1/**"}]"#).expect("a list");
        assert_eq!(list, PathPolicy::Rules(vec![PathRule { method: "POST".into(), path: "/v1/**".into() }]));
        assert_eq!(serde_json::to_string(&PathPolicy::Inference).expect("data"), r#""inference""#);
    }

    #[test]
    fn a_group_that_sticks_to_a_header_names_it() {
        let named = |by, header: Option<&str>| Sticky { by, header: header.map(str::to_owned) }.validate();
        assert_eq!(named(StickyBy::Header, Some("x-session")), Ok(()));
        assert_eq!(named(StickyBy::Header, None), Err(vec![Problem::new("header", Issue::Required)]));
        assert_eq!(named(StickyBy::Key, Some("x y")), Err(vec![Problem::new("header", Issue::InvalidHeader)]));
    }

    #[test]
    fn a_provider_is_a_member_once() {
        let member = Member { provider: ProviderId(uuid::Uuid::nil()), priority: 100, tier: 1 };
        let draft =
            GroupDraft { name: "P".into(), slug: "p".into(), members: vec![member, member], ..GroupDraft::default() };
        assert_eq!(draft.validate(), Err(vec![Problem::new("members[1].provider", Issue::Duplicate)]));
    }
}
