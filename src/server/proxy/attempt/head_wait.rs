//! How long a response head is waited for.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, error::Elapsed, timeout_at};

use crate::server::proxy::inbound::Upload;

/// From the request being sent, which for a body that flows is the last byte that the provider took.
/// The time a client takes for its part is its own.
pub(super) struct HeadWait {
    limit: Duration,
    deadline: Instant,
    upload: Option<Arc<Upload>>,
}

impl HeadWait {
    /// Begins now.
    pub(super) fn new(limit: Duration, upload: Option<Arc<Upload>>) -> Self {
        Self { limit, deadline: Instant::now() + limit, upload }
    }

    /// Waits for the exchange to bring a head.
    pub(super) async fn wait<T>(&mut self, exchange: impl Future<Output = T>) -> Result<T, Elapsed> {
        let mut exchange = pin!(exchange);
        loop {
            match (timeout_at(self.deadline, &mut exchange).await, self.later()) {
                (Err(_), Some(later)) => self.deadline = later,
                (result, _) => return result,
            }
        }
    }

    /// A deadline still to come, because the body moved meanwhile or waits for its client.
    fn later(&self) -> Option<Instant> {
        let (upload, now) = (self.upload.as_ref()?, Instant::now());
        let counted_from = if upload.waits_for_client() { now } else { upload.moved_at() };
        Some(counted_from + self.limit).filter(|later| *later > now)
    }
}
