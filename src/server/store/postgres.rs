//! Opening PostgreSQL: configuration and log in one database, each with a pool of its own, so that a busy log
//! never keeps an administrator waiting.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::server::secret::{database_url::DatabaseUrl, seal::Secret};

use super::{
    database::{Database, Pools},
    error::{Place, StoreError, Trouble},
};

const ACQUIRE: Duration = Duration::from_secs(5);
const CONFIG_CONNECTIONS: u32 = 6;
const LOG_CONNECTIONS: u32 = 4;

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
    let config = pool(CONFIG_CONNECTIONS, options.clone(), &place);
    let log = pool(LOG_CONNECTIONS, options, &place);
    Ok((config, log))
}

fn pool(connections: u32, options: PgConnectOptions, place: &Arc<Place>) -> Database {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(Duration::from_secs(600))
        .connect_lazy_with(options);
    Database { pools: Pools::Postgres(pool), place: Arc::clone(place) }
}
