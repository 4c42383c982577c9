//! The audit trail: who changed what, hash-chained, written in the transaction of the change.

use serde::{Deserialize, Serialize};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Place in the chain, from 1.
    pub seq: i64,
    /// When, unix milliseconds.
    pub at_ms: i64,
    /// Who: a user name, `cli`, `setup`.
    pub actor: String,
    /// What: `provider.create`, `api_key.revoke`.
    pub action: String,
    /// Of which thing: its name.
    pub object: String,
    /// Revision that came of it.
    pub revision: i64,
    /// Changed fields as JSON, without secrets.
    pub detail: String,
    /// SHA-256 over the row and the hash before it, in hex.
    pub hash: String,
}
