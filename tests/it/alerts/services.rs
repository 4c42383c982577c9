//! Each service's signature and card, checked on what arrived against the schema it publishes. The rule
//! that is checked stands beside the check.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rondo::{
    model::alert::{ChannelKind, DeliveryState},
    server::alert::{Messenger, Postmark, channel::OpenChannel},
};
use serde_json::Value;
use sha2::Sha256;

use super::{
    body, header,
    receivers::{draft, stored},
};
use crate::{
    stand::{Stand, owner},
    world::provider::{Provider, json},
};

fn hmac(key: &str, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Sends a test through a channel of this kind; returns the request as it arrived.
async fn arrived(kind: ChannelKind, path: &str, secret: Option<&str>, reply: &str, language: &str) -> String {
    let receiver = Provider::start(json(200, reply)).await;
    let stand = Stand::new().await;
    let mut draft = draft(kind, &format!("http://{}{path}", receiver.address), secret);
    draft.settings.language = serde_json::from_value(language.into()).expect("a language");
    draft.settings.to = if kind == ChannelKind::Telegram { vec!["-1001".into()] } else { Vec::new() };
    let channel = stored(&stand, draft).await;
    let alerting = stand.foundation.store.alerting().await.expect("read");
    let stored = alerting.channels.iter().find(|one| one.channel.id == channel.id).expect("stored");
    let open = OpenChannel::open(stored, &stand.foundation.master).expect("our own");
    let postmark = Postmark { site: Some("https://rondo.example".into()), ..Postmark::default() };
    let messenger = Messenger::new(stand.foundation.addresses.clone(), postmark);
    let told = messenger.test(&open, stand.admin.now_ms()).await;
    assert_eq!((told.state, told.detail.as_str()), (DeliveryState::Sent, ""), "{kind:?}");
    assert_eq!(receiver.count(), 1);
    receiver.seen().remove(0)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} in {value}"))
}

#[tokio::test]
async fn a_webhook_is_signed_over_its_time_and_its_body() {
    let request = arrived(ChannelKind::Webhook, "/hook", Some("sign-me"), "{}", "en").await;
    // Ours, docs/OPERATIONS.md: rondo-signature: v1=hex(HMAC-SHA256(secret, "{rondo-timestamp}.{body}")).
    let sent = request.split_once("\r\n\r\n").expect("a body").1;
    let timestamp = header(&request, "rondo-timestamp").expect("a time");
    let hex: String =
        hmac("sign-me", &format!("{timestamp}.{sent}")).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header(&request, "rondo-signature"), Some(format!("v1={hex}").as_str()));
    let body = body(&request);
    assert_eq!(header(&request, "rondo-delivery"), body["id"].as_str());
    assert_eq!((text(&body, "/event"), text(&body, "/link")), ("test", "https://rondo.example/admin/alerts"));
    let unsigned = arrived(ChannelKind::Webhook, "/hook", None, "{}", "en").await;
    assert_eq!(header(&unsigned, "rondo-signature"), None);
}

#[tokio::test]
async fn dingtalk_gets_an_action_card_and_a_signed_address() {
    let reply = r#"{"errcode":0,"errmsg":"ok"}"#;
    let request =
        arrived(ChannelKind::DingTalk, "/robot/send?access_token=abcdef123456", Some("SEC0"), reply, "zh").await;
    // Custom robot, security settings: timestamp in milliseconds; sign = urlEncode(base64(HmacSHA256(
    // "{timestamp}\n{secret}", secret))), both in the query beside access_token.
    let target = request.split(' ').nth(1).expect("a target");
    let field = |name: &str| {
        let query = target.split_once('?').expect("a query").1;
        query.split('&').find_map(|part| part.strip_prefix(&format!("{name}="))).map(str::to_owned).unwrap_or_default()
    };
    assert_eq!(field("access_token"), "abcdef123456");
    let timestamp = field("timestamp");
    assert_eq!(timestamp.len(), 13, "milliseconds: {timestamp}");
    let expected = STANDARD.encode(hmac("SEC0", &format!("{timestamp}\nSEC0")));
    let sign = field("sign").replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert_eq!(sign, expected);
    // actionCard as a whole: msgtype, actionCard.{title, text, singleTitle, singleURL}.
    let body = body(&request);
    assert_eq!(text(&body, "/msgtype"), "actionCard");
    assert_eq!(text(&body, "/actionCard/title"), "来自 Rondo 的测试");
    assert!(text(&body, "/actionCard/text").starts_with("### 来自 Rondo 的测试\n\n"));
    assert_eq!(text(&body, "/actionCard/singleTitle"), "在 Rondo 中查看");
    assert_eq!(text(&body, "/actionCard/singleURL"), "https://rondo.example/admin/alerts");
}

#[tokio::test]
async fn feishu_gets_an_interactive_card_signed_by_its_key() {
    let request = arrived(ChannelKind::Feishu, "/open-apis/bot/v2/hook/x", Some("k"), r#"{"code":0}"#, "zh").await;
    let body = body(&request);
    // Custom bot, signature: timestamp in seconds as text; sign = base64(HmacSHA256(key "{timestamp}\n{secret}", "")).
    let timestamp = text(&body, "/timestamp");
    assert_eq!(timestamp.len(), 10, "seconds: {timestamp}");
    assert_eq!(text(&body, "/sign"), STANDARD.encode(hmac(&format!("{timestamp}\nk"), "")));
    // Message card: msg_type interactive; card.header.{template, title.{tag, content}}; card.elements[], a div
    // with a text and an action with a button and its url.
    assert_eq!(text(&body, "/msg_type"), "interactive");
    assert_eq!(text(&body, "/card/header/template"), "blue");
    assert_eq!(text(&body, "/card/header/title/tag"), "plain_text");
    assert_eq!(text(&body, "/card/header/title/content"), "来自 Rondo 的测试");
    assert_eq!((text(&body, "/card/elements/0/tag"), text(&body, "/card/elements/0/text/tag")), ("div", "plain_text"));
    assert_eq!(text(&body, "/card/elements/1/tag"), "action");
    assert_eq!(text(&body, "/card/elements/1/actions/0/url"), "https://rondo.example/admin/alerts");
}

#[tokio::test]
async fn wecom_gets_markdown_of_at_most_4096_bytes() {
    let reply = r#"{"errcode":0,"errmsg":"ok"}"#;
    let request = arrived(ChannelKind::WeCom, "/cgi-bin/webhook/send?key=0-1", None, reply, "zh").await;
    assert!(request.starts_with("POST /cgi-bin/webhook/send?key=0-1 HTTP/1.1\r\n"), "{request}");
    // Group robot: msgtype markdown, markdown.content ≤ 4096 bytes, colours info, comment, warning, links [](…).
    let body = body(&request);
    assert_eq!(text(&body, "/msgtype"), "markdown");
    let content = text(&body, "/markdown/content");
    assert!(content.len() <= 4_096 && content.starts_with("### <font color=\"comment\">来自 Rondo 的测试</font>"));
    assert!(content.ends_with("\n[在 Rondo 中查看](https://rondo.example/admin/alerts)"), "{content}");
}

#[tokio::test]
async fn slack_gets_blocks() {
    let request = arrived(ChannelKind::Slack, "/services/T/B/X", None, "ok", "en").await;
    // Block Kit: a header holds plain_text of ≤ 150, a section a text object of ≤ 3000, a context elements;
    // `text` beside the blocks is the fallback of notifications.
    let body = body(&request);
    assert_eq!(text(&body, "/text"), "Test from Rondo");
    assert_eq!((text(&body, "/blocks/0/type"), text(&body, "/blocks/0/text/type")), ("header", "plain_text"));
    assert_eq!((text(&body, "/blocks/1/type"), text(&body, "/blocks/1/text/type")), ("section", "plain_text"));
    assert_eq!((text(&body, "/blocks/2/type"), text(&body, "/blocks/2/elements/0/type")), ("context", "mrkdwn"));
    let link = text(&body, "/blocks/2/elements/0/text");
    assert_eq!(link, "<https://rondo.example/admin/alerts|Open in Rondo>");
}

#[tokio::test]
async fn telegram_gets_send_message_with_the_token_in_the_path() {
    let request = arrived(ChannelKind::Telegram, "", Some("123:abc_DEF"), r#"{"ok":true}"#, "en").await;
    // Bot API: POST /bot{token}/sendMessage; chat_id, text ≤ 4096, parse_mode HTML, link_preview_options.
    assert!(request.starts_with("POST /bot123:abc_DEF/sendMessage HTTP/1.1\r\n"), "{request}");
    let body = body(&request);
    assert_eq!((text(&body, "/chat_id"), text(&body, "/parse_mode")), ("-1001", "HTML"));
    let told = text(&body, "/text");
    assert!(told.starts_with("<b>Test from Rondo</b>\n"), "{told}");
    assert!(told.ends_with("<a href=\"https://rondo.example/admin/alerts\">Open in Rondo</a>"), "{told}");
    assert_eq!(body.pointer("/link_preview_options/is_disabled"), Some(&Value::Bool(true)));
}

#[tokio::test]
async fn a_service_that_answers_200_and_refuses_is_not_believed() {
    for (kind, reply, words) in [
        (ChannelKind::DingTalk, r#"{"errcode":310000,"errmsg":"sign not match"}"#, "sign not match"),
        (ChannelKind::Feishu, r#"{"code":19021,"msg":"sign match fail"}"#, "sign match fail"),
        (ChannelKind::WeCom, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, "invalid webhook url"),
        (ChannelKind::Slack, "no_team", "no_team"),
    ] {
        let receiver = Provider::start(json(200, reply)).await;
        let stand = Stand::new().await;
        let channel = stored(&stand, draft(kind, &format!("http://{}/x", receiver.address), None)).await;
        let told = stand.admin.alerts().test_channel(&owner(), channel.id).await.expect("a try");
        assert_eq!((told.state, told.status), (DeliveryState::Failed, Some(200)), "{kind:?}");
        assert!(told.detail.contains(words), "{kind:?}: {}", told.detail);
    }
}
