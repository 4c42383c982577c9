//! One exchange on a connection of its own: for what the gateway tells others, not for what it asks
//! providers. The same guard of addresses, no proxy, no redirect, nothing kept.

use std::{io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{io::AsyncRead, io::AsyncWrite, net::TcpStream, sync::OnceCell};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    body::Outbound,
    connect::{ConnectFault, Connector, Stream},
    guard::AddressPolicy,
    pool::{Freshness, Pool, SendFault},
    tls::{TlsError, client_config},
};
use crate::model::{name::BaseUrl, provider::Connection};

/// Makes single exchanges. Cheap to clone.
#[derive(Clone)]
pub struct Single {
    policy: Arc<AddressPolicy>,
    /// Read from the system once: it takes some milliseconds.
    tls: Arc<OnceCell<Arc<ClientConfig>>>,
    timeout: Duration,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum SingleFault {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectFault),
    /// A connection and no answer.
    #[error(transparent)]
    Send(#[from] SendFault),
    /// TLS cannot be set up on this machine, or with this file.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Status and the beginning of a body.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// The body's first bytes.
    pub body: Vec<u8>,
}

impl Single {
    /// Connects where `policy` allows; name, TCP and TLS take `timeout` together.
    pub fn new(policy: Arc<AddressPolicy>, timeout: Duration) -> Self {
        Self { policy, tls: Arc::default(), timeout }
    }

    /// Sends a request and reads at most `most_bytes` of the answer's body; what is longer is cut off by
    /// closing the connection. How long all of it may take is the caller's to say.
    pub async fn exchange(
        &self,
        origin: &BaseUrl,
        ca_file: Option<&Path>,
        request: Request<Bytes>,
        most_bytes: usize,
    ) -> Result<Answer, SingleFault> {
        let connector = self.connector(origin, ca_file).await?;
        let mut lease = Pool::new(connector).lease(Freshness::Fresh).await?;
        let response = lease.send(request.map(Outbound::Held)).await?;
        let status = response.status().as_u16();
        let (mut incoming, mut body) = (response.into_body(), Vec::new());
        while let Some(Ok(frame)) = incoming.frame().await {
            if let Some(data) = frame.data_ref() {
                body.extend_from_slice(&data[..data.len().min(most_bytes - body.len())]);
            }
            if body.len() >= most_bytes {
                break;
            }
        }
        Ok(Answer { status, body })
    }

    /// A plain connection to a host, as the guard allows.
    pub async fn tcp(&self, origin: &BaseUrl) -> Result<TcpStream, SingleFault> {
        let connection = Connection::default();
        let connector = Connector::new(origin, &connection, None, Arc::clone(&self.policy), self.timeout);
        match connector.connect().await? {
            Stream::Plain(stream) => Ok(stream),
            Stream::Tls(_) => unreachable!("without a configuration there is no TLS"),
        }
    }

    /// TLS on a connection that stands, for the host of `origin`; no protocol is negotiated (SMTP has none).
    pub async fn secure(
        &self,
        stream: TcpStream,
        origin: &BaseUrl,
        ca_file: Option<&Path>,
    ) -> Result<TlsStream<TcpStream>, SingleFault> {
        let host = origin.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| ConnectFault::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let connector = TlsConnector::from(self.tls(ca_file).await?);
        Ok(connector.connect(name, stream).await.map_err(ConnectFault::Tls)?)
    }

    async fn connector(&self, origin: &BaseUrl, ca_file: Option<&Path>) -> Result<Connector, SingleFault> {
        let tls = if origin.is_https() { Some(self.tls(ca_file).await?) } else { None };
        Ok(Connector::new(origin, &Connection::default(), tls, Arc::clone(&self.policy), self.timeout))
    }

    async fn tls(&self, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, SingleFault> {
        // A file may be replaced any time: it is read each time.
        let made = match ca_file {
            Some(_) => client_config(ca_file),
            None => self.tls.get_or_try_init(|| async { client_config(None) }).await.cloned(),
        };
        Ok(made?)
    }
}

/// A connection that may be read and written, secured or not.
pub trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> Wire for T {}

impl std::fmt::Debug for Single {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Single")
    }
}
