//! The declarative file on a real store.

use std::collections::BTreeMap;

use rondo::{
    model::{
        error::ApiError,
        group::PathPolicy,
        transfer::{ApplyReport, ChangeKind},
    },
    server::{admin::transfer::ApplyOptions, secret::seal::credential_aad},
};

use crate::stand::{Stand, owner};

const FILE: &str = r#"
providers:
  - name: alpha
    base_url: https://api.example.com/v1
    auth: x-api-key
    credentials: [{ label: main, secret: sk-alpha-1 }, { label: spare, secret_env: SPARE, weight: 10, limits: { rpm: 5 } }]
    headers: { set: { X-Team: a }, remove: [x-secret] }
    models: { map: { gpt-4: gpt-4.1 }, only: ["gpt-*"] }
    timeouts: { connect_ms: 1000 }
    limits: { rpm: 100, concurrency: 3, requests_per_day: 9 }
    connection: { protocol: http2, egress_proxy: "http://proxy.example:3128", check_path: /v1/models }
  - name: beta
    base_url: http://127.0.0.1:8000
    auth: { header: X-Token, template: "Token {secret}" }
    enabled: false
    credentials: [{ label: main, secret: sk-beta-1 }]
groups:
  - name: Production
    slug: prod
    kind: generic
    strategy: priority
    path_policy: [{ method: POST, path: "/v1/**" }]
    providers: [{ provider: alpha, priority: 50 }, { provider: beta, priority: 7, tier: 2 }]
    failover: { max_attempts: 2, first_output_timeout_ms: 10, keepalive_after_ms: 0 }
    anonymous: { allowed: true, limits: { rpm: 5 } }
    allowed_origins: ["https://app.example.com"]
    hide_provider_headers: true
    sticky: { by: header, header: x-session }
    outcome_rules: [{ status_from: 400, status_to: 404, body_contains: capacity, outcome: overloaded }]
    websocket: true
    stream_usage: false
    log_bodies: true
"#;

fn options() -> ApplyOptions {
    let variables = BTreeMap::from([("SPARE".to_owned(), "sk-spare-1".to_owned())]);
    ApplyOptions { variables, ..ApplyOptions::default() }
}

async fn apply(stand: &Stand, text: &str) -> ApplyReport {
    stand.admin.transfer().apply(&owner(), text, options()).await.expect("a valid file")
}

async fn refusal(stand: &Stand, text: &str, options: ApplyOptions) -> String {
    match stand.admin.transfer().apply(&owner(), text, options).await.expect_err("refused") {
        error @ ApiError::Invalid { .. } => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn kinds(report: &ApplyReport) -> Vec<(&str, ChangeKind)> {
    report.changes.iter().map(|change| (change.name.as_str(), change.kind)).collect()
}

#[tokio::test]
async fn export_and_apply_change_nothing() {
    let stand = Stand::new().await;
    let report = apply(&stand, FILE).await;
    assert!(report.changes.iter().all(|change| change.kind == ChangeKind::Create));
    let exported = stand.admin.transfer().export(&owner()).await.expect("exported");
    for secret in ["sk-alpha-1", "sk-spare-1", "sk-beta-1"] {
        assert!(!exported.contains(secret), "{exported}");
    }
    let before = stand.foundation.store.snapshot().await.expect("there");
    for text in [FILE, exported.as_str()] {
        let again = stand
            .admin
            .transfer()
            .apply(&owner(), text, ApplyOptions { prune: true, ..options() })
            .await
            .expect("valid");
        assert_eq!(again.revision, None, "{:?}", again.changes);
        assert!(again.changes.iter().all(|change| change.kind == ChangeKind::Unchanged), "{:?}", again.changes);
    }
    let after = stand.foundation.store.snapshot().await.expect("there");
    assert_eq!(
        (before.revision, before.providers.len(), before.groups),
        (after.revision, after.providers.len(), after.groups)
    );
}

#[tokio::test]
async fn prices_are_part_of_the_file_and_a_file_without_them_leaves_them_alone() {
    let stand = Stand::new().await;
    assert!(!stand.admin.transfer().export(&owner()).await.expect("exported").contains("prices"));
    let file =
        "prices:\n  currency: CNY\n  models:\n    - { model: gpt-4*, input: 2.5, output: 10, cached_input: 1.25 }\n";
    assert_eq!(kinds(&apply(&stand, file).await), [("CNY", ChangeKind::Update)]);
    let stored = stand.admin.prices().get(&owner()).await.expect("read");
    assert_eq!(stored.to_sheet().lines, "gpt-4*, 2.5, 10, 1.25\n");
    let exported = stand.admin.transfer().export(&owner()).await.expect("exported");
    let again = apply(&stand, &exported).await;
    assert!(kinds(&again).contains(&("CNY", ChangeKind::Unchanged)), "{again:?}");
    assert!(kinds(&again).iter().all(|(_, kind)| *kind == ChangeKind::Unchanged), "{again:?}");
    apply(&stand, FILE).await;
    assert_eq!(stand.admin.prices().get(&owner()).await.expect("read"), stored);
    for (typo, told) in [
        ("input: -2.5", "prices CNY, models[0].input: is not a price"),
        ("input: 2000000", "prices CNY, models[0].input: is not a price"),
        ("input: 2,5", "line 4"),
        ("input: 1", "prices CNY, models[0].cached_input: costs more than input"),
        ("inptu: 2.5", "inptu"),
    ] {
        let refused = refusal(&stand, &file.replace("input: 2.5", typo), options()).await;
        assert!(refused.contains(told), "{typo}: {refused}");
    }
}

#[tokio::test]
async fn a_whole_configuration_moves_to_an_empty_store_by_its_file() {
    let stand = Stand::new().await;
    apply(&stand, FILE).await;
    let exported = stand.admin.transfer().export(&owner()).await.expect("exported");
    let other = Stand::new().await;
    let missing = refusal(&other, &exported, options()).await;
    assert!(missing.contains("provider alpha, credentials[0].secret: a new credential needs its secret"), "{missing}");
    let mut filled = String::new();
    for line in exported.lines() {
        let weight = line.trim_start();
        if weight.starts_with("weight:") {
            filled.push_str(&format!("{}secret: sk-new\n", &line[..line.len() - weight.len()]));
        }
        filled.push_str(&format!("{line}\n"));
    }
    apply(&other, &filled).await;
    assert_eq!(other.admin.transfer().export(&owner()).await.expect("exported"), exported);
}

#[tokio::test]
async fn an_omitted_secret_keeps_the_one_that_is_there_and_a_new_one_replaces_it() {
    let stand = Stand::new().await;
    apply(&stand, FILE).await;
    let secret = async || {
        let snapshot = stand.foundation.store.snapshot().await.expect("there");
        let alpha = snapshot.providers.iter().find(|stored| stored.provider.name == "alpha").expect("alpha").clone();
        let id = alpha.provider.credentials[0].id;
        let sealed = &alpha.sealed.iter().find(|(sealed, _)| *sealed == id).expect("sealed").1;
        let opened = stand.foundation.master.open(sealed, &credential_aad(id, "api.example.com")).expect("ours");
        (id, opened.expose().to_owned())
    };
    let (id, first) = secret().await;
    apply(&stand, &FILE.replace(", secret: sk-alpha-1", ", weight: 7")).await;
    assert_eq!(secret().await, (id, first));
    let report = apply(&stand, &FILE.replace("sk-alpha-1", "sk-alpha-2")).await;
    assert_eq!(secret().await, (id, "sk-alpha-2".to_owned()));
    let told = format!("{:?}", report.changes);
    assert!(told.contains("credentials[main].secret: changed") && !told.contains("sk-alpha"), "{told}");
    let moved =
        refusal(&stand, &FILE.replace("api.example.com/v1", "evil.example").replace("sk-alpha-1", ""), options()).await;
    assert!(moved.contains("credentials[0].secret"), "{moved}");
    let moved = FILE.replace("api.example.com/v1", "evil.example").replace(", secret: sk-alpha-1", "");
    let moved = refusal(&stand, &moved, options()).await;
    assert!(moved.contains("provider alpha, credentials[0].secret: the host changed"), "{moved}");
}

#[tokio::test]
async fn a_dry_run_tells_the_difference_and_writes_nothing() {
    let stand = Stand::new().await;
    apply(&stand, FILE).await;
    let before = stand.foundation.store.revision().await.expect("there");
    let edited = FILE.replace("rpm: 100", "rpm: 200").replace("priority: 7", "priority: 8");
    let options = ApplyOptions { dry_run: true, ..options() };
    let report = stand.admin.transfer().apply(&owner(), &edited, options).await.expect("valid");
    assert_eq!(
        kinds(&report),
        [("alpha", ChangeKind::Update), ("beta", ChangeKind::Unchanged), ("prod", ChangeKind::Update)]
    );
    assert_eq!(report.changes[0].fields, ["limits.rpm: 100 → 200"]);
    assert_eq!(report.changes[2].fields, ["providers[beta].priority: 7 → 8"]);
    assert_eq!((report.revision, stand.foundation.store.revision().await.expect("there")), (None, before));
}

#[tokio::test]
async fn nothing_is_deleted_without_prune_and_prune_keeps_what_is_named() {
    let stand = Stand::new().await;
    apply(&stand, FILE).await;
    let only_alpha = &FILE[..FILE.find("  - name: beta").expect("in the file")];
    let report = apply(&stand, only_alpha).await;
    assert_eq!(kinds(&report), [("alpha", ChangeKind::Unchanged)]);
    let prune = ApplyOptions { prune: true, ..options() };
    let still_used =
        format!("{only_alpha}groups: [{{ name: Production, slug: prod, providers: [{{ provider: beta }}] }}]");
    let told = refusal(&stand, &still_used, prune.clone()).await;
    assert!(told.contains("provider beta: is still used by group prod in this file"), "{told}");
    let report = stand.admin.transfer().apply(&owner(), only_alpha, prune).await.expect("valid");
    assert_eq!(
        kinds(&report),
        [("prod", ChangeKind::Delete), ("alpha", ChangeKind::Unchanged), ("beta", ChangeKind::Delete)]
    );
    let after = stand.foundation.store.snapshot().await.expect("there");
    assert_eq!((after.providers.len(), after.groups.len()), (1, 0));
}

#[tokio::test]
async fn a_file_with_one_mistake_changes_nothing_and_every_mistake_is_told_with_its_line() {
    let stand = Stand::new().await;
    let told = refusal(
        &stand,
        &FILE.replace("provider: beta,", "provider: gamma,").replace("http://127.0.0.1:8000", "ftp://x"),
        options(),
    )
    .await;
    assert!(told.contains("line 12, provider beta, base_url: is not a usable address"), "{told}");
    assert!(
        told.contains("line 18, group prod, providers[1].provider (gamma): names something that does not exist"),
        "{told}"
    );
    let told = refusal(&stand, FILE, ApplyOptions::default()).await;
    assert!(
        told.contains("line 3, provider alpha, credentials[1].secret_env: the environment has no variable SPARE"),
        "{told}"
    );
    let told = refusal(&stand, &FILE.replace("    enabled: false", "    enabeld: false"), options()).await;
    assert!(told.contains("line 15") && told.contains("enabeld"), "{told}");
    let told = refusal(&stand, &FILE.replace("name: beta", "name: alpha"), options()).await;
    assert!(told.contains("line 12, provider alpha, name: appears twice"), "{told}");
    let snapshot = stand.foundation.store.snapshot().await.expect("there");
    assert!(snapshot.providers.is_empty() && snapshot.groups.is_empty() && snapshot.revision == 0);
}

#[tokio::test]
async fn what_is_left_out_has_the_default_of_a_new_record() {
    let stand = Stand::new().await;
    apply(&stand, "groups: [{ name: A, slug: a, kind: generic }, { name: B, slug: b }]").await;
    let snapshot = stand.foundation.store.snapshot().await.expect("there");
    let policy = |slug: &str| {
        snapshot.groups.iter().find(|group| group.slug.as_str() == slug).map(|group| group.path_policy.clone())
    };
    assert_eq!((policy("a"), policy("b")), (Some(PathPolicy::Everything), Some(PathPolicy::Inference)));
}
