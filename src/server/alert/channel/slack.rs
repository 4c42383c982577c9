//! An incoming webhook of Slack: Block Kit, plain text but for the one link.

use serde_json::json;

use super::{Message, OpenChannel, Outgoing, escape};
use crate::server::alert::words;

/// A header block holds 150 characters, a section 3,000.
const HEADER: usize = 150;
const SECTION: usize = 3_000;

pub(super) fn outgoing(channel: &OpenChannel, message: &Message) -> Outgoing {
    let plain = |text: &str, most: usize| json!({"type": "plain_text", "text": text.chars().take(most).collect::<String>(), "emoji": false});
    let mut blocks = vec![
        json!({"type": "header", "text": plain(&escape::one_line(&message.title), HEADER)}),
        json!({"type": "section", "text": plain(&message.lines.join("\n"), SECTION)}),
    ];
    blocks.extend(message.link.as_ref().map(|link| {
        let text = format!("<{}|{}>", escape::slack(link).replace('|', "%7C"), words::open(channel.tongue()));
        json!({"type": "context", "elements": [{"type": "mrkdwn", "text": text}]})
    }));
    // `text` is what a notification shows, and the only part of it that is read as mrkdwn.
    let body = json!({"text": escape::slack(&message.title), "blocks": blocks});
    Outgoing { target: channel.url.target.clone(), headers: Vec::new(), body: body.to_string() }
}
