//! Which headers pass, in both directions (gateway.md §8; RFC 9110 §7.6.1 for hop-by-hop).

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::{
    model::{
        id::RequestId,
        trace::{self, Trace},
    },
    server::routing::table::{Credential, Group, Presented, Provider},
};

const PROVIDER: HeaderName = HeaderName::from_static("x-proxy-provider");
const PROVIDER_ID: HeaderName = HeaderName::from_static("x-proxy-provider-id");
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-proxy-response-time");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-proxy-attempts");
/// `X-Request-Id`.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Between two hops only.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Names listed in `Connection`: hop-by-hop by the sender's word.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    names
        .filter(|name| !name.eq_ignore_ascii_case("close") && !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// What a client sends for this gateway, not for the provider.
fn is_for_the_gateway(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "content-length"
            | "authorization"
            | "x-api-key"
            | "api-key"
            | "x-goog-api-key"
            | "cookie"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-forwarded-port"
            | "x-forwarded-prefix"
            | "x-forwarded-server"
            | "x-real-ip"
            | "via"
            | "expect"
            | "x-request-id"
    )
}

/// The headers of one attempt: the client's, filtered, and exactly one credential of the provider.
///
/// `identity` asks for an uncompressed answer unless the client insists: the gateway reads events
/// and usage, and never decompresses.
pub fn to_provider(
    client: &HeaderMap,
    provider: &Provider,
    credential: Option<&Credential>,
    id: RequestId,
    identity: bool,
) -> HeaderMap {
    let listed = named_by_connection(client);
    let mut headers = HeaderMap::with_capacity(client.len() + 4);
    headers.insert(header::HOST, provider.host_header.clone());
    for (name, value) in client {
        let dropped = is_hop_by_hop(name)
            || is_for_the_gateway(name)
            || listed.contains(name)
            || provider.remove_headers.contains(name);
        if !dropped {
            headers.append(name, value.clone());
        }
    }
    if takes_trailers(client) {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    if identity && !insists_on_compression(client) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    for (name, value) in &provider.set_headers {
        headers.insert(name, value.clone());
    }
    if let Some(Presented::Header(name, value)) = credential.map(|credential| &credential.presented) {
        headers.insert(name, value.clone());
    }
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers
}

/// The attempt's span is the parent of what the provider does (W3C Trace Context §3.4), unless this
/// provider is told of no trace.
pub fn place_in_trace(headers: &mut HeaderMap, provider: &Provider, trace: &Trace, number: usize) {
    if trace.parent.is_none() {
        headers.remove(trace::TRACESTATE);
    }
    let refused = provider.remove_headers.iter().any(|name| name.as_str() == trace::TRACEPARENT);
    if !refused && let Ok(told) = HeaderValue::from_str(&trace.told(number)) {
        headers.insert(trace::TRACEPARENT, told);
    }
}

/// A client that refuses `identity` (RFC 9110 §12.5.3).
pub fn insists_on_compression(client: &HeaderMap) -> bool {
    let values = client.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let refused = parts.any(|part| part.replace(' ', "").trim_end_matches(['0', '.']) == "q=");
        refused && (coding.eq_ignore_ascii_case("identity") || coding == "*")
    })
}

/// A client of HTTP/1.1 that reads trailers and says so as RFC 9110 §10.1.4 asks, with `TE` named by
/// `Connection`. In HTTP/2 they have frames of their own and need no leave.
pub fn takes_trailers(client: &HeaderMap) -> bool {
    let values = client.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    let mut items = values.flat_map(|value| value.split(',')).map(str::trim);
    items.any(|item| item.eq_ignore_ascii_case("trailers")) && named_by_connection(client).contains(&header::TE)
}

/// What a provider's answer must not bring to the client or to the gateway's origin.
fn is_kept_from_the_client(name: &HeaderName, succeeded: bool) -> bool {
    let name = name.as_str();
    let dropped = matches!(
        name,
        "set-cookie"
            | "alt-svc"
            | "strict-transport-security"
            | "server"
            | "via"
            | "clear-site-data"
            | "content-security-policy"
            | "content-security-policy-report-only"
            | "x-content-type-options"
            | "x-request-id"
            | "x-proxy-provider"
            | "x-proxy-provider-id"
            | "x-proxy-response-time"
            | "x-proxy-attempts"
    );
    let limits =
        name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-") || name.starts_with("ratelimit");
    // Ours stand under `x-ratelimit-…`; a provider's would be taken for them.
    let ours = matches!(name, "x-ratelimit-limit" | "x-ratelimit-remaining" | "x-ratelimit-reset");
    dropped || ours || name.starts_with("access-control-") || (succeeded && limits)
}

/// Filters the head of a provider's answer in place.
pub fn from_provider(headers: &mut HeaderMap, succeeded: bool) {
    let listed = named_by_connection(headers);
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            // `Trailer` is for the whole way (RFC 9110 §6.6.2).
            let stops_here = is_hop_by_hop(name) && *name != header::TRAILER;
            stops_here || is_kept_from_the_client(name, succeeded) || listed.contains(name)
        })
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// A `Location` at the provider's own base becomes one at the proxy's; others pass.
pub fn rewrite_location(headers: &mut HeaderMap, provider: &Provider, slug: &str) {
    let Some(location) = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()) else { return };
    let path = match location.strip_prefix(&provider.origin) {
        Some(path) => path,
        None if location.starts_with('/') && !location.starts_with("//") => location,
        None => return,
    };
    let Some(tail) = path.strip_prefix(&provider.base_path) else { return };
    let below = tail.is_empty() || tail.starts_with(['/', '?']);
    if below && let Ok(value) = HeaderValue::from_str(&format!("{}{slug}{tail}", super::call::PREFIX)) {
        headers.insert(header::LOCATION, value);
    }
}

/// Names the provider that answered, unless the group hides it.
pub fn name_provider(
    headers: &mut HeaderMap,
    group: &Group,
    provider: &Provider,
    response_time_ms: u64,
    attempts: usize,
) {
    if !group.hide_provider_headers {
        headers.insert(PROVIDER, provider.name_header.clone());
        headers.insert(PROVIDER_ID, provider.id_header.clone());
        headers.insert(ATTEMPTS, HeaderValue::from(attempts));
    }
    headers.insert(RESPONSE_TIME, HeaderValue::from(response_time_ms));
}

/// What every answer of the data plane carries: proxied HTML must not run on the admin origin.
pub fn seal<B>(response: &mut Response<B>, id: RequestId) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
}

/// Lets a page of an allowed origin read the answer (Fetch standard, CORS protocol).
pub fn allow_origin(headers: &mut HeaderMap, allowed: &[String], origin: Option<&HeaderValue>) {
    let Some(origin) = origin else { return };
    let any = allowed.iter().any(|one| one == "*");
    let named = allowed.iter().any(|one| one.as_bytes() == origin.as_bytes());
    if !any && !named {
        return;
    }
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        if named { origin.clone() } else { HeaderValue::from_static("*") },
    );
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
            .collect()
    }

    #[test]
    fn a_provider_sets_nothing_on_our_origin() {
        let mut headers = map(&[
            ("set-cookie", "a=1"),
            ("content-type", "text/html"),
            ("connection", "x-custom, close"),
            ("x-custom", "1"),
            ("access-control-allow-origin", "*"),
            ("x-ratelimit-remaining-tokens", "5"),
            ("server", "x"),
            ("content-security-policy", "x"),
            ("transfer-encoding", "chunked"),
        ]);
        from_provider(&mut headers, true);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
    }

    #[test]
    fn a_failures_rate_limit_headers_reach_the_client() {
        let mut headers = map(&[("x-ratelimit-reset-tokens", "6s"), ("retry-after", "6"), ("x-ratelimit-limit", "9")]);
        from_provider(&mut headers, false);
        assert!(headers.contains_key("x-ratelimit-reset-tokens") && headers.contains_key("retry-after"));
        assert!(!headers.contains_key("x-ratelimit-limit"));
    }

    #[test]
    fn trailers_are_for_clients_that_ask_for_them_on_this_hop() {
        assert!(takes_trailers(&map(&[("te", "gzip, Trailers"), ("connection", "close, TE")])));
        assert!(!takes_trailers(&map(&[("te", "trailers"), ("connection", "close")])));
        assert!(!takes_trailers(&map(&[("te", "gzip"), ("connection", "te")])));
    }

    #[test]
    fn only_a_client_that_refuses_identity_gets_compression() {
        assert!(!insists_on_compression(&map(&[("accept-encoding", "gzip, br")])));
        assert!(insists_on_compression(&map(&[("accept-encoding", "gzip, identity;q=0")])));
        assert!(insists_on_compression(&map(&[("accept-encoding", "gzip, *; q=0.0")])));
        assert!(!insists_on_compression(&map(&[("accept-encoding", "gzip, *;q=0.5")])));
    }
}
