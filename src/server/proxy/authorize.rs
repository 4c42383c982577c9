//! What the caller may reach: the group, and the path inside it.

use std::sync::Arc;

use super::{authenticate::Caller, call::Call, error::ProxyError};
use crate::server::routing::table::{Group, Table};

/// The group of the request, if the caller may use it with this method and path.
pub fn authorize(table: &Table, caller: &Caller, call: &Call) -> Result<Arc<Group>, ProxyError> {
    let group = table.group(call.slug()).filter(|group| group.enabled);
    match caller {
        // A client without a key learns nothing about which groups exist.
        Caller::Anonymous => {
            let open = group.filter(|group| group.anonymous.is_some());
            let group = open.ok_or(ProxyError::InvalidKey("an API key is required: Authorization: Bearer rd_…"))?;
            check_path(group, None, call)?;
            Ok(group.clone())
        }
        Caller::Key(key) => {
            let group = group.ok_or(ProxyError::GroupNotFound)?;
            if !key.reaches(group.id) {
                return Err(ProxyError::GroupForbidden);
            }
            check_path(group, key.paths.as_ref(), call)?;
            Ok(group.clone())
        }
    }
}

pub(super) fn check_path(
    group: &Group,
    narrowed: Option<&crate::server::routing::policy::PathMatcher>,
    call: &Call,
) -> Result<(), ProxyError> {
    let tail = if call.tail().is_empty() { "/" } else { call.tail() };
    let allowed =
        group.paths.allows(&call.method, tail) && narrowed.is_none_or(|paths| paths.allows(&call.method, tail));
    if allowed { Ok(()) } else { Err(ProxyError::PathForbidden) }
}
