//! Errors as RFC 9457 problem details, with the stable `code` of [`ApiError`] and its data beside it.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::model::error::ApiError;

/// The answer that tells this error.
pub(super) fn render(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": error.to_string(),
    });
    if let (Value::Object(body), Ok(Value::Object(data))) = (&mut body, serde_json::to_value(error)) {
        body.extend(data);
    }
    if let ApiError::Invalid { problems } = error {
        let told = problems.iter().map(
            |problem| json!({"field": problem.field, "issue": problem.issue, "detail": problem.issue.to_string()}),
        );
        body["problems"] = told.collect();
    }
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/problem+json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from(body.to_string()))
        .unwrap_or_else(|_| status.into_response());
    let headers = response.headers_mut();
    match error {
        ApiError::TooManyTries { retry_after_s } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
        }
        ApiError::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rondo admin\""));
        }
        _ => {}
    }
    response
}
