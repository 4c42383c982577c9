//! A client's API key: its record. The secret is shown once and stored only as a hash.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    group::PathPolicy,
    id::{ApiKeyId, GroupId},
    name::check_name,
    problem::{Issue, Problem, Validate, note, path},
    provider::yes,
    rate_limit::KeyLimits,
};

/// Which groups a key reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every group, those made later too.
    Global,
    /// These groups only.
    Groups(Vec<GroupId>),
}

/// A key as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Which one.
    pub id: ApiKeyId,
    /// Unique name.
    pub name: String,
    /// Prefix and last four of the key.
    pub hint: String,
    /// Groups it reaches.
    pub scope: Scope,
    /// Switched on.
    pub enabled: bool,
    /// Refused from then on, unix milliseconds; `None` never expires.
    pub expires_at_ms: Option<i64>,
    /// What it may use.
    pub limits: KeyLimits,
    /// Addresses it may come from; empty allows all.
    pub allowed_ips: Vec<String>,
    /// Narrows the group's policy.
    pub path_policy: Option<PathPolicy>,
    /// Globs of models it may ask for; empty allows all.
    pub models: Vec<String>,
    /// Keep the bodies of its requests and answers beside the request log, whatever the group says.
    #[serde(default)]
    pub log_bodies: bool,
    /// Last use, unix milliseconds, to the minute.
    pub last_used_at_ms: Option<i64>,
    /// What it used of its caps; `None` where nothing was counted, because it has none or was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<KeyUse>,
    /// Revision of the configuration that last changed this record.
    pub revision: i64,
    /// Made at, unix milliseconds.
    pub created_at_ms: i64,
    /// Changed at, unix milliseconds.
    pub updated_at_ms: i64,
}

/// What a key used today and this month in `RONDO_TIME_ZONE`, as of a few seconds ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyUse {
    /// Requests today.
    pub requests_today: u64,
    /// Requests this month.
    pub requests_this_month: u64,
    /// Tokens today, in and out.
    pub tokens_today: u64,
    /// Tokens this month, in and out.
    pub tokens_this_month: u64,
}

const DAY_MS: i64 = 86_400_000;
/// A key is expiring in its last days.
const SOON_DAYS: i64 = 7;

/// How a key stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is taken.
    Active,
    /// It is taken, and ends within a week.
    Expiring {
        /// Whole days left.
        days: i64,
    },
    /// Its time is over.
    Expired,
    /// Switched off by a person.
    Off,
}

impl Standing {
    /// What a list counts it under: `active`, `expiring` or `off`.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring { .. } => "expiring",
            Self::Expired | Self::Off => "off",
        }
    }
}

impl ApiKey {
    /// How it stands at this moment, unix milliseconds.
    pub fn standing(&self, now_ms: i64) -> Standing {
        let left_ms = self.expires_at_ms.map(|at_ms| at_ms - now_ms);
        match left_ms {
            Some(left_ms) if left_ms <= 0 => Standing::Expired,
            _ if !self.enabled => Standing::Off,
            Some(left_ms) if left_ms <= SOON_DAYS * DAY_MS => Standing::Expiring { days: left_ms / DAY_MS },
            _ => Standing::Active,
        }
    }
}

/// A key to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyDraft {
    /// Unique name.
    pub name: String,
    /// Groups it reaches.
    pub scope: Scope,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Refused from then on, unix milliseconds.
    #[serde(default)]
    pub expires_at_ms: Option<i64>,
    /// What it may use.
    #[serde(default)]
    pub limits: KeyLimits,
    /// Addresses it may come from.
    #[serde(default)]
    pub allowed_ips: Vec<String>,
    /// Narrows the group's policy.
    #[serde(default)]
    pub path_policy: Option<PathPolicy>,
    /// Globs of models it may ask for.
    #[serde(default)]
    pub models: Vec<String>,
    /// Keep the bodies of its requests and answers beside the request log, whatever the group says.
    #[serde(default)]
    pub log_bodies: bool,
}

impl Default for ApiKeyDraft {
    fn default() -> Self {
        Self {
            name: String::new(),
            scope: Scope::Global,
            enabled: true,
            expires_at_ms: None,
            limits: KeyLimits::default(),
            allowed_ips: Vec::new(),
            path_policy: None,
            models: Vec::new(),
            log_bodies: false,
        }
    }
}

impl From<&ApiKey> for ApiKeyDraft {
    fn from(key: &ApiKey) -> Self {
        Self {
            name: key.name.clone(),
            scope: key.scope.clone(),
            enabled: key.enabled,
            expires_at_ms: key.expires_at_ms,
            limits: key.limits,
            allowed_ips: key.allowed_ips.clone(),
            path_policy: key.path_policy.clone(),
            models: key.models.clone(),
            log_bodies: key.log_bodies,
        }
    }
}

impl Validate for ApiKeyDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "name", check_name(&self.name));
        if matches!(&self.scope, Scope::Groups(groups) if groups.is_empty()) {
            note(problems, at, "scope", Err(Issue::ScopeRequired));
        }
        self.limits.check(&path(at, "limits"), problems);
        for (index, range) in self.allowed_ips.iter().enumerate() {
            note(problems, at, &format!("allowed_ips[{index}]"), check_range(range));
        }
        if let Some(policy) = &self.path_policy {
            policy.check(&path(at, "path_policy"), problems);
        }
        for (index, model) in self.models.iter().enumerate() {
            let valid = !model.is_empty() && model.len() <= 200 && !model.chars().any(char::is_control);
            note(problems, at, &format!("models[{index}]"), if valid { Ok(()) } else { Err(Issue::InvalidPattern) });
        }
    }
}

/// Checks an address or CIDR range: `10.0.0.0/8`, `2001:db8::1`.
pub fn check_range(range: &str) -> Result<(), Issue> {
    let (address, prefix) = match range.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (range, None),
    };
    let address: std::net::IpAddr = address.parse().map_err(|_| Issue::InvalidRange)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match prefix.map(str::parse::<u8>) {
        None => Ok(()),
        Some(Ok(prefix)) if prefix <= longest => Ok(()),
        Some(_) => Err(Issue::InvalidRange),
    }
}

/// A key that was just made: the only moment its secret exists outside the client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// The record.
    pub key: ApiKey,
    /// The key itself, `rd_…`; shown once.
    pub secret: String,
}

impl fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedKey").field("key", &self.key.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_group_must_be_global() {
        let draft = ApiKeyDraft { name: "ci".into(), scope: Scope::Groups(vec![]), ..ApiKeyDraft::default() };
        assert_eq!(draft.validate(), Err(vec![Problem::new("scope", Issue::ScopeRequired)]));
    }

    #[test]
    fn a_key_in_its_last_week_is_expiring() {
        let key = |expires_at_ms: Option<i64>, enabled| ApiKey {
            id: ApiKeyId(uuid::Uuid::nil()),
            name: "ci".into(),
            hint: "rd_…x9Ae".into(),
            scope: Scope::Global,
            enabled,
            expires_at_ms,
            limits: KeyLimits::default(),
            allowed_ips: vec![],
            path_policy: None,
            models: vec![],
            log_bodies: false,
            last_used_at_ms: None,
            used: None,
            revision: 1,
            created_at_ms: 0,
            updated_at_ms: 0,
        };
        assert_eq!(key(None, true).standing(0), Standing::Active);
        assert_eq!(key(Some(3 * DAY_MS + 5), true).standing(0), Standing::Expiring { days: 3 });
        assert_eq!(key(Some(30 * DAY_MS), true).standing(0), Standing::Active);
        assert_eq!(key(Some(-1), false).standing(0), Standing::Expired);
        assert_eq!(key(None, false).standing(0), Standing::Off);
    }

    #[test]
    fn an_address_range_is_checked_by_its_family() {
        assert_eq!(check_range("10.0.0.0/8"), Ok(()));
        assert_eq!(check_range("2001:db8::/32"), Ok(()));
        assert_eq!(check_range("10.0.0.0/33"), Err(Issue::InvalidRange));
        assert_eq!(check_range("10.0.0"), Err(Issue::InvalidRange));
    }
}
