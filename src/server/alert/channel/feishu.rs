//! A bot of a Feishu (Lark) group: an interactive card, all of it plain text.

use serde_json::json;

use super::{Message, Mood, OpenChannel, Outgoing, cut, sign};
use crate::server::alert::words;

/// A request holds at most 20 KB; this leaves room for the card around the text.
const MOST_BYTES: usize = 12_000;

pub(super) fn outgoing(channel: &OpenChannel, message: &Message, now_ms: i64) -> Outgoing {
    let template = match message.mood() {
        Mood::Bad => "red",
        Mood::Odd => "orange",
        Mood::Good => "green",
        Mood::Plain => "blue",
    };
    let text = cut(&message.lines.join("\n"), MOST_BYTES);
    let mut elements = vec![json!({"tag": "div", "text": {"tag": "plain_text", "content": text}})];
    elements.extend(message.link.as_ref().map(|link| {
        json!({
            "tag": "action",
            "actions": [{
                "tag": "button",
                "type": "default",
                "text": {"tag": "plain_text", "content": words::open(channel.tongue())},
                "url": link,
            }],
        })
    }));
    let mut body = json!({
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": true},
            "header": {"template": template, "title": {"tag": "plain_text", "content": cut(&message.title, 500)}},
            "elements": elements,
        },
    });
    if let Some(secret) = channel.secret() {
        let seconds = now_ms.div_euclid(1_000);
        body["timestamp"] = json!(seconds.to_string());
        body["sign"] = json!(sign::feishu(secret, seconds));
    }
    Outgoing { target: channel.url.target.clone(), headers: Vec::new(), body: body.to_string() }
}
