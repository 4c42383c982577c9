//! The door of server functions: each begins with [`require`], for calls made while a page is
//! rendered on the server pass no middleware.
//!
//! `serve` puts [`Admin`] and [`Sessions`] into the context of every page and server function.

use http::{HeaderValue, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use super::{Principal, Sessions};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        setup::SetupState,
        user::{LoginDraft, Permission, UserDraft, Viewer},
    },
    server::admin::Admin,
};

/// The services and whoever calls them, if their role has this permission.
pub async fn require(permission: Permission) -> ApiResult<(Admin, Principal)> {
    let (admin, who) = signed_in().await?;
    who.require(permission)?;
    Ok((admin, who))
}

/// The services and whoever calls them, whatever their role: for what concerns only themselves.
pub async fn signed_in() -> ApiResult<(Admin, Principal)> {
    let (admin, sessions, parts) = (found::<Admin>()?, found::<Sessions>()?, found::<Parts>()?);
    let who = sessions.of_person(&parts).await?;
    Ok((admin, who))
}

/// Whoever is at the browser, or nobody.
pub async fn viewer() -> ApiResult<Option<Viewer>> {
    match signed_in().await {
        Ok((_, who)) => Ok(who.viewer().cloned()),
        Err(ApiError::Unauthenticated) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Signs in and sets the cookie.
pub async fn login(draft: LoginDraft) -> ApiResult<Viewer> {
    let (sessions, parts) = (found::<Sessions>()?, found::<Parts>()?);
    let signed_in = sessions.login(draft, &parts).await?;
    set_cookie(signed_in.set_cookie);
    Ok(signed_in.viewer)
}

/// Signs out here. Without a session it is done already.
pub async fn logout() -> ApiResult<()> {
    let (sessions, parts) = (found::<Sessions>()?, found::<Parts>()?);
    set_cookie(sessions.logout(&parts).await?);
    Ok(())
}

/// Signs out everywhere.
pub async fn logout_everywhere() -> ApiResult<()> {
    let (_, who) = signed_in().await?;
    set_cookie(found::<Sessions>()?.logout_everywhere(&who).await?);
    Ok(())
}

/// How far the setup is: for whoever is signed in, or holds the token of the first run. For
/// everybody else the page does not exist.
pub async fn setup_state(token: String) -> ApiResult<SetupState> {
    match signed_in().await {
        Ok((admin, who)) => admin.setup().progress(&who).await,
        Err(ApiError::Unauthenticated) => found::<Admin>()?.setup().state(&token).await,
        Err(error) => Err(error),
    }
}

/// Makes the first administrator with the token of the first run, and signs them in.
pub async fn create_administrator(token: String, draft: UserDraft) -> ApiResult<Viewer> {
    let (admin, sessions, parts) = (found::<Admin>()?, found::<Sessions>()?, found::<Parts>()?);
    sessions.check_origin(&parts)?;
    let user = admin.setup().create_administrator(&token, draft).await?;
    let signed_in = sessions.begin(&user, &parts).await?;
    set_cookie(signed_in.set_cookie);
    Ok(signed_in.viewer)
}

fn set_cookie(value: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(header::SET_COOKIE, value);
    }
}

/// What `serve` put into the context. Missing: the call came from outside of a request.
fn found<T: Clone + 'static>() -> ApiResult<T> {
    use_context::<T>().ok_or_else(|| {
        tracing::error!(missing = std::any::type_name::<T>(), "a server function ran outside of a request");
        ApiError::Internal { id: "outside-of-a-request".into() }
    })
}
