//! Where Rondo listens and what people call it.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;

use super::source::{ConfigError, Values};

/// Settings of the listening side.
#[derive(Clone, Debug)]
pub struct Web {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// What people type, without a trailing `/`; `None` takes the listening address over http.
    pub public_url: Option<PublicUrl>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long running requests may finish after a stop.
    pub drain: Duration,
    /// How long a client may take.
    pub patience: Patience,
}

/// How long a client may take. The same for everybody: only tests, which cannot pause the clock of a
/// socket, shorten it.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a whole request head, and until the next one on a connection that is kept.
    pub head: Duration,
    /// For the next part of a body.
    pub body: Duration,
    /// To take a part of an answer that is ready.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), body: Duration::from_secs(30), write: Duration::from_secs(60) }
    }
}

impl Web {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: values.read("RONDO_LISTEN", "an address and port such as 127.0.0.1:3000", parse_listen)?,
            public_url: values.read_optional(
                "RONDO_PUBLIC_URL",
                "an address without a path such as https://gateway.example.com",
                PublicUrl::parse,
            )?,
            trusted_proxies: values.read(
                "RONDO_TRUSTED_PROXIES",
                "a list of addresses or ranges such as 10.0.0.0/8,192.168.1.5",
                parse_ranges,
            )?,
            drain: Duration::from_secs(values.number("RONDO_DRAIN_SECONDS", 0, 3600)?),
            patience: Patience::default(),
        })
    }

    /// Whether the site is reached over https, so that its cookies can be `__Host-` and `Secure`.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.https)
    }

    /// The site's own address: what is printed in links, without a trailing `/`.
    pub fn site(&self) -> String {
        match &self.public_url {
            Some(url) => url.text.clone(),
            None if self.listen.ip().is_unspecified() => format!("http://localhost:{}", self.listen.port()),
            None => format!("http://{}", self.listen),
        }
    }
}

/// The site's origin: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    https: bool,
    text: String,
}

impl PublicUrl {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        let uri: http::Uri = text.parse().ok()?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let plain = !authority.contains('@') && uri.path() == "/" && uri.query().is_none() && !uri.host()?.is_empty();
        plain.then_some(Self { https, text })
    }

    /// Scheme, host and port, as a browser's `Origin` has it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    match host {
        "localhost" => Some(SocketAddr::from(([127, 0, 0, 1], port))),
        "" | "*" => Some(SocketAddr::from(([0, 0, 0, 0], port))),
        _ => None,
    }
}

fn parse_ranges(text: &str) -> Option<Vec<IpNet>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().ok().or_else(|| part.parse::<std::net::IpAddr>().map(IpNet::from).ok())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_nothing_more() {
        assert_eq!(
            PublicUrl::parse("https://Gate.example.com/").map(|url| url.text),
            Some("https://gate.example.com".into())
        );
        assert!(PublicUrl::parse("http://10.0.0.5:3000").is_some_and(|url| !url.https));
        for text in ["gate.example.com", "ftp://x", "https://x/rondo", "https://u:p@x", "https://x?y", "https://"] {
            assert_eq!(PublicUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_may_be_one_address() {
        assert_eq!(parse_ranges("10.0.0.0/8, ::1").map(|ranges| ranges.len()), Some(2));
        assert_eq!(parse_ranges("").map(|ranges| ranges.len()), Some(0));
        assert_eq!(parse_ranges("10.0.0.0/8,nonsense"), None);
    }
}
