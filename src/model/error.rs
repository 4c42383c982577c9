//! Errors of the control plane as the browser and REST see them.

use serde::{Deserialize, Serialize};

use super::{problem::Problem, user::Permission};

/// Why an administrative call was refused. Nothing of the database or of a secret is in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ApiError {
    /// Nobody is signed in, or the session ended.
    #[error("sign in first")]
    Unauthenticated,
    /// User name or password is wrong; which one is not said.
    #[error("user name or password is wrong")]
    BadCredentials,
    /// Too many tries; wait.
    #[error("too many tries; wait {retry_after_s} seconds")]
    TooManyTries {
        /// Seconds until the next try is taken.
        retry_after_s: u32,
    },
    /// The role lacks a permission.
    #[error("your role does not allow this ({permission:?})")]
    Forbidden {
        /// What would be needed.
        permission: Permission,
    },
    /// A mutation that came from another site.
    #[error("this request came from another site and was refused")]
    CrossSite,
    /// No such thing, or no longer.
    #[error("{what} not found")]
    NotFound {
        /// Kind of the thing: `provider`, `group`, `api key`.
        what: String,
    },
    /// Fields to mend.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// Every problem found.
        problems: Vec<Problem>,
    },
    /// The record was changed by somebody else since it was read; nothing was overwritten.
    #[error("changed by {by} since you opened it (now revision {revision}); nothing was overwritten")]
    Conflict {
        /// Revision now stored.
        revision: i64,
        /// Who saved it.
        by: String,
        /// When, in unix milliseconds.
        at_ms: i64,
    },
    /// The store cannot be reached; proxying goes on.
    #[error("the configuration store cannot be used right now: {reason}; proxying goes on")]
    StoreUnavailable {
        /// In one line, without internals.
        reason: String,
    },
    /// A fault of ours, told by its number in the log.
    #[error("internal error {id}; the server's log has the details")]
    Internal {
        /// Number to look up.
        id: String,
    },
    /// The call did not reach the server or its answer could not be read (made in the browser).
    #[error("the server could not be reached: {reason}")]
    Transport {
        /// What the browser said.
        reason: String,
    },
}

impl ApiError {
    /// One problem with one field.
    pub fn invalid(field: &str, issue: super::problem::Issue) -> Self {
        Self::Invalid { problems: vec![Problem::new(field, issue)] }
    }

    /// The HTTP status of this error.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unauthenticated | Self::BadCredentials => 401,
            Self::Forbidden { .. } | Self::CrossSite => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Invalid { .. } => 422,
            Self::TooManyTries { .. } => 429,
            Self::StoreUnavailable { .. } => 503,
            Self::Internal { .. } | Self::Transport { .. } => 500,
        }
    }
}

impl leptos::server_fn::error::FromServerFnError for ApiError {
    type Encoder = leptos::server_fn::codec::JsonEncoding;

    fn from_server_fn_error(error: leptos::server_fn::error::ServerFnErrorErr) -> Self {
        Self::Transport { reason: error.to_string() }
    }
}

/// Result of an administrative call.
pub type ApiResult<T> = Result<T, ApiError>;
