//! The audit trail: complete, chained, and without secrets.

use std::sync::Arc;

use rondo::server::store::{Change, Store};

use super::{
    contracts,
    place::Place,
    things::{api_key, group, provider, put_group, put_key, put_provider, put_user, user},
};

contracts![
    every_change_leaves_a_row_that_says_what_changed,
    the_trail_is_paged_from_the_newest_backwards,
    an_altered_row_breaks_the_chain,
    a_trail_cut_short_contradicts_its_head,
    no_secret_gets_into_the_trail,
    a_note_joins_the_chain_without_a_revision,
];

async fn every_change_leaves_a_row_that_says_what_changed(store: Store, _: Arc<Place>) {
    let mut alpha = provider("alpha");
    store.change("ana", 11, vec![put_provider(&alpha), put_group(&group("prod", &[&alpha]))]).await.expect("stored");
    alpha.enabled = true;
    let put = Change::PutProvider { provider: alpha.clone(), sealed: Vec::new(), expect: Some(1) };
    store.change("bo", 22, vec![put]).await.expect("stored");
    let rows = store.audit(None, 10).await.expect("read").rows;
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.seq, row.actor.as_str(), row.action.as_str(), row.object.as_str(), row.revision))
        .collect();
    let expected = [
        (3, "bo", "provider.update", "alpha", 2),
        (2, "ana", "group.create", "Group prod 组", 1),
        (1, "ana", "provider.create", "alpha", 1),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[0].detail, r#"{"enabled":[false,true]}"#);
    assert_eq!(rows[0].at_ms, 22);
    assert_eq!(store.verify_audit().await.expect("read"), None);
}

async fn the_trail_is_paged_from_the_newest_backwards(store: Store, _: Arc<Place>) {
    for at in 0..5 {
        store.note("ana", at, "session.open", "ana", "{}").await.expect("noted");
    }
    let first = store.audit(None, 2).await.expect("read");
    assert_eq!(first.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 4]);
    let before = first.older.expect("more").parse().expect("a seq");
    let second = store.audit(Some(before), 3).await.expect("read");
    assert_eq!(second.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(second.older, None);
}

async fn an_altered_row_breaks_the_chain(store: Store, place: Arc<Place>) {
    for at in 0..4 {
        store.note("ana", at, "export", "all", "{}").await.expect("noted");
    }
    place.raw("UPDATE audit SET actor = 'nobody' WHERE seq = 3").await;
    assert_eq!(store.verify_audit().await.expect("read"), Some(3));
}

async fn a_trail_cut_short_contradicts_its_head(store: Store, place: Arc<Place>) {
    for at in 0..4 {
        store.note("ana", at, "export", "all", "{}").await.expect("noted");
    }
    place.raw("DELETE FROM audit WHERE seq = 4").await;
    assert_eq!(store.verify_audit().await.expect("read"), Some(4));
}

async fn no_secret_gets_into_the_trail(store: Store, _: Arc<Place>) {
    let mut alpha = provider("alpha");
    alpha.headers.set.insert("X-Canary".into(), "canary-header".into());
    let mut changed = alpha.clone();
    changed.headers.set.insert("X-Canary".into(), "canary-header-2".into());
    let sealed = |name: &str| vec![(alpha.credentials[0].id, rondo::server::secret::seal::Sealed(name.into()))];
    let ana = user("ana", rondo::model::user::Role::Owner);
    let changes = vec![
        Change::PutProvider { provider: alpha.clone(), sealed: sealed("canary-sealed"), expect: None },
        Change::PutProvider { provider: changed, sealed: sealed("canary-sealed-2"), expect: None },
        put_key(&api_key("canary-key-name-is-shown", &[])),
        put_user(&ana),
        Change::PutUser { user: ana, password_hash: Some("canary-password".into()) },
        Change::PutSetting { key: "smtp".into(), value: "canary-setting".into() },
    ];
    store.change("ana", 1, changes).await.expect("stored");
    let rows = store.audit(None, 20).await.expect("read").rows;
    let all = format!("{rows:?}");
    for secret in ["canary-header", "canary-sealed", "canary-password", "canary-setting"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(rows.iter().any(|row| row.detail.contains(r#""new_secrets":["main"]"#)), "{all}");
}

async fn a_note_joins_the_chain_without_a_revision(store: Store, _: Arc<Place>) {
    store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect("stored");
    store.note("a\0na", 2, "session.open", "ana", "{}").await.expect("noted");
    assert_eq!(store.revision().await.expect("read"), 1);
    assert_eq!(store.audit(None, 1).await.expect("read").rows[0].revision, 1);
    assert_eq!(store.verify_audit().await.expect("read"), None);
}
