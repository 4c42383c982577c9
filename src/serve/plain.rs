//! Plain forms, as a browser without scripts sends them: a refused one is brought back.
//!
//! Leptos redirects to the page the form came from with the error in its address. Here the error
//! goes into a cookie together with what was typed, so the page shows both at their fields, its
//! address stays clean, and loading it again starts afresh.

use axum::{
    body::{Body, to_bytes},
    extract::{Form, FromRequest, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::server_fn::error::ServerFnUrlError;

use crate::{
    model::{error::ApiError, plain_form::Returned},
    server::session::Sessions,
};

/// No plain form is larger.
const LONGEST: usize = 64 * 1024;

/// Sends a plain form on, and brings it back if it is refused.
pub(super) async fn bring_back(State(sessions): State<Sessions>, request: Request, next: Next) -> Response {
    if !is_plain_form(&request) {
        return next.run(request).await;
    }
    let sent_to = request.uri().path().to_owned();
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let copy = Request::from_parts(head.clone(), Body::from(body.clone()));
    let mut response = next.run(Request::from_parts(head, Body::from(body))).await;
    let Some((page, error)) = refusal(&response) else { return response };
    let typed = Form::<Vec<(String, String)>>::from_request(copy, &()).await.map(|form| form.0).unwrap_or_default();
    if let (Some(cookie), Ok(page)) =
        (sessions.bring_back(Returned { sent_to, error, typed }), HeaderValue::from_str(&page))
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
        response.headers_mut().insert(header::LOCATION, page);
    }
    response
}

fn is_plain_form(request: &Request) -> bool {
    let says = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    request.method() == Method::POST
        && request.uri().path().starts_with("/rpc/")
        && says(header::ACCEPT).contains("text/html")
        && says(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded")
}

/// The page a refused form goes back to, and why it was refused.
fn refusal(response: &Response) -> Option<(String, ApiError)> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let query = location.split_once('?')?.1.split('#').next()?;
    let told = query.split('&').find_map(|pair| pair.strip_prefix("__err="))?;
    // The base64 of an address, whose padding the address escapes.
    let error = ServerFnUrlError::<ApiError>::decode_err(&told.replace("%3D", "="));
    let mut page = location.to_owned();
    ServerFnUrlError::<ApiError>::strip_error_info(&mut page);
    Some((page.trim_end_matches('?').to_owned(), error))
}
