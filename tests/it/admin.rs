//! The admin services on a real store.

use rondo::{
    model::{
        api_key::{ApiKeyDraft, Scope},
        bulk::{BulkAct, BulkDraft, BulkKind},
        error::ApiError,
        group::GroupDraft,
        id::{CredentialId, GroupId, ProviderId, RequestId},
        name::UrlFault,
        page::{ListQuery, Page},
        problem::Issue,
        provider::{AuthStyle, ProviderDraft, ProviderLine, TestStage, TestTarget},
        user::{Permission, Role, UserPatch, Viewer},
    },
    server::{secret::seal::credential_aad, session::Principal, store::Snapshot},
};

use crate::stand::{PASSWORD, Stand, credential_draft, group_draft, key_draft, owner, problem, provider_draft};

async fn snapshot(stand: &Stand) -> Snapshot {
    stand.foundation.store.snapshot().await.expect("the store is there")
}

pub(crate) fn viewer(role: Role) -> Principal {
    let id = rondo::model::id::UserId(uuid::Uuid::now_v7());
    Principal::program(Viewer { id, username: role.to_string(), display_name: role.to_string(), role })
}

#[tokio::test]
async fn a_secret_is_sealed_for_its_host_and_never_comes_back() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    assert_eq!(provider.credentials[0].hint, "sk-…6789");
    let row = stand.admin.providers().get(&owner(), provider.id).await.expect("stored");
    assert!(!serde_json::to_string(&row).expect("data").contains("canary"));
    let stored = snapshot(&stand).await.providers.remove(0);
    let (id, sealed) = &stored.sealed[0];
    let open = |host: &str| stand.foundation.master.open(sealed, &credential_aad(*id, host));
    assert_eq!(open("api.example.com").expect("its own host").expose(), "sk-canary-0123456789");
    assert!(open("evil.example").is_err());
}

#[tokio::test]
async fn a_change_of_host_asks_for_the_secrets_again() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    let update = async |base_url: &str, secret: Option<&str>| {
        let row = stand.admin.providers().get(&owner(), provider.id).await.expect("stored");
        let mut draft = ProviderDraft { base_url: base_url.into(), ..ProviderDraft::from(&row.provider) };
        draft.credentials[0].secret = credential_draft("main", secret).secret;
        stand.admin.providers().update(&owner(), provider.id, row.provider.revision, draft).await
    };
    update("https://api.example.com/v2", None).await.expect("the host is the same");
    let refused = update("https://other.example.com/v1", None).await;
    assert_eq!(problem(refused), ("credentials[0].secret".into(), Issue::SecretAgain));
    update("https://other.example.com/v1", Some("sk-for-the-other-host")).await.expect("entered again");
    let stored = snapshot(&stand).await.providers.remove(0);
    let aad = credential_aad(stored.sealed[0].0, "other.example.com");
    assert!(stand.foundation.master.open(&stored.sealed[0].1, &aad).is_ok());
}

#[tokio::test]
async fn a_stale_edit_is_refused_and_nothing_is_overwritten() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    let draft = |website: &str| ProviderDraft { website: website.into(), ..ProviderDraft::from(&provider) };
    let first = stand.admin.providers().update(&owner(), provider.id, provider.revision, draft("https://one")).await;
    let first = first.expect("the record is as it was read");
    let second = stand.admin.providers().update(&owner(), provider.id, provider.revision, draft("https://two")).await;
    match second.expect_err("stale") {
        ApiError::Conflict { revision, by, .. } => assert_eq!((revision, by.as_str()), (first.revision, "test")),
        other => panic!("{other:?}"),
    }
    assert_eq!(snapshot(&stand).await.providers[0].provider.website, "https://one");
}

#[tokio::test]
async fn a_taken_name_or_slug_is_a_problem_of_that_field() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    let again = stand.admin.providers().create(&owner(), provider_draft("alpha")).await;
    assert_eq!(problem(again), ("name".into(), Issue::Taken));
    stand.admin.groups().create(&owner(), group_draft("prod", &[provider.id])).await.expect("new");
    let mut twin = group_draft("prod", &[]);
    twin.name = "Another".into();
    assert_eq!(problem(stand.admin.groups().create(&owner(), twin).await), ("slug".into(), Issue::Taken));
    stand.admin.api_keys().create(&owner(), key_draft("ci")).await.expect("new");
    assert_eq!(problem(stand.admin.api_keys().create(&owner(), key_draft("ci")).await), ("name".into(), Issue::Taken));
    stand.person("ana", Role::Viewer).await;
    let twin = rondo::model::user::UserDraft {
        username: "ANA".into(),
        display_name: String::new(),
        password: PASSWORD.into(),
        role: Role::Viewer,
    };
    assert_eq!(problem(stand.admin.users().create(&owner(), twin).await), ("username".into(), Issue::Taken));
}

#[tokio::test]
async fn an_invalid_base_url_is_told_with_its_fault() {
    let stand = Stand::new().await;
    let draft = ProviderDraft { base_url: "https://user:pw@host/".into(), ..provider_draft("alpha") };
    let refused = stand.admin.providers().create(&owner(), draft).await;
    assert_eq!(problem(refused), ("base_url".into(), Issue::InvalidUrl { reason: UrlFault::UserInfo }));
    assert!(snapshot(&stand).await.providers.is_empty());
}

#[tokio::test]
async fn a_reference_to_nothing_is_refused() {
    let stand = Stand::new().await;
    let nobody = ProviderId(uuid::Uuid::now_v7());
    let group = stand.admin.groups().create(&owner(), group_draft("prod", &[nobody])).await;
    assert_eq!(problem(group), ("members[0].provider".into(), Issue::Unknown));
    let mut key = key_draft("ci");
    key.scope = Scope::Groups(vec![GroupId(uuid::Uuid::now_v7())]);
    assert_eq!(problem(stand.admin.api_keys().create(&owner(), key).await), ("scope.groups[0]".into(), Issue::Unknown));
    let provider = stand.provider("alpha").await;
    let mut draft = ProviderDraft::from(&provider);
    draft.credentials[0].id = Some(CredentialId(uuid::Uuid::now_v7()));
    let refused = stand.admin.providers().update(&owner(), provider.id, provider.revision, draft).await;
    assert_eq!(problem(refused), ("credentials[0].id".into(), Issue::Unknown));
}

#[tokio::test]
async fn a_provider_that_a_group_uses_is_not_deleted() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    let group = stand.admin.groups().create(&owner(), group_draft("prod", &[provider.id])).await.expect("new");
    let refused = stand.admin.providers().delete(&owner(), provider.id).await;
    assert_eq!(problem(refused), ("groups".into(), Issue::InUse { by: "group prod".into() }));
    stand.admin.groups().delete(&owner(), group.id).await.expect("deleted");
    stand.admin.providers().delete(&owner(), provider.id).await.expect("free now");
    let gone = stand.admin.providers().delete(&owner(), provider.id).await;
    assert!(matches!(gone, Err(ApiError::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn every_provider_gets_the_colour_that_the_fewest_have() {
    let stand = Stand::new().await;
    let mut colors = Vec::new();
    for n in 0..9 {
        colors.push(stand.provider(&format!("p{n}")).await.color);
    }
    assert_eq!(colors, [1, 2, 3, 4, 5, 6, 7, 8, 1]);
}

#[tokio::test]
async fn a_key_is_shown_once_and_stored_as_a_hash() {
    let stand = Stand::new().await;
    let created = stand.admin.api_keys().create(&owner(), key_draft("ci")).await.expect("new");
    assert!(created.secret.starts_with("rd_"));
    let stored = snapshot(&stand).await.api_keys.remove(0);
    assert!(stored.hash.matches(&created.secret));
    let listed = stand.admin.api_keys().list(&owner(), ListQuery::default()).await.expect("listed");
    assert!(!serde_json::to_string(&listed).expect("data").contains(&created.secret));
    let mut late = key_draft("late");
    late.expires_at_ms = Some(1);
    assert_eq!(problem(stand.admin.api_keys().create(&owner(), late).await), ("expires_at_ms".into(), Issue::InPast));
}

#[tokio::test]
async fn a_duplicate_of_a_group_has_the_next_free_name_and_serves_nobody_yet() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    let like = stand.admin.groups().create(&owner(), group_draft("prod", &[provider.id])).await.expect("new");
    let second = stand.admin.groups().duplicate(&owner(), like.id).await.expect("a copy");
    let third = stand.admin.groups().duplicate(&owner(), like.id).await.expect("another");
    assert_eq!((second.slug.as_str(), third.slug.as_str()), ("prod-2", "prod-3"));
    assert_eq!((second.name, third.name), (format!("{} 2", like.name), format!("{} 3", like.name)));
    assert!(!second.enabled && like.enabled);
    assert_eq!((&second.members, second.strategy), (&like.members, like.strategy));
    let long = GroupDraft { name: "n".repeat(100), slug: "s".repeat(64), ..group_draft("x", &[]) };
    let long = stand.admin.groups().create(&owner(), long).await.expect("as long as may be");
    let copy = stand.admin.groups().duplicate(&owner(), long.id).await.expect("a copy");
    assert_eq!((copy.name.len(), copy.slug.as_str().len()), (100, 64));
}

#[tokio::test]
async fn a_rotated_key_has_another_secret_and_is_otherwise_the_same() {
    let stand = Stand::new().await;
    let created = stand.admin.api_keys().create(&owner(), key_draft("ci")).await.expect("new");
    let rotated = stand.admin.api_keys().rotate(&owner(), created.key.id).await.expect("rotated");
    assert_ne!(rotated.secret, created.secret);
    let stored = snapshot(&stand).await.api_keys.remove(0);
    assert!(stored.hash.matches(&rotated.secret) && !stored.hash.matches(&created.secret));
    assert!(rotated.secret.ends_with(&stored.key.hint[stored.key.hint.len() - 4..]), "{}", stored.key.hint);
    let (before, after) = (created.key, rotated.key);
    assert_eq!(
        (after.id, &after.name, &after.scope, after.limits),
        (before.id, &before.name, &before.scope, before.limits)
    );
    assert!(after.revision > before.revision);
    let trail = stand.admin.audit().list(&owner(), None).await.expect("the trail");
    let row = serde_json::to_string(&trail.rows[0]).expect("data");
    assert!(row.contains("api_key.update") && !row.contains(&rotated.secret), "{row}");
    let gone = stand.admin.api_keys().rotate(&owner(), rondo::model::id::ApiKeyId(uuid::Uuid::now_v7())).await;
    assert!(matches!(gone, Err(ApiError::NotFound { .. })));
}

#[tokio::test]
async fn the_last_owner_stays_and_a_new_role_ends_sessions() {
    let stand = Stand::new().await;
    let ana = stand.person("ana", Role::Owner).await;
    let patch = UserPatch { display_name: "Ana".into(), role: Role::Viewer, enabled: true };
    let refused = stand.admin.users().update(&owner(), ana.id, patch.clone()).await;
    assert_eq!(problem(refused), ("role".into(), Issue::LastOwner));
    assert_eq!(problem(stand.admin.users().delete(&owner(), ana.id).await), ("role".into(), Issue::LastOwner));
    stand.person("ben", Role::Owner).await;
    stand.admin.users().update(&owner(), ana.id, patch).await.expect("there is another owner");
}

#[tokio::test]
async fn every_service_asks_for_the_permission_itself() {
    let stand = Stand::new().await;
    let provider = stand.provider("alpha").await;
    let admin = &stand.admin;
    let forbidden = |permission| ApiError::Forbidden { permission };
    let (viewer, operator, manager) = (viewer(Role::Viewer), viewer(Role::Operator), viewer(Role::Admin));
    let create = admin.providers().create(&operator, provider_draft("b")).await;
    assert_eq!(create.expect_err("refused"), forbidden(Permission::ManageProviders));
    let switch = admin.providers().set_enabled(&viewer, provider.id, false).await;
    assert_eq!(switch.expect_err("refused"), forbidden(Permission::Operate));
    admin.providers().set_enabled(&operator, provider.id, false).await.expect("operators may");
    let people = admin.users().list(&manager, ListQuery::default()).await;
    assert_eq!(people.expect_err("refused"), forbidden(Permission::ManageUsers));
    assert_eq!(admin.transfer().export(&operator).await.expect_err("refused"), forbidden(Permission::Transfer));
    let bodies = admin.requests().bodies(&operator, RequestId(uuid::Uuid::nil())).await;
    assert_eq!(bodies.expect_err("refused"), forbidden(Permission::ReadBodies));
    assert_eq!(admin.audit().list(&operator, None).await.expect_err("refused"), forbidden(Permission::ReadAudit));
    let trail = admin.audit().list(&manager, None).await.expect("admins may");
    assert_eq!((trail.rows[0].actor.as_str(), trail.rows[0].action.as_str()), ("operator", "provider.update"));
}

#[tokio::test]
async fn a_list_is_searched_sorted_and_paged() {
    let stand = Stand::new().await;
    for name in ["beta", "Alpha", "gamma"] {
        stand.provider(name).await;
    }
    let names = async |query: ListQuery| {
        let page = stand.admin.providers().list(&owner(), query).await.expect("listed");
        (page.rows.into_iter().map(|row| row.provider.name).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(names(ListQuery::default()).await, (vec!["Alpha".into(), "beta".into(), "gamma".into()], 3));
    let second = ListQuery { per_page: 2, page: 1, descending: true, ..ListQuery::default() };
    assert_eq!(names(second).await, (vec!["Alpha".into()], 3));
    let found = ListQuery { search: "ET".into(), ..ListQuery::default() };
    assert_eq!(names(found).await, (vec!["beta".into()], 1));
}

#[tokio::test]
async fn a_page_of_lines_is_filtered_by_state_and_counts_every_state() {
    let stand = Stand::new().await;
    for name in ["alpha", "beta", "gamma"] {
        stand.provider(name).await;
    }
    let beta =
        stand.admin.providers().list(&owner(), ListQuery { search: "beta".into(), ..ListQuery::default() }).await;
    let beta = beta.expect("listed").rows[0].provider.id;
    stand.admin.providers().set_enabled(&owner(), beta, false).await.expect("switched off");
    let lines = async |query: ListQuery| stand.admin.providers().lines(&owner(), query).await.expect("listed");
    let names =
        |page: &Page<ProviderLine>| page.rows.iter().map(|line| line.row.provider.name.clone()).collect::<Vec<_>>();
    let healthy = lines(ListQuery { state: "healthy".into(), per_page: 1, page: 1, ..ListQuery::default() }).await;
    assert_eq!((names(&healthy), healthy.total), (vec!["gamma".to_owned()], 2));
    assert_eq!((healthy.count(""), healthy.count("healthy"), healthy.count("off")), (3, 2, 1));
    let off = lines(ListQuery { state: "off".into(), search: "et".into(), ..ListQuery::default() }).await;
    assert_eq!((names(&off), off.count("")), (vec!["beta".to_owned()], 1));
    let busiest = lines(ListQuery { sort: "requests".into(), descending: true, ..ListQuery::default() }).await;
    assert_eq!(names(&busiest), ["gamma", "beta", "alpha"], "equals keep the order of names, turned round with it");
}

#[tokio::test]
async fn groups_and_keys_are_filtered_by_state() {
    let stand = Stand::new().await;
    for (slug, enabled) in [("prod", true), ("test", false)] {
        let draft = GroupDraft { name: slug.into(), slug: slug.into(), enabled, ..GroupDraft::default() };
        stand.admin.groups().create(&owner(), draft).await.expect("a group");
    }
    let off = ListQuery { state: "off".into(), ..ListQuery::default() };
    let groups = stand.admin.groups().list(&owner(), off.clone()).await.expect("listed");
    assert_eq!((groups.rows.len(), groups.total, groups.count("on")), (1, 1, 1));
    let soon = stand.admin.now_ms() + 3 * 86_400_000;
    for (name, enabled, expires_at_ms) in [("a", true, None), ("b", false, None), ("c", true, Some(soon))] {
        let draft = ApiKeyDraft { enabled, expires_at_ms, ..key_draft(name) };
        stand.admin.api_keys().create(&owner(), draft).await.expect("a key");
    }
    let keys = stand.admin.api_keys().list(&owner(), off).await.expect("listed");
    assert_eq!((keys.rows[0].name.as_str(), keys.total), ("b", 1));
    assert_eq!((keys.count("active"), keys.count("expiring"), keys.count("off")), (1, 1, 1));
}

#[tokio::test]
async fn what_is_done_to_several_is_told_of_each_and_audited_for_each() {
    let stand = Stand::new().await;
    let (alpha, beta) = (stand.provider("alpha").await, stand.provider("beta").await);
    stand.admin.providers().set_enabled(&owner(), beta.id, false).await.expect("switched off");
    stand.admin.groups().create(&owner(), group_draft("prod", &[alpha.id])).await.expect("new");
    let nobody = uuid::Uuid::now_v7();
    let ids = vec![alpha.id.0, beta.id.0, nobody];
    let apply = async |act| {
        let draft = BulkDraft { act, ids: ids.clone() };
        stand.admin.bulk().apply(&owner(), BulkKind::Providers, draft).await.expect("told")
    };
    let trail = async || stand.admin.audit().list(&owner(), None).await.expect("the trail").rows;
    let rows = trail().await.len();
    let off = apply(BulkAct::Disable).await;
    assert_eq!((&off.done, &off.unchanged), (&vec![alpha.id.0], &vec![beta.id.0]));
    assert_eq!(off.refused.len(), 1);
    assert_eq!((off.refused[0].id, off.refused[0].error.status()), (nobody, 404));
    assert_eq!(trail().await.len(), rows + 1, "what was not changed is not audited");
    let on = apply(BulkAct::Enable).await;
    assert_eq!((on.done.len(), on.unchanged.len(), on.refused.len()), (2, 0, 1));
    let newest: Vec<String> = trail().await.into_iter().take(2).map(|row| row.object).collect();
    assert_eq!(newest, ["beta", "alpha"], "a row for each");
    let stored = snapshot(&stand).await.providers;
    assert!(stored.iter().all(|one| one.provider.enabled && one.sealed.len() == 1), "their secrets stay");
    let gone = apply(BulkAct::Delete).await;
    assert_eq!(gone.done, [beta.id.0]);
    let in_use = Issue::InUse { by: "group prod".into() };
    assert_eq!(gone.refused[0].error, ApiError::invalid("groups", in_use), "a group still uses it");
}

#[tokio::test]
async fn keys_and_groups_are_switched_and_deleted_together() {
    let stand = Stand::new().await;
    let (mut keys, mut groups) = (Vec::new(), Vec::new());
    for name in ["one", "two"] {
        keys.push(stand.admin.api_keys().create(&owner(), key_draft(name)).await.expect("a key").key.id.0);
        groups.push(stand.admin.groups().create(&owner(), group_draft(name, &[])).await.expect("a group").id.0);
    }
    let hashes = async || -> Vec<_> { snapshot(&stand).await.api_keys.into_iter().map(|one| one.hash).collect() };
    let before = hashes().await;
    for (kind, ids) in [(BulkKind::ApiKeys, &keys), (BulkKind::Groups, &groups)] {
        let draft = BulkDraft { act: BulkAct::Disable, ids: ids.clone() };
        let told = stand.admin.bulk().apply(&owner(), kind, draft).await.expect("told");
        assert_eq!(&told.done, ids, "{kind:?}");
    }
    let now = snapshot(&stand).await;
    assert!(now.api_keys.iter().all(|one| !one.key.enabled) && now.groups.iter().all(|group| !group.enabled));
    assert!(hashes().await == before, "the keys themselves stay");
    for (kind, ids) in [(BulkKind::ApiKeys, &keys), (BulkKind::Groups, &groups)] {
        let draft = || BulkDraft { act: BulkAct::Delete, ids: ids.clone() };
        let operator = stand.admin.bulk().apply(&viewer(Role::Operator), kind, draft()).await;
        assert!(matches!(operator, Err(ApiError::Forbidden { .. })), "{kind:?}: {operator:?}");
        let told = stand.admin.bulk().apply(&owner(), kind, draft()).await.expect("told");
        assert_eq!(&told.done, ids, "{kind:?}");
    }
    let now = snapshot(&stand).await;
    assert!(now.api_keys.is_empty() && now.groups.is_empty());
    let none = BulkDraft { act: BulkAct::Enable, ids: Vec::new() };
    let refused = stand.admin.bulk().apply(&owner(), BulkKind::Groups, none).await;
    assert_eq!(problem(refused), ("ids".into(), Issue::Required));
}

#[tokio::test]
async fn a_change_is_told_on_the_bus_with_its_revision() {
    let stand = Stand::new().await;
    let mut news = stand.foundation.bus.subscribe();
    let provider = stand.provider("alpha").await;
    assert_eq!(news.recv().await.expect("told").revision, provider.revision);
}

#[tokio::test]
async fn a_connection_test_tells_each_step_and_sends_the_key_once() {
    let stand = Stand::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let models = move |headers: axum::http::HeaderMap| async move {
        let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        noted.lock().expect("alone").push(key.clone());
        match key.as_str() {
            "Bearer sk-right-key-1234" => (axum::http::StatusCode::OK, r#"{"data":[{"id":"a"},{"id":"b"}]}"#),
            _ => (axum::http::StatusCode::UNAUTHORIZED, "{}"),
        }
    };
    let app = axum::Router::new().route("/v1/models", axum::routing::get(models));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let draft = |secret: &str| ProviderDraft {
        base_url: format!("http://{address}"),
        credentials: vec![credential_draft("main", Some(secret))],
        ..provider_draft("alpha")
    };
    let test = async |secret: &str| {
        let target = TestTarget { id: None, draft: Some(draft(secret)) };
        stand.admin.providers().test(&owner(), target).await.expect("tested")
    };
    let good = test("sk-right-key-1234").await;
    assert!(good.works, "{good:?}");
    assert_eq!(good.steps[2].detail, "HTTP 200, 2 models");
    let bad = test("sk-wrong-key-1234").await;
    let last = bad.steps.last().expect("steps");
    assert!(!bad.works && last.step == TestStage::Authenticate && last.detail.contains("refused"), "{bad:?}");
    assert_eq!(seen.lock().expect("alone").len(), 2);
    server.abort();

    let stored = stand.admin.providers().create(&owner(), draft("sk-right-key-1234")).await.expect("stored");
    let moved = ProviderDraft { base_url: "http://127.0.0.2:1".into(), ..ProviderDraft::from(&stored) };
    let target = TestTarget { id: Some(stored.id), draft: Some(moved) };
    let refused = stand.admin.providers().test(&owner(), target).await;
    assert_eq!(
        problem(refused),
        ("credentials[0].secret".into(), Issue::SecretAgain),
        "a stored key goes to its own host only"
    );
    let metadata = ProviderDraft {
        base_url: "http://169.254.169.254".into(),
        auth: AuthStyle::None,
        credentials: vec![],
        ..provider_draft("x")
    };
    let target = TestTarget { id: None, draft: Some(metadata) };
    let test = stand.admin.providers().test(&owner(), target).await.expect("tested");
    assert!(!test.works && test.steps.len() == 1, "{test:?}");
}

#[tokio::test]
async fn the_first_administrator_is_made_once_and_only_with_the_token() {
    let stand = Stand::new().await;
    let token = stand.admin.setup().open().await.expect("the store is there").expect("nobody may sign in yet");
    let draft = rondo::model::user::UserDraft {
        username: "ana".into(),
        display_name: String::new(),
        password: PASSWORD.into(),
        role: Role::Viewer,
    };
    for wrong in ["", "guess", &token[1..]] {
        let refused = stand.admin.setup().create_administrator(wrong, draft.clone()).await;
        assert!(matches!(refused, Err(ApiError::NotFound { .. })), "{refused:?}");
        assert!(stand.admin.setup().state(wrong).await.is_err());
    }
    assert!(stand.admin.setup().state(&token).await.is_ok());
    let weak = rondo::model::user::UserDraft { password: "password123".into(), ..draft.clone() };
    assert_eq!(
        problem(stand.admin.setup().create_administrator(&token, weak).await),
        ("password".into(), Issue::WeakPassword)
    );
    let user = stand.admin.setup().create_administrator(&token, draft.clone()).await.expect("made");
    assert_eq!(user.role, Role::Owner);
    assert!(stand.admin.setup().create_administrator(&token, draft).await.is_err(), "used up");
    assert_eq!(stand.admin.setup().open().await.expect("the store is there"), None);
}
