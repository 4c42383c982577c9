//! Migrations, the statements themselves, and that both databases hold the same.

use std::sync::Arc;

use rondo::{
    model::request_log::RequestFilter,
    server::store::{Store, StoreError, Trouble},
};

use super::{
    contracts, log,
    place::Place,
    things::{api_key, group, provider, put_group, put_key, put_provider},
};

contracts![
    every_statement_is_accepted,
    a_migrated_store_has_nothing_pending_and_migrating_again_does_nothing,
    a_newer_schema_is_left_alone,
    an_altered_migration_is_refused,
];

async fn every_statement_is_accepted(store: Store, _: Arc<Place>) {
    let count = store.prepare_all().await.expect("every statement is accepted");
    assert!(count > 70, "only {count} statements are listed");
}

async fn a_migrated_store_has_nothing_pending_and_migrating_again_does_nothing(store: Store, _: Arc<Place>) {
    let status = store.status().await.expect("read");
    assert!(status.iter().all(|migration| migration.applied_at_ms.is_some()), "{status:?}");
    let mut areas: Vec<_> = status.iter().map(|migration| migration.database).collect();
    areas.dedup();
    assert_eq!(areas, ["config", "log"]);
    assert_eq!(store.migrate().await.expect("again"), vec![]);
}

async fn a_newer_schema_is_left_alone(store: Store, place: Arc<Place>) {
    place.raw("INSERT INTO schema_migrations VALUES ('config', 999, 'later', 'x', 0)").await;
    for refused in [store.migrate().await, store.status().await] {
        let error = refused.expect_err("newer");
        assert!(matches!(&error, StoreError::Unusable(Trouble::NewerSchema { found: 999, known: 2.., .. })), "{error}");
        assert!(error.to_string().contains("newer rondo"), "{error}");
    }
}

async fn an_altered_migration_is_refused(store: Store, place: Arc<Place>) {
    place.raw("UPDATE schema_migrations SET checksum = 'x' WHERE area = 'config'").await;
    let error = store.migrate().await.expect_err("altered");
    assert!(matches!(&error, StoreError::Unusable(Trouble::AlteredMigration { version: 1, .. })), "{error}");
}

/// Several processes that start at once on the same new database.
async fn start_together(place: Place) {
    let place = Arc::new(place);
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let place = place.clone();
        starts.spawn(async move {
            let store = Store::open(&place.options()).await?;
            let applied = store.migrate().await?;
            store.revision().await?;
            store.close().await;
            Ok::<_, StoreError>(applied.len())
        });
    }
    let applied: Vec<usize> = starts.join_all().await.into_iter().map(|start| start.expect("started")).collect();
    let all = place.open().await.status().await.expect("read").len();
    assert_eq!(applied.iter().sum::<usize>(), all, "each migration is applied once: {applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_migrate_once_on_sqlite() {
    start_together(Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_migrate_once_on_postgres() {
    start_together(Place::postgres().await).await;
}

#[tokio::test]
async fn a_store_that_was_never_migrated_says_so() {
    for place in [Place::sqlite(), Place::postgres().await] {
        let store = Store::open(&place.options()).await.expect("opens");
        assert!(store.status().await.expect("read").iter().all(|migration| migration.applied_at_ms.is_none()));
        let error = store.revision().await.expect_err("no tables");
        assert!(error.to_string().contains("rondo db migrate"), "{error}");
        store.close().await;
    }
}

#[tokio::test]
async fn both_databases_hold_exactly_the_same() {
    let (alpha, beta) = (provider("alpha"), provider("beta"));
    let (prod, test) = (group("prod", &[&beta, &alpha]), group("test", &[]));
    let keys = [api_key("one", &[&test, &prod]), api_key("two", &[])];
    let requests: Vec<_> = (0..60).map(|index| log::request(1_700_000_000_000 + index)).collect();
    let mut seen = Vec::new();
    for place in [Place::sqlite(), Place::postgres().await] {
        let store = place.open().await;
        let changes = vec![put_provider(&alpha), put_provider(&beta), put_group(&prod), put_group(&test)];
        store.change("ana", 1, changes).await.expect("stored");
        store.change("ana", 2, keys.iter().map(put_key).collect()).await.expect("stored");
        store.append_requests(&requests, 0).await.expect("appended");
        let page = store.requests(&RequestFilter { limit: 200, ..RequestFilter::default() }).await.expect("read");
        let audit = store.audit(None, 100).await.expect("read");
        seen.push((store.snapshot().await.expect("read"), page, audit));
        store.close().await;
    }
    assert_eq!(seen[0], seen[1]);
}
