//! People, sessions, settings and the master key.

use std::sync::Arc;

use rondo::{
    model::{
        id::SessionId,
        user::{Role, User},
    },
    server::{
        secret::{
            seal::{MasterKey, SealError},
            token::HashedKey,
        },
        store::{Change, NewSession, Store, StoreError},
    },
};

use super::{
    contracts,
    place::Place,
    things::{put_user, user},
};

contracts![
    a_person_is_found_by_name_whatever_its_case,
    only_one_first_administrator_is_made,
    the_last_owner_stays,
    a_session_holds_until_it_ends_or_expires,
    a_new_role_or_password_ends_the_sessions,
    signing_out_everywhere_may_spare_this_browser,
    the_first_value_of_a_setting_wins,
    a_wrong_master_key_is_noticed,
];

fn session(of: &User, token: &str, at_ms: i64) -> NewSession {
    NewSession {
        id: SessionId(uuid::Uuid::now_v7()),
        token: HashedKey::of(token),
        user: of.id,
        address: "192.0.2.1".into(),
        user_agent: "Firefox".into(),
        created_at_ms: at_ms,
        idle_expires_at_ms: at_ms + 100,
        expires_at_ms: at_ms + 1_000,
    }
}

async fn a_person_is_found_by_name_whatever_its_case(store: Store, _: Arc<Place>) {
    let mut ana = user("Ána", Role::Admin);
    store.change("setup", 5, vec![put_user(&ana)]).await.expect("stored");
    ana.created_at_ms = 5;
    let found = store.user_by_name("áNA").await.expect("read").expect("there");
    assert_eq!((found.user, found.password_hash.as_str()), (ana.clone(), "$argon2id$…"));
    assert_eq!(store.user_by_name("anna").await.expect("read"), None);
    assert_eq!(store.users().await.expect("read"), vec![ana.clone()]);
    let taken = store.change("ana", 6, vec![put_user(&user("ÁNA", Role::Viewer))]).await;
    assert!(matches!(taken, Err(StoreError::Taken { field: "username" })), "{taken:?}");
    ana.display_name = "Ana".into();
    store.change("ana", 7, vec![Change::PutUser { user: ana.clone(), password_hash: None }]).await.expect("stored");
    assert_eq!(store.user(ana.id).await.expect("read").expect("there").password_hash, "$argon2id$…");
}

async fn only_one_first_administrator_is_made(store: Store, _: Arc<Place>) {
    let first = |name: &str| {
        let change = Change::PutFirstUser { user: user(name, Role::Owner), password_hash: "x".into() };
        let store = store.clone();
        async move { store.change("setup", 1, vec![change]).await }
    };
    let (one, two) = tokio::join!(first("ana"), first("bo"));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert!([one, two].iter().any(|done| matches!(done, Err(StoreError::AlreadySetUp))));
    assert_eq!(store.user_count().await.expect("read"), 1);
}

async fn the_last_owner_stays(store: Store, _: Arc<Place>) {
    let (mut ana, bo) = (user("ana", Role::Owner), user("bo", Role::Admin));
    store.change("setup", 1, vec![put_user(&ana), put_user(&bo)]).await.expect("stored");
    ana.role = Role::Admin;
    let refused = store.change("ana", 2, vec![put_user(&ana)]).await;
    assert!(matches!(refused, Err(StoreError::LastOwner)), "{refused:?}");
    (ana.role, ana.enabled) = (Role::Owner, false);
    assert!(matches!(store.change("ana", 2, vec![put_user(&ana)]).await, Err(StoreError::LastOwner)));
    let delete = |id| vec![Change::DeleteUser { id }];
    assert!(matches!(store.change("ana", 2, delete(ana.id)).await, Err(StoreError::LastOwner)));
    store.change("ana", 3, delete(bo.id)).await.expect("not an owner");
    store.change("ana", 4, vec![put_user(&user("cy", Role::Owner))]).await.expect("another owner");
    store.change("ana", 5, delete(ana.id)).await.expect("no longer the last");
}

async fn a_session_holds_until_it_ends_or_expires(store: Store, _: Arc<Place>) {
    let ana = user("ana", Role::Owner);
    store.change("setup", 1, vec![put_user(&ana)]).await.expect("stored");
    let opened = session(&ana, "token", 1_000);
    store.open_session(&opened).await.expect("opened");
    let token = HashedKey::of("token");
    let held = store.session(&token, 1_050).await.expect("read").expect("holds");
    assert_eq!((held.id, held.user.username.as_str(), held.user.last_seen_at_ms), (opened.id, "ana", Some(1_000)));
    assert_eq!(store.session(&HashedKey::of("other"), 1_050).await.expect("read"), None);
    assert_eq!(store.session(&token, 1_100).await.expect("read"), None, "idle too long");
    store.touch_session(opened.id, 1_090, 1_900).await.expect("touched");
    store.touch_session(opened.id, 1_010, 1_200).await.expect("an older use");
    assert_eq!(store.session(&token, 1_800).await.expect("read").expect("holds").seen_at_ms, 1_090);
    store.touch_session(opened.id, 1_800, 9_000).await.expect("touched");
    assert_eq!(store.session(&token, 2_000).await.expect("read"), None, "open too long");
    assert_eq!(store.sweep_sessions(2_000).await.expect("swept"), 1);
    assert_eq!(store.sessions_of(ana.id, 1_800).await.expect("read"), vec![]);
    let nobody = store.open_session(&session(&user("nobody", Role::Viewer), "t", 1)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { what: "user" })), "{nobody:?}");
}

async fn a_new_role_or_password_ends_the_sessions(store: Store, _: Arc<Place>) {
    let (owner, mut bo) = (user("ana", Role::Owner), user("bo", Role::Viewer));
    store.change("setup", 1, vec![put_user(&owner), put_user(&bo)]).await.expect("stored");
    let token = HashedKey::of("token");
    let put = |user: &User, hash: Option<&str>| Change::PutUser {
        user: user.clone(),
        password_hash: hash.map(str::to_owned),
    };
    let holds = async || store.session(&token, 1_050).await.expect("read").is_some();

    store.open_session(&session(&bo, "token", 1_000)).await.expect("opened");
    bo.display_name = "Bo".into();
    store.change("ana", 2, vec![put(&bo, None)]).await.expect("stored");
    assert!(holds().await, "a new display name ends nothing");
    bo.role = Role::Operator;
    store.change("ana", 3, vec![put(&bo, None)]).await.expect("stored");
    assert!(!holds().await);
    store.open_session(&session(&bo, "token", 1_000)).await.expect("opened");
    store.change("ana", 4, vec![put(&bo, Some("new"))]).await.expect("stored");
    assert!(!holds().await);
    store.open_session(&session(&bo, "token", 1_000)).await.expect("opened");
    bo.enabled = false;
    store.change("ana", 5, vec![put(&bo, None)]).await.expect("stored");
    assert!(!holds().await);
}

async fn signing_out_everywhere_may_spare_this_browser(store: Store, _: Arc<Place>) {
    let ana = user("ana", Role::Owner);
    store.change("setup", 1, vec![put_user(&ana)]).await.expect("stored");
    let here = session(&ana, "here", 1_000);
    for opened in [&here, &session(&ana, "there", 1_001), &session(&ana, "elsewhere", 1_002)] {
        store.open_session(opened).await.expect("opened");
    }
    assert_eq!(store.sessions_of(ana.id, 1_010).await.expect("read").len(), 3);
    assert_eq!(store.end_sessions(ana.id, Some(here.id)).await.expect("ended"), 2);
    assert_eq!(store.sessions_of(ana.id, 1_010).await.expect("read")[0].id, here.id);
    store.end_session(here.id).await.expect("ended");
    store.end_session(here.id).await.expect("ending it twice is no error");
    assert_eq!(store.end_sessions(ana.id, None).await.expect("none left"), 0);
}

async fn the_first_value_of_a_setting_wins(store: Store, _: Arc<Place>) {
    let (one, two) = tokio::join!(store.init_setting("token", "a"), store.init_setting("token", "b"));
    assert_eq!(one.expect("set"), two.expect("set"));
    store
        .change("ana", 1, vec![Change::PutSetting { key: "retention".into(), value: "30".into() }])
        .await
        .expect("set");
    store.change("ana", 2, vec![Change::PutSetting { key: "retention".into(), value: "7".into() }]).await.expect("set");
    assert_eq!(store.setting("retention").await.expect("read").as_deref(), Some("7"));
    assert_eq!(store.settings().await.expect("read").len(), 2);
    store.change("ana", 3, vec![Change::DeleteSetting { key: "retention".into() }]).await.expect("gone");
    assert_eq!(store.setting("retention").await.expect("read"), None);
}

async fn a_wrong_master_key_is_noticed(store: Store, _: Arc<Place>) {
    let (first, other) = (MasterKey::from_bytes([1; 32]), MasterKey::from_bytes([2; 32]));
    store.check_master_key(&first).await.expect("the first key is the right one");
    store.check_master_key(&first).await.expect("and stays it");
    let wrong = store.check_master_key(&other).await.expect_err("another one");
    assert!(matches!(&wrong, StoreError::Key(SealError::WrongKey { .. })), "{wrong}");
    assert!(wrong.to_string().contains("ENCRYPTION_KEY"), "{wrong}");
    assert!(store.settings().await.expect("read").is_empty(), "the check value is no setting of people's");
}
