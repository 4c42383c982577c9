//! Rules and channels: kept, checked, moved in and out as a file, and never told with their secrets.

use std::collections::BTreeMap;

use rondo::{
    model::{
        alert::{ChannelDraft, ChannelKind, RuleDraft, RuleKind, SilenceDraft},
        error::ApiError,
        problem::Issue,
        provider::SecretInput,
        transfer::ChangeKind,
    },
    server::admin::transfer::ApplyOptions,
};

use super::receivers::{draft, stored};
use crate::stand::{Stand, owner, problem};

const FILE: &str = r#"
providers: [{ name: alpha, base_url: "https://api.example.com", auth: none }]
groups: [{ name: Prod, slug: prod, providers: [{ provider: alpha }] }]
alerts:
  channels:
    - { name: hook, kind: webhook, url: "https://hooks.example.com/T0/tell-nobody-9Ae1", secret: sign-me-please, per_hour: 5 }
    - { name: ding, kind: dingtalk, url_env: DING, secret_env: DING_SECRET, language: zh, enabled: false }
    - { name: bot, kind: telegram, url: "https://telegram.example.com", secret: "123:abcdefghijkl", to: ["-1001"] }
    - { name: mail, kind: email, url: "mail.example.com:2525", secret: pa55word-of-ops, to: [ops@example.com],
        from: rondo@example.com, username: rondo, security: plain, ca_file: /etc/ca.pem }
  rules:
    - { name: success, kind: success_rate, scope: group, group: prod, percent: 99.5, minutes: 10, requests: 50, hold_seconds: 30, channels: [hook, mail] }
    - { name: slow, kind: latency, scope: provider, provider: alpha, above_ms: 4000, minutes: 5, requests: 5, channels: [] }
    - { name: caps, kind: cap_near, percent: 80, enabled: false, channels: [bot] }
"#;

fn options() -> ApplyOptions {
    let variables =
        [("DING", "https://oapi.dingtalk.com/robot/send?access_token=0123456789ab"), ("DING_SECRET", "SEC1")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ApplyOptions { variables: BTreeMap::from(variables), ..ApplyOptions::default() }
}

const SECRETS: [&str; 6] = ["tell-nobody", "sign-me-please", "access_token", "SEC1", "123:abcdefghijkl", "pa55word"];

#[tokio::test]
async fn what_is_exported_can_be_applied_again_and_holds_no_secret() {
    let stand = Stand::new().await;
    let transfer = stand.admin.transfer();
    transfer.apply(&owner(), FILE, options()).await.expect("a good file");
    let text = transfer.export(&owner()).await.expect("exported");
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for kept in ["percent: 99.5", "group: prod", "provider: alpha", "mail.example.com:2525", "name: provider-down"] {
        assert!(text.contains(kept), "no {kept} in {text}");
    }
    for (file, options) in [(text.as_str(), ApplyOptions::default()), (FILE, options())] {
        let report = transfer.apply(&owner(), file, options).await.expect("applied again");
        assert!(report.changes.iter().all(|change| change.kind == ChangeKind::Unchanged), "{report:?}");
        assert_eq!(report.revision, None);
    }
    let report =
        transfer.apply(&owner(), &FILE.replace("sign-me-please", "another"), options()).await.expect("applied");
    let changed: Vec<_> = report.changes.iter().filter(|change| change.kind == ChangeKind::Update).collect();
    assert_eq!((changed.len(), changed[0].fields.as_slice()), (1, ["secret: changed".to_owned()].as_slice()));
}

#[tokio::test]
async fn a_file_without_alerts_leaves_them_and_one_that_prunes_names_what_goes() {
    let stand = Stand::new().await;
    let transfer = stand.admin.transfer();
    transfer.apply(&owner(), FILE, options()).await.expect("a good file");
    let prune = ApplyOptions { prune: true, ..options() };
    let without = FILE.split("alerts:").next().expect("a file");
    transfer.apply(&owner(), without, prune.clone()).await.expect("applied");
    assert_eq!(stand.admin.alerts().rules(&owner()).await.expect("rules").len(), 7);
    transfer
        .apply(&owner(), &format!("{without}\nalerts: {{ rules: [], channels: [] }}"), prune)
        .await
        .expect("applied");
    assert!(stand.admin.alerts().rules(&owner()).await.expect("rules").is_empty());
    assert!(stand.admin.alerts().channels(&owner()).await.expect("channels").is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_meant_names_line_and_field() {
    let stand = Stand::new().await;
    for (alerts, words) in [
        ("rules: [{ name: a, kind: provider_down, channels: [nobody] }]", "channels[0] (nobody)"),
        ("rules: [{ name: a, kind: provider_down, provider: nobody }]", "provider (nobody)"),
        ("rules: [{ name: a, kind: success_rate, percent: 0 }]", "percent"),
        ("rules: [{ name: a, kind: node_missing }]", "node_missing"),
        ("rules: [{ name: a, kind: latency, minuts: 5 }]", "minuts"),
        ("channels: [{ name: a, kind: slack }]", "url"),
        ("channels: [{ name: a, kind: slack, url: hooks.slack.com }]", "url"),
        ("channels: [{ name: a, kind: telegram, to: [\"1\"] }]", "secret"),
        ("channels: [{ name: a, kind: email, url: m, to: [nobody], from: r@e.x }]", "settings.to[0]"),
        ("channels: [{ name: a, kind: webhook, url_env: UNSET }]", "UNSET"),
        (
            "channels: [{ name: a, kind: webhook, url: \"http://a/\" }, { name: a, kind: slack, url: \"http://a/\" }]",
            "twice",
        ),
    ] {
        let refused = stand.admin.transfer().apply(&owner(), &format!("alerts:\n  {alerts}\n"), options()).await;
        let error = refused.expect_err("refused").to_string();
        assert!(error.contains("line 2") && error.contains(words), "{alerts}: {error}");
    }
}

#[tokio::test]
async fn addresses_and_secrets_are_sealed_and_never_shown() {
    let stand = Stand::new().await;
    stand.admin.transfer().apply(&owner(), FILE, options()).await.expect("a good file");
    let board = stand.admin.alerts().board(&owner()).await.expect("the board");
    let trail = stand.admin.audit().list(&owner(), None).await.expect("the trail");
    let told =
        format!("{} {}", serde_json::to_string(&board).expect("JSON"), serde_json::to_string(&trail).expect("JSON"));
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let shown: BTreeMap<&str, (&str, &str)> = board
        .channels
        .iter()
        .map(|line| (line.channel.settings.name.as_str(), (line.channel.shown.as_str(), line.channel.hint.as_str())))
        .collect();
    assert_eq!(shown["hook"], ("https://hooks.example.com/…9Ae1", "sign-…ease"));
    assert_eq!(shown["mail"], ("mail.example.com:2525", "…"));
    assert_eq!(shown["bot"].0, "https://telegram.example.com");
    let stored = stand.foundation.store.alerting().await.expect("read");
    let raw =
        format!("{:?}", stored.channels) + &stored.channels.iter().map(|one| one.url.0.clone()).collect::<String>();
    assert!(SECRETS.iter().all(|secret| !raw.contains(secret)), "{raw}");
}

#[tokio::test]
async fn a_secret_does_not_follow_its_channel_to_another_host() {
    let stand = Stand::new().await;
    let alerts = stand.admin.alerts();
    let channel = stored(&stand, draft(ChannelKind::Webhook, "https://a.example.com/hook", Some("sign-me"))).await;
    let moved = ChannelDraft {
        settings: channel.settings.clone(),
        url: Some(SecretInput::new("https://b.example.com/hook")),
        secret: None,
    };
    let refused = alerts.update_channel(&owner(), channel.id, channel.revision, moved.clone()).await;
    assert_eq!(problem(refused), ("secret".to_owned(), Issue::ChannelSecretAgain));
    let known = ChannelDraft { secret: Some(SecretInput::new("sign-me")), ..moved.clone() };
    let channel = alerts.update_channel(&owner(), channel.id, channel.revision, known).await.expect("moved");
    // Left out, both stay; emptied, the secret goes.
    let kept = ChannelDraft { url: None, ..moved };
    let channel = alerts.update_channel(&owner(), channel.id, channel.revision, kept.clone()).await.expect("kept");
    assert_eq!((channel.shown.as_str(), channel.hint.as_str()), ("https://b.example.com/…", "…"));
    let bare = ChannelDraft { secret: Some(SecretInput::new("")), ..kept.clone() };
    let channel = alerts.update_channel(&owner(), channel.id, channel.revision, bare).await.expect("bare");
    assert_eq!(channel.hint, "");
    let mut other = kept;
    other.settings.kind = ChannelKind::Slack;
    let refused = alerts.update_channel(&owner(), channel.id, channel.revision, other).await;
    assert_eq!(problem(refused), ("settings.kind".to_owned(), Issue::Fixed));
}

#[tokio::test]
async fn a_channel_that_goes_is_told_by_no_rule_any_more() {
    let stand = Stand::new().await;
    let alerts = stand.admin.alerts();
    let channel = stored(&stand, draft(ChannelKind::Webhook, "https://a.example.com/hook", None)).await;
    let rule = RuleDraft { name: "r".into(), channels: vec![channel.id], ..RuleDraft::of(RuleKind::ProviderDown) };
    let rule = alerts.create_rule(&owner(), rule).await.expect("a rule");
    alerts.delete_channel(&owner(), channel.id).await.expect("gone");
    let rule = alerts.rule(&owner(), rule.id).await.expect("still there");
    assert!(rule.settings.channels.is_empty());
    let stale = alerts.update_rule(&owner(), rule.id, rule.revision - 1, rule.settings.clone()).await;
    assert!(matches!(stale, Err(ApiError::Conflict { .. })), "{stale:?}");
    let taken = alerts.create_rule(&owner(), RuleDraft { name: "provider-down".into(), ..rule.settings.clone() }).await;
    assert_eq!(problem(taken), ("name".to_owned(), Issue::Taken));
    let long = alerts.silence(&owner(), rule.id, SilenceDraft { subject: String::new(), minutes: 50_000 }).await;
    assert_eq!(problem(long).0, "minutes");
}
