//! `rondo healthcheck`: exit code 0 when the server on this machine says it is ready.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Failure, flags::ServeFlags};
use crate::server::config::Settings;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(flags: ServeFlags) -> Result<(), Failure> {
    let listen = Settings::of_process(flags.values)?.web.listen;
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    let asked = tokio::time::timeout(PATIENCE, ask(address)).await;
    let answer = match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::Told(format!("{address} does not answer: {error}"))),
        Err(_) => return Err(Failure::Told(format!("{address} did not answer within {} seconds", PATIENCE.as_secs()))),
    };
    let line = answer.lines().next().unwrap_or_default();
    if line.contains(" 200 ") { Ok(()) } else { Err(Failure::Told(format!("{address} is not ready: {line}"))) }
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = vec![0_u8; 512];
    let read = stream.read(&mut head).await?;
    Ok(String::from_utf8_lossy(&head[..read]).into_owned())
}

/// "Every address" is no address to call.
pub(super) fn reachable(listen: IpAddr) -> IpAddr {
    match listen {
        IpAddr::V4(any) if any.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(any) if any.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        one => one,
    }
}
