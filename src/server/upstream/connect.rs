//! From a provider's address to a connection: name, address check, TCP, the proxy on the way, TLS, each
//! with its own fault.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    egress::{self, Egress},
    guard::{AddressPolicy, Refused},
};
use crate::model::{
    name::BaseUrl,
    provider::{Connection, Protocol},
};

/// Wait before the next address is tried beside the first (RFC 8305 §5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// The name has no address.
    #[error("{host} has no address: {reason}")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Its addresses are not allowed.
    #[error("{address} is refused: {reason}")]
    Refused {
        /// The address.
        address: IpAddr,
        /// Why.
        reason: Refused,
    },
    /// TCP failed.
    #[error("{address} did not accept: {source}")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The proxy on the way gave no tunnel.
    #[error("the egress proxy {proxy} {reason}")]
    Proxy {
        /// Its address.
        proxy: String,
        /// What it did.
        reason: String,
    },
    /// TLS failed: certificate, name or protocol.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// There is a connection, but not one for the protocol asked for.
    #[error("{0}")]
    Protocol(String),
    /// All of it took too long.
    #[error("no connection within {} ms", .0.as_millis())]
    Timeout(Duration),
}

/// Either kind of connection.
pub enum Stream {
    /// http
    Plain(TcpStream),
    /// https
    Tls(Box<TlsStream<TcpStream>>),
}

/// How to reach one provider.
#[derive(Clone)]
pub struct Connector {
    /// Host without brackets, and port.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS, where the scheme asks for it.
    pub tls: Option<Arc<ClientConfig>>,
    /// What is spoken.
    pub protocol: Protocol,
    /// The proxy to go through.
    pub egress: Option<Egress>,
    /// Which addresses are allowed.
    pub policy: Arc<AddressPolicy>,
    /// For name, TCP and TLS together.
    pub timeout: Duration,
}

impl Connector {
    /// How to reach the provider at this address, directly or as its connection options say.
    pub fn new(
        base_url: &BaseUrl,
        connection: &Connection,
        tls: Option<Arc<ClientConfig>>,
        policy: Arc<AddressPolicy>,
        timeout: Duration,
    ) -> Self {
        let host = |url: &BaseUrl| url.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // A proxy that cannot be read is none that answers: never a way around it.
        let egress = connection.egress_proxy.as_deref().map(|proxy| match BaseUrl::parse(proxy) {
            Ok(proxy) => Egress { host: host(&proxy), port: proxy.port() },
            Err(_) => Egress { host: String::new(), port: 0 },
        });
        Self {
            host: host(base_url),
            port: base_url.port(),
            tls,
            protocol: connection.protocol,
            egress,
            policy,
            timeout,
        }
    }

    /// Connects within the time limit.
    pub async fn connect(&self) -> Result<Stream, ConnectFault> {
        self.connect_for(self.protocol).await
    }

    /// Connects for this protocol, whatever the provider's own is.
    pub async fn connect_for(&self, protocol: Protocol) -> Result<Stream, ConnectFault> {
        match tokio::time::timeout(self.timeout, self.connect_without_limit(protocol)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectFault::Timeout(self.timeout)),
        }
    }

    async fn connect_without_limit(&self, protocol: Protocol) -> Result<Stream, ConnectFault> {
        let mut tcp = self.tcp().await?;
        if let Some(egress) = &self.egress {
            let refused = |reason| ConnectFault::Proxy { proxy: egress.to_string(), reason };
            egress::tunnel(&mut tcp, &self.host, self.port).await.map_err(refused)?;
        }
        let Some(config) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| ConnectFault::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let word: &[u8] = match protocol {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        };
        let connector = TlsConnector::from(config.clone());
        let tls = connector.with_alpn(vec![word.to_vec()]).connect(name, tcp).await.map_err(ConnectFault::Tls)?;
        // A server without ALPN speaks HTTP/1.1.
        if protocol == Protocol::Http2 && tls.get_ref().1.alpn_protocol() != Some(word) {
            return Err(ConnectFault::Protocol("the provider does not offer HTTP/2 (ALPN h2)".to_owned()));
        }
        Ok(Stream::Tls(Box::new(tls)))
    }

    /// The addresses that are connected to, as far as they are allowed: the provider's, or its proxy's.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectFault> {
        let (host, port) = match &self.egress {
            None => (&self.host, self.port),
            Some(egress) => {
                // Names are the proxy's to resolve; an address is refused here as it would be without it.
                if let Ok(ip) = self.host.parse::<IpAddr>() {
                    let refused = |reason| ConnectFault::Refused { address: ip, reason };
                    self.policy.check(SocketAddr::new(ip, self.port)).map_err(refused)?;
                }
                (&egress.host, egress.port)
            }
        };
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => tokio::net::lookup_host((host.as_str(), port))
                .await
                .map_err(|error| ConnectFault::Dns { host: host.clone(), reason: error.to_string() })?
                .collect(),
        };
        let mut refused = None;
        let mut allowed = Vec::with_capacity(found.len());
        for address in found {
            match self.policy.check(address) {
                Ok(()) => allowed.push(address),
                Err(reason) => refused = Some(ConnectFault::Refused { address: address.ip(), reason }),
            }
        }
        if allowed.is_empty() {
            let nothing = || ConnectFault::Dns { host: host.clone(), reason: "no address found".to_owned() };
            return Err(refused.unwrap_or_else(nothing));
        }
        Ok(allowed)
    }

    /// Tries the addresses one after another, each a little after the last, and takes the first that answers.
    async fn tcp(&self) -> Result<TcpStream, ConnectFault> {
        let mut addresses = self.resolve().await?.into_iter();
        let mut racing = FuturesUnordered::new();
        let mut last = None;
        loop {
            if let Some(address) = addresses.next() {
                racing.push(async move { (address, TcpStream::connect(address).await) });
            }
            let more = addresses.len() > 0;
            let result = tokio::select! {
                result = racing.next() => result,
                () = tokio::time::sleep(NEXT_ADDRESS_AFTER), if more => continue,
            };
            match result {
                Some((_, Ok(stream))) => {
                    // Off, the first event of a stream would wait 40 ms for Nagle.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Some((address, Err(source))) => last = Some(ConnectFault::Tcp { address, source }),
                None => {}
            }
            if racing.is_empty() && !more {
                return Err(last.unwrap_or(ConnectFault::Timeout(self.timeout)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fault(url: &str, egress_proxy: Option<&str>, allow_private: bool) -> ConnectFault {
        let url = BaseUrl::parse(url).expect("an address");
        let connection = Connection { egress_proxy: egress_proxy.map(str::to_owned), ..Connection::default() };
        let policy = Arc::new(AddressPolicy { allow_private, own_listeners: vec![] });
        let connector = Connector::new(&url, &connection, None, policy, Duration::from_secs(5));
        connector.connect().await.err().expect("refused")
    }

    #[tokio::test]
    async fn a_forbidden_address_is_refused_in_the_connector_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "0.0.0.0",
            "[::]",
            "255.255.255.255",
            // These are no addresses to a parser of addresses, but a resolver makes them some.
            "2852039166",
            "0xa9fea9fe",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "025177524776",
            "169.254.43518",
            "169.16689662",
            "0",
            "0x0",
        ] {
            let fault = fault(&format!("http://{host}:9"), None, true).await;
            let refused = matches!(fault, ConnectFault::Refused { .. } | ConnectFault::Dns { .. });
            assert!(refused, "{host}: {fault}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_resolves_to() {
        for host in ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001"] {
            let fault = fault(&format!("http://{host}:9"), None, false).await;
            let refused = matches!(fault, ConnectFault::Refused { reason: Refused::Private, .. });
            assert!(refused || matches!(fault, ConnectFault::Dns { .. }), "{host}: {fault}");
        }
    }

    #[tokio::test]
    async fn a_proxy_is_no_way_around_the_guard() {
        let metadata = fault("http://provider.example", Some("http://169.254.169.254:80"), true).await;
        assert!(matches!(metadata, ConnectFault::Refused { reason: Refused::LinkLocal, .. }), "{metadata}");
        let behind = fault("http://169.254.169.254", Some("http://127.0.0.1:9"), true).await;
        assert!(matches!(behind, ConnectFault::Refused { reason: Refused::LinkLocal, .. }), "{behind}");
    }
}
