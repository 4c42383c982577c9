//! The store's contract: one suite, run on SQLite and on PostgreSQL.
//!
//! PostgreSQL's address comes from `RONDO_TEST_POSTGRES` (`scripts/services` starts a private one). Without it
//! these tests fail: a store that was tested on one database only is not tested.

mod bodies;
mod cap_uses;
mod configuration;
mod errors;
mod kill;
mod log;
mod people;
mod place;
mod schema;
mod statistics;
mod things;
mod trail;

/// Runs each contract on both databases, each time in a place of its own.
macro_rules! contracts {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::store::place::Place::sqlite().hold(super::$name).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::store::place::Place::postgres().await.hold(super::$name).await;
            })+
        }
    };
}
use contracts;
