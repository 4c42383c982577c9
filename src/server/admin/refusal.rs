//! How failures below become refusals above: one place logs the cause, nothing of it goes out.

use std::fmt;

use uuid::Uuid;

use crate::{
    model::{error::ApiError, problem::Issue},
    server::store::StoreError,
};

/// A failure of the store, as the caller sees it.
pub(super) fn of_store(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict { revision, by, at_ms } => ApiError::Conflict { revision, by, at_ms },
        StoreError::Taken { field } => ApiError::invalid(field, Issue::Taken),
        StoreError::NotFound { what } => ApiError::NotFound { what: what.to_owned() },
        StoreError::InUse { groups } => {
            let slugs: Vec<&str> = groups.iter().map(|group| group.slug.as_str()).collect();
            ApiError::invalid("groups", Issue::InUse { by: format!("group {}", slugs.join(", ")) })
        }
        StoreError::LastOwner => ApiError::invalid("role", Issue::LastOwner),
        StoreError::AlreadySetUp => ApiError::NotFound { what: "setup".to_owned() },
        StoreError::Unavailable(trouble) | StoreError::Unusable(trouble) => {
            tracing::error!(%trouble, "the configuration store cannot be used");
            ApiError::StoreUnavailable { reason: trouble.to_string() }
        }
        error => internal("the configuration store failed", &error),
    }
}

/// A fault of ours: logged under a number, which is all the caller gets.
pub(super) fn internal(what: &str, error: &dyn fmt::Display) -> ApiError {
    let id = Uuid::now_v7().simple().to_string();
    tracing::error!(id, what, %error, "internal error");
    ApiError::Internal { id }
}
