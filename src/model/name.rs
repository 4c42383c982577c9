//! Names and addresses that are checked once, at the edge.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::problem::Issue;

/// Longest display name, in characters.
pub const NAME_MAX: usize = 100;
/// Longest slug, in bytes: `[a-z0-9-]{1,64}`.
pub const SLUG_MAX: usize = 64;

/// Checks a display name: 1–100 characters, no control characters, no surrounding space.
pub fn check_name(name: &str) -> Result<(), Issue> {
    if name.trim().is_empty() {
        return Err(Issue::Required);
    }
    if name.chars().count() > NAME_MAX {
        return Err(Issue::TooLong { max: NAME_MAX as u32 });
    }
    if name.chars().any(char::is_control) || name.trim() != name {
        return Err(Issue::InvalidName);
    }
    Ok(())
}

/// The part of the proxy address that names a group: `[a-z0-9-]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// Parses a slug; a bad one is answered with a usable suggestion.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        if text.is_empty() {
            return Err(Issue::Required);
        }
        let fits =
            text.len() <= SLUG_MAX && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(Issue::InvalidSlug { suggestion: suggest_slug(text) }) }
    }

    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The nearest valid slug to what a person typed: `Prod_1` gives `prod-1`.
pub fn suggest_slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_MAX);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "group-1".to_owned() } else { slug.to_owned() }
}

impl TryFrom<String> for Slug {
    type Error = Issue;

    fn try_from(text: String) -> Result<Self, Issue> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A provider's address: `http` or `https`, a host, an optional port and base path; nothing else.
///
/// Kept by parts so that the data plane never parses it again and never joins strings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl {
    https: bool,
    authority: String,
    base_path: String,
}

impl BaseUrl {
    /// Parses a base address. Userinfo, query and fragment are refused, as is a `.`/`..` segment.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Issue::Required);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Issue::InvalidUrl { reason: UrlFault::Scheme })?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(Issue::InvalidUrl { reason: UrlFault::Scheme }),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if rest.contains('#') {
            return Err(Issue::InvalidUrl { reason: UrlFault::Fragment });
        }
        if rest.contains('?') {
            return Err(Issue::InvalidUrl { reason: UrlFault::Query });
        }
        if authority.contains('@') {
            return Err(Issue::InvalidUrl { reason: UrlFault::UserInfo });
        }
        check_authority(authority)?;
        check_base_path(path)?;
        Ok(Self { https, authority: authority.to_ascii_lowercase(), base_path: path.trim_end_matches('/').to_owned() })
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Host and, where one was given, port: `api.example.com:8443`, `[::1]:8000`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Host alone, without port; an IPv6 literal keeps its brackets.
    pub fn host(&self) -> &str {
        split_port(&self.authority).0
    }

    /// The port that will be connected to.
    pub fn port(&self) -> u16 {
        let implied = if self.https { 443 } else { 80 };
        split_port(&self.authority).1.and_then(|p| p.parse().ok()).unwrap_or(implied)
    }

    /// The base path without a trailing `/`: empty or `/v1`.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority[after_bracket..].rfind(':') {
        Some(at) => (&authority[..after_bracket + at], Some(&authority[after_bracket + at + 1..])),
        None => (authority, None),
    }
}

fn check_authority(authority: &str) -> Result<(), Issue> {
    let (host, port) = split_port(authority);
    if host.is_empty() {
        return Err(Issue::InvalidUrl { reason: UrlFault::Host });
    }
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let valid = if bracketed {
        host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        host.len() <= 253
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
            && !host.starts_with('.')
            && !host.contains("..")
    };
    if !valid {
        return Err(Issue::InvalidUrl { reason: UrlFault::Host });
    }
    match port {
        Some(port) if port.parse::<u16>().map_or(true, |p| p == 0) => Err(Issue::InvalidUrl { reason: UrlFault::Port }),
        _ => Ok(()),
    }
}

fn check_base_path(path: &str) -> Result<(), Issue> {
    let plain = path.bytes().all(|b| {
        b.is_ascii_graphic() && !matches!(b, b'\\' | b'%' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
    });
    let dots = path.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")));
    if plain && !dots { Ok(()) } else { Err(Issue::InvalidUrl { reason: UrlFault::Path }) }
}

impl TryFrom<String> for BaseUrl {
    type Error = Issue;

    fn try_from(text: String) -> Result<Self, Issue> {
        Self::parse(&text)
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.base_path)
    }
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlFault {
    /// Not `http://` or `https://`.
    Scheme,
    /// A user name or password before the host: keys belong to credentials.
    UserInfo,
    /// An empty or impossible host.
    Host,
    /// A port outside 1–65535.
    Port,
    /// A base path with escapes, spaces or dot segments.
    Path,
    /// A query: it would be lost.
    Query,
    /// A fragment: it is never sent.
    Fragment,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_small_letters_digits_and_hyphens() {
        assert_eq!(Slug::parse("prod-1").map(String::from), Ok("prod-1".to_owned()));
        assert_eq!(Slug::parse("Prod_1"), Err(Issue::InvalidSlug { suggestion: "prod-1".into() }));
        assert_eq!(Slug::parse(""), Err(Issue::Required));
        assert!(Slug::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn a_base_url_keeps_its_parts() {
        let url = BaseUrl::parse("HTTPS://API.example.com:8443/openai/v1/").expect("valid");
        assert_eq!(
            (url.scheme(), url.host(), url.port(), url.base_path()),
            ("https", "api.example.com", 8443, "/openai/v1")
        );
        assert_eq!(url.to_string(), "https://api.example.com:8443/openai/v1");
        let v6 = BaseUrl::parse("http://[::1]:8000").expect("valid");
        assert_eq!((v6.host(), v6.port()), ("[::1]", 8000));
        assert_eq!(BaseUrl::parse("http://[::1]").expect("valid").port(), 80);
    }

    #[test]
    fn a_base_url_with_a_trap_in_it_is_refused_with_the_reason() {
        let fault = |text: &str| match BaseUrl::parse(text) {
            Err(Issue::InvalidUrl { reason }) => Some(reason),
            _ => None,
        };
        assert_eq!(fault("ftp://x"), Some(UrlFault::Scheme));
        assert_eq!(fault("api.example.com"), Some(UrlFault::Scheme));
        assert_eq!(fault("https://user:pw@host/"), Some(UrlFault::UserInfo));
        assert_eq!(fault("https:///v1"), Some(UrlFault::Host));
        assert_eq!(fault("https://exa mple.com"), Some(UrlFault::Host));
        assert_eq!(fault("https://h:0"), Some(UrlFault::Port));
        assert_eq!(fault("https://h:70000"), Some(UrlFault::Port));
        assert_eq!(fault("https://h/../v1"), Some(UrlFault::Path));
        assert_eq!(fault("https://h/%2e%2e"), Some(UrlFault::Path));
        assert_eq!(fault("https://h/v1?x=1"), Some(UrlFault::Query));
        assert_eq!(fault("https://h/v1#x"), Some(UrlFault::Fragment));
    }
}
