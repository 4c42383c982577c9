//! Who is calling: a hash and one map lookup, no database.

use std::{net::IpAddr, sync::Arc};

use super::{call::Call, error::ProxyError};
use crate::server::{
    routing::table::{Key, Table},
    secret::token::HashedKey,
};

/// Who is calling.
pub enum Caller {
    /// A client with a key.
    Key(Arc<Key>),
    /// Nobody said: some groups allow that.
    Anonymous,
}

impl Caller {
    /// The key, if there is one.
    pub fn key(&self) -> Option<&Arc<Key>> {
        match self {
            Self::Key(key) => Some(key),
            Self::Anonymous => None,
        }
    }
}

/// Finds the key in the table and checks what does not depend on the group.
pub fn authenticate(table: &Table, call: &Call, now_unix_ms: i64) -> Result<Caller, ProxyError> {
    let Some(credential) = call.credential()? else { return Ok(Caller::Anonymous) };
    let unknown = ProxyError::InvalidKey("this API key is not known or was revoked");
    let key = table.key(&HashedKey::of(credential)).ok_or(unknown)?;
    check(key, Some(call.client_ip), now_unix_ms)?;
    Ok(Caller::Key(key.clone()))
}

/// Whether a key may be used now, and from this address where one is known.
pub fn check(key: &Key, client_ip: Option<IpAddr>, now_unix_ms: i64) -> Result<(), ProxyError> {
    if !key.enabled {
        return Err(ProxyError::InvalidKey("this API key is not known or was revoked"));
    }
    if key.expires_at_ms.is_some_and(|expires| now_unix_ms >= expires) {
        return Err(ProxyError::KeyExpired);
    }
    match client_ip {
        Some(ip) if !key.allows_ip(ip) => Err(ProxyError::IpForbidden(ip)),
        _ => Ok(()),
    }
}
