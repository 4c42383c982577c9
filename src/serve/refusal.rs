//! The HTTP status of a refused server function.
//!
//! Leptos answers every refusal 500. Here it gets the status of its [`ApiError`]; the two that a
//! form expects, a field to mend and a record saved by somebody else first, stay 200 for the
//! browser's console and name their status in a header that the client obeys (`api::browser`).
//! REST has its own answers and none of this.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;

use crate::{api::browser::REFUSED, model::error::ApiError};

/// No refusal is longer: problems of one draft.
const LONGEST: usize = 1 << 20;

/// Gives the refusal of a server function its status.
pub(super) async fn tell_status(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    // A plain form is answered with a redirect, which keeps its status.
    let refused = response.status() == StatusCode::INTERNAL_SERVER_ERROR
        && response.headers().contains_key(SERVER_FN_ERROR_HEADER);
    if !refused {
        return response;
    }
    let (head, body) = response.into_parts();
    let body = to_bytes(body, LONGEST).await.unwrap_or_default();
    let told = told(&body);
    let mut response = Response::from_parts(head, Body::from(body));
    *response.status_mut() = told.status;
    if let Some(stands_for) = told.stands_for {
        response.headers_mut().insert(REFUSED, HeaderValue::from(stands_for));
    }
    if let Some(seconds) = told.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// How a refusal is told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    status: StatusCode,
    stands_for: Option<u16>,
    retry_after_s: Option<u32>,
}

fn told(body: &Bytes) -> Told {
    let plainly = |status: u16| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match serde_json::from_slice::<ApiError>(body) {
        Ok(error @ (ApiError::Invalid { .. } | ApiError::Conflict { .. })) => {
            Told { status: StatusCode::OK, stands_for: Some(error.status()), ..Told::default() }
        }
        Ok(error @ ApiError::TooManyTries { retry_after_s }) => {
            Told { status: plainly(error.status()), retry_after_s: Some(retry_after_s), ..Told::default() }
        }
        // On this side of the wire only arguments that cannot be read end so, and our client sends none.
        Ok(ApiError::Transport { .. }) => Told { status: StatusCode::BAD_REQUEST, ..Told::default() },
        Ok(error) => Told { status: plainly(error.status()), ..Told::default() },
        Err(_) => Told { status: StatusCode::INTERNAL_SERVER_ERROR, ..Told::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::problem::Issue;

    fn of(error: &ApiError) -> Told {
        told(&serde_json::to_vec(error).expect("JSON").into())
    }

    #[test]
    fn what_a_form_expects_leaves_the_console_quiet_and_keeps_its_status() {
        let invalid = of(&ApiError::invalid("name", Issue::Taken));
        assert_eq!((invalid.status, invalid.stands_for), (StatusCode::OK, Some(422)));
        let conflict = of(&ApiError::Conflict { revision: 4, by: "ana".into(), at_ms: 0 });
        assert_eq!((conflict.status, conflict.stands_for), (StatusCode::OK, Some(409)));
    }

    #[test]
    fn everything_else_is_told_by_its_own_status() {
        assert_eq!(of(&ApiError::Unauthenticated).status, StatusCode::UNAUTHORIZED);
        assert_eq!(of(&ApiError::CrossSite).status, StatusCode::FORBIDDEN);
        assert_eq!(of(&ApiError::NotFound { what: "group".into() }).status, StatusCode::NOT_FOUND);
        assert_eq!(of(&ApiError::StoreUnavailable { reason: String::new() }).status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(of(&ApiError::Transport { reason: "arguments".into() }).status, StatusCode::BAD_REQUEST);
        let wait = of(&ApiError::TooManyTries { retry_after_s: 8 });
        assert_eq!((wait.status, wait.retry_after_s), (StatusCode::TOO_MANY_REQUESTS, Some(8)));
        assert_eq!(told(&Bytes::from_static(b"not JSON")).status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
