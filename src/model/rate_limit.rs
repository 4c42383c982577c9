//! Limits: of a client's key, and of an upstream's provider or credential.

use serde::{Deserialize, Serialize};

use super::problem::{Problem, Validate, note, within};

/// Highest requests per minute that may be configured.
pub const RPM_MAX: i64 = 10_000_000;

/// What one client key may use. Zero means "no limit" everywhere except `rpm: None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyLimits {
    /// Requests per minute; `None` takes `RONDO_DEFAULT_RPM`, 0 is unlimited.
    pub rpm: Option<u32>,
    /// Requests admitted at once; `None` is the whole of `rpm`.
    pub burst: Option<u32>,
    /// Requests in flight at the same time; 0 = none.
    pub concurrency: u32,
    /// Requests a day in `RONDO_TIME_ZONE`; 0 = none.
    pub requests_per_day: u64,
    /// Requests a month; 0 = none.
    pub requests_per_month: u64,
    /// Tokens a day, in and out; 0 = none.
    pub tokens_per_day: u64,
    /// Tokens a month, in and out; 0 = none.
    pub tokens_per_month: u64,
}

impl KeyLimits {
    /// Whether days or months are capped, so that use is counted.
    pub fn has_caps(&self) -> bool {
        self.requests_per_day + self.requests_per_month > 0 || self.tokens_per_day + self.tokens_per_month > 0
    }
}

impl Validate for KeyLimits {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "rpm", within(i64::from(self.rpm.unwrap_or(0)), 0, RPM_MAX));
        note(problems, at, "burst", within(i64::from(self.burst.unwrap_or(1)), 1, RPM_MAX));
        note(problems, at, "concurrency", within(i64::from(self.concurrency), 0, 1_000_000));
    }
}

/// What one provider or credential may be asked. A full one is skipped, not failed. Zero = no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimits {
    /// Requests per minute.
    pub rpm: u32,
    /// Requests in flight at the same time.
    pub concurrency: u32,
    /// Requests a day in `RONDO_TIME_ZONE`.
    pub requests_per_day: u64,
}

impl UpstreamLimits {
    /// Whether nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Validate for UpstreamLimits {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "rpm", within(i64::from(self.rpm), 0, RPM_MAX));
        note(problems, at, "concurrency", within(i64::from(self.concurrency), 0, 1_000_000));
    }
}
