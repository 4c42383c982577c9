//! A place for a store: a directory for SQLite, a schema of its own in PostgreSQL.

use std::path::{Path, PathBuf};

use rondo::server::store::{DatabaseUrl, Options, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, postgres::PgConnectOptions};

/// Where a test's store lives. Opened stores must not outlive it.
pub(crate) struct Place {
    url: DatabaseUrl,
    data_dir: tempfile::TempDir,
    /// Address with the schema in it, and the schema.
    postgres: Option<(String, String)>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self { url: DatabaseUrl::default(), data_dir: tempfile::tempdir().expect("a directory"), postgres: None }
    }

    pub(crate) async fn postgres() -> Self {
        let server = std::env::var("RONDO_TEST_POSTGRES").expect(
            "RONDO_TEST_POSTGRES names no PostgreSQL to test on; run the tests with scripts/test, or one with scripts/services",
        );
        let schema = format!("t_{}", uuid::Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&server).await.expect("RONDO_TEST_POSTGRES answers");
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}")))
            .execute(&mut connection)
            .await
            .expect("a schema");
        let sign = if server.contains('?') { '&' } else { '?' };
        let address = format!("{server}{sign}options=-c%20search_path%3D{schema}");
        let url = address.parse().expect("an address");
        Self { url, data_dir: tempfile::tempdir().expect("a directory"), postgres: Some((address, schema)) }
    }

    pub(crate) fn options(&self) -> Options {
        Options { url: self.url.clone(), data_dir: self.data_dir.path().to_owned() }
    }

    /// Where PostgreSQL listens.
    pub(crate) fn server(&self) -> Option<PgConnectOptions> {
        self.postgres.as_ref().map(|(address, _)| address.parse().expect("an address"))
    }

    /// The same schema, reached through another port of this machine.
    pub(crate) fn options_through(&self, port: u16) -> Options {
        let (Some((address, _)), Some(server)) = (&self.postgres, self.server()) else {
            unreachable!("only PostgreSQL has a port")
        };
        let url =
            address.replace(&format!(":{}/", server.get_port()), &format!(":{port}/")).parse().expect("an address");
        Options { url, data_dir: self.data_dir.path().to_owned() }
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }

    /// SQLite's file of the configuration.
    pub(crate) fn file(&self) -> PathBuf {
        self.data_dir.path().join("rondo.db")
    }

    /// A migrated store.
    pub(crate) async fn open(&self) -> Store {
        let store = Store::open(&self.options()).await.expect("opens");
        store.migrate().await.expect("migrates");
        // A busy machine must not decide how far a search comes.
        store.limit_search(std::time::Duration::from_secs(60));
        store
    }

    /// Runs SQL on the configuration behind the store's back.
    pub(crate) async fn raw(&self, text: &str) {
        self.raw_in(&self.file(), text).await;
    }

    /// Runs SQL on what lies beside the request log behind the store's back.
    pub(crate) async fn raw_log(&self, text: &str) {
        self.raw_in(&self.data_dir.path().join("log.db"), text).await;
    }

    async fn raw_in(&self, file: &Path, text: &str) {
        match &self.postgres {
            Some((address, _)) => {
                let mut connection = PgConnection::connect(address).await.expect("connects");
                sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("runs");
            }
            None => {
                let address = format!("sqlite://{}", file.display());
                let mut connection = SqliteConnection::connect(&address).await.expect("connects");
                sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("runs");
                connection.close().await.expect("closes");
            }
        }
    }

    /// Runs a test on a migrated store, then tidies up.
    pub(crate) async fn hold<T, F>(self, test: T)
    where
        T: FnOnce(Store, std::sync::Arc<Self>) -> F,
        F: Future<Output = ()>,
    {
        let store = self.open().await;
        let place = std::sync::Arc::new(self);
        test(store.clone(), place.clone()).await;
        store.close().await;
        if let Some((address, schema)) = &place.postgres {
            let mut connection = PgConnection::connect(address).await.expect("connects");
            let drop = format!("DROP SCHEMA {schema} CASCADE");
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.expect("dropped");
        }
    }
}
