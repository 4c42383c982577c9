//! What sign-in needs of the store, with its failures turned into refusals in one place.

use super::{Admin, refusal};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        id::{SessionId, UserId},
        user::User,
    },
    server::{
        secret::token::HashedKey,
        store::{NewSession, StoredSession, StoredUser},
    },
};

impl Admin {
    /// A person and the hash of their password, by sign-in name.
    pub(in crate::server) async fn user_by_name(&self, username: &str) -> ApiResult<Option<StoredUser>> {
        self.store().user_by_name(username).await.map_err(refusal::of_store)
    }

    /// A person and the hash of their password.
    pub(super) async fn user(&self, id: UserId) -> ApiResult<StoredUser> {
        let found = self.store().user(id).await.map_err(refusal::of_store)?;
        found.ok_or_else(|| ApiError::NotFound { what: "user".into() })
    }

    /// The session behind a ticket, while it lasts.
    pub(in crate::server) async fn session(&self, ticket: HashedKey) -> ApiResult<Option<StoredSession>> {
        self.store().session(&ticket, self.now_ms()).await.map_err(refusal::of_store)
    }

    /// Begins a session and writes the sign-in into the audit trail.
    pub(in crate::server) async fn open_session(&self, session: &NewSession, user: &User) -> ApiResult<()> {
        self.store().open_session(session).await.map_err(refusal::of_store)?;
        let noted =
            self.store().note(&user.username, session.created_at_ms, "session.open", &user.username, "{}").await;
        noted.map_err(refusal::of_store)
    }

    /// Writes down that a session was used.
    pub(in crate::server) async fn touch_session(
        &self,
        id: SessionId,
        seen_at_ms: i64,
        idle_expires_at_ms: i64,
    ) -> ApiResult<()> {
        self.store().touch_session(id, seen_at_ms, idle_expires_at_ms).await.map_err(refusal::of_store)
    }

    /// Ends one session.
    pub(in crate::server) async fn end_session(&self, id: SessionId) -> ApiResult<()> {
        self.store().end_session(id).await.map_err(refusal::of_store)?;
        self.sessions_may_have_ended();
        Ok(())
    }

    /// Whoever holds a session open looks again whether it still lasts.
    pub(super) fn sessions_may_have_ended(&self) {
        self.0.sessions_ended.send_modify(|count| *count += 1);
    }

    /// Changes whenever sessions end on this node.
    pub(in crate::server) fn sessions_ended(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.sessions_ended.subscribe()
    }

    /// Ends every session of a person.
    pub(in crate::server) async fn end_sessions(&self, user: UserId) -> ApiResult<u64> {
        let ended = self.store().end_sessions(user, None).await.map_err(refusal::of_store)?;
        self.sessions_may_have_ended();
        Ok(ended)
    }
}
