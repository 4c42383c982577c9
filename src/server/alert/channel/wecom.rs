//! A robot of a WeCom group: `markdown`, whose colours are `info`, `comment` and `warning`.

use serde_json::json;

use super::{Message, Mood, OpenChannel, Outgoing, cut, escape::markdown};
use crate::server::alert::words;

/// The service takes 4,096 bytes of UTF-8.
const MOST_BYTES: usize = 4_096;

pub(super) fn outgoing(channel: &OpenChannel, message: &Message) -> Outgoing {
    let color = match message.mood() {
        Mood::Bad | Mood::Odd => "warning",
        Mood::Good => "info",
        Mood::Plain => "comment",
    };
    let link = message.link.as_ref().map(|link| format!("\n[{}]({link})", words::open(channel.tongue())));
    let link = link.unwrap_or_default();
    let head = format!("### <font color=\"{color}\">{}</font>", markdown(&cut(&message.title, 600)));
    let lines: String = message.lines.iter().map(|line| format!("\n> {}", markdown(line))).collect();
    let content = format!("{head}{}{link}", cut(&lines, MOST_BYTES.saturating_sub(head.len() + link.len())));
    let body = json!({"msgtype": "markdown", "markdown": {"content": content}});
    Outgoing { target: channel.url.target.clone(), headers: Vec::new(), body: body.to_string() }
}
