//! The head of a request, read once: slug, tail, query, credential, address of the client.
//!
//! The target is built by parts from the raw bytes of the path. Nothing here decodes what is sent
//! on; decoding serves only to refuse what would climb out of the provider's base path.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, header, request::Parts, uri::PathAndQuery};
use hyper::upgrade::OnUpgrade;
use ipnet::IpNet;

use super::{error::ProxyError, websocket};

/// Where the data plane lives.
pub const PREFIX: &str = "/api/proxy/";

/// The head of a request.
pub struct Call {
    /// Method.
    pub method: Method,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// Address of the client, after trusted proxies.
    pub client_ip: IpAddr,
    /// There when the client asks for a WebSocket: what switches its side.
    pub websocket: Option<OnUpgrade>,
    target: PathAndQuery,
    /// Where the slug ends in the path.
    slug_end: usize,
    /// Query with `key` stripped, if it had one.
    stripped_query: Option<String>,
    /// `?key=`, decoded.
    query_key: Option<String>,
}

impl Call {
    /// Reads the head; refuses a path that tricks.
    pub fn parse(mut head: Parts, peer: SocketAddr, trusted: &[IpNet]) -> Result<Self, ProxyError> {
        let target = head.uri.path_and_query().cloned().ok_or(ProxyError::BadPath("it is empty"))?;
        let path = target.path();
        let rest = path.strip_prefix(PREFIX).ok_or(ProxyError::GroupNotFound)?;
        let slug_end = PREFIX.len() + rest.find('/').unwrap_or(rest.len());
        check_tail(&path[slug_end..])?;
        let (stripped_query, query_key) = match target.query() {
            Some(query) if has_key(query) => {
                let (query, key) = strip_key(query)?;
                (Some(query), Some(key))
            }
            _ => (None, None),
        };
        let client_ip = client_ip(&head.headers, peer.ip(), trusted);
        let upgrade = head.extensions.remove::<OnUpgrade>();
        let websocket = upgrade.filter(|_| websocket::is_asked_for(&head.method, &head.headers));
        Ok(Self {
            method: head.method,
            headers: head.headers,
            client_ip,
            websocket,
            target,
            slug_end,
            stripped_query,
            query_key,
        })
    }

    /// The slug as it was written.
    pub fn slug(&self) -> &str {
        &self.target.path()[PREFIX.len()..self.slug_end]
    }

    /// The raw path after the slug: empty, or from its `/` on.
    pub fn tail(&self) -> &str {
        &self.target.path()[self.slug_end..]
    }

    /// The query that is sent on, without the client's key.
    pub fn query(&self) -> Option<&str> {
        match &self.stripped_query {
            Some(query) if query.is_empty() => None,
            Some(query) => Some(query),
            None => self.target.query(),
        }
    }

    /// The client's key: from exactly one place, or the same in several.
    pub fn credential(&self) -> Result<Option<&str>, ProxyError> {
        let named = ["x-api-key", "api-key", "x-goog-api-key"].into_iter().flat_map(|name| self.headers.get_all(name));
        let unreadable = || ProxyError::InvalidKey("the API key is not valid");
        let mut all: Vec<&str> = Vec::with_capacity(1);
        for value in self.headers.get_all(header::AUTHORIZATION) {
            let value = value.to_str().map_err(|_| unreadable())?;
            let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            all.push(
                token
                    .map(|(_, token)| token.trim())
                    .ok_or(ProxyError::InvalidKey("send the API key as Authorization: Bearer …"))?,
            );
        }
        for value in named {
            all.push(value.to_str().map_err(|_| unreadable())?.trim());
        }
        all.extend(self.query_key.as_deref());
        if all.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(ProxyError::InvalidKey("two different API keys were sent; send one"));
        }
        Ok(all.pop())
    }

    /// A call of our own to the same path: other headers, another query.
    pub fn asking_for(&self, headers: HeaderMap, query: Option<String>) -> Self {
        Self {
            method: self.method.clone(),
            headers,
            client_ip: self.client_ip,
            target: self.target.clone(),
            slug_end: self.slug_end,
            stripped_query: Some(query.unwrap_or_default()),
            query_key: None,
            websocket: None,
        }
    }

    /// Whether repeating the request is harmless: an idempotent method (RFC 9110 §9.2.2), or the
    /// client's word for it.
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
            || self.headers.contains_key("idempotency-key")
    }

    /// Whether the head asks for an event stream and nothing else. A client that would take JSON as
    /// well gets whatever the provider sends.
    pub fn asks_for_events(&self) -> bool {
        let values = self.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = values.flat_map(|value| value.split(',')).peekable();
        let accepts = kinds.peek().is_some()
            && kinds.all(|kind| {
                let kind = kind.split(';').next().unwrap_or_default();
                kind.trim().eq_ignore_ascii_case("text/event-stream")
            });
        accepts || self.target.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"))
    }

    /// `User-Agent`, empty when there is none.
    pub fn user_agent(&self) -> &str {
        self.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn has_key(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("key="))
}

fn strip_key(query: &str) -> Result<(String, String), ProxyError> {
    let (keys, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("key="));
    let mut keys = keys.into_iter().map(|pair| percent_decode(&pair["key=".len()..]));
    let invalid = ProxyError::InvalidKey("the API key is not valid");
    let first = keys.next().flatten().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(invalid)?;
    if keys.any(|other| other.as_deref() != Some(first.as_bytes())) {
        return Err(ProxyError::InvalidKey("two different API keys were sent; send one"));
    }
    Ok((rest.join("&"), first))
}

/// One round of percent-decoding; `None` for a broken escape.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let (decoded, is_intact) = decode(text.as_bytes());
    is_intact.then_some(decoded)
}

/// One round of percent-decoding of any bytes, and whether every `%` began an escape; one that does
/// not stays, as lenient servers have it.
fn decode(bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut decoded, mut is_intact) = (Vec::with_capacity(bytes.len()), true);
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
        } else if let Some(escaped) = escaped(after) {
            decoded.push(escaped);
            rest = &after[2..];
        } else {
            decoded.push(byte);
            is_intact = false;
        }
    }
    (decoded, is_intact)
}

/// The byte that two hexadecimal digits at the beginning stand for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let hex = |at: usize| char::from(*bytes.get(at)?).to_digit(16).map(|value| value as u8);
    Some(hex(0)? * 16 + hex(1)?)
}

/// Refuses what could climb out of the base path at some server on the way: dot segments after up
/// to two decodings, backslashes, control bytes, broken escapes (gateway.md §1).
pub fn check_tail(tail: &str) -> Result<(), ProxyError> {
    if !tail.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ProxyError::BadPath("it holds a space, a control byte or a byte outside ASCII"));
    }
    if !tail.contains(['%', '.', '\\', ';']) {
        return Ok(());
    }
    let once = percent_decode(tail).ok_or(ProxyError::BadPath("it holds a broken escape"))?;
    check_segments(&once)?;
    // A second round only where the first left escapes. A literal % that is none is harmless, but must
    // not hide the escapes beside it, and neither must bytes that are no text.
    if once.contains(&b'%') {
        check_segments(&decode(&once).0)?;
    }
    Ok(())
}

fn check_segments(path: &[u8]) -> Result<(), ProxyError> {
    if path.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\') {
        return Err(ProxyError::BadPath("it holds a backslash or a control byte"));
    }
    let climbs = path.split(|byte| *byte == b'/').any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        name == b"." || name == b".."
    });
    if climbs { Err(ProxyError::BadPath("it holds a dot segment")) } else { Ok(()) }
}

/// The peer, or `X-Forwarded-For` read from the right through proxies that are trusted.
pub fn client_ip(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let trusts = |ip: IpAddr| trusted.iter().any(|range| range.contains(&ip));
    let mut client = peer.to_canonical();
    if trusted.is_empty() || !trusts(client) {
        return client;
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        client = ip.to_canonical();
        if !trusts(client) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str, headers: &[(&'static str, &str)]) -> Result<Call, ProxyError> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        Call::parse(head, "192.0.2.9:1234".parse().expect("an address"), &["192.0.2.0/24".parse().expect("a range")])
    }

    #[test]
    fn the_tail_stays_byte_for_byte() {
        let call = call("/api/proxy/prod/v1/a%2Fb//c;x=1?q=%20+&r", &[]).expect("fine");
        assert_eq!((call.slug(), call.tail(), call.query()), ("prod", "/v1/a%2Fb//c;x=1", Some("q=%20+&r")));
    }

    #[test]
    fn a_path_that_climbs_is_refused_in_every_spelling() {
        for tail in [
            "/../x",
            "/a/..",
            "/.",
            "/%2e%2e/x",
            "/%2E./x",
            "/.%2e/x",
            "/%252e%252e/x",
            "/a%2f..%2fb",
            "/a%5c..%5cb",
            "/..;x=1/b",
            "/%2e%2e%3bx/b",
            "/a\\b",
            "/%00",
            "/%0d%0a",
            "/%zz",
            "/%2",
            "/a/%252e%252e%252f",
            "/%252e%252e/%ff",
            "/%252e%252e/%25zz",
            "/%25/%252e%252e",
        ] {
            assert!(call(&format!("/api/proxy/prod{tail}").replace('\\', "%5c"), &[]).is_err(), "{tail}");
            assert!(check_tail(tail).is_err(), "{tail}");
        }
        for tail in ["", "/", "/v1/x", "/...", "/.well-known/x", "/a..b", "/v1/100%25", "/a%2Fb", "//x", "/%E6%9C%88"] {
            assert_eq!(check_tail(tail), Ok(()), "{tail}");
        }
    }

    #[test]
    fn a_key_comes_from_exactly_one_place() {
        let key = |headers: &[(&'static str, &str)], query: &str| {
            call(&format!("/api/proxy/p/x{query}"), headers).and_then(|call| Ok(call.credential()?.map(str::to_owned)))
        };
        assert_eq!(key(&[("authorization", "Bearer a")], ""), Ok(Some("a".into())));
        assert_eq!(key(&[("authorization", "bearer a")], ""), Ok(Some("a".into())));
        assert_eq!(key(&[("x-api-key", "a")], ""), Ok(Some("a".into())));
        assert_eq!(key(&[("api-key", "a"), ("authorization", "Bearer a")], ""), Ok(Some("a".into())));
        assert_eq!(key(&[], "?x=1&key=a%2Db"), Ok(Some("a-b".into())));
        assert_eq!(key(&[], ""), Ok(None));
        assert!(key(&[("x-api-key", "a"), ("x-goog-api-key", "b")], "").is_err());
        assert!(key(&[("x-api-key", "a")], "?key=b").is_err());
        assert!(key(&[("authorization", "Basic abc")], "").is_err());
    }

    #[test]
    fn the_clients_key_leaves_the_query() {
        let call = call("/api/proxy/p/x?a=1&key=rd_x&b=%202", &[]).expect("fine");
        assert_eq!(call.query(), Some("a=1&b=%202"));
        let only = super::tests::call("/api/proxy/p/x?key=rd_x", &[]).expect("fine");
        assert_eq!(only.query(), None);
    }

    #[test]
    fn a_client_that_takes_nothing_but_events_asks_for_a_stream() {
        let asks = |uri: &str, accept: &str| call(uri, &[("accept", accept)]).expect("fine").asks_for_events();
        assert!(asks("/api/proxy/p/x", "text/event-stream"));
        assert!(asks("/api/proxy/p/x", "Text/Event-Stream; q=1"));
        assert!(asks("/api/proxy/p/x?a=1&alt=sse", "*/*"));
        assert!(!asks("/api/proxy/p/x", "application/json, text/event-stream"));
        assert!(!asks("/api/proxy/p/x?alt=json", "*/*"));
        assert!(!call("/api/proxy/p/x", &[]).expect("fine").asks_for_events());
    }

    #[test]
    fn the_client_is_found_behind_trusted_proxies_only() {
        let ip = |headers: &[(&'static str, &str)]| call("/api/proxy/p", headers).expect("fine").client_ip.to_string();
        assert_eq!(ip(&[("x-forwarded-for", "6.6.6.6, 203.0.113.7, 192.0.2.1")]), "203.0.113.7");
        assert_eq!(ip(&[]), "192.0.2.9");
        assert_eq!(ip(&[("x-forwarded-for", "nonsense")]), "192.0.2.9");
    }
}
