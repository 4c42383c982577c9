//! What the plain forms ask for: a provider from its basic fields, and the first group with its key.

use super::{Principal, Providers, Setup};
use crate::model::{
    api_key::{ApiKeyDraft, CreatedKey, Scope},
    error::ApiResult,
    group::{GroupDraft, Member},
    page::{ListQuery, PAGE_MAX},
    plain_form::ProviderBasics,
    provider::{Provider, WEIGHT_DEFAULT},
};

impl Providers<'_> {
    /// Stores the basic fields over what is there; everything a plain form does not show stays.
    pub async fn save(self, who: &Principal, basics: ProviderBasics) -> ApiResult<Provider> {
        let (id, revision) = (basics.id, basics.revision);
        let Some(id) = id else { return self.create(who, basics.over(None)).await };
        let stored = self.get(who, id).await?.provider;
        self.update(who, id, revision, basics.over(Some(&stored))).await
    }
}

impl Setup<'_> {
    /// Makes the first group with every provider in it, and a key for this group alone.
    pub async fn first_group(
        self,
        who: &Principal,
        name: String,
        slug: String,
        key_name: String,
    ) -> ApiResult<CreatedKey> {
        let query = ListQuery { per_page: PAGE_MAX, ..ListQuery::default() };
        let providers = self.0.providers().list(who, query).await?.rows;
        let member = |provider: Provider| Member { provider: provider.id, priority: WEIGHT_DEFAULT, tier: 1 };
        let members = providers.into_iter().map(|row| member(row.provider)).collect();
        let group = self.0.groups().create(who, GroupDraft { name, slug, members, ..GroupDraft::default() }).await?;
        let scope = Scope::Groups(vec![group.id]);
        self.0.api_keys().create(who, ApiKeyDraft { name: key_name, scope, ..ApiKeyDraft::default() }).await
    }
}
