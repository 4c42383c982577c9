//! Identifiers: one type per kind of thing, so that a group's id cannot be passed for a provider's.
//!
//! All are UUIDs of version 7 (RFC 9562 §5.7): they sort by the time of their making, which keeps
//! database pages warm and lets the request log page by id.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A provider: an upstream with one base address.
    ProviderId,
    /// A credential of a provider.
    CredentialId,
    /// A group of providers behind one slug.
    GroupId,
    /// A client's API key (its record, not its secret).
    ApiKeyId,
    /// A person who may sign in.
    UserId,
    /// A signed-in browser.
    SessionId,
    /// One proxied request; also the value of `X-Request-Id`.
    RequestId,
    /// One failover drill.
    DrillId,
    /// A rule of alerts.
    RuleId,
    /// A channel that alerts are told to.
    ChannelId,
    /// One alert.
    AlertId,
    /// One message to a channel.
    DeliveryId,
}
