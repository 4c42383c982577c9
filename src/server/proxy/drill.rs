//! A failover drill at the attempt: the connection that plays its fault, and the cut of a body.
//!
//! For everything but a truncated body the provider is never contacted and no credential leaves the
//! process; what comes after cannot tell the difference.

use std::sync::Arc;

use super::select::Candidate;
use crate::{
    model::drill::Fault,
    server::{
        health::drill::Met,
        upstream::{
            connect::ConnectFault,
            played::{self, Act},
            pool::{Freshness, Lease, Pool},
        },
    },
};

/// A connection to the candidate's provider, one that can switch protocols where it `upgrades`, or,
/// where the attempt meets a drill, a connection to one that plays the fault.
pub async fn lease(candidate: &Candidate, freshness: Freshness, upgrades: bool) -> Result<Lease, ConnectFault> {
    let pool: &Arc<Pool> = &candidate.provider.pool;
    let met = candidate.permit.met().filter(|met| !met.is_over());
    match met.and_then(|met| Some((act(met.fault)?, met.clone()))) {
        Some((act, met)) => played::lease(pool, act, met.over()).await,
        None if upgrades => pool.lease_for_upgrade().await,
        None => pool.lease(freshness).await,
    }
}

/// Whether the answer of this attempt is to break off within its first part.
pub fn truncates(met: &Met) -> bool {
    met.fault == Fault::Truncate && !met.is_over()
}

/// What a played provider does; `None` where the real one is asked.
fn act(fault: Fault) -> Option<Act> {
    match fault {
        Fault::RateLimited => Some(answer("429 Too Many Requests", "rate_limit_error", "retry-after: 5\r\n")),
        Fault::ServerError => Some(answer("500 Internal Server Error", "api_error", "")),
        Fault::Overloaded => Some(answer("503 Service Unavailable", "overloaded_error", "")),
        Fault::Stall => Some(Act::Silence),
        Fault::Truncate => None,
    }
}

/// An error as a provider would send it. A client that sees it was not saved, and may know why.
fn answer(status: &str, kind: &str, headers: &str) -> Act {
    let body = format!(
        r#"{{"error":{{"type":"{kind}","code":"failover_drill","message":"a failover drill answers in the provider's place"}}}}"#
    );
    let length = body.len();
    Act::Answer(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n{body}"
    ))
}
