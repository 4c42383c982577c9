//! A snapshot: all that routing needs, as it was at one revision.

use crate::model::{group::Group, price::PriceTable};

use super::{Store, StoreError, StoredApiKey, StoredProvider, api_key, change, group, price, provider};

/// The configuration at one revision, read in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which revision.
    pub revision: i64,
    /// Providers with the envelopes of their credentials, oldest first.
    pub providers: Vec<StoredProvider>,
    /// Groups with their members, oldest first.
    pub groups: Vec<Group>,
    /// Keys with their hashes, oldest first.
    pub api_keys: Vec<StoredApiKey>,
    /// What tokens cost.
    pub prices: PriceTable,
}

impl Store {
    /// Reads the configuration as it is at one moment, while others may be writing.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut tx = self.config.read().await?;
        Ok(Snapshot {
            revision: change::read_revision(&mut tx).await?,
            providers: provider::read_all(&mut tx).await?,
            groups: group::read_all(&mut tx).await?,
            api_keys: api_key::read_all(&mut tx).await?,
            prices: price::read(&mut tx).await?,
        })
    }
}
