//! A robot of a DingTalk group: `markdown`, or `actionCard` where there is a page to open.

use serde_json::json;

use super::{Message, OpenChannel, Outgoing, cut, escape::markdown, sign};
use crate::server::alert::words;

/// A message holds at most so many bytes; the service says 20,000.
const MOST_BYTES: usize = 16_000;

pub(super) fn outgoing(channel: &OpenChannel, message: &Message, now_ms: i64) -> Outgoing {
    let title = cut(&markdown(&message.title), 600);
    let lines: Vec<String> = message.lines.iter().map(|line| markdown(line)).collect();
    // A blank line ends a paragraph: single line breaks run together.
    let text = cut(&format!("### {title}\n\n{}", lines.join("\n\n")), MOST_BYTES);
    let body = match &message.link {
        None => json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}}),
        Some(link) => json!({
            "msgtype": "actionCard",
            "actionCard": {
                "title": title,
                "text": text,
                "singleTitle": words::open(channel.tongue()),
                "singleURL": link,
            },
        }),
    };
    let target = match channel.secret() {
        None => channel.url.target.clone(),
        Some(secret) => {
            let join = if channel.url.target.contains('?') { '&' } else { '?' };
            format!("{}{join}timestamp={now_ms}&sign={}", channel.url.target, sign::dingtalk(secret, now_ms))
        }
    };
    Outgoing { target, headers: Vec::new(), body: body.to_string() }
}
