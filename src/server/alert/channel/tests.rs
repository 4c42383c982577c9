//! Requests and replies of each service.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::model::{
    alert::{ChannelSettings, MailSecurity, RuleKind, Words},
    id::{AlertId, ChannelId, RuleId},
};

const NASTY: &str = "<b>*x* [a](http://evil) `c` <!channel> @all";

fn channel(kind: ChannelKind, url: &str, secret: Option<&str>) -> OpenChannel {
    let settings = ChannelSettings {
        name: "ops".into(),
        to: vec!["-100".into()],
        from: "rondo@example.com".into(),
        ..ChannelSettings::of(kind)
    };
    OpenChannel {
        channel: Channel {
            id: ChannelId(Uuid::nil()),
            settings,
            shown: String::new(),
            hint: String::new(),
            revision: 0,
            created_at_ms: 0,
            updated_at_ms: 0,
        },
        url: HookUrl::parse(kind, MailSecurity::StartTls, url).expect("an address"),
        secret: secret.map(Secret::new),
    }
}

fn message(event: AlertEvent) -> Message {
    let alert = Alert {
        id: AlertId(Uuid::nil()),
        rule: RuleId(Uuid::nil()),
        rule_name: "r".into(),
        kind: RuleKind::ProviderDown,
        subject: "provider:1".into(),
        title: Words { en: NASTY.into(), zh: NASTY.into() },
        reason: Words::default(),
        link: "/admin".into(),
        since_ms: 1,
        opened_at_ms: 2,
        resolved_at_ms: None,
        told: Vec::new(),
        acknowledged: None,
    };
    Message {
        id: DeliveryId(Uuid::nil()),
        event,
        title: format!("{NASTY} is unhealthy"),
        lines: vec![format!("why: {NASTY}"), "Since then".into()],
        link: Some("https://rondo.example/admin/providers/1".into()),
        alerts: vec![alert],
    }
}

fn body(kind: ChannelKind, url: &str, secret: Option<&str>) -> Value {
    let outgoing = outgoing(&channel(kind, url, secret), &message(AlertEvent::Firing), 1_700_000_000_123);
    serde_json::from_str(&outgoing.body).expect("JSON")
}

#[test]
fn a_name_that_is_markup_stays_a_name_everywhere() {
    let dingtalk =
        body(ChannelKind::DingTalk, "https://d/robot?access_token=t", None)["actionCard"]["text"].to_string();
    let wecom = body(ChannelKind::WeCom, "https://w/send?key=k", None)["markdown"]["content"].to_string();
    for text in [&dingtalk, &wecom] {
        for markup in ["<b>", "*x*", "[a](", "`c`", "<!", "@all"] {
            assert!(!text.contains(markup), "{markup} in {text}");
        }
    }
    let feishu = body(ChannelKind::Feishu, "https://f/hook/1", None);
    assert_eq!(feishu["card"]["header"]["title"]["tag"], "plain_text");
    assert_eq!(feishu["card"]["elements"][0]["text"]["tag"], "plain_text");
    let slack = body(ChannelKind::Slack, "https://s/services/1", None);
    assert!(slack["blocks"].as_array().expect("blocks")[..2].iter().all(|block| block["text"]["type"] == "plain_text"));
    assert!(!slack["text"].to_string().contains("<!channel>"), "{}", slack["text"]);
    let telegram = body(ChannelKind::Telegram, "https://t", Some("1:a"))["text"].to_string();
    assert!(telegram.contains("&lt;b&gt;*x*") && !telegram.contains("<b>*x*"), "{telegram}");
}

#[test]
fn each_service_is_believed_by_its_own_word() {
    let judged = |kind, status, body: &str| judge(kind, &Reply { status, body: body.into() });
    for (kind, good, bad) in [
        (ChannelKind::DingTalk, r#"{"errcode":0,"errmsg":"ok"}"#, r#"{"errcode":310000,"errmsg":"sign not match"}"#),
        (ChannelKind::WeCom, r#"{"errcode":0,"errmsg":"ok"}"#, r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#),
        (ChannelKind::Feishu, r#"{"code":0,"msg":"success"}"#, r#"{"code":19021,"msg":"sign match fail"}"#),
        (ChannelKind::Feishu, r#"{"StatusCode":0,"StatusMessage":"success"}"#, "{}"),
        (ChannelKind::Slack, "ok", "invalid_payload"),
        (ChannelKind::Telegram, r#"{"ok":true}"#, r#"{"ok":false,"description":"chat not found"}"#),
    ] {
        assert_eq!(judged(kind, 200, good), Ok(()), "{kind:?}");
        let fault = judged(kind, 200, bad).expect_err("refused");
        let told = bad.split('"').rfind(|part| part.len() > 3).unwrap_or(bad);
        assert!(fault.detail.contains(told), "{kind:?}: {fault}");
        assert!(judged(kind, 500, good).expect_err("an error").retryable, "{kind:?}");
        assert!(!judged(kind, 302, good).expect_err("a redirect").retryable, "{kind:?}");
        assert!(!judged(kind, 404, good).expect_err("not there").retryable, "{kind:?}");
        assert!(judged(kind, 429, good).expect_err("too many").retryable, "{kind:?}");
    }
    assert_eq!(judged(ChannelKind::Webhook, 204, ""), Ok(()));
}

#[test]
fn what_a_service_says_is_told_without_secrets() {
    let channel = channel(ChannelKind::WeCom, "https://w/cgi-bin/send?key=0123-4567-89ab", Some("SECsecret"));
    let said = channel.redact("no such key 0123-4567-89ab at /cgi-bin/send?key=0123-4567-89ab,\r\n SECsecret");
    assert_eq!(said, "no such key … at …, …");
    assert_eq!(channel.redact(&"x".repeat(5_000)).len(), 200);
}

#[test]
fn a_message_of_any_length_fits_its_service() {
    let mut long = message(AlertEvent::Summary);
    long.title = "标题".repeat(2_000);
    long.lines = (0..500).map(|line| format!("第 {line} 行 {}", "<&>".repeat(40))).collect();
    let send = |kind, url| outgoing(&channel(kind, url, Some("1:a")), &long, 0).body;
    let json = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
    let wecom = json(send(ChannelKind::WeCom, "https://w/send?key=k"));
    assert!(wecom["markdown"]["content"].as_str().expect("text").len() <= 4_096);
    assert!(wecom["markdown"]["content"].as_str().expect("text").ends_with(')'), "the link is whole");
    let slack = json(send(ChannelKind::Slack, "https://s/1"));
    assert!(slack["blocks"][0]["text"]["text"].as_str().expect("text").chars().count() <= 150);
    assert!(slack["blocks"][1]["text"]["text"].as_str().expect("text").chars().count() <= 3_000);
    let telegram = json(send(ChannelKind::Telegram, "https://t"));
    assert!(telegram["text"].as_str().expect("text").chars().count() <= 4_096);
    assert!(send(ChannelKind::Feishu, "https://f/1").len() <= 20 * 1024);
    assert!(send(ChannelKind::DingTalk, "https://d/1").len() <= 20_000);
}

#[test]
fn colours_tell_what_kind_of_news_it_is() {
    let template = |event| {
        let outgoing = outgoing(&channel(ChannelKind::Feishu, "https://f/1", None), &message(event), 0);
        serde_json::from_str::<Value>(&outgoing.body).expect("JSON")["card"]["header"]["template"].clone()
    };
    let told = [AlertEvent::Firing, AlertEvent::Resolved, AlertEvent::Summary, AlertEvent::Test].map(template);
    assert_eq!(told, [json!("red"), json!("green"), json!("orange"), json!("blue")]);
}

#[test]
fn a_mail_has_no_header_that_a_name_wrote() {
    let channel = channel(ChannelKind::Email, "mail.example.com", None);
    let mut channel = channel;
    channel.channel.settings.to = vec!["ops@example.com".into()];
    let mut message = message(AlertEvent::Firing);
    message.title = "down\r\nBcc: victim@example.com\r\n\r\nbody".into();
    let mail = String::from_utf8(mail(&channel, &message).expect("a mail").formatted()).expect("text");
    let head = mail.split("\r\n\r\n").next().expect("a head");
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert_eq!(head.lines().filter(|line| line.starts_with("To:")).count(), 1, "{head}");
}
