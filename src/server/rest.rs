//! The admin services as JSON for programs: `/api/admin/v1/…`.
//!
//! The router is built from one table ([`endpoints::ENDPOINTS`]) and every call goes through one
//! door ([`dispatch`]): who is it, may it, then the service, which asks again. A route that is not
//! in the table does not exist, so a test that walks the table has walked everything.

mod call;
pub mod endpoints;
mod export;
mod problem;

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request, State},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};

use self::{call::Call, endpoints::Endpoint};
use crate::{
    model::error::{ApiError, ApiResult},
    server::{admin::Admin, session::Sessions},
};

/// Where the API lives.
pub const BASE: &str = "/api/admin/v1";

/// What the API works with.
#[derive(Clone)]
struct Rooms {
    admin: Admin,
    sessions: Sessions,
}

/// The whole API, paths from the root.
pub fn router(admin: Admin, sessions: Sessions) -> Router {
    let rooms = Rooms { admin, sessions };
    let mut router = Router::new();
    for endpoint in endpoints::ENDPOINTS {
        let path = format!("{BASE}{}", endpoint.path);
        router = router.route(&path, route(endpoint));
    }
    router
        .route(BASE, axum::routing::any(unknown))
        .route(&format!("{BASE}/{{*rest}}"), axum::routing::any(unknown))
        .with_state(rooms)
}

fn route(endpoint: &'static Endpoint) -> MethodRouter<Rooms> {
    let filter = MethodFilter::try_from(endpoint.method.clone()).expect("the table names GET, POST, PUT and DELETE");
    let handler = move |State(rooms): State<Rooms>, params: RawPathParams, request: Request| async move {
        match dispatch(endpoint, rooms, &params, request).await {
            Ok(response) => response,
            Err(error) => problem::render(&error),
        }
    };
    on(filter, handler)
}

async fn unknown() -> Response {
    problem::render(&ApiError::NotFound { what: "endpoint".into() })
}

async fn dispatch(
    endpoint: &Endpoint,
    rooms: Rooms,
    params: &RawPathParams,
    request: Request<Body>,
) -> ApiResult<Response> {
    let (parts, body) = request.into_parts();
    let who = rooms.sessions.of_program_or_person(&parts).await?;
    who.require(endpoint.permission)?;
    let call = Call::read(rooms.admin, who, params, &parts, body).await?;
    Ok((endpoint.handle)(call).await?.into_response())
}
