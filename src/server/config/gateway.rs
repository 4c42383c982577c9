//! Bounds of the data plane.

use super::source::{ConfigError, Values};

const MIB: u64 = 1 << 20;

/// Settings of the data plane.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Requests per minute of a key without a limit of its own; 0 is unlimited.
    pub default_rpm: u32,
    /// Largest request body, bytes.
    pub body_limit: u64,
    /// Largest request body kept for another attempt, bytes.
    pub replay_limit: u64,
    /// Memory for all kept bodies together, bytes.
    pub replay_budget: u64,
    /// Proxied requests at the same time.
    pub max_in_flight: u32,
    /// Whether providers may be on loopback and private addresses.
    pub allow_private_upstreams: bool,
    /// Where days and months of limits begin.
    pub time_zone: jiff::tz::TimeZone,
}

impl Gateway {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        let zone = values.read_optional("RONDO_TIME_ZONE", "a time zone such as Asia/Shanghai or UTC", |text| {
            jiff::tz::TimeZone::get(text).ok()
        })?;
        Ok(Self {
            default_rpm: values.number("RONDO_DEFAULT_RPM", 0, 10_000_000)? as u32,
            body_limit: values.size("RONDO_BODY_LIMIT", 1024, 1024 * MIB)?,
            replay_limit: values.size("RONDO_REPLAY_LIMIT", 0, 32 * MIB)?,
            replay_budget: values.size("RONDO_REPLAY_BUDGET", 0, 64 * 1024 * MIB)?,
            max_in_flight: values.number("RONDO_MAX_IN_FLIGHT", 1, 1_000_000)? as u32,
            allow_private_upstreams: values.read("RONDO_ALLOW_PRIVATE_UPSTREAMS", "true or false", parse_flag)?,
            time_zone: zone.unwrap_or_else(jiff::tz::TimeZone::system),
        })
    }
}

fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}
