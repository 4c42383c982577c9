//! E-mail: one text of UTF-8 for all recipients of the channel.

use lettre::{
    Message as Mail,
    message::{Mailbox, header::ContentType},
};

use super::{Message, OpenChannel, escape::one_line};
use crate::server::alert::words;

/// The mail that carries a message, or what is wrong with its addresses.
pub(in crate::server::alert) fn mail(channel: &OpenChannel, message: &Message) -> Result<Mail, String> {
    let address = |text: &str| text.parse().map_err(|_| format!("{text} is not an address of e-mail"));
    let settings = &channel.channel.settings;
    let from = Mailbox::new(Some("Rondo".to_owned()), address(&settings.from)?);
    let host = settings.from.rsplit_once('@').map_or("rondo", |(_, host)| host);
    let mut mail = Mail::builder()
        .from(from)
        // The same message sent again after a lost answer is known by its id (RFC 5322 §3.6.4).
        .message_id(Some(format!("<{}@{host}>", message.id)))
        .subject(one_line(&message.title));
    for to in &settings.to {
        mail = mail.to(Mailbox::new(None, address(to)?));
    }
    let mut text = message.lines.join("\n");
    if let Some(link) = &message.link {
        text.push_str(&format!("\n\n{}: {link}", words::open(channel.tongue())));
    }
    text.push('\n');
    mail.header(ContentType::TEXT_PLAIN).body(text).map_err(|error| error.to_string())
}
