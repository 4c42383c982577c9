//! A bot of Telegram: `sendMessage` in its HTML style.

use serde_json::json;

use super::{Message, OpenChannel, Outgoing, cut, escape::html};
use crate::server::alert::words;

/// A message holds 4,096 characters after its entities are read; this is below it in any script.
const MOST_BYTES: usize = 3_500;

pub(super) fn outgoing(channel: &OpenChannel, message: &Message) -> Outgoing {
    let lines: Vec<String> = message.lines.iter().map(|line| html(&cut(line, 400))).collect();
    let mut text = format!("<b>{}</b>", html(&cut(&message.title, 400)));
    for line in lines {
        if text.len() + line.len() < MOST_BYTES {
            text.push('\n');
            text.push_str(&line);
        }
    }
    if let Some(link) = &message.link {
        text.push_str(&format!("\n<a href=\"{}\">{}</a>", html(link), words::open(channel.tongue())));
    }
    let chat = channel.channel.settings.to.first().cloned().unwrap_or_default();
    let body = json!({
        "chat_id": chat,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": true},
    });
    let base = channel.url.target.trim_end_matches('/');
    let target = format!("{base}/bot{}/sendMessage", channel.secret().unwrap_or_default());
    Outgoing { target, headers: Vec::new(), body: body.to_string() }
}
