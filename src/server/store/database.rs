//! A database of either kind, and a transaction on it.
//!
//! Only this file and those that open and migrate know that there are two kinds. Everything else in the store
//! hands a [`Statement`] to a [`Database`] or a [`Tx`].

use std::sync::Arc;

use sqlx::{FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::{
    error::{Place, StoreError},
    sql::{Record, Statement},
};

/// The pools of one database, writers apart from readers. SQLite has one writer: a second would only wait for
/// the first one's lock. On PostgreSQL writers queue for the revision's row, perhaps behind another node; with
/// connections of their own they never keep a sign-in or a snapshot waiting.
#[derive(Clone)]
pub(super) enum Pools {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { writer: PgPool, readers: PgPool },
}

/// A database and its name in error messages.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) pools: Pools,
    pub(super) place: Arc<Place>,
}

impl Database {
    /// Reads all rows of one statement.
    pub(super) async fn all<T: Record>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let rows = match &self.pools {
            Pools::Sqlite { readers, .. } => decode(statement.sqlite().fetch_all(readers).await),
            Pools::Postgres { readers, .. } => decode(statement.postgres().fetch_all(readers).await),
        };
        self.named(rows)
    }

    /// Reads the first row of one statement.
    pub(super) async fn one<T: Record>(&self, statement: Statement) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// Runs one statement that changes something outside a transaction; returns the number of rows changed.
    pub(super) async fn run(&self, statement: Statement) -> Result<u64, StoreError> {
        let done = match &self.pools {
            Pools::Sqlite { writer, .. } => statement.sqlite().execute(writer).await.map(|done| done.rows_affected()),
            Pools::Postgres { writer, .. } => {
                statement.postgres().execute(writer).await.map(|done| done.rows_affected())
            }
        };
        self.named(done)
    }

    /// Begins a transaction that sees one state of the database, however long it reads.
    pub(super) async fn read(&self) -> Result<Tx, StoreError> {
        let begun = match &self.pools {
            Pools::Sqlite { readers, .. } => readers.begin().await.map(TxKind::Sqlite),
            Pools::Postgres { readers, .. } => {
                readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map(TxKind::Postgres)
            }
        };
        Ok(Tx { kind: self.named(begun)?, place: Arc::clone(&self.place) })
    }

    /// Begins a transaction that writes. SQLite takes its write lock now, not at the first change, so that
    /// what was read before the change still holds when it is made.
    pub(super) async fn write(&self) -> Result<Tx, StoreError> {
        let begun = match &self.pools {
            Pools::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(TxKind::Sqlite),
            Pools::Postgres { writer, .. } => writer.begin().await.map(TxKind::Postgres),
        };
        Ok(Tx { kind: self.named(begun)?, place: Arc::clone(&self.place) })
    }

    /// Closes every connection; SQLite folds its write-ahead log into the database file.
    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }

    fn named<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::at(&self.place, error))
    }
}

enum TxKind {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A transaction. Dropped without [`commit`](Self::commit) it never happened.
pub(super) struct Tx {
    kind: TxKind,
    place: Arc<Place>,
}

impl Tx {
    /// Reads all rows of one statement.
    pub(super) async fn all<T: Record>(&mut self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let rows = match &mut self.kind {
            TxKind::Sqlite(tx) => decode(statement.sqlite().fetch_all(&mut **tx).await),
            TxKind::Postgres(tx) => decode(statement.postgres().fetch_all(&mut **tx).await),
        };
        rows.map_err(|error| StoreError::at(&self.place, error))
    }

    /// Reads the first row of one statement.
    pub(super) async fn one<T: Record>(&mut self, statement: Statement) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// Runs one statement; returns the number of rows changed.
    pub(super) async fn run(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let done = match &mut self.kind {
            TxKind::Sqlite(tx) => statement.sqlite().execute(&mut **tx).await.map(|done| done.rows_affected()),
            TxKind::Postgres(tx) => statement.postgres().execute(&mut **tx).await.map(|done| done.rows_affected()),
        };
        done.map_err(|error| StoreError::at(&self.place, error))
    }

    /// Runs several statements without values: a migration.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), StoreError> {
        let done = match &mut self.kind {
            TxKind::Sqlite(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
            TxKind::Postgres(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(drop),
        };
        done.map_err(|error| StoreError::at(&self.place, error))
    }

    /// Makes it happen. SQLite (configuration) returns after the disk has it.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let done = match self.kind {
            TxKind::Sqlite(tx) => tx.commit().await,
            TxKind::Postgres(tx) => tx.commit().await,
        };
        done.map_err(|error| StoreError::at(&self.place, error))
    }
}

fn decode<R, T: for<'r> FromRow<'r, R>>(rows: Result<Vec<R>, sqlx::Error>) -> Result<Vec<T>, sqlx::Error>
where
    R: sqlx::Row,
{
    rows?.iter().map(T::from_row).collect()
}
