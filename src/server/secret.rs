//! Secrets: sealed at rest, hashed where only comparison is needed, never printed.
//!
//! A secret is a type here. [`seal::Secret`], [`seal::MasterKey`], [`token::PlainKey`] and
//! [`database_url::DatabaseUrl`] say their name in `Debug` and nothing else, so that a log line, a panic
//! message or a derived `Debug` of something that holds one cannot leak it.

pub mod database_url;
pub mod key_file;
pub mod password;
pub mod seal;
pub mod token;
