//! Errors of the gateway itself, as the client sees them.
//!
//! Each is a decision: whose fault, what status, may the client try again. The body carries a stable
//! `code` and reads as an error in the official OpenAI and Anthropic libraries alike: the outer
//! `type` is Anthropic's, the inner object serves both.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::model::id::RequestId;

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client's request.
    Client,
    /// A limit of ours.
    Limit,
    /// The providers.
    Upstream,
    /// This gateway.
    Gateway,
}

/// Why the gateway answers by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The path tricks or is broken.
    #[error("the request path is not acceptable: {0}")]
    BadPath(&'static str),
    /// The client's body is broken.
    #[error("the request body is malformed")]
    MalformedBody,
    /// The client's body came too slowly.
    #[error("the request body came too slowly")]
    SlowBody,
    /// The client left; nobody reads this.
    #[error("the client closed the connection")]
    ClientLeft,
    /// No group has this slug.
    #[error("no group answers at this address")]
    GroupNotFound,
    /// No key, an unknown one, or two different ones.
    #[error("{0}")]
    InvalidKey(&'static str),
    /// The key does not reach the group.
    #[error("this key does not reach this group")]
    GroupForbidden,
    /// The path policy says no.
    #[error("this path is not allowed by the group's or the key's path policy")]
    PathForbidden,
    /// The group passes no WebSockets.
    #[error("this group does not pass WebSocket upgrades")]
    UpgradeNotAllowed,
    /// The key may not come from this address.
    #[error("this key may not be used from {0}")]
    IpForbidden(std::net::IpAddr),
    /// The key may not ask for this model.
    #[error("this key may not use the model {0}")]
    ModelForbidden(String),
    /// The key has expired.
    #[error("this key has expired")]
    KeyExpired,
    /// More than the body limit.
    #[error("the request body is larger than {0} bytes")]
    BodyTooLarge(u64),
    /// A limit of the key.
    #[error("{reason}; try again in {retry_after_s} s")]
    RateLimited {
        /// Which limit.
        reason: &'static str,
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// Every provider waits for a limit of its own.
    #[error("every provider of this group is waiting for a rate limit; try again in {retry_after_s} s")]
    AllCooling {
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// No provider can take the request.
    #[error("no provider of this group can take the request now: {reason}")]
    NoProvider {
        /// Why.
        reason: &'static str,
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
    /// Too much at once.
    #[error("the gateway is overloaded; try again shortly")]
    Overloaded,
    /// No connection or no valid answer; how it failed is in the code.
    #[error("{message}")]
    Upstream {
        /// Stable code: `upstream_connect`, `upstream_reset`, `upstream_invalid_response`, `upstream_ambiguous`…
        code: &'static str,
        /// In one line, without secrets.
        message: String,
        /// 502, or 504 for a timeout.
        timeout: bool,
    },
    /// The providers refuse our credentials.
    #[error("the providers refuse the gateway's credentials; its operator has been told")]
    CredentialsExhausted,
    /// The providers' quota is used up.
    #[error("the quota at every provider is used up")]
    QuotaExhausted {
        /// Whole seconds to wait.
        retry_after_s: u64,
    },
}

impl ProxyError {
    /// The status the client sees; 499 is only ever logged.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadPath(_) | Self::MalformedBody => StatusCode::BAD_REQUEST,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::ClientLeft => StatusCode::from_u16(499).expect("a three-digit status"),
            Self::GroupNotFound => StatusCode::NOT_FOUND,
            Self::InvalidKey(_) => StatusCode::UNAUTHORIZED,
            Self::GroupForbidden
            | Self::PathForbidden
            | Self::UpgradeNotAllowed
            | Self::IpForbidden(_)
            | Self::ModelForbidden(_)
            | Self::KeyExpired => StatusCode::FORBIDDEN,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimited { .. } | Self::AllCooling { .. } | Self::QuotaExhausted { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::NoProvider { .. } | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Upstream { timeout: true, .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Upstream { .. } | Self::CredentialsExhausted => StatusCode::BAD_GATEWAY,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadPath(_) => "invalid_path",
            Self::MalformedBody => "invalid_body",
            Self::SlowBody => "request_timeout",
            Self::ClientLeft => "client_left",
            Self::GroupNotFound => "group_not_found",
            Self::InvalidKey(_) => "invalid_api_key",
            Self::GroupForbidden => "group_forbidden",
            Self::PathForbidden => "path_forbidden",
            Self::UpgradeNotAllowed => "upgrade_not_allowed",
            Self::IpForbidden(_) => "ip_forbidden",
            Self::ModelForbidden(_) => "model_forbidden",
            Self::KeyExpired => "key_expired",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::RateLimited { .. } => "rate_limited",
            Self::AllCooling { .. } => "upstream_rate_limited",
            Self::QuotaExhausted { .. } => "upstream_quota_exhausted",
            Self::NoProvider { .. } => "no_provider_available",
            Self::Overloaded => "overloaded",
            Self::Upstream { code, .. } => code,
            Self::CredentialsExhausted => "upstream_credentials_exhausted",
        }
    }

    /// Who is to blame.
    pub fn blame(&self) -> Blame {
        match self {
            Self::RateLimited { .. } => Blame::Limit,
            Self::NoProvider { .. }
            | Self::AllCooling { .. }
            | Self::QuotaExhausted { .. }
            | Self::Upstream { .. }
            | Self::CredentialsExhausted => Blame::Upstream,
            Self::Overloaded => Blame::Gateway,
            _ => Blame::Client,
        }
    }

    /// Whether the client may send the same request again.
    pub fn retryable(&self) -> bool {
        !matches!(self.blame(), Blame::Client) && !matches!(self, Self::Upstream { code: "upstream_ambiguous", .. })
    }

    /// Whole seconds after which the client may try again, where that is known.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_s, .. }
            | Self::AllCooling { retry_after_s }
            | Self::NoProvider { retry_after_s, .. }
            | Self::QuotaExhausted { retry_after_s } => Some(*retry_after_s),
            Self::Overloaded => Some(1),
            _ => None,
        }
    }

    /// `error.type` in the words of the libraries that read it.
    fn kind(&self) -> &'static str {
        match self.status().as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            _ => "api_error",
        }
    }

    /// The error as JSON: `{"type":"error","error":{type, code, message, request_id, attempts}}`.
    pub fn to_json(&self, id: RequestId, attempts: usize) -> String {
        serde_json::json!({
            "type": "error",
            "error": {
                "type": self.kind(),
                "code": self.code(),
                "message": self.to_string(),
                "request_id": id.to_string(),
                "attempts": attempts,
            }
        })
        .to_string()
    }

    /// The answer to the client, without the headers that every answer gets.
    pub fn to_response(&self, id: RequestId, attempts: usize) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.to_json(id, attempts)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if matches!(self, Self::InvalidKey(_)) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rondo\""));
        }
        // The rest of the body will not be read: say so, instead of letting the client send on.
        if matches!(self, Self::BodyTooLarge(_) | Self::MalformedBody | Self::SlowBody) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_in_both_libraries() {
        let id = RequestId(uuid::Uuid::nil());
        let error = ProxyError::RateLimited { reason: "600 requests per minute are used up", retry_after_s: 3 };
        let response = error.to_response(id, 0);
        let json: serde_json::Value = serde_json::from_slice(response.body()).expect("json");
        assert_eq!(json["type"], "error");
        assert_eq!(json["error"]["type"], "rate_limit_error");
        assert_eq!(json["error"]["code"], "rate_limited");
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(response.status(), 429);
    }

    #[test]
    fn a_client_may_repeat_what_was_not_its_own_mistake() {
        assert!(ProxyError::Overloaded.retryable());
        assert!(!ProxyError::PathForbidden.retryable());
        let ambiguous = ProxyError::Upstream { code: "upstream_ambiguous", message: String::new(), timeout: false };
        assert!(!ambiguous.retryable());
    }
}
