//! What ids mean: names of groups, providers, credentials and keys, as they are now.

use serde::{Deserialize, Serialize};

use crate::model::{
    api_key::ApiKey,
    error::ApiError,
    group::Group,
    id::{ApiKeyId, CredentialId, GroupId, ProviderId},
    provider::ProviderRow,
};

/// Names by id; a list that could not be read is empty, and ids stay ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Names {
    pub(super) groups: Vec<(GroupId, String)>,
    pub(super) providers: Vec<(ProviderId, String)>,
    pub(super) credentials: Vec<(CredentialId, String)>,
    pub(super) keys: Vec<(ApiKeyId, String)>,
}

impl Names {
    pub(super) fn new(
        groups: Result<Vec<Group>, ApiError>,
        providers: Result<Vec<ProviderRow>, ApiError>,
        keys: Result<Vec<ApiKey>, ApiError>,
    ) -> Self {
        let providers = providers.unwrap_or_default();
        let credentials = providers.iter().flat_map(|row| &row.provider.credentials);
        Self {
            credentials: credentials.map(|one| (one.id, one.label.clone())).collect(),
            providers: providers.iter().map(|row| (row.provider.id, row.provider.name.clone())).collect(),
            groups: groups.unwrap_or_default().into_iter().map(|group| (group.id, group.name)).collect(),
            keys: keys.unwrap_or_default().into_iter().map(|key| (key.id, key.name)).collect(),
        }
    }
}

/// The name of an id in one of the lists.
pub(super) fn name_of<T: PartialEq + Copy>(list: &[(T, String)], id: T) -> Option<String> {
    list.iter().find(|(known, _)| *known == id).map(|(_, name)| name.clone())
}
