//! API keys of clients: made here, shown once, stored as a hash.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Admin, Principal, paging};
use crate::{
    model::{
        api_key::{ApiKey, ApiKeyDraft, CreatedKey, Scope},
        error::{ApiError, ApiResult},
        id::ApiKeyId,
        page::{ListQuery, Page},
        problem::{Issue, Problem, Validate},
        user::Permission,
    },
    server::{
        secret::token::{HashedKey, PlainKey},
        store::{Change, Snapshot},
    },
};

/// What may be done with API keys.
#[derive(Clone, Copy)]
pub struct ApiKeys<'a>(pub(super) &'a Admin);

impl ApiKeys<'_> {
    /// A page of the list; sorts by `name` (the default), `rpm`, `created`, `last_used` or `expires`, and
    /// knows the states `active`, `expiring` and `off`.
    pub async fn list(self, who: &Principal, query: ListQuery) -> ApiResult<Page<ApiKey>> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        let mut found: Vec<ApiKey> = snapshot.api_keys.into_iter().map(|stored| stored.key).collect();
        found.retain(|key| paging::matches(&query, &[&key.name, &key.hint]));
        let now_ms = self.0.now_ms();
        let counts = paging::keep_state(&mut found, &query, |key| key.standing(now_ms).segment());
        found.sort_by_cached_key(|key| match query.sort.as_str() {
            // The default rate stands first, no limit last.
            "rpm" => (
                key.limits.rpm.map_or(0, |rpm| if rpm == 0 { i64::MAX } else { rpm.into() }),
                key.name.clone(),
                String::new(),
            ),
            "created" => (key.created_at_ms, String::new(), String::new()),
            "last_used" => (key.last_used_at_ms.unwrap_or(0), String::new(), String::new()),
            "expires" => (key.expires_at_ms.unwrap_or(i64::MAX), String::new(), String::new()),
            _ => {
                let (folded, exact) = paging::by_name(&key.name);
                (0, folded, exact)
            }
        });
        let mut page = paging::page(found, &query);
        self.tell_use(&mut page.rows).await;
        Ok(Page { counts, ..page })
    }

    /// One key's record.
    pub async fn get(self, who: &Principal, id: ApiKeyId) -> ApiResult<ApiKey> {
        who.require(Permission::View)?;
        let mut key = find(&self.0.snapshot().await?, id)?.clone();
        self.tell_use(std::slice::from_mut(&mut key)).await;
        Ok(key)
    }

    /// Adds what keys used of their caps, for those that have some. A log that cannot be read leaves it unknown.
    async fn tell_use(self, keys: &mut [ApiKey]) {
        let capped = keys.iter_mut().filter(|key| key.limits.has_caps());
        let mut by_account: BTreeMap<String, &mut ApiKey> =
            capped.map(|key| (format!("key:{}", key.id), key)).collect();
        let accounts: Vec<String> = by_account.keys().cloned().collect();
        let uses = match self.0.store().cap_uses_of(&accounts, self.0.now_ms()).await {
            Ok(uses) => uses,
            Err(error) => return tracing::warn!(%error, "what keys used of their caps cannot be read"),
        };
        for one in uses {
            let Some(key) = by_account.get_mut(&one.account) else { continue };
            let used = key.used.get_or_insert_default();
            let count = |amount: i64| u64::try_from(amount).unwrap_or(0);
            // A day is called 2026-11-23, a month 2026-11.
            if one.period.len() > "2026-11".len() {
                (used.requests_today, used.tokens_today) = (count(one.requests), count(one.tokens));
            } else {
                (used.requests_this_month, used.tokens_this_month) = (count(one.requests), count(one.tokens));
            }
        }
    }

    /// Makes a key; its secret is in the answer and nowhere else.
    pub async fn create(self, who: &Principal, draft: ApiKeyDraft) -> ApiResult<CreatedKey> {
        who.require(Permission::ManageApiKeys)?;
        let secret = PlainKey::generate(&mut rand::rng());
        let snapshot = self.0.snapshot().await?;
        let key = prepare(&draft, None, secret.hint(), &snapshot, self.0.now_ms())?;
        let key = self.put(who, key, Some(secret.hash()), None).await?;
        Ok(CreatedKey { key, secret: secret.expose().to_owned() })
    }

    /// Replaces the record of a key that is still at `revision`; the key itself stays.
    pub async fn update(self, who: &Principal, id: ApiKeyId, revision: i64, draft: ApiKeyDraft) -> ApiResult<ApiKey> {
        who.require(Permission::ManageApiKeys)?;
        let snapshot = self.0.snapshot().await?;
        let before = find(&snapshot, id)?;
        let key = prepare(&draft, Some(before), before.hint.clone(), &snapshot, self.0.now_ms())?;
        self.put(who, key, None, Some(revision)).await
    }

    /// Gives a key a new secret, which is in the answer and nowhere else; the old one is refused from then on.
    /// Name, scope, limits, what is used of its caps and its rows in the log stay.
    pub async fn rotate(self, who: &Principal, id: ApiKeyId) -> ApiResult<CreatedKey> {
        who.require(Permission::ManageApiKeys)?;
        let secret = PlainKey::generate(&mut rand::rng());
        let key = find(&self.0.snapshot().await?, id)?.clone();
        let revision = key.revision;
        let key = ApiKey { hint: secret.hint(), ..key };
        let key = self.put(who, key, Some(secret.hash()), Some(revision)).await?;
        Ok(CreatedKey { key, secret: secret.expose().to_owned() })
    }

    /// Switches a key on or off.
    pub async fn set_enabled(self, who: &Principal, id: ApiKeyId, enabled: bool) -> ApiResult<ApiKey> {
        who.require(Permission::Operate)?;
        let key = find(&self.0.snapshot().await?, id)?.clone();
        let key = ApiKey { enabled, ..key };
        let revision = key.revision;
        self.put(who, key, None, Some(revision)).await
    }

    /// Ends a key for ever.
    pub async fn revoke(self, who: &Principal, id: ApiKeyId) -> ApiResult<()> {
        who.require(Permission::ManageApiKeys)?;
        self.0.change(who, vec![Change::DeleteApiKey { id, expect: None }]).await.map(drop)
    }

    async fn put(
        self,
        who: &Principal,
        mut key: ApiKey,
        hash: Option<HashedKey>,
        expect: Option<i64>,
    ) -> ApiResult<ApiKey> {
        key.revision = self.0.change(who, vec![Change::PutApiKey { key: key.clone(), hash, expect }]).await?;
        Ok(key)
    }
}

fn prepare(
    draft: &ApiKeyDraft,
    before: Option<&ApiKey>,
    hint: String,
    snapshot: &Snapshot,
    now_ms: i64,
) -> ApiResult<ApiKey> {
    draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
    let mut problems = Vec::new();
    let expiry_changed = draft.expires_at_ms != before.and_then(|key| key.expires_at_ms);
    if expiry_changed && draft.expires_at_ms.is_some_and(|at| at <= now_ms) {
        problems.push(Problem::new("expires_at_ms", Issue::InPast));
    }
    if let Scope::Groups(groups) = &draft.scope {
        for (index, id) in groups.iter().enumerate() {
            if !snapshot.groups.iter().any(|group| group.id == *id) {
                problems.push(Problem::new(format!("scope.groups[{index}]"), Issue::Unknown));
            }
        }
    }
    if !problems.is_empty() {
        return Err(ApiError::Invalid { problems });
    }
    Ok(ApiKey {
        id: before.map_or_else(|| ApiKeyId(Uuid::now_v7()), |key| key.id),
        name: draft.name.clone(),
        hint,
        scope: draft.scope.clone(),
        enabled: draft.enabled,
        expires_at_ms: draft.expires_at_ms,
        limits: draft.limits,
        allowed_ips: draft.allowed_ips.clone(),
        path_policy: draft.path_policy.clone(),
        models: draft.models.clone(),
        log_bodies: draft.log_bodies,
        last_used_at_ms: before.and_then(|key| key.last_used_at_ms),
        used: None,
        revision: before.map_or(0, |key| key.revision),
        created_at_ms: before.map_or(now_ms, |key| key.created_at_ms),
        updated_at_ms: now_ms,
    })
}

/// The key of this id.
pub(super) fn find(snapshot: &Snapshot, id: ApiKeyId) -> ApiResult<&ApiKey> {
    let found = snapshot.api_keys.iter().find(|stored| stored.key.id == id);
    found.map(|stored| &stored.key).ok_or_else(|| ApiError::NotFound { what: "API key".into() })
}
