//! What no part of Rondo answers, whatever the path (gateway.md §9).
//!
//! Most of it hyper refuses before anybody is asked: bare CR and NUL in a head, folded lines, lengths
//! that are no numbers or differ, codings that do not end in `chunked`, a coding on HTTP/1.0. Here
//! stands the rest: heads that are well formed, but that a server behind could read differently.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};

use crate::model::id::RequestId;

/// Longest request target, bytes.
const TARGET_MAX: usize = 16 * 1024;
/// `X-Request-Id`.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EdgeFault {
    /// CONNECT and TRACE are not offered.
    Method,
    /// The target is longer than 16 KiB.
    Target,
    /// `Host` is missing, double, unusable, or another than the target's authority (RFC 9112 §3.2).
    Host,
    /// A transfer coding besides one `chunked` (RFC 9112 §6.1).
    Coding,
}

impl EdgeFault {
    /// What is wrong with the head, if anything is.
    pub(super) fn of<B>(request: &Request<B>) -> Option<Self> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Some(Self::Method);
        }
        if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_MAX) {
            return Some(Self::Target);
        }
        if !names_one_host(request) {
            return Some(Self::Host);
        }
        let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
        match (codings.next(), codings.next()) {
            (None, _) => None,
            (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => None,
            _ => Some(Self::Coding),
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Target => StatusCode::URI_TOO_LONG,
            Self::Host | Self::Coding => StatusCode::BAD_REQUEST,
        }
    }

    /// The stable code and its sentence.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Method => ("method_not_allowed", "CONNECT and TRACE are not offered"),
            Self::Target => ("target_too_long", "the request target is longer than 16 KiB"),
            Self::Host => ("invalid_host", "the request must name exactly one host, the one it is sent to"),
            Self::Coding => ("invalid_transfer_encoding", "the only transfer coding is chunked"),
        }
    }

    /// The answer; the connection closes behind it.
    pub(super) fn to_response(self) -> Response<Body> {
        let id = RequestId(uuid::Uuid::now_v7()).to_string();
        let (code, message) = self.words();
        let json = serde_json::json!({
            "type": "error",
            "error": {
                "type": "invalid_request_error", "code": code, "message": message, "request_id": id, "attempts": 0
            }
        });
        let mut response = Response::new(Body::from(json.to_string()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        if self == Self::Method {
            let offered = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            headers.insert(header::ALLOW, offered);
        }
        response
    }
}

/// HTTP/1.1 needs one `Host`, HTTP/2 an authority or a `Host`; where both are there, they agree.
fn names_one_host<B>(request: &Request<B>) -> bool {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => match host.to_str() {
            Ok(host) => host,
            Err(_) => return false,
        },
        (None, _) => match (request.version(), authority) {
            (Version::HTTP_10, None) => return true,
            (Version::HTTP_2, Some(authority)) => authority,
            _ => return false,
        },
        (Some(_), Some(_)) => return false,
    };
    is_host(host) && authority.is_none_or(|authority| authority.eq_ignore_ascii_case(host))
}

/// A name, an IPv4 address or an IPv6 address in brackets, and a port if there is one.
fn is_host(text: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if let Some(rest) = text.strip_prefix('[') {
        let Some((ip, after)) = rest.split_once(']') else { return false };
        let ends_well = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        return ends_well && ip.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let named = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    named && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Option<EdgeFault> {
        EdgeFault::of(&build(Request::builder()).body(()).expect("a request"))
    }

    #[test]
    fn a_request_names_one_usable_host() {
        let bad = Some(EdgeFault::Host);
        for host in ["localhost:3000", "a", "10.0.0.1", "[::1]", "[::1]:3000", "my_host.internal", "A.example"] {
            assert_eq!(fault(|r| r.uri("/").header("host", host)), None, "{host}");
        }
        for host in [
            "", ":80", "a b", "a/b", "a@b", "a:", "a:b", "a:80:80", "a:65536", "a,b", "[::1", "[x]", "::1", "a?b",
            "a%20b",
        ] {
            assert_eq!(fault(|r| r.uri("/").header("host", host)), bad, "{host}");
        }
        assert_eq!(fault(|r| r.uri("/")), bad);
        assert_eq!(fault(|r| r.uri("/").header("host", "a").header("host", "a")), bad);
        assert_eq!(fault(|r| r.uri("http://a/").header("host", "b")), bad);
        assert_eq!(fault(|r| r.uri("http://a/").header("host", "a")), None);
        assert_eq!(fault(|r| r.uri("/").version(Version::HTTP_10)), None);
    }

    #[test]
    fn http_2_names_its_host_in_the_authority() {
        let h2 = |uri: &str| Request::builder().version(Version::HTTP_2).uri(uri);
        assert_eq!(fault(|_| h2("http://a:3000/x")), None);
        assert_eq!(fault(|_| h2("http://a/x").header("host", "a")), None);
        assert_eq!(fault(|_| h2("http://a/x").header("host", "b")), Some(EdgeFault::Host));
        assert_eq!(fault(|_| h2("/x")), Some(EdgeFault::Host));
        assert_eq!(fault(|_| h2("http://u:p@a/x")), Some(EdgeFault::Host));
    }

    #[test]
    fn chunked_is_the_only_coding() {
        let coded = |values: &[&'static str]| {
            fault(|mut r| {
                r = r.uri("/").header("host", "a");
                for value in values {
                    r = r.header("transfer-encoding", *value);
                }
                r
            })
        };
        assert_eq!(coded(&["chunked"]), None);
        assert_eq!(coded(&["Chunked"]), None);
        for values in [&["gzip, chunked"][..], &["chunked, chunked"], &["identity", "chunked"], &["chunked", "chunked"]]
        {
            assert_eq!(coded(values), Some(EdgeFault::Coding), "{values:?}");
        }
    }

    #[test]
    fn connect_and_trace_are_not_offered_and_a_target_has_an_end() {
        assert_eq!(fault(|r| r.method("TRACE").uri("/").header("host", "a")), Some(EdgeFault::Method));
        assert_eq!(EdgeFault::Method.to_response().status(), 405);
        let long = format!("/{}", "x".repeat(TARGET_MAX));
        assert_eq!(fault(|r| r.uri(long).header("host", "a")), Some(EdgeFault::Target));
        assert_eq!(EdgeFault::Target.to_response().status(), 414);
    }
}
