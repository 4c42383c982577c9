//! Opening SQLite: the configuration and the log in files of their own, never attached to each other.
//!
//! Write-ahead logging lets readers work while one writer writes. The configuration waits for the disk at
//! every commit (`synchronous=FULL`): an acknowledged change survives a power cut. The log does not (`NORMAL`):
//! it may lose its last moments, and is never corrupt by that.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    database::{Database, Pools},
    error::{Place, StoreError, Trouble},
};

/// How long a statement waits for another process's lock.
const BUSY: Duration = Duration::from_secs(5);
/// How long a caller waits for a connection: longer than a lock is waited for, so that the lock is what is told.
const ACQUIRE: Duration = Duration::from_secs(8);
const READERS: u32 = 4;
/// How soon a file that two processes open at once is tried again.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a connection to a segment of the log stays open for nobody.
const IDLE: Duration = Duration::from_secs(30);

/// Opens one file, making it and its directory if they are missing.
pub(super) async fn open(file: &Path, synchronous: SqliteSynchronous) -> Result<Database, StoreError> {
    let place = Arc::new(Place::File(file.to_owned()));
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        make_directory(directory).map_err(|error| unusable(&place, &error))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        // Recommended for databases that may come from elsewhere: functions in their schema are not run.
        .pragma("trusted_schema", "OFF")
        // After a burst the write-ahead log shrinks again.
        .pragma("journal_size_limit", "67108864")
        .optimize_on_close(true, 400);
    // The writer is opened first: it makes the file and switches it to write-ahead logging.
    let writer = patient_pool(1, options.clone(), &place).await?;
    let readers = patient_pool(READERS, options.create_if_missing(false).pragma("query_only", "ON"), &place).await?;
    restrict(file);
    Ok(Database { pools: Pools::Sqlite { writer, readers }, place })
}

/// A segment of the request log in a file of its own. Nothing is opened yet: connections are made when they are
/// needed and closed when they have not been for a while, for there may be fifty of such files.
pub(super) fn segment(file: &Path) -> Database {
    let place = Arc::new(Place::File(file.to_owned()));
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .busy_timeout(BUSY)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("trusted_schema", "OFF")
        .pragma("wal_autocheckpoint", "256")
        .pragma("cache_size", "-1024");
    let pool = |connections, options| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            .idle_timeout(IDLE)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options)
    };
    let writer = pool(1, options.clone());
    let readers = pool(2, options.create_if_missing(false).pragma("query_only", "ON"));
    Database { pools: Pools::Sqlite { writer, readers }, place }
}

/// A pool whose first connection was made. Two processes that open a new file at the same moment both want to
/// switch it to write-ahead logging, and `SQLite` refuses one of them at once, whatever its busy timeout says
/// (waiting could deadlock: each holds a read lock the other must see released). So it is tried again here, for
/// as long as any other lock is waited for.
async fn patient_pool(
    connections: u32,
    options: SqliteConnectOptions,
    place: &Place,
) -> Result<SqlitePool, StoreError> {
    let give_up = tokio::time::Instant::now() + BUSY;
    loop {
        match pool(connections, options.clone(), place).await {
            Err(StoreError::Unavailable(Trouble::Locked { .. })) if tokio::time::Instant::now() < give_up => {
                tokio::time::sleep(AGAIN).await;
            }
            opened => return opened,
        }
    }
}

async fn pool(connections: u32, options: SqliteConnectOptions, place: &Place) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::at(place, error))
}

pub(super) fn make_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The configuration names people and holds hashes and envelopes: nobody else's business. A file that is not
/// ours to change stays as it is.
pub(super) fn restrict(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            let _ = std::fs::set_permissions(Path::new(&name), std::fs::Permissions::from_mode(0o600));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
}

pub(super) fn unusable(place: &Place, error: &std::io::Error) -> StoreError {
    let place = place.name();
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::Unavailable(Trouble::ReadOnly { place })
        }
        _ => StoreError::Unavailable(Trouble::CannotOpen { place, reason: error.to_string() }),
    }
}
