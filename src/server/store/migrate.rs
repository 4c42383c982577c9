//! Migrations: numbered scripts inside the binary, applied in order, each in its own transaction.
//!
//! The table `schema_migrations` keeps number, name and SHA-256 of every script that was applied. A database
//! with a number unknown here was made by a newer rondo and is left alone; a script that differs from the one
//! applied is an error, for then nobody knows what the tables look like. Two processes that start at once take
//! turns: SQLite's write lock or an advisory lock of PostgreSQL covers the look at the table and the script.

use sha2::{Digest, Sha256};

use super::{
    Store, StoreError,
    database::{Database, Pools, Tx},
    error::Trouble,
    sql::{sql, statements},
};

/// One script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! scripts {
    ($($version:literal $name:literal $path:literal),+ $(,)?) => {
        &[$(Migration { version: $version, name: $name, text: include_str!(concat!("../../../migrations/", $path)) }),+]
    };
}

const SQLITE_CONFIG: &[Migration] = scripts![
    1 "configuration" "sqlite/config/0001_configuration.sql",
    2 "connection" "sqlite/config/0002_connection.sql",
    3 "prices" "sqlite/config/0003_prices.sql",
    4 "alerts" "sqlite/config/0004_alerts.sql",
    5 "log bodies" "sqlite/config/0005_log_bodies.sql",
    6 "acknowledgements" "sqlite/config/0006_acknowledgements.sql",
];
const SQLITE_LOG: &[Migration] = scripts![
    1 "requests" "sqlite/log/0001_requests.sql",
    2 "cap uses" "sqlite/log/0002_cap_uses.sql",
    3 "tokens" "sqlite/log/0003_tokens.sql",
    4 "statistics" "sqlite/log/0004_statistics.sql",
    5 "alerts" "sqlite/log/0005_alerts.sql",
    6 "segments" "sqlite/log/0006_segments.sql",
    7 "bodies" "sqlite/log/0007_bodies.sql",
    8 "lost nodes" "sqlite/log/0008_lost_nodes.sql",
];
const POSTGRES_CONFIG: &[Migration] = scripts![
    1 "configuration" "postgres/config/0001_configuration.sql",
    2 "connection" "postgres/config/0002_connection.sql",
    3 "prices" "postgres/config/0003_prices.sql",
    4 "alerts" "postgres/config/0004_alerts.sql",
    5 "log bodies" "postgres/config/0005_log_bodies.sql",
    6 "acknowledgements" "postgres/config/0006_acknowledgements.sql",
];
const POSTGRES_LOG: &[Migration] = scripts![
    1 "requests" "postgres/log/0001_requests.sql",
    2 "cap uses" "postgres/log/0002_cap_uses.sql",
    3 "tokens" "postgres/log/0003_tokens.sql",
    4 "statistics" "postgres/log/0004_statistics.sql",
    5 "alerts" "postgres/log/0005_alerts.sql",
    6 "segments" "postgres/log/0006_segments.sql",
    7 "bodies" "postgres/log/0007_bodies.sql",
    8 "lost nodes" "postgres/log/0008_lost_nodes.sql",
];

/// A migration and when it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// `config` or `log`.
    pub database: &'static str,
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// When it was applied, unix milliseconds; `None` while it is pending.
    pub applied_at_ms: Option<i64>,
}

statements! {
    APPLIED = "SELECT version, name, checksum, applied_at_ms FROM schema_migrations WHERE area = $1 ORDER BY version";
    NOTE = "INSERT INTO schema_migrations (area, version, name, checksum, applied_at_ms) VALUES ($1, $2, $3, $4, $5)";
}

/// Not in `ALL`: these run before there is a table to prepare them against.
const SQLITE_HAS_TABLE: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'";
const POSTGRES_HAS_TABLE: &str = "SELECT to_regclass('schema_migrations')::text";
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7223054138276411)::text";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (area TEXT NOT NULL, version BIGINT NOT NULL, \
                     name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ms BIGINT NOT NULL, PRIMARY KEY (area, version))";

type Applied = (i64, String, String, i64);

/// What a database is for; the two have their own numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    Config,
    Log,
}

impl Area {
    fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Log => "log",
        }
    }

    pub(super) fn scripts(self, database: &Database) -> &'static [Migration] {
        match (self, &database.pools) {
            (Self::Config, Pools::Sqlite { .. }) => SQLITE_CONFIG,
            (Self::Log, Pools::Sqlite { .. }) => SQLITE_LOG,
            (Self::Config, Pools::Postgres { .. }) => POSTGRES_CONFIG,
            (Self::Log, Pools::Postgres { .. }) => POSTGRES_LOG,
        }
    }
}

impl Store {
    /// Brings both databases to this program's schema; returns what was applied now. Safe to run from several
    /// processes at once, and to run again.
    pub async fn migrate(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        let mut applied = migrate(&self.config, Area::Config).await?;
        applied.extend(migrate(&self.log, Area::Log).await?);
        Ok(applied)
    }

    /// Every migration this program knows, applied or pending; an error when the database is newer.
    pub async fn status(&self) -> Result<Vec<MigrationStatus>, StoreError> {
        let mut all = status(&self.config, Area::Config).await?;
        all.extend(status(&self.log, Area::Log).await?);
        Ok(all)
    }
}

async fn status(database: &Database, area: Area) -> Result<Vec<MigrationStatus>, StoreError> {
    let mut tx = database.read().await?;
    let applied = read_applied(&mut tx, database, area).await?;
    check(database, area, &applied)?;
    let when = |version: i64| applied.iter().find(|row| row.0 == version).map(|row| row.3);
    Ok(area.scripts(database).iter().map(|script| script.status(area, when(script.version))).collect())
}

async fn migrate(database: &Database, area: Area) -> Result<Vec<MigrationStatus>, StoreError> {
    let mut done = Vec::new();
    for script in area.scripts(database) {
        // The lock is taken before the table is looked at, and held until the script's commit.
        let mut tx = database.write().await?;
        if matches!(database.pools, Pools::Postgres { .. }) {
            tx.all::<(String,)>(sql(POSTGRES_LOCK)).await?;
        }
        tx.script(TABLE).await?;
        let applied = read_applied(&mut tx, database, area).await?;
        check(database, area, &applied)?;
        if applied.iter().any(|row| row.0 == script.version) {
            continue;
        }
        tx.script(script.text).await?;
        let at_ms = now_ms();
        let note =
            sql(NOTE).bind(area.word()).bind(script.version).bind(script.name).bind(script.checksum()).bind(at_ms);
        tx.run(note).await?;
        tx.commit().await?;
        done.push(script.status(area, Some(at_ms)));
    }
    Ok(done)
}

async fn read_applied(tx: &mut Tx, database: &Database, area: Area) -> Result<Vec<Applied>, StoreError> {
    let exists = match database.pools {
        Pools::Sqlite { .. } => SQLITE_HAS_TABLE,
        Pools::Postgres { .. } => POSTGRES_HAS_TABLE,
    };
    match tx.one::<(Option<String>,)>(sql(exists)).await? {
        Some((Some(_),)) => tx.all(sql(APPLIED).bind(area.word())).await,
        _ => Ok(Vec::new()),
    }
}

fn check(database: &Database, area: Area, applied: &[Applied]) -> Result<(), StoreError> {
    let place = || database.place.name();
    let scripts = area.scripts(database);
    let known = scripts.iter().map(|script| script.version).max().unwrap_or(0);
    for (version, _, checksum, _) in applied {
        match scripts.iter().find(|script| script.version == *version) {
            None => {
                let newer = Trouble::NewerSchema { place: place(), found: *version, known };
                return Err(StoreError::Unusable(newer));
            }
            Some(script) if script.checksum() != *checksum => {
                return Err(StoreError::Unusable(Trouble::AlteredMigration { place: place(), version: *version }));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

impl Migration {
    fn checksum(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn status(&self, area: Area, applied_at_ms: Option<i64>) -> MigrationStatus {
        MigrationStatus { database: area.word(), version: self.version, name: self.name.to_owned(), applied_at_ms }
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
