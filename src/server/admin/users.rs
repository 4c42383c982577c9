//! People who may sign in.

use uuid::Uuid;

use super::{Admin, Principal, paging};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        id::UserId,
        page::{ListQuery, Page},
        problem::{Issue, Validate},
        user::{PasswordChange, Permission, User, UserDraft, UserPatch, check_password},
    },
    server::store::Change,
};

/// What may be done with people.
#[derive(Clone, Copy)]
pub struct Users<'a>(pub(super) &'a Admin);

impl Users<'_> {
    /// A page of the list; sorts by `username` (the default), `role`, `created` or `last_seen`.
    pub async fn list(self, who: &Principal, query: ListQuery) -> ApiResult<Page<User>> {
        who.require(Permission::ManageUsers)?;
        let mut found = self.all().await?;
        found.retain(|user| paging::matches(&query, &[&user.username, &user.display_name]));
        found.sort_by_cached_key(|user| match query.sort.as_str() {
            "role" => (user.role as i64, user.username.to_lowercase()),
            "created" => (user.created_at_ms, String::new()),
            "last_seen" => (user.last_seen_at_ms.unwrap_or(0), String::new()),
            _ => (0, user.username.to_lowercase()),
        });
        Ok(paging::page(found, &query))
    }

    /// One person.
    pub async fn get(self, who: &Principal, id: UserId) -> ApiResult<User> {
        who.require(Permission::ManageUsers)?;
        self.find(id).await
    }

    /// Adds a person.
    pub async fn create(self, who: &Principal, draft: UserDraft) -> ApiResult<User> {
        who.require(Permission::ManageUsers)?;
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let password_hash = self.0.passwords().hash(draft.password.clone()).await?;
        let user = User {
            id: UserId(Uuid::now_v7()),
            display_name: shown_name(&draft.display_name, &draft.username),
            username: draft.username,
            role: draft.role,
            enabled: true,
            created_at_ms: self.0.now_ms(),
            last_seen_at_ms: None,
        };
        self.put(who, user, Some(password_hash)).await
    }

    /// Changes a person's name, role and access. A new role ends their sessions; the last owner stays one.
    pub async fn update(self, who: &Principal, id: UserId, patch: UserPatch) -> ApiResult<User> {
        who.require(Permission::ManageUsers)?;
        patch.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let user = self.find(id).await?;
        let display_name = shown_name(&patch.display_name, &user.username);
        self.put(who, User { display_name, role: patch.role, enabled: patch.enabled, ..user }, None).await
    }

    /// Gives a person a new password and ends their sessions.
    pub async fn reset_password(self, who: &Principal, id: UserId, password: String) -> ApiResult<()> {
        who.require(Permission::ManageUsers)?;
        let user = self.find(id).await?;
        self.new_password(who, user, "password", password).await
    }

    /// Changes one's own password; all of one's sessions end by it.
    pub async fn change_own_password(self, who: &Principal, change: PasswordChange) -> ApiResult<()> {
        let viewer = who.viewer().ok_or(ApiError::Unauthenticated)?;
        let stored = self.0.user(viewer.id).await?;
        if !self.0.passwords().verify(change.current, Some(stored.password_hash)).await? {
            return Err(ApiError::invalid("current", Issue::WrongPassword));
        }
        self.new_password(who, stored.user, "new", change.new).await
    }

    /// Removes a person and their sessions; the last owner stays.
    pub async fn delete(self, who: &Principal, id: UserId) -> ApiResult<()> {
        who.require(Permission::ManageUsers)?;
        self.0.change(who, vec![Change::DeleteUser { id }]).await?;
        self.0.sessions_may_have_ended();
        Ok(())
    }

    async fn new_password(self, who: &Principal, user: User, field: &str, password: String) -> ApiResult<()> {
        check_password(&password, &user.username).map_err(|issue| ApiError::invalid(field, issue))?;
        let password_hash = self.0.passwords().hash(password).await?;
        self.put(who, user, Some(password_hash)).await.map(drop)
    }

    async fn put(self, who: &Principal, user: User, password_hash: Option<String>) -> ApiResult<User> {
        self.0.change(who, vec![Change::PutUser { user: user.clone(), password_hash }]).await?;
        self.0.sessions_may_have_ended();
        Ok(user)
    }

    async fn find(self, id: UserId) -> ApiResult<User> {
        Ok(self.0.user(id).await?.user)
    }

    /// Everybody.
    async fn all(self) -> ApiResult<Vec<User>> {
        self.0.store().users().await.map_err(super::refusal::of_store)
    }
}

/// The name on screen: the sign-in name where none was given.
pub(super) fn shown_name(display_name: &str, username: &str) -> String {
    let trimmed = display_name.trim();
    if trimmed.is_empty() { username.to_owned() } else { trimmed.to_owned() }
}
