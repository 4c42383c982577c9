//! Whether a mutation comes from our own pages.
//!
//! Fetch metadata where the browser sends it, `Origin` against our own host where it does not
//! (plain http). A request with neither is no browser's: cookies of others cannot be in it.

use http::{HeaderMap, Method, header, request::Parts};

use crate::model::error::ApiError;

/// Refuses a mutation that another site started.
pub(super) fn check(parts: &Parts, public_url: Option<&str>) -> Result<(), ApiError> {
    let safe = matches!(parts.method, Method::GET | Method::HEAD);
    if safe || is_own(parts, public_url) { Ok(()) } else { Err(ApiError::CrossSite) }
}

fn is_own(parts: &Parts, public_url: Option<&str>) -> bool {
    let headers = &parts.headers;
    if let Some(site) = text(headers, "sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(origin) = text(headers, header::ORIGIN.as_str()) else { return false };
    if public_url.is_some_and(|url| url.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = text(headers, header::HOST.as_str()).or_else(|| parts.uri.authority().map(|a| a.as_str()));
    let origin_host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    matches!((host, origin_host), (Some(host), Some(origin)) if !host.is_empty() && host.eq_ignore_ascii_case(origin))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri("/rpc/providers/create");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        check(&parts, Some("https://gate.example.com")).is_ok()
    }

    #[test]
    fn another_site_cannot_change_anything() {
        let host = ("host", "127.0.0.1:3000");
        for headers in [
            [host, ("sec-fetch-site", "cross-site")],
            [host, ("sec-fetch-site", "same-site")],
            [host, ("sec-fetch-site", "Same-Origin")],
            [host, ("origin", "https://evil.example")],
            [host, ("origin", "null")],
            [host, ("origin", "http://127.0.0.1:3001")],
            [host, ("origin", "127.0.0.1:3000")],
            [("host", ""), ("origin", "http://")],
        ] {
            assert!(!verdict("POST", &headers), "{headers:?}");
            assert!(!verdict("DELETE", &headers), "{headers:?}");
            assert!(verdict("GET", &headers), "reading is answered, browsers keep it to themselves: {headers:?}");
        }
    }

    #[test]
    fn our_own_pages_and_programs_can() {
        let host = ("host", "127.0.0.1:3000");
        assert!(verdict("POST", &[host]));
        assert!(verdict("POST", &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:3000")]));
        assert!(verdict("POST", &[host, ("origin", "http://127.0.0.1:3000")]));
        assert!(verdict("POST", &[host, ("origin", "https://gate.example.com")]), "behind a proxy that rewrites Host");
    }
}
