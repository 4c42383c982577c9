//! Access tokens of programs for the admin API: `rdadm_…`, shown once, kept as a hash.
//!
//! Each is a setting of the store, found by its hash, so a check is one read by primary key. A
//! token may do what its person may do at that moment; it ends with them.

use serde::{Deserialize, Serialize};

use super::{Admin, Principal, refusal};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        id::UserId,
        name::check_name,
        problem::Issue,
        user::{Permission, User},
    },
    server::{
        secret::token::{HashedKey, Kind, PlainKey},
        store::{ACCESS_TOKEN, Change},
    },
};

/// A token's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// What it is for.
    pub name: String,
    /// Prefix and last four.
    pub hint: String,
    /// Whose it is.
    pub user: UserId,
    /// Made at, unix milliseconds.
    pub created_at_ms: i64,
    /// Refused from then on, unix milliseconds.
    pub expires_at_ms: Option<i64>,
}

/// What may be done with access tokens.
#[derive(Clone, Copy)]
pub struct Tokens<'a>(pub(super) &'a Admin);

impl Tokens<'_> {
    /// Makes a token that acts for a person; its secret is in the answer and nowhere else.
    pub async fn create(
        self,
        who: &Principal,
        user: UserId,
        name: &str,
        expires_at_ms: Option<i64>,
    ) -> ApiResult<(AccessToken, String)> {
        who.require(Permission::ManageSystem)?;
        check_name(name).map_err(|issue| ApiError::invalid("name", issue))?;
        if self.all().await?.iter().any(|(_, token)| token.name == name) {
            return Err(ApiError::invalid("name", Issue::Taken));
        }
        let now_ms = self.0.now_ms();
        if expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(ApiError::invalid("expires_at_ms", Issue::InPast));
        }
        self.0.user(user).await?;
        let secret = PlainKey::generate_kind(Kind::Admin, &mut rand::rng());
        let token =
            AccessToken { name: name.to_owned(), hint: secret.hint(), user, created_at_ms: now_ms, expires_at_ms };
        let value = serde_json::to_string(&token).expect("plain data is JSON");
        self.0.change(who, vec![Change::PutSetting { key: key(&secret.hash()), value }]).await?;
        Ok((token, secret.expose().to_owned()))
    }

    /// Every token, by name.
    pub async fn list(self, who: &Principal) -> ApiResult<Vec<AccessToken>> {
        who.require(Permission::ManageSystem)?;
        let mut tokens: Vec<AccessToken> = self.all().await?.into_iter().map(|(_, token)| token).collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tokens)
    }

    /// Ends the token of this name.
    pub async fn revoke(self, who: &Principal, name: &str) -> ApiResult<()> {
        who.require(Permission::ManageSystem)?;
        let found = self.all().await?.into_iter().find(|(_, token)| token.name == name);
        let (key, _) = found.ok_or_else(|| ApiError::NotFound { what: "access token".into() })?;
        self.0.change(who, vec![Change::DeleteSetting { key }]).await.map(drop)
    }

    /// The person a token acts for, if it still may.
    pub(in crate::server) async fn owner(self, hash: HashedKey) -> ApiResult<Option<User>> {
        let Some(value) = self.0.store().setting(&key(&hash)).await.map_err(refusal::of_store)? else {
            return Ok(None);
        };
        let Ok(token) = serde_json::from_str::<AccessToken>(&value) else { return Ok(None) };
        if token.expires_at_ms.is_some_and(|at| at <= self.0.now_ms()) {
            return Ok(None);
        }
        let found = self.0.store().user(token.user).await.map_err(refusal::of_store)?;
        Ok(found.map(|stored| stored.user).filter(|user| user.enabled))
    }

    async fn all(self) -> ApiResult<Vec<(String, AccessToken)>> {
        let settings = self.0.store().settings().await.map_err(refusal::of_store)?;
        let tokens = settings.into_iter().filter(|(key, _)| key.starts_with(ACCESS_TOKEN));
        Ok(tokens.filter_map(|(key, value)| Some((key, serde_json::from_str(&value).ok()?))).collect())
    }
}

fn key(hash: &HashedKey) -> String {
    format!("{ACCESS_TOKEN}{}", hash.to_hex())
}
