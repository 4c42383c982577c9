//! The first run: a one-time token, told in the log, makes the first administrator.
//!
//! The token lives in memory and as long as the process: whoever can read the log may claim a
//! machine that nobody owns yet, nobody else may, and a restart makes a new one.

use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::{Admin, Principal};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        id::UserId,
        problem::Validate,
        setup::SetupState,
        user::{Permission, Role, User, UserDraft},
    },
    server::{
        secret::token::{HashedKey, PlainKey},
        store::Change,
    },
};

/// The token of this process, if one was handed out. The lock is held for a copy, never across an await.
pub(super) type Token = Arc<Mutex<Option<HashedKey>>>;

/// The first run.
#[derive(Clone, Copy)]
pub struct Setup<'a>(pub(super) &'a Admin);

impl Setup<'_> {
    /// Hands out the token if nobody may sign in yet: `Some` is for the log, once.
    pub async fn open(self) -> ApiResult<Option<String>> {
        if !self.nobody().await? {
            return Ok(None);
        }
        let key = PlainKey::generate(&mut rand::rng());
        let token = key.expose().trim_start_matches("rd_").to_owned();
        *self.0.setup_token().lock().expect("no panic while it is held") = Some(HashedKey::of(&token));
        Ok(Some(token))
    }

    /// How far the setup is, for somebody with the token. Without a valid one there is nothing to see.
    pub async fn state(self, token: &str) -> ApiResult<SetupState> {
        self.check(token)?;
        if self.nobody().await? { Ok(SetupState::NeedsAdministrator) } else { Err(not_there()) }
    }

    /// How far the setup is, for somebody who is signed in.
    pub async fn progress(self, who: &Principal) -> ApiResult<SetupState> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        Ok(match (snapshot.providers.is_empty(), snapshot.groups.is_empty() || snapshot.api_keys.is_empty()) {
            (true, _) => SetupState::NeedsProvider,
            (false, true) => SetupState::NeedsGroup,
            (false, false) => SetupState::Done,
        })
    }

    /// Makes the first administrator, an owner whatever the draft says. The token is used up by it.
    pub async fn create_administrator(self, token: &str, draft: UserDraft) -> ApiResult<User> {
        self.check(token)?;
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let password_hash = self.0.passwords().hash(draft.password.clone()).await?;
        let user = User {
            id: UserId(Uuid::now_v7()),
            display_name: super::users::shown_name(&draft.display_name, &draft.username),
            username: draft.username,
            role: Role::Owner,
            enabled: true,
            created_at_ms: self.0.now_ms(),
            last_seen_at_ms: None,
        };
        let who = Principal::system("setup");
        self.0.change(&who, vec![Change::PutFirstUser { user: user.clone(), password_hash }]).await?;
        *self.0.setup_token().lock().expect("no panic while it is held") = None;
        Ok(user)
    }

    fn check(self, token: &str) -> ApiResult<()> {
        let expected = *self.0.setup_token().lock().expect("no panic while it is held");
        if expected.is_some_and(|expected| expected.matches(token)) { Ok(()) } else { Err(not_there()) }
    }

    async fn nobody(self) -> ApiResult<bool> {
        Ok(self.0.store().user_count().await.map_err(super::refusal::of_store)? == 0)
    }
}

fn not_there() -> ApiError {
    ApiError::NotFound { what: "page".into() }
}
