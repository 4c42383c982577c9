//! Providers, groups and keys: what is written is read, and what must not happen does not.

use std::sync::Arc;

use rondo::{
    model::{
        api_key::Scope,
        id::ProviderId,
        price::{PriceDraft, PriceTable},
    },
    server::{
        secret::{seal::Sealed, token::HashedKey},
        store::{Change, Store, StoreError},
    },
};

use super::{
    contracts,
    place::Place,
    things::{api_key, credential, group, provider, put_group, put_key, put_provider, sealed},
};

contracts![
    a_fresh_store_is_empty_at_revision_zero,
    what_was_written_is_read_again,
    a_change_happens_as_a_whole_or_not_at_all,
    a_stale_editor_overwrites_nothing_and_learns_who_was_first,
    a_taken_name_is_told_with_its_field,
    a_credential_keeps_its_envelope_until_it_gets_another,
    a_provider_in_use_goes_only_when_the_caller_says_so,
    a_group_takes_only_providers_that_exist,
    a_key_never_becomes_global_when_its_groups_go,
    a_rotated_key_is_found_by_its_new_hash_only,
    the_last_use_of_a_key_only_moves_forward,
    writers_take_turns_and_lose_nothing,
    a_snapshot_shows_one_moment,
    what_was_committed_is_there_after_a_restart,
    a_price_table_is_replaced_as_a_whole_by_whoever_saw_it_last,
];

async fn a_fresh_store_is_empty_at_revision_zero(store: Store, _: Arc<Place>) {
    let snapshot = store.snapshot().await.expect("read");
    assert_eq!(snapshot.revision, 0);
    assert!(snapshot.providers.is_empty() && snapshot.groups.is_empty() && snapshot.api_keys.is_empty());
    assert_eq!(store.verify_audit().await.expect("read"), None);
}

async fn a_price_table_is_replaced_as_a_whole_by_whoever_saw_it_last(store: Store, _: Arc<Place>) {
    assert_eq!(store.prices().await.expect("read"), PriceTable { currency: "USD".into(), ..PriceTable::default() });
    let draft = PriceDraft::from_lines("CNY", "gpt-4*, 2.5, 10, 1.25\nfree, 0, 0").expect("readable");
    let put = |draft: &PriceDraft, expect| vec![Change::PutPrices { draft: draft.clone(), expect: Some(expect) }];
    let revision = store.change("ana", 5, put(&draft, 0)).await.expect("stored");
    let stored = store.prices().await.expect("read");
    assert_eq!((stored.to_draft(), stored.revision, stored.updated_at_ms), (draft.clone(), revision, 5));
    assert_eq!(store.snapshot().await.expect("read").prices, stored);
    let late = store.change("ben", 6, put(&PriceDraft::default(), 0)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert_eq!(store.prices().await.expect("read"), stored);
    let row = store.audit(None, 1).await.expect("read").rows.remove(0);
    assert_eq!((row.action.as_str(), row.object.as_str()), ("prices.update", "prices"));
}

async fn what_was_written_is_read_again(store: Store, _: Arc<Place>) {
    let (mut alpha, beta) = (provider("alpha"), provider("beta 二号"));
    let prod = group("prod", &[&beta, &alpha]);
    let (mut scoped, mut global) = (api_key("scoped", &[&prod]), api_key("global", &[]));
    let changes = vec![put_provider(&alpha), put_provider(&beta), put_group(&prod), put_key(&scoped), put_key(&global)];
    assert_eq!(store.change("ana", 1_000, changes).await.expect("stored"), 1);

    let snapshot = store.snapshot().await.expect("read");
    assert_eq!((snapshot.revision, snapshot.providers.len(), snapshot.api_keys.len()), (1, 2, 2));
    (alpha.revision, alpha.created_at_ms, alpha.updated_at_ms) = (1, 1_000, 1_000);
    let found = store.provider(alpha.id).await.expect("read").expect("there");
    assert_eq!(found.provider, alpha);
    assert_eq!(found.sealed, sealed(&alpha, "sealed"));
    assert!(snapshot.providers.contains(&found));

    let found = store.group(prod.id).await.expect("read").expect("there");
    assert_eq!(found.members, prod.members);
    assert_eq!(snapshot.groups, vec![found]);
    for key in [&mut scoped, &mut global] {
        (key.revision, key.created_at_ms, key.updated_at_ms) = (1, 1_000, 1_000);
        let found = store.api_key(key.id).await.expect("read").expect("there");
        assert_eq!((&found.key, found.hash), (&*key, HashedKey::of(&key.name)));
        assert!(snapshot.api_keys.contains(&found));
    }
    let groups = store.groups_of_provider(alpha.id).await.expect("read");
    assert_eq!((groups[0].slug.as_str(), groups[0].priority, groups[0].tier), ("prod", 1000, 2));
}

async fn a_change_happens_as_a_whole_or_not_at_all(store: Store, _: Arc<Place>) {
    let (alpha, ghost) = (provider("alpha"), provider("ghost"));
    let broken = vec![put_provider(&alpha), put_group(&group("prod", &[&ghost]))];
    let refused = store.change("ana", 1, broken).await;
    assert!(matches!(refused, Err(StoreError::NotFound { what: "provider" })), "{refused:?}");
    let snapshot = store.snapshot().await.expect("read");
    assert_eq!((snapshot.revision, snapshot.providers.len()), (0, 0));
    assert!(store.audit(None, 10).await.expect("read").rows.is_empty());
    assert_eq!(store.change("ana", 1, vec![put_provider(&alpha)]).await.expect("stored"), 1);
}

async fn a_stale_editor_overwrites_nothing_and_learns_who_was_first(store: Store, _: Arc<Place>) {
    let mut alpha = provider("alpha");
    store.change("ana", 1, vec![put_provider(&alpha)]).await.expect("stored");
    let put = |alpha: &rondo::model::provider::Provider, expect| {
        vec![Change::PutProvider { provider: alpha.clone(), sealed: Vec::new(), expect }]
    };
    alpha.website = "https://first.example".into();
    assert_eq!(store.change("bo", 222, put(&alpha, Some(1))).await.expect("in time"), 2);
    alpha.website = "https://late.example".into();
    let late = store.change("ana", 3, put(&alpha, Some(1))).await;
    assert!(matches!(&late, Err(StoreError::Conflict { revision: 2, by, at_ms: 222 }) if by == "bo"), "{late:?}");
    let deleted = Change::DeleteProvider { id: alpha.id, expect: Some(1), leave_groups: true };
    assert!(matches!(store.change("ana", 3, vec![deleted]).await, Err(StoreError::Conflict { .. })));
    let stored = store.provider(alpha.id).await.expect("read").expect("there").provider;
    assert_eq!(
        (stored.website.as_str(), stored.created_at_ms, stored.updated_at_ms),
        ("https://first.example", 1, 222)
    );

    alpha.id = ProviderId(uuid::Uuid::now_v7());
    let gone = store.change("ana", 4, put(&alpha, Some(1))).await;
    assert!(matches!(gone, Err(StoreError::NotFound { what: "provider" })), "{gone:?}");
}

async fn a_taken_name_is_told_with_its_field(store: Store, _: Arc<Place>) {
    let (alpha, prod, key) = (provider("alpha"), group("prod", &[]), api_key("ci", &[]));
    store.change("ana", 1, vec![put_provider(&alpha), put_group(&prod), put_key(&key)]).await.expect("stored");
    let taken = async |change: Change| match store.change("ana", 2, vec![change]).await {
        Err(StoreError::Taken { field }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(put_provider(&provider("alpha"))).await, "name");
    assert_eq!(taken(put_group(&group("prod", &[]))).await, "name");
    let mut other = group("prod", &[]);
    other.name = "Another".into();
    assert_eq!(taken(put_group(&other)).await, "slug");
    assert_eq!(taken(put_key(&api_key("ci", &[]))).await, "name");
    let same_secret = Change::PutApiKey { key: api_key("other", &[]), hash: Some(HashedKey::of("ci")), expect: None };
    assert_eq!(taken(same_secret).await, "secret");
    // Its own name is nobody else's.
    store.change("ana", 3, vec![put_provider(&alpha), put_group(&prod), put_key(&key)]).await.expect("the same again");
}

async fn a_credential_keeps_its_envelope_until_it_gets_another(store: Store, _: Arc<Place>) {
    let mut alpha = provider("alpha");
    store.change("ana", 1, vec![put_provider(&alpha)]).await.expect("stored");
    let [main, spare] = [alpha.credentials[0].id, alpha.credentials[1].id];
    // The two swap labels and places, the spare gets a new secret, a third needs none.
    alpha.credentials.swap(0, 1);
    alpha.credentials[0].label = "main".into();
    alpha.credentials[1].label = "spare".into();
    alpha.credentials.push(credential("open"));
    let renewed = vec![(spare, Sealed("renewed".into()))];
    let put = Change::PutProvider { provider: alpha.clone(), sealed: renewed, expect: Some(1) };
    store.change("ana", 2, vec![put]).await.expect("stored");
    let stored = store.provider(alpha.id).await.expect("read").expect("there");
    assert_eq!(stored.provider.credentials, alpha.credentials);
    assert_eq!(stored.sealed, vec![(spare, Sealed("renewed".into())), (main, Sealed("sealed main".into()))]);

    alpha.credentials.retain(|credential| credential.id == main);
    let put = Change::PutProvider { provider: alpha.clone(), sealed: Vec::new(), expect: None };
    store.change("ana", 3, vec![put]).await.expect("stored");
    let stored = store.provider(alpha.id).await.expect("read").expect("there");
    assert_eq!(stored.sealed, vec![(main, Sealed("sealed main".into()))]);

    let mut thief = provider("thief");
    thief.credentials = alpha.credentials.clone();
    let stolen = store.change("eve", 4, vec![put_provider(&thief)]).await;
    assert!(matches!(stolen, Err(StoreError::NotFound { what: "credential" })), "{stolen:?}");
}

async fn a_provider_in_use_goes_only_when_the_caller_says_so(store: Store, _: Arc<Place>) {
    let (alpha, beta) = (provider("alpha"), provider("beta"));
    let prod = group("prod", &[&alpha, &beta]);
    store.change("ana", 1, vec![put_provider(&alpha), put_provider(&beta), put_group(&prod)]).await.expect("stored");
    let delete = |leave_groups| vec![Change::DeleteProvider { id: alpha.id, expect: Some(1), leave_groups }];
    match store.change("ana", 2, delete(false)).await {
        Err(StoreError::InUse { groups }) => assert_eq!(groups[0].slug, "prod"),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.change("ana", 2, delete(true)).await.expect("deleted"), 2);
    assert_eq!(store.provider(alpha.id).await.expect("read"), None);
    let left = store.group(prod.id).await.expect("read").expect("stays");
    assert_eq!((left.members.len(), left.members[0].provider, left.revision), (1, beta.id, 2));
    let again = store.change("ana", 3, delete(true)).await;
    assert!(matches!(again, Err(StoreError::NotFound { what: "provider" })), "{again:?}");
}

async fn a_group_takes_only_providers_that_exist(store: Store, _: Arc<Place>) {
    let refused = store.change("ana", 1, vec![put_group(&group("prod", &[&provider("nobody")]))]).await;
    assert!(matches!(refused, Err(StoreError::NotFound { what: "provider" })), "{refused:?}");
}

async fn a_key_never_becomes_global_when_its_groups_go(store: Store, _: Arc<Place>) {
    let prod = group("prod", &[]);
    let key = api_key("ci", &[&prod]);
    store.change("ana", 1, vec![put_group(&prod), put_key(&key)]).await.expect("stored");
    store.change("ana", 2, vec![Change::DeleteGroup { id: prod.id, expect: Some(1) }]).await.expect("deleted");
    let stored = store.api_key(key.id).await.expect("read").expect("stays");
    assert_eq!(stored.key.scope, Scope::Groups(Vec::new()));
    let orphan = store.change("ana", 3, vec![put_key(&api_key("other", &[&prod]))]).await;
    assert!(matches!(orphan, Err(StoreError::NotFound { what: "group" })), "{orphan:?}");
}

async fn a_rotated_key_is_found_by_its_new_hash_only(store: Store, _: Arc<Place>) {
    let mut key = api_key("ci", &[]);
    store.change("ana", 1, vec![put_key(&key)]).await.expect("stored");
    key.enabled = false;
    store
        .change("ana", 2, vec![Change::PutApiKey { key: key.clone(), hash: None, expect: Some(1) }])
        .await
        .expect("stored");
    let stored = store.api_key(key.id).await.expect("read").expect("there");
    assert_eq!((stored.hash, stored.key.enabled), (HashedKey::of("ci"), false));
    let rotated = Change::PutApiKey { key: key.clone(), hash: Some(HashedKey::of("new")), expect: Some(2) };
    store.change("ana", 3, vec![rotated]).await.expect("stored");
    assert_eq!(store.api_keys().await.expect("read")[0].hash, HashedKey::of("new"));
    store.change("ana", 4, vec![Change::DeleteApiKey { id: key.id, expect: None }]).await.expect("revoked");
    assert_eq!(store.api_key(key.id).await.expect("read"), None);
    let without_hash = Change::PutApiKey { key, hash: None, expect: None };
    assert!(store.change("ana", 5, vec![without_hash]).await.is_err(), "a new key needs its hash");
}

async fn the_last_use_of_a_key_only_moves_forward(store: Store, _: Arc<Place>) {
    let key = api_key("ci", &[]);
    store.change("ana", 1, vec![put_key(&key)]).await.expect("stored");
    for at_ms in [5_000, 9_000, 7_000] {
        store.touch_api_keys(&[(key.id, at_ms)]).await.expect("noted");
    }
    let stored = store.api_key(key.id).await.expect("read").expect("there").key;
    assert_eq!((stored.last_used_at_ms, stored.revision), (Some(9_000), 1));
    assert_eq!(store.revision().await.expect("read"), 1);
    store
        .change("ana", 2, vec![Change::PutApiKey { key: key.clone(), hash: None, expect: Some(1) }])
        .await
        .expect("edited");
    assert_eq!(store.api_key(key.id).await.expect("read").expect("there").key.last_used_at_ms, Some(9_000));
}

async fn writers_take_turns_and_lose_nothing(store: Store, place: Arc<Place>) {
    let second = place.open().await;
    let mut writers = tokio::task::JoinSet::new();
    for index in 0..24_i64 {
        let store = if index % 2 == 0 { store.clone() } else { second.clone() };
        writers.spawn(async move {
            let alpha = provider(&format!("p{index}"));
            loop {
                match store.change("ana", index, vec![put_provider(&alpha)]).await {
                    // Waited too long for its turn: nothing was written, and trying again is what a caller does.
                    Err(error) if error.is_unavailable() => {}
                    done => break done.expect("stored"),
                }
            }
        });
    }
    let mut revisions: Vec<i64> = writers.join_all().await;
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=24).collect::<Vec<i64>>());
    assert_eq!(store.providers().await.expect("read").len(), 24);
    assert_eq!(store.verify_audit().await.expect("read"), None);
    second.close().await;
}

async fn a_snapshot_shows_one_moment(store: Store, _: Arc<Place>) {
    let (mut alpha, mut prod) = (provider("alpha"), group("prod", &[]));
    store.change("ana", 1, vec![put_provider(&alpha), put_group(&prod)]).await.expect("stored");
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for round in 0..40 {
            (alpha.name, prod.name) = (format!("round {round}"), format!("round {round}"));
            writer.change("ana", round, vec![put_provider(&alpha), put_group(&prod)]).await.expect("stored");
        }
    });
    let mut seen = 0;
    while !writing.is_finished() {
        let snapshot = store.snapshot().await.expect("read");
        if snapshot.revision > 1 {
            assert_eq!(snapshot.providers[0].provider.name, snapshot.groups[0].name);
            assert_eq!(snapshot.providers[0].provider.revision, snapshot.revision);
            seen += 1;
        }
    }
    writing.await.expect("no panic");
    assert!(seen > 0, "no snapshot fell among the changes");
}

async fn what_was_committed_is_there_after_a_restart(store: Store, place: Arc<Place>) {
    store.change("ana", 1, vec![put_provider(&provider("alpha"))]).await.expect("stored");
    let before = store.snapshot().await.expect("read");
    // No close: as after a kill.
    let again = place.open().await;
    assert_eq!(again.snapshot().await.expect("read"), before);
    again.close().await;
}
