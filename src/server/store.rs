//! The store: configuration and request log, in SQLite files or in PostgreSQL.
//!
//! SQLite needs nothing installed and holds one machine's configuration; PostgreSQL is shared by several
//! nodes. Both run the same statements (see `sql`) and pass the same tests. The data plane never waits for
//! the store: it works from a table compiled out of a [`Snapshot`].
//!
//! Every change of the configuration goes through [`Store::change`]: one transaction with its audit rows and
//! the next revision.

mod alert;
mod alert_log;
mod api_key;
mod audit;
mod cap_use;
mod change;
mod column;
mod database;
mod error;
mod group;
mod health_history;
mod migrate;
mod postgres;
mod price;
mod provider;
mod request_log;
mod rollup;
mod session;
mod setting;
mod snapshot;
mod sql;
mod sqlite;
mod user;

use std::{path::PathBuf, sync::Arc};

use sqlx::{Executor, SqlSafeStr, sqlite::SqliteSynchronous};

pub use self::{
    alert::{Alerting, ChannelSecrets, StoredChannel},
    api_key::StoredApiKey,
    cap_use::CapUse,
    change::Change,
    error::{StoreError, Trouble},
    health_history::{HealthRow, NodeRun, Presence},
    migrate::MigrationStatus,
    provider::StoredProvider,
    request_log::{Found, Gap, Lane, LogLimits, PackedBodies, SetAside},
    rollup::{GroupCounts, RollupFilter, RollupRow},
    session::{NewSession, StoredSession},
    setting::ACCESS_TOKEN,
    snapshot::Snapshot,
    user::StoredUser,
};
pub use crate::server::secret::database_url::{DatabaseUrl, DatabaseUrlError};

use self::{
    database::{Database, Pools},
    request_log::{Family, Segments},
    sql::sql,
};

/// Where the store is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database.
    pub url: DatabaseUrl,
    /// Directory for SQLite's files when the address names none.
    pub data_dir: PathBuf,
}

/// The store. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Store {
    config: Database,
    /// What is counted and noted beside the rows of the request log.
    log: Database,
    /// The rows of the request log.
    requests: Arc<Segments>,
    /// Bodies of requests.
    bodies: Arc<Segments>,
}

impl Store {
    /// Opens the store, making SQLite's files if they are missing. Does not migrate: call [`Store::migrate`].
    pub async fn open(options: &Options) -> Result<Self, StoreError> {
        match &options.url {
            DatabaseUrl::Postgres(url) => {
                let (config, log) = postgres::open(url).await?;
                let segments = |family| Arc::new(Segments::within(log.clone(), family));
                let (requests, bodies) = (segments(Family::Rows), segments(Family::Bodies));
                Ok(Self { config, log, requests, bodies })
            }
            url @ DatabaseUrl::Sqlite(_) => {
                let (config, log) = url.files(&options.data_dir).expect("a SQLite address names files");
                Ok(Self {
                    config: sqlite::open(&config, SqliteSynchronous::Full).await?,
                    log: sqlite::open(&log, SqliteSynchronous::Normal).await?,
                    requests: Arc::new(Segments::beside(&log, Family::Rows)),
                    bodies: Arc::new(Segments::beside(&log, Family::Bodies)),
                })
            }
        }
    }

    /// Closes every connection, waiting for statements that run. SQLite is then one file without a journal.
    pub async fn close(&self) {
        self.requests.close().await;
        self.bodies.close().await;
        self.log.close().await;
        self.config.close().await;
    }

    /// Whether the configuration can be read now: what `/readyz` asks.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.revision().await.map(drop)
    }

    /// Looks for damage: SQLite reads its files through and returns what contradicts itself, nothing if all is
    /// well; PostgreSQL keeps checksums of its own. Takes seconds on a large log: for `rondo doctor`.
    pub async fn find_damage(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for database in [&self.config, &self.log] {
            if matches!(database.pools, Pools::Sqlite { .. }) {
                let lines: Vec<(String,)> = database.all(sql("PRAGMA integrity_check(20)")).await?;
                let place = database.place.name();
                found
                    .extend(lines.into_iter().filter(|(line,)| line != "ok").map(|(line,)| format!("{place}: {line}")));
            }
        }
        found.extend(self.requests.find_damage().await?);
        found.extend(self.bodies.find_damage().await?);
        Ok(found)
    }

    /// Prepares every statement of the store without running any; returns the first that the database refuses,
    /// by name. For tests: a statement that nothing else runs is checked on both databases all the same.
    pub async fn prepare_all(&self) -> Result<usize, String> {
        let config = [
            ("alert", alert::ALL),
            ("api_key", api_key::ALL),
            ("audit", audit::ALL),
            ("change", change::ALL),
            ("group", group::ALL),
            ("migrate", migrate::ALL),
            ("price", price::ALL),
            ("provider", provider::ALL),
            ("session", session::ALL),
            ("setting", setting::ALL),
            ("user", user::ALL),
        ];
        let mut count = 0;
        for (file, statements) in config {
            for (name, text) in statements {
                prepare(&self.config, text).await.map_err(|error| format!("{file}::{name}: {error}"))?;
                count += 1;
            }
        }
        for (segment, texts) in self.prepare_requests().await.map_err(|error| error.to_string())? {
            for text in texts {
                prepare(&segment, &text).await.map_err(|error| format!("segment: {error}: {text}"))?;
                count += 1;
            }
        }
        let log = request_log::ALL
            .iter()
            .chain(request_log::OLD)
            .chain(request_log::SEGMENTS)
            .chain(cap_use::ALL)
            .chain(alert_log::ALL);
        let log = log.chain(rollup::ALL).chain(health_history::ALL);
        let log = log.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let log = log.chain(
            request_log::SEGMENTS.iter().map(|(name, text)| (format!("bodies {name}"), Family::Bodies.text(text))),
        );
        for (name, text) in log.chain(composed_texts()) {
            prepare(&self.log, &text).await.map_err(|error| format!("log::{name}: {error}"))?;
            count += 1;
        }
        Ok(count)
    }
}

/// Statements of the log that are put together.
fn composed_texts() -> impl Iterator<Item = (String, String)> {
    let all = [cap_use::composed_texts(), rollup::composed_texts(), health_history::composed_texts()];
    all.into_iter().flatten()
}

async fn prepare(database: &Database, text: &str) -> Result<(), sqlx::Error> {
    let text = sqlx::AssertSqlSafe(text).into_sql_str();
    match &database.pools {
        Pools::Sqlite { writer, .. } => writer.prepare(text).await.map(drop),
        Pools::Postgres { writer, .. } => writer.prepare(text).await.map(drop),
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.config.place.name())
    }
}
