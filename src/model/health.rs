//! Health as the screens show it: a state, and always its reason.

use serde::{Deserialize, Serialize};

use super::id::{CredentialId, GroupId, ProviderId};

/// State of a provider on screen; the worst that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Passing, full weight.
    Healthy,
    /// Success under 80 %: half weight.
    Degraded,
    /// Taken out: the breaker is open or half-open.
    Unhealthy,
    /// Back, ramping up.
    Recovering,
    /// Every credential waits for a limit to reset.
    Cooling,
    /// Every credential was refused.
    CredentialFailed,
    /// Switched off by a person.
    Disabled,
    /// Weight 0 in every group.
    Drained,
}

impl HealthState {
    /// The state of a provider that nothing is known of but whether it is switched on.
    pub fn unknown(enabled: bool) -> Self {
        if enabled { Self::Healthy } else { Self::Disabled }
    }

    /// What a list counts it under: `healthy`, `trouble` or `off`.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Disabled | Self::Drained => "off",
            _ => "trouble",
        }
    }
}

/// What led to a state, as data; the words are the interface's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HealthReason {
    /// Nothing to say.
    None,
    /// Success rate over the last 60 s.
    SuccessRate {
        /// Percent, 0–100.
        percent: u8,
    },
    /// Consecutive failures tripped the breaker.
    Failures {
        /// How many.
        count: u32,
        /// Of what kind, as the log names it: `connect_timeout`.
        outcome: String,
        /// When the next trial is allowed, unix milliseconds.
        next_trial_at_ms: i64,
    },
    /// A trial request is in flight.
    Trial,
    /// Part of the weight is back.
    Ramp {
        /// Percent of the weight, 10–100.
        percent: u8,
    },
    /// Credentials wait.
    Cooling {
        /// How many wait.
        count: u32,
        /// The earliest is ready again, unix milliseconds.
        until_ms: i64,
    },
    /// Credentials were refused.
    Refused {
        /// How many.
        count: u32,
    },
}

/// Health of one provider now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderHealth {
    /// Which provider.
    pub provider: ProviderId,
    /// Its state.
    pub state: HealthState,
    /// Why.
    pub reason: HealthReason,
    /// Since when, unix milliseconds.
    pub since_ms: i64,
    /// Factor on its weight, 0–1.
    pub factor: f64,
    /// Samples in the last 60 s.
    pub samples: u32,
    /// Successes among them.
    pub successes: u32,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Its credentials.
    pub credentials: Vec<CredentialHealth>,
}

/// Health of one credential now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialHealth {
    /// Which credential.
    pub credential: CredentialId,
    /// Its state.
    pub state: CredentialState,
    /// Requests in flight.
    pub in_flight: u32,
}

/// State of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CredentialState {
    /// May be used.
    Ready,
    /// Waits for a limit to reset.
    Cooling {
        /// Until then, unix milliseconds.
        until_ms: i64,
    },
    /// The provider refuses it.
    Failed,
    /// Switched off.
    Disabled,
}

/// A member of a group as selection sees it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberHealth {
    /// Which group.
    pub group: GroupId,
    /// Which provider.
    pub provider: ProviderId,
    /// priority × factor.
    pub effective_weight: f64,
    /// Target share within its tier, 0–1.
    pub share: f64,
}

/// A change of state, kept as history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthEvent {
    /// Which provider.
    pub provider: ProviderId,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// New state.
    pub state: HealthState,
    /// Why.
    pub reason: HealthReason,
}

/// Whether a provider could be used: what uptime counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It took requests, if perhaps fewer.
    Up,
    /// It could not be asked, though it should have been.
    Down,
    /// A person had taken it out.
    Off,
}

impl Standing {
    /// What a state means for uptime.
    pub fn of(state: HealthState) -> Self {
        match state {
            HealthState::Healthy | HealthState::Degraded | HealthState::Recovering => Self::Up,
            HealthState::Unhealthy | HealthState::Cooling | HealthState::CredentialFailed => Self::Down,
            HealthState::Disabled | HealthState::Drained => Self::Off,
        }
    }
}

/// How long a provider was up between two moments. With several nodes each counts for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {
    /// From then, unix milliseconds.
    pub from_ms: i64,
    /// Until then.
    pub to_ms: i64,
    /// Healthy, degraded or recovering.
    pub up_ms: i64,
    /// Unhealthy, cooling, or without a credential.
    pub down_ms: i64,
    /// Disabled or drained by a person.
    pub off_ms: i64,
    /// No gateway was there to see.
    pub unknown_ms: i64,
}

impl Uptime {
    /// Up ÷ (up + down), 0–1; `None` where neither was seen.
    pub fn ratio(&self) -> Option<f64> {
        let seen_ms = self.up_ms + self.down_ms;
        (seen_ms > 0).then(|| self.up_ms as f64 / seen_ms as f64)
    }
}

/// The past of one provider's health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthHistory {
    /// Which provider.
    pub provider: ProviderId,
    /// Uptime of the last 24 hours, 7 days and 30 days.
    pub uptime: [Uptime; 3],
    /// Changes of the last 30 days, newest first.
    pub events: Vec<HealthEvent>,
}
