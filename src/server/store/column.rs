//! Values in columns: JSON for nested settings, a word for an enum, text for an id.

use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::StoreError;

/// A nested setting as JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("model types are plain data with text keys")
}

/// A record as a JSON value, for the audit trail.
pub(super) fn value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("model types are plain data with text keys")
}

/// The serde name of an enum without fields.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match self::value(value) {
        Value::String(word) => word,
        other => other.to_string(),
    }
}

/// Reads the columns of one row; an unreadable one is told with the row it is in.
pub(super) struct Reader<'a> {
    pub(super) what: &'static str,
    pub(super) id: &'a str,
}

impl Reader<'_> {
    pub(super) fn json<T: DeserializeOwned>(&self, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| self.damaged(error))
    }

    pub(super) fn word<T: DeserializeOwned>(&self, word: &str) -> Result<T, StoreError> {
        serde_json::from_value(Value::String(word.to_owned())).map_err(|error| self.damaged(error))
    }

    pub(super) fn parse<T: FromStr<Err: ToString>>(&self, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|error: T::Err| self.damaged(error))
    }

    pub(super) fn parse_optional<T: FromStr<Err: ToString>>(
        &self,
        text: Option<&str>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.parse(text)).transpose()
    }

    pub(super) fn number<T: TryFrom<i64, Error: ToString>>(&self, number: i64) -> Result<T, StoreError> {
        T::try_from(number).map_err(|error| self.damaged(error))
    }

    pub(super) fn number_optional<T: TryFrom<i64, Error: ToString>>(
        &self,
        number: Option<i64>,
    ) -> Result<Option<T>, StoreError> {
        number.map(|number| self.number(number)).transpose()
    }

    pub(super) fn damaged(&self, reason: impl ToString) -> StoreError {
        StoreError::Damaged { what: self.what, id: self.id.to_owned(), reason: reason.to_string() }
    }
}
