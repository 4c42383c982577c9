//! Providers: validated, their secrets sealed for their host, stored in one transaction.

mod lines;

use uuid::Uuid;

use super::{Admin, Principal, paging};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        id::{CredentialId, ProviderId},
        name::BaseUrl,
        page::{ListQuery, Page},
        problem::{Issue, Problem, Validate},
        provider::{
            ConnectionTest, Credential, CredentialDraft, GroupRef, Provider, ProviderDraft, ProviderRow, TestTarget,
        },
        user::Permission,
    },
    server::{
        secret::seal::{Sealed, credential_aad},
        store::{Change, Snapshot, StoredProvider},
    },
};

/// Colours a chart tells apart.
const COLORS: u8 = 8;

/// What may be done with providers.
#[derive(Clone, Copy)]
pub struct Providers<'a>(pub(super) &'a Admin);

impl Providers<'_> {
    /// A page of the list; sorts by `name` (the default), `base_url`, `created` or `updated`.
    pub async fn list(self, who: &Principal, query: ListQuery) -> ApiResult<Page<ProviderRow>> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        let mut found: Vec<&Provider> = snapshot.providers.iter().map(|stored| &stored.provider).collect();
        found.retain(|provider| is_searched(provider, &query));
        found.sort_by_cached_key(|provider| match query.sort.as_str() {
            "base_url" => (0, provider.base_url.to_string(), String::new()),
            "created" => (provider.created_at_ms, String::new(), String::new()),
            "updated" => (provider.updated_at_ms, String::new(), String::new()),
            _ => {
                let (folded, exact) = paging::by_name(&provider.name);
                (0, folded, exact)
            }
        });
        let page = paging::page(found, &query);
        let rows = page.rows.into_iter().map(|provider| row(provider, &snapshot)).collect();
        Ok(Page { rows, total: page.total, counts: page.counts })
    }

    /// One provider and the groups it is in.
    pub async fn get(self, who: &Principal, id: ProviderId) -> ApiResult<ProviderRow> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        Ok(row(&find(&snapshot, id)?.provider, &snapshot))
    }

    /// Stores a new provider.
    pub async fn create(self, who: &Principal, draft: ProviderDraft) -> ApiResult<Provider> {
        who.require(Permission::ManageProviders)?;
        let snapshot = self.0.snapshot().await?;
        let (provider, sealed) = self.prepare(&draft, None, free_color(&snapshot))?;
        self.put(who, provider, sealed, None).await
    }

    /// Replaces a provider that is still at `revision`. Secrets left out stay as they are, unless the host changed.
    pub async fn update(
        self,
        who: &Principal,
        id: ProviderId,
        revision: i64,
        draft: ProviderDraft,
    ) -> ApiResult<Provider> {
        who.require(Permission::ManageProviders)?;
        let snapshot = self.0.snapshot().await?;
        let stored = find(&snapshot, id)?;
        let (provider, sealed) = self.prepare(&draft, Some(stored), stored.provider.color)?;
        self.put(who, provider, sealed, Some(revision)).await
    }

    /// Switches a provider on or off.
    pub async fn set_enabled(self, who: &Principal, id: ProviderId, enabled: bool) -> ApiResult<Provider> {
        who.require(Permission::Operate)?;
        let snapshot = self.0.snapshot().await?;
        let stored = find(&snapshot, id)?.clone();
        let provider = Provider { enabled, ..stored.provider };
        let revision = provider.revision;
        self.put(who, provider, Vec::new(), Some(revision)).await
    }

    /// Deletes a provider that no group uses any more.
    pub async fn delete(self, who: &Principal, id: ProviderId) -> ApiResult<()> {
        who.require(Permission::ManageProviders)?;
        let snapshot = self.0.snapshot().await?;
        find(&snapshot, id)?;
        self.0.change(who, vec![Change::DeleteProvider { id, expect: None, leave_groups: false }]).await.map(drop)
    }

    /// Tries to reach a provider, step by step, at no cost. The key goes out only because somebody asked for this.
    pub async fn test(self, who: &Principal, target: TestTarget) -> ApiResult<ConnectionTest> {
        who.require(Permission::Operate)?;
        if target.draft.is_some() {
            who.require(Permission::ManageProviders)?;
        }
        super::connection::test(self.0, target).await
    }

    async fn put(
        self,
        who: &Principal,
        mut provider: Provider,
        sealed: Vec<(CredentialId, Sealed)>,
        expect: Option<i64>,
    ) -> ApiResult<Provider> {
        let change = Change::PutProvider { provider: provider.clone(), sealed, expect };
        provider.revision = self.0.change(who, vec![change]).await?;
        Ok(provider)
    }

    /// Checks a draft and turns it into what is stored. `before` is the provider it replaces.
    pub(super) fn prepare(
        self,
        draft: &ProviderDraft,
        before: Option<&StoredProvider>,
        color: u8,
    ) -> ApiResult<(Provider, Vec<(CredentialId, Sealed)>)> {
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let base_url = BaseUrl::parse(&draft.base_url).map_err(|issue| ApiError::invalid("base_url", issue))?;
        let Sealing { credentials, sealed } = self.seal(draft, &base_url, before)?;
        let now = self.0.now_ms();
        let provider = Provider {
            id: before.map_or_else(|| ProviderId(Uuid::now_v7()), |stored| stored.provider.id),
            name: draft.name.clone(),
            website: draft.website.clone(),
            base_url,
            auth: draft.auth.clone(),
            enabled: draft.enabled,
            headers: draft.headers.clone(),
            models: draft.models.clone(),
            timeouts: draft.timeouts,
            limits: draft.limits,
            tls: draft.tls.clone(),
            connection: draft.connection.clone(),
            color,
            credentials,
            revision: before.map_or(0, |stored| stored.provider.revision),
            created_at_ms: before.map_or(now, |stored| stored.provider.created_at_ms),
            updated_at_ms: now,
        };
        Ok((provider, sealed))
    }

    /// Credentials as stored, and the envelopes of secrets that were entered; the others keep theirs.
    fn seal(self, draft: &ProviderDraft, base_url: &BaseUrl, before: Option<&StoredProvider>) -> ApiResult<Sealing> {
        let host = base_url.host();
        let mut sealing = Sealing::default();
        let mut problems = Vec::new();
        for (index, entry) in draft.credentials.iter().enumerate() {
            let kept = match entry.id.map(|id| Kept::find(before, id)) {
                Some(None) => {
                    problems.push(Problem::new(format!("credentials[{index}].id"), Issue::Unknown));
                    continue;
                }
                kept => kept.flatten(),
            };
            let entered = entry.secret.as_ref().filter(|secret| !secret.expose().is_empty());
            let id = entry.id.unwrap_or_else(|| CredentialId(Uuid::now_v7()));
            let hint = match (entered, kept) {
                (Some(secret), _) => {
                    sealing.sealed.push((id, self.0.master().seal(secret.expose(), &credential_aad(id, host))));
                    secret.hint()
                }
                (None, Some(kept)) if kept.sealed && kept.host != host => {
                    problems.push(Problem::new(format!("credentials[{index}].secret"), Issue::SecretAgain));
                    continue;
                }
                (None, kept) if draft.auth.needs_secret() && !kept.is_some_and(|kept| kept.sealed) => {
                    problems.push(Problem::new(format!("credentials[{index}].secret"), Issue::SecretRequired));
                    continue;
                }
                (None, kept) => kept.map_or_else(String::new, |kept| kept.hint.to_owned()),
            };
            let CredentialDraft { label, weight, enabled, limits, .. } = entry.clone();
            sealing.credentials.push(Credential { id, label, hint, weight, enabled, limits });
        }
        if problems.is_empty() { Ok(sealing) } else { Err(ApiError::Invalid { problems }) }
    }
}

/// Credentials on their way to the store.
#[derive(Default)]
struct Sealing {
    credentials: Vec<Credential>,
    sealed: Vec<(CredentialId, Sealed)>,
}

/// What the store has of a credential.
#[derive(Clone, Copy)]
struct Kept<'a> {
    hint: &'a str,
    host: &'a str,
    sealed: bool,
}

impl<'a> Kept<'a> {
    fn find(before: Option<&'a StoredProvider>, id: CredentialId) -> Option<Self> {
        let before = before?;
        let credential = before.provider.credentials.iter().find(|credential| credential.id == id)?;
        let sealed = before.sealed.iter().any(|(sealed, _)| *sealed == id);
        Some(Self { hint: &credential.hint, host: before.provider.base_url.host(), sealed })
    }
}

/// The provider of this id.
pub(super) fn find(snapshot: &Snapshot, id: ProviderId) -> ApiResult<&StoredProvider> {
    let found = snapshot.providers.iter().find(|stored| stored.provider.id == id);
    found.ok_or_else(|| ApiError::NotFound { what: "provider".into() })
}

fn is_searched(provider: &Provider, query: &ListQuery) -> bool {
    paging::matches(query, &[&provider.name, &provider.base_url.to_string(), &provider.website])
}

fn row(provider: &Provider, snapshot: &Snapshot) -> ProviderRow {
    let groups = snapshot.groups.iter().filter_map(|group| {
        let member = group.members.iter().find(|member| member.provider == provider.id)?;
        Some(GroupRef { id: group.id, slug: group.slug.to_string(), priority: member.priority, tier: member.tier })
    });
    ProviderRow { provider: provider.clone(), groups: groups.collect() }
}

/// The colour that the fewest providers have; the first of those.
pub(super) fn free_color(snapshot: &Snapshot) -> u8 {
    let used = |color: u8| snapshot.providers.iter().filter(|stored| stored.provider.color == color).count();
    (1..=COLORS).min_by_key(|color| used(*color)).expect("there are colours")
}
