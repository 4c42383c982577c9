//! Passwords off the async threads, two at a time: one check takes 19 MiB and some tens of
//! milliseconds, and whoever floods the sign-in page must not take the proxy's memory or threads.

use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::{
    model::error::{ApiError, ApiResult},
    server::secret::password,
};

const AT_ONCE: usize = 2;
const QUEUE_WAIT: Duration = Duration::from_secs(5);

/// Hashes and checks passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// Hashes a new password.
    pub async fn hash(&self, plain: String) -> ApiResult<String> {
        self.run(move || password::hash(&plain)).await
    }

    /// Whether `plain` is the password behind `stored`; takes as long when there is none.
    pub async fn verify(&self, plain: String, stored: Option<String>) -> ApiResult<bool> {
        let check = move || match stored {
            Some(stored) => password::verify(&plain, &stored),
            None => {
                password::verify_absent(&plain);
                false
            }
        };
        self.run(check).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> ApiResult<T> {
        let place = tokio::time::timeout(QUEUE_WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(ApiError::TooManyTries { retry_after_s: 5 }) };
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        });
        done.await.map_err(|error| super::refusal::internal("password check", &error))
    }
}
