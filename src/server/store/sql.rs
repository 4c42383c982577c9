//! Statements, written once for both databases.
//!
//! The text is the same for both (`$1` placeholders, which SQLite accepts as well), the values are bound per
//! database, rows come back through sqlx's `FromRow`, implemented generically. Running them is the work of
//! [`super::database`].
//!
//! [`statements!`] names every text, so that a test can prepare all of them on both databases.

use std::{borrow::Cow, fmt::Display};

use sqlx::{
    AssertSqlSafe, Encode, FromRow, Postgres, SqlSafeStr, SqlStr, Sqlite, Type,
    postgres::{PgArguments, PgRow},
    query::Query as Bound,
    sqlite::{SqliteArguments, SqliteRow},
};

/// Defines the statements of a file as constants and lists them in `ALL`.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)+) => {
        $($(#[$doc])* const $name: &str = $text;)+
        /// Every statement of this file with its name.
        pub(in crate::server::store) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),+];
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
    Bool(Option<bool>),
    Bytes(Vec<u8>),
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

impl From<uuid::Uuid> for Value {
    /// As sixteen bytes, which order as its text does.
    fn from(value: uuid::Uuid) -> Self {
        Self::Bytes(value.into_bytes().to_vec())
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
        Self::Bool(Some(value))
    }
}

impl From<Option<bool>> for Value {
    fn from(value: Option<bool>) -> Self {
        Self::Bool(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
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

    pub(super) fn sqlite(self) -> Bound<'static, Sqlite, SqliteArguments> {
        let values = self.values;
        values.into_iter().fold(sqlx::query(safe(self.text)), bound)
    }

    pub(super) fn postgres(self) -> Bound<'static, Postgres, PgArguments> {
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
    Option<bool>: Encode<'static, DB> + Type<DB>,
    Vec<u8>: Encode<'static, DB> + Type<DB>,
{
    match value {
        Value::Text(text) => query.bind(text),
        Value::Int(int) => query.bind(int),
        Value::Bool(bool) => query.bind(bool),
        Value::Bytes(bytes) => query.bind(bytes),
    }
}
