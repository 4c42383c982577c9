//! One way to run a statement on either database.
//!
//! The text is the same for both (`$1` placeholders, which SQLite accepts as well), the values are bound per
//! database, rows come back through sqlx's `FromRow`, implemented generically. Only this file and the two
//! database files know that there are two; everything else in the store writes each statement once.
//!
//! [`statements!`] names every text, so that a test can prepare all of them on both databases.

use std::{borrow::Cow, fmt::Display, sync::Arc};

use sqlx::{
    AssertSqlSafe, Encode, FromRow, PgPool, Postgres, SqlSafeStr, Sqlite, SqlitePool, SqlStr, Transaction,
    Type,
    postgres::{PgArguments, PgRow},
    query::Query as Bound,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::error::{Place, StoreError};

/// Defines the statements of a file as constants and lists them in `ALL`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)+) => {
        $($(#[$doc])* const $name: &str = $text;)+
        /// Every statement of this file with its name.
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
    };
}
pub(super) use statements;

/// Defines a row and how to read it by column name, from either database.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        pub(super) struct $name { $(pub(super) $field: $kind),+ }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            for<'c> &'c str: sqlx::ColumnIndex<R>,
            $($kind: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,)+
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}
pub(super) use record;

/// What can be read from a row of either database.
pub(super) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}
impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static {}

/// A value to bind. The type is part of it even when it is null: PostgreSQL wants to know.
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
}

impl Value {
    /// An identifier, a slug, an address: anything with one text form.
    pub(super) fn text(value: impl Display) -> Self {
        Self::from(value.to_string())
    }

    /// A count or a size; what no database holds becomes the largest it does.
    pub(super) fn count(value: u64) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<Option<String>> for Value {
    /// A NUL, which PostgreSQL's text cannot hold, becomes the replacement character on both databases.
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(|text| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(Some(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::from(Some(value.to_owned()))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A statement with its values, not yet tied to a database.
pub(super) struct Statement {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A statement from [`statements!`].
pub(super) fn sql(text: &'static str) -> Statement {
    Statement { text: Cow::Borrowed(text), values: Vec::new() }
}

/// A statement put together from constant fragments; values are always bound, never written into it.
pub(super) fn composed(text: String) -> Statement {
    Statement { text: Cow::Owned(text), values: Vec::new() }
}

impl Statement {
    /// Binds the next value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds the next values.
    pub(super) fn bind_all(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        self.values.extend(values);
        self
    }

    /// The text, to be prepared by a test.
    pub(super) fn into_text(self) -> String {
        self.text.into_owned()
    }

    fn sqlite(self) -> Bound<'static, Sqlite, SqliteArguments> {
        let values = self.values;
        values.into_iter().fold(sqlx::query(safe(self.text)), bound)
    }

    fn postgres(self) -> Bound<'static, Postgres, PgArguments> {
        let values = self.values;
        values.into_iter().fold(sqlx::query(safe(self.text)), bound)
    }
}

fn safe(text: Cow<'static, str>) -> SqlStr {
    match text {
        Cow::Borrowed(text) => text.into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

fn bound<DB>(query: Bound<'static, DB, DB::Arguments>, value: Value) -> Bound<'static, DB, DB::Arguments>
where
    DB: sqlx::Database,
    Option<String>: Encode<'static, DB> + Type<DB>,
    Option<i64>: Encode<'static, DB> + Type<DB>,
    bool: Encode<'static, DB> + Type<DB>,
{
    match value {
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Bool(bool) => query.bind(bool),
    }
}

/// The pools of one database. SQLite has one writer and several readers: a second writer would only wait for
/// the first one's lock, and readers never wait for it at all.
#[derive(Clone)]
pub(super) enum Pools {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
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
            Pools::Postgres(pool) => decode(statement.postgres().fetch_all(pool).await),
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
            Pools::Postgres(pool) => statement.postgres().execute(pool).await.map(|done| done.rows_affected()),
        };
        self.named(done)
    }

    /// Begins a transaction that sees one state of the database, however long it reads.
    pub(super) async fn read(&self) -> Result<Tx, StoreError> {
        let begun = match &self.pools {
            Pools::Sqlite { readers, .. } => readers.begin().await.map(TxKind::Sqlite),
            Pools::Postgres(pool) => {
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map(TxKind::Postgres)
            }
        };
        Ok(Tx { kind: self.named(begun)?, place: Arc::clone(&self.place) })
    }

    /// Begins a transaction that writes. SQLite takes its write lock now, not at the first change, so that
    /// what was read before the change still holds when it is made.
    pub(super) async fn write(&self) -> Result<Tx, StoreError> {
        let begun = match &self.pools {
            Pools::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(TxKind::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(TxKind::Postgres),
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
            Pools::Postgres(pool) => pool.close().await,
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
