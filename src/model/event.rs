//! What the live connection of a browser tab carries. At most two snapshots a second.

use serde::{Deserialize, Serialize};

use super::{
    health::ProviderHealth,
    request_log::RequestRow,
    stats::{Counts, ProviderStats, Quantiles},
};

/// One message of the live stream; the name of the SSE event is its tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LiveEvent {
    /// The state of things now.
    Snapshot(Box<Snapshot>),
    /// Configuration changed: lists refetch.
    Changed {
        /// Newest revision.
        revision: i64,
    },
    /// An alert opened or ended: what shows alerts refetches.
    Alerted,
    /// Messages were lost: refetch everything.
    Resync,
    /// The session ended: sign in again.
    SignedOut,
}

/// The state of things now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Made at, unix milliseconds.
    pub at_ms: i64,
    /// Revision of the routing table that serves requests.
    pub revision: i64,
    /// Requests per second over the last ten seconds.
    pub rate_now: f64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Counts of the last hour.
    pub hour: Counts,
    /// Time to first byte over the last hour.
    pub first_byte: Quantiles,
    /// Total time over the last hour.
    pub total: Quantiles,
    /// Providers over the last hour, without columns.
    pub providers: Vec<ProviderStats>,
    /// Health now.
    pub health: Vec<ProviderHealth>,
    /// Requests that ended since the last snapshot, newest first, at most 50.
    pub requests: Vec<RequestRow>,
    /// Log rows lost since start.
    pub dropped_rows: u64,
}
