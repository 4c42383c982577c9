//! Through a proxy: CONNECT to it, then the provider's own protocol through the tunnel.
//!
//! For http and https alike, so that nothing on the way sees more than a name and a port.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer to CONNECT beyond this is no answer.
const HEAD_BYTES: usize = 16 * 1024;

/// A proxy on the way to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// Host without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl std::fmt::Display for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

/// Asks the proxy for a tunnel; the reason in one line when it gives none.
pub(super) async fn tunnel(stream: &mut TcpStream, host: &str, port: u16) -> Result<(), String> {
    let target = authority(host, port);
    let ask = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n");
    let broke = |error: io::Error| format!("broke off: {error}");
    stream.write_all(ask.as_bytes()).await.map_err(broke)?;
    let head = read_head(stream).await.map_err(broke)?;
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    match line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)) {
        Some(status) if status.starts_with('2') => Ok(()),
        Some(status) => Err(format!("refused CONNECT: {}", status.get(..80).unwrap_or(status))),
        None => Err("did not answer in HTTP".to_owned()),
    }
}

/// Reads the head and not a byte more: what follows it belongs to the tunnel.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    const END: &[u8] = b"\r\n\r\n";
    let mut head = Vec::new();
    let mut seen = [0; 1024];
    while head.len() < HEAD_BYTES {
        let count = stream.peek(&mut seen).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = head.len();
        head.extend_from_slice(&seen[..count]);
        let end = head.windows(END.len()).position(|window| window == END).map(|at| at + END.len());
        let taken = end.unwrap_or(head.len()) - before;
        stream.read_exact(&mut seen[..taken]).await?;
        if let Some(end) = end {
            head.truncate(end);
            return Ok(head);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "its answer does not end"))
}

/// Host and port as a request line has them.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
