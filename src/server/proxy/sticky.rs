//! What the strategy `sticky` holds on to, as a number: equal on every node of one version, and after a restart.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::{authenticate::Caller, call::Call};
use crate::model::group::{Sticky, StickyBy};

/// Hash of the header the group names, of the key, or of the client's address: the first that is
/// there, beginning with the one the group asks for.
pub fn hash(sticky: &Sticky, caller: &Caller, call: &Call) -> u64 {
    // Keys of its own are not needed: who can choose the value may choose the provider, no more.
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    if sticky.by == StickyBy::Header
        && let Some(value) = sticky.header.as_deref().and_then(|name| call.headers.get(name))
    {
        return hasher.hash_one(value.as_bytes());
    }
    match caller.key() {
        Some(key) if sticky.by != StickyBy::ClientIp => hasher.hash_one(key.id),
        _ => hasher.hash_one(call.client_ip),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn call(client: &str, session: Option<&str>) -> Call {
        let mut request = Request::builder().uri("/api/proxy/p/x");
        if let Some(session) = session {
            request = request.header("x-session", session);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        Call::parse(head, format!("{client}:1").parse().expect("an address"), &[]).expect("fine")
    }

    fn by(by: StickyBy) -> Sticky {
        Sticky { by, header: Some("X-Session".into()) }
    }

    #[test]
    fn the_header_is_held_on_to_wherever_it_comes_from() {
        let hash = |client, session| hash(&by(StickyBy::Header), &Caller::Anonymous, &call(client, session));
        assert_eq!(hash("192.0.2.1", Some("a")), hash("192.0.2.2", Some("a")));
        assert_ne!(hash("192.0.2.1", Some("a")), hash("192.0.2.1", Some("b")));
        assert_ne!(hash("192.0.2.1", None), hash("192.0.2.2", None), "without it, the address");
        assert_eq!(hash("192.0.2.1", None), hash("192.0.2.1", None));
    }

    #[test]
    fn a_client_without_a_key_is_known_by_its_address() {
        for kind in [StickyBy::Key, StickyBy::ClientIp] {
            let hash = |client, session| hash(&by(kind), &Caller::Anonymous, &call(client, session));
            assert_eq!(hash("192.0.2.1", Some("a")), hash("192.0.2.1", Some("b")), "{kind:?}");
            assert_ne!(hash("192.0.2.1", None), hash("192.0.2.2", None), "{kind:?}");
        }
    }
}
