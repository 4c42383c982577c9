//! Groups: providers behind one slug.

use uuid::Uuid;

use super::{Admin, Principal, paging};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        explain::{ExplainQuery, Explanation},
        group::{Group, GroupDraft},
        id::GroupId,
        name::{NAME_MAX, SLUG_MAX, Slug},
        page::{ListQuery, Page},
        problem::{Issue, Problem, Validate},
        user::Permission,
    },
    server::store::{Change, Snapshot},
};

/// What may be done with groups.
#[derive(Clone, Copy)]
pub struct Groups<'a>(pub(super) &'a Admin);

impl Groups<'_> {
    /// A page of the list; sorts by `name` (the default), `slug`, `members`, `created` or `updated`, and
    /// knows the states `on` and `off`.
    pub async fn list(self, who: &Principal, query: ListQuery) -> ApiResult<Page<Group>> {
        who.require(Permission::View)?;
        let mut found = self.0.snapshot().await?.groups;
        found.retain(|group| paging::matches(&query, &[&group.name, group.slug.as_str(), &group.description]));
        let counts = paging::keep_state(&mut found, &query, |group| if group.enabled { "on" } else { "off" });
        found.sort_by_cached_key(|group| match query.sort.as_str() {
            "members" => (i64::try_from(group.members.len()).unwrap_or(i64::MAX), group.name.clone(), String::new()),
            "slug" => (0, group.slug.to_string(), String::new()),
            "created" => (group.created_at_ms, String::new(), String::new()),
            "updated" => (group.updated_at_ms, String::new(), String::new()),
            _ => {
                let (folded, exact) = paging::by_name(&group.name);
                (0, folded, exact)
            }
        });
        Ok(Page { counts, ..paging::page(found, &query) })
    }

    /// One group.
    pub async fn get(self, who: &Principal, id: GroupId) -> ApiResult<Group> {
        who.require(Permission::View)?;
        find(&self.0.snapshot().await?, id).cloned()
    }

    /// Stores a new group.
    pub async fn create(self, who: &Principal, draft: GroupDraft) -> ApiResult<Group> {
        who.require(Permission::ManageGroups)?;
        let snapshot = self.0.snapshot().await?;
        let group = prepare(&draft, None, &snapshot, self.0.now_ms())?;
        self.put(who, group, None).await
    }

    /// Stores a group like another one under the next free name and slug, `Production 2` and `prod-2`. It is
    /// switched off, so that it serves nobody before somebody has looked at it; no key is scoped to it.
    pub async fn duplicate(self, who: &Principal, id: GroupId) -> ApiResult<Group> {
        who.require(Permission::ManageGroups)?;
        let snapshot = self.0.snapshot().await?;
        let like = find(&snapshot, id)?;
        let (name, slug) = next_free(like, &snapshot.groups);
        let draft = GroupDraft { name, slug, enabled: false, ..GroupDraft::from(like) };
        let group = prepare(&draft, None, &snapshot, self.0.now_ms())?;
        self.put(who, group, None).await
    }

    /// Replaces a group that is still at `revision`.
    pub async fn update(self, who: &Principal, id: GroupId, revision: i64, draft: GroupDraft) -> ApiResult<Group> {
        who.require(Permission::ManageGroups)?;
        let snapshot = self.0.snapshot().await?;
        let group = prepare(&draft, Some(find(&snapshot, id)?), &snapshot, self.0.now_ms())?;
        self.put(who, group, Some(revision)).await
    }

    /// Switches a group on or off.
    pub async fn set_enabled(self, who: &Principal, id: GroupId, enabled: bool) -> ApiResult<Group> {
        who.require(Permission::Operate)?;
        let group = find(&self.0.snapshot().await?, id)?.clone();
        let group = Group { enabled, ..group };
        let revision = group.revision;
        self.put(who, group, Some(revision)).await
    }

    /// What the group would do with such a request now, and why. Nothing is moved or taken by asking.
    pub fn explain(self, who: &Principal, id: GroupId, query: &ExplainQuery) -> ApiResult<Explanation> {
        who.require(Permission::View)?;
        query.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let live = self.0.live().ok_or_else(|| ApiError::NotFound { what: "running gateway".into() })?;
        live.proxy.explain(id, query).ok_or_else(|| ApiError::NotFound { what: "group".into() })
    }

    /// Deletes a group; keys limited to it lose it and do not become global by that.
    pub async fn delete(self, who: &Principal, id: GroupId) -> ApiResult<()> {
        who.require(Permission::ManageGroups)?;
        self.0.change(who, vec![Change::DeleteGroup { id, expect: None }]).await.map(drop)
    }

    async fn put(self, who: &Principal, mut group: Group, expect: Option<i64>) -> ApiResult<Group> {
        group.revision = self.0.change(who, vec![Change::PutGroup { group: group.clone(), expect }]).await?;
        Ok(group)
    }
}

/// Name and slug with the first number from 2 on that no group has in either; cut where they would be too long.
fn next_free(like: &Group, groups: &[Group]) -> (String, String) {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let numbered = |number: usize| {
        let end = number.to_string();
        let name = cut(&like.name, NAME_MAX - end.len() - 1);
        let slug = cut(like.slug.as_str(), SLUG_MAX - end.len() - 1);
        (format!("{} {end}", name.trim_end()), format!("{slug}-{end}"))
    };
    let is_free = |(name, slug): &(String, String)| {
        groups.iter().all(|group| group.name != *name && group.slug.as_str() != slug.as_str())
    };
    // A group takes a number by its name and another by its slug: one more number than that, and one is free.
    let most = 2 * groups.len() + 1;
    (2..).take(most).map(numbered).find(is_free).unwrap_or_else(|| numbered(most + 1))
}

/// Checks a draft and turns it into what is stored. `before` is the group it replaces.
pub(super) fn prepare(
    draft: &GroupDraft,
    before: Option<&Group>,
    snapshot: &Snapshot,
    now_ms: i64,
) -> ApiResult<Group> {
    draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
    let unknown: Vec<Problem> = draft
        .members
        .iter()
        .enumerate()
        .filter(|(_, member)| !snapshot.providers.iter().any(|stored| stored.provider.id == member.provider))
        .map(|(index, _)| Problem::new(format!("members[{index}].provider"), Issue::Unknown))
        .collect();
    if !unknown.is_empty() {
        return Err(ApiError::Invalid { problems: unknown });
    }
    Ok(Group {
        id: before.map_or_else(|| GroupId(Uuid::now_v7()), |group| group.id),
        name: draft.name.clone(),
        slug: Slug::parse(&draft.slug).map_err(|issue| ApiError::invalid("slug", issue))?,
        description: draft.description.clone(),
        kind: draft.kind,
        strategy: draft.strategy,
        enabled: draft.enabled,
        path_policy: draft.path_policy.clone(),
        failover: draft.failover,
        anonymous: draft.anonymous,
        allowed_origins: draft.allowed_origins.clone(),
        hide_provider_headers: draft.hide_provider_headers,
        sticky: draft.sticky.clone(),
        outcome_rules: draft.outcome_rules.clone(),
        websocket: draft.websocket,
        stream_usage: draft.stream_usage,
        log_bodies: draft.log_bodies,
        members: draft.members.clone(),
        revision: before.map_or(0, |group| group.revision),
        created_at_ms: before.map_or(now_ms, |group| group.created_at_ms),
        updated_at_ms: now_ms,
    })
}

/// The group of this id.
pub(super) fn find(snapshot: &Snapshot, id: GroupId) -> ApiResult<&Group> {
    snapshot.groups.iter().find(|group| group.id == id).ok_or_else(|| ApiError::NotFound { what: "group".into() })
}
