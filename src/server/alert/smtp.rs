//! Hands a mail to a server. The connection is ours, with the guard and TLS of every other connection
//! outwards; lettre speaks SMTP on it and brings no TLS of its own.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use lettre::transport::smtp::{
    Error as SmtpError,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, AsyncTokioStream},
    extension::ClientId,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::{
    channel::{Message, OpenChannel, mail},
    post::Fault,
};
use crate::{
    model::alert::MailSecurity,
    server::upstream::single::{Single, Wire},
};

/// What we call ourselves: a literal, for a machine often has no name that others know (RFC 5321 §4.1.3).
const HELLO: &str = "[127.0.0.1]";
/// Longest reply to `EHLO` that is read before TLS.
const REPLY_BYTES: usize = 8 * 1024;

/// Sends once; returns the reply code.
pub(super) async fn send(single: &Single, channel: &OpenChannel, message: &Message) -> Result<u16, Fault> {
    let mail = mail(channel, message).map_err(Fault::unsendable)?;
    let settings = &channel.channel.settings;
    let stream = connect(single, channel).await?;
    let hello = ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST);
    let mut smtp = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.map_err(told)?;
    if !settings.username.is_empty() {
        let credentials = Credentials::new(settings.username.clone(), channel.secret().unwrap_or_default().to_owned());
        smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(told)?;
    }
    let response = smtp.send(mail.envelope(), &mail.formatted()).await.map_err(told)?;
    let code = u16::from(response.code());
    // It has the mail; how it says good-bye changes nothing.
    let _ = smtp.quit().await;
    Ok(code)
}

/// What the server said, as a decision: 4yz may go better later, 5yz does not (RFC 5321 §4.2.1).
fn told(error: SmtpError) -> Fault {
    let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
    let status = error.status().map(u16::from);
    Fault {
        status,
        detail: format!("the mail server: {reason}"),
        retryable: !error.is_permanent() && !error.is_client(),
    }
}

async fn connect(single: &Single, channel: &OpenChannel) -> Result<Greeted, Fault> {
    let origin = &channel.url.origin;
    let mut tcp = single.tcp(origin).await.map_err(Fault::unreached)?;
    let peer = tcp.peer_addr().map_err(Fault::unreached)?;
    let (wire, greeting): (Box<dyn Wire>, &'static [u8]) = match channel.channel.settings.security {
        MailSecurity::Plain => (Box::new(tcp), b""),
        MailSecurity::Tls => {
            (Box::new(single.secure(tcp, origin, channel.ca_file()).await.map_err(Fault::unreached)?), b"")
        }
        MailSecurity::StartTls => {
            start_tls(&mut tcp).await?;
            // The server does not greet again; lettre waits for it.
            (
                Box::new(single.secure(tcp, origin, channel.ca_file()).await.map_err(Fault::unreached)?),
                b"220 secured\r\n",
            )
        }
    };
    Ok(Greeted { greeting, wire, peer })
}

/// RFC 3207: greeting, `EHLO`, `STARTTLS`. Nothing may follow the answer in the clear: it would be taken for
/// what came over TLS.
async fn start_tls(tcp: &mut TcpStream) -> Result<(), Fault> {
    expect(tcp, "220").await?;
    tcp.write_all(format!("EHLO {HELLO}\r\n").as_bytes()).await.map_err(Fault::unreached)?;
    let offers = expect(tcp, "250").await?;
    let offered =
        offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("starttls")));
    if !offered {
        return Err(Fault::unsendable(
            "the mail server does not offer STARTTLS; choose TLS, or none on a trusted network",
        ));
    }
    tcp.write_all(b"STARTTLS\r\n").await.map_err(Fault::unreached)?;
    expect(tcp, "220").await.map(drop)
}

/// Reads one reply, all of its lines and not a byte more.
async fn expect(tcp: &mut TcpStream, code: &str) -> Result<String, Fault> {
    let mut reply = Vec::new();
    let ended = |reply: &[u8]| {
        let text = String::from_utf8_lossy(reply);
        text.ends_with("\r\n") && text.lines().last().is_some_and(|line| line.as_bytes().get(3) != Some(&b'-'))
    };
    let mut buffer = [0; 1024];
    while !ended(&reply) {
        let count = tcp.read(&mut buffer).await.map_err(Fault::unreached)?;
        if count == 0 || reply.len() > REPLY_BYTES {
            return Err(Fault::unreached("the mail server closed the connection or answered no SMTP"));
        }
        reply.extend_from_slice(&buffer[..count]);
    }
    let reply = String::from_utf8_lossy(&reply).into_owned();
    // One reply: the last line is the only one without a hyphen.
    let finals = reply.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-')).count();
    if finals != 1 {
        return Err(Fault::unsendable("the mail server sent something in the clear where TLS was to begin"));
    }
    if reply.starts_with(code) {
        return Ok(reply);
    }
    let status = reply.get(..3).and_then(|code| code.parse().ok());
    let retryable = !reply.starts_with('5');
    Err(Fault { status, detail: format!("the mail server: {}", reply.trim()), retryable })
}

/// A connection that may begin with a greeting that was read already.
#[derive(Debug)]
struct Greeted {
    greeting: &'static [u8],
    wire: Box<dyn Wire>,
    peer: SocketAddr,
}

impl AsyncTokioStream for Greeted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Greeted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.wire).poll_read(cx, buffer);
        }
        let count = self.greeting.len().min(buffer.remaining());
        buffer.put_slice(&self.greeting[..count]);
        self.greeting = &self.greeting[count..];
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
