//! A mail server small enough for a test: what was said to it, and in the clear or not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use rondo::model::{
    alert::{Channel, ChannelDraft, ChannelKind, ChannelSettings, Delivery, DeliveryState, MailSecurity},
    provider::SecretInput,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    stand::{Stand, owner},
    world::peer::Authority,
};

/// What the sink offers.
#[derive(Clone, Default)]
struct Offers {
    /// TLS after `STARTTLS`, or from the first byte.
    tls: Option<(MailSecurity, Arc<rustls::ServerConfig>)>,
    /// The answer to the recipient.
    rcpt: &'static str,
}

/// A mail server.
struct Sink {
    address: SocketAddr,
    /// Lines it heard, each with whether they came over TLS.
    heard: Arc<Mutex<Vec<(bool, String)>>>,
}

impl Sink {
    async fn start(offers: Offers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let lines = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (lines, offers) = (lines.clone(), offers.clone());
                tokio::spawn(async move {
                    let acceptor = offers.tls.as_ref().map(|(_, config)| TlsAcceptor::from(config.clone()));
                    match (&offers.tls, acceptor) {
                        (Some((MailSecurity::Tls, _)), Some(acceptor)) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            talk(stream, &lines, &offers, true, true).await;
                        }
                        (Some(_), Some(acceptor)) => {
                            let Some(stream) = talk(stream, &lines, &offers, false, true).await else { return };
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            talk(stream, &lines, &offers, true, false).await;
                        }
                        _ => _ = talk(stream, &lines, &offers, false, true).await,
                    }
                });
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<(bool, String)> {
        self.heard.lock().expect("not poisoned").clone()
    }

    fn says(&self, what: &str) -> Option<(bool, String)> {
        self.heard().into_iter().find(|(_, line)| line.starts_with(what))
    }
}

/// Speaks SMTP until it ends or turns to TLS; gives the stream back then.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    heard: &Mutex<Vec<(bool, String)>>,
    offers: &Offers,
    secured: bool,
    greets: bool,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 sink ESMTP\r\n").await.ok()?;
    }
    let mut in_mail = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        heard.lock().expect("not poisoned").push((secured, line.clone()));
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let reply = match word.as_str() {
            _ if in_mail && line == "." => {
                in_mail = false;
                "250 taken\r\n"
            }
            _ if in_mail => continue,
            "EHLO" if offers.tls.is_some() && !secured => "250-sink\r\n250-8BITMIME\r\n250 STARTTLS\r\n",
            "EHLO" => "250-sink\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" => "235 welcome\r\n",
            "RCPT" if !offers.rcpt.is_empty() => offers.rcpt,
            "DATA" => {
                in_mail = true;
                "354 go on\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return None;
            }
            _ => "250 fine\r\n",
        };
        stream.write_all(reply.as_bytes()).await.ok()?;
    }
}

async fn test(sink: &Sink, security: MailSecurity, ca_file: Option<String>, username: &str) -> (Delivery, Channel) {
    let stand = Stand::new().await;
    let settings = ChannelSettings {
        name: "mail".into(),
        to: vec!["ops@example.com".into(), "boss@example.com".into()],
        from: "rondo@example.com".into(),
        username: username.into(),
        security,
        ca_file,
        ..ChannelSettings::of(ChannelKind::Email)
    };
    let draft = ChannelDraft {
        settings,
        url: Some(SecretInput::new(&sink.address.to_string())),
        secret: Some(SecretInput::new("pa55word-of-ops")),
    };
    let channel = stand.admin.alerts().create_channel(&owner(), draft).await.expect("a good channel");
    (stand.admin.alerts().test_channel(&owner(), channel.id).await.expect("a try"), channel)
}

#[tokio::test]
async fn a_mail_reaches_a_plain_relay() {
    let sink = Sink::start(Offers::default()).await;
    let (told, channel) = test(&sink, MailSecurity::Plain, None, "").await;
    assert_eq!((told.state, told.detail.as_str(), told.status), (DeliveryState::Sent, "", Some(250)));
    assert_eq!(channel.hint, "…", "not a character of a password");
    assert!(sink.says("MAIL FROM:<rondo@example.com>").is_some(), "{:?}", sink.heard());
    for to in ["RCPT TO:<ops@example.com>", "RCPT TO:<boss@example.com>", "Subject: Test from Rondo"] {
        assert!(sink.says(to).is_some(), "{to}: {:?}", sink.heard());
    }
    assert!(sink.says("AUTH").is_none(), "nobody asked to sign in");
    assert!(sink.says("Alerts of the channel mail arrive here.").is_some(), "{:?}", sink.heard());
}

#[tokio::test]
async fn a_password_goes_out_only_over_tls() {
    let authority = Authority::new();
    for security in [MailSecurity::StartTls, MailSecurity::Tls] {
        let offers = Offers { tls: Some((security, authority.server(&["127.0.0.1"], &[]))), rcpt: "" };
        let sink = Sink::start(offers).await;
        let ca_file = authority.file();
        let path = ca_file.path().display().to_string();
        let (told, _) = test(&sink, security, Some(path), "rondo").await;
        assert_eq!((told.state, told.detail.as_str()), (DeliveryState::Sent, ""), "{security:?}");
        let (secured, line) = sink.says("AUTH PLAIN").expect("it signed in");
        assert!(secured && line.len() > "AUTH PLAIN ".len(), "{security:?}");
        assert!(sink.heard().iter().all(|(secured, line)| *secured || !line.starts_with("MAIL")), "{security:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_or_offers_no_tls_gets_nothing() {
    let authority = Authority::new();
    let untrusted = Offers { tls: Some((MailSecurity::StartTls, authority.server(&["127.0.0.1"], &[]))), rcpt: "" };
    for (offers, words) in [(untrusted, "UnknownIssuer"), (Offers::default(), "does not offer STARTTLS")] {
        let sink = Sink::start(offers).await;
        let (told, _) = test(&sink, MailSecurity::StartTls, None, "rondo").await;
        assert_eq!(told.state, DeliveryState::Failed);
        assert!(told.detail.contains(words), "{}", told.detail);
        assert!(sink.says("AUTH").is_none() && sink.says("MAIL").is_none(), "{:?}", sink.heard());
    }
}

#[tokio::test]
async fn a_recipient_that_is_refused_is_told_with_the_servers_words() {
    let sink = Sink::start(Offers { tls: None, rcpt: "550 5.1.1 no such user\r\n" }).await;
    let (told, _) = test(&sink, MailSecurity::Plain, None, "").await;
    assert_eq!((told.state, told.status), (DeliveryState::Failed, Some(550)));
    assert!(told.detail.contains("no such user"), "{}", told.detail);
}
