//! From a provider's address to a connection: name, address check, TCP, TLS, each with its own fault.

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

use super::guard::{AddressPolicy, Refused};

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
    /// TLS failed: certificate, name or protocol.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
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
    /// Which addresses are allowed.
    pub policy: Arc<AddressPolicy>,
    /// For name, TCP and TLS together.
    pub timeout: Duration,
}

impl Connector {
    /// Connects within the time limit.
    pub async fn connect(&self) -> Result<Stream, ConnectFault> {
        match tokio::time::timeout(self.timeout, self.connect_without_limit()).await {
            Ok(result) => result,
            Err(_) => Err(ConnectFault::Timeout(self.timeout)),
        }
    }

    async fn connect_without_limit(&self) -> Result<Stream, ConnectFault> {
        let tcp = self.tcp().await?;
        let Some(config) = &self.tls else { return Ok(Stream::Plain(tcp)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| ConnectFault::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let tls = TlsConnector::from(config.clone()).connect(name, tcp).await.map_err(ConnectFault::Tls)?;
        Ok(Stream::Tls(Box::new(tls)))
    }

    /// The addresses of the provider that are allowed.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectFault> {
        let found: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, self.port)],
            Err(_) => tokio::net::lookup_host((self.host.as_str(), self.port))
                .await
                .map_err(|error| ConnectFault::Dns { host: self.host.clone(), reason: error.to_string() })?
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
            let nothing = || ConnectFault::Dns { host: self.host.clone(), reason: "no address found".to_owned() };
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
