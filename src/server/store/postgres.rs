//! Opening PostgreSQL: configuration and log in one database, each with pools of its own, so that a busy log
//! never keeps an administrator waiting. Eleven connections per process at most.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::server::secret::{database_url::DatabaseUrl, seal::Secret};

use super::{
    database::{Database, Pools},
    error::{Place, StoreError, Trouble},
};

const ACQUIRE: Duration = Duration::from_secs(5);
/// Connections of the writers and of the readers.
const CONFIG_CONNECTIONS: (u32, u32) = (2, 4);
/// Rows of the log and bodies are written beside each other.
const LOG_CONNECTIONS: (u32, u32) = (2, 3);

/// Sets up both pools. One connection is made now, so that a wrong address stops the start with its reason.
pub(super) async fn open(url: &Secret) -> Result<(Database, Database), StoreError> {
    let place = Arc::new(Place::Server(DatabaseUrl::Postgres(url.clone()).to_string()));
    let options = PgConnectOptions::from_str(url.expose()).map_err(|_| {
        // The parser's message may quote the address, password and all.
        let reason = "the address cannot be read".to_owned();
        StoreError::Unusable(Trouble::Denied { place: place.name(), reason })
    })?;
    let options = options.application_name("rondo");
    // A pool would try again and again and then tell only that its time was up.
    let first = tokio::time::timeout(ACQUIRE, PgConnection::connect_with(&options)).await;
    let first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(|error| StoreError::at(&place, error))?;
    let _ = first.close().await;
    let database = |(writers, readers)| Database {
        pools: Pools::Postgres { writer: pool(writers, options.clone()), readers: pool(readers, options.clone()) },
        place: Arc::clone(&place),
    };
    Ok((database(CONFIG_CONNECTIONS), database(LOG_CONNECTIONS)))
}

fn pool(connections: u32, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Duration::from_secs(600))
        .connect_lazy_with(options)
}
