//! Everything but the proxy route: the back office, its server functions, static files, probes.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, generate_route_list};
use rust_embed::Embed;

use super::{plain, refusal};
use crate::{
    model::error::ApiError,
    server::session::Sessions,
    ui::{
        app::{App, shell},
        lost::Lost,
        origin::ServedAt,
        pieces::Manifest,
        preferences::Preferences,
        returned::Brought,
        session::Known,
    },
};

/// Built files of the client: from disk while developing, inside the binary in a release.
#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/target/site"]
#[allow_missing = true]
struct Site;

/// Site options, compiled in; `LEPTOS_*` variables override them while developing.
pub fn leptos_options() -> LeptosOptions {
    leptos::config::get_config_from_str(include_str!("../../Leptos.toml"))
        .expect("Leptos.toml is compiled in and tested")
}

/// The pages, with what their server functions find in context.
pub fn pages(options: &LeptosOptions, provide: impl Fn() + Clone + Send + Sync + 'static) -> Router {
    let routes = generate_route_list(App);
    let manifest = manifest(&options.site_pkg_dir);
    let context = move || {
        provide_context(manifest.clone());
        provide_preferences();
        provide_viewer();
        provide();
        provide_request();
        set_content_security_policy();
    };
    let document = {
        let options = options.clone();
        move || shell(options.clone())
    };
    let nowhere = leptos_axum::render_app_async_with_context(context.clone(), document.clone());
    Router::new()
        .leptos_routes_with_context(options, routes, context, document)
        .fallback(move |request: Request| {
            let nowhere = nowhere.clone();
            async move { if is_lost(&request) { nowhere(request).await.into_response() } else { asset(request).await } }
        })
        .with_state(options.clone())
}

/// Which files the build cut the client into; empty where there is no client.
fn manifest(pkg: &str) -> Manifest {
    let file = Site::get(&format!("{pkg}/__wasm_split_manifest.json"));
    let files = file.and_then(|file| serde_json::from_slice(&file.data).ok());
    Manifest(Arc::new(files.unwrap_or_default()))
}

/// What stands around the pages: who asks, refusals with their status, plain forms brought back.
pub fn around(pages: Router, sessions: &Sessions) -> Router {
    pages
        .layer(from_fn(refusal::tell_status))
        .layer(from_fn_with_state(sessions.clone(), plain::bring_back))
        .layer(from_fn_with_state(sessions.clone(), know_viewer))
}

/// Whether a person's browser asks for a page that does not exist: its status comes from the page, which tells that.
fn is_lost(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let page = request.method() == Method::GET && accept.contains("text/html");
    page && Site::get(request.uri().path().trim_start_matches('/')).is_none()
}

/// Language, theme and zone from the cookies of this request, before anything is rendered.
fn provide_preferences() {
    let Some(head) = use_context::<axum::http::request::Parts>() else { return };
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now_ms = jiff::Timestamp::now().as_millisecond();
    provide_context(Preferences::read(text(header::COOKIE), text(header::ACCEPT_LANGUAGE), now_ms));
}

/// What a page needs to know of its request: where clients reach us, the form that comes back to
/// it, and the way to say that it does not exist.
fn provide_request() {
    let (Some(head), Some(sessions)) = (use_context::<axum::http::request::Parts>(), use_context::<Sessions>()) else {
        return;
    };
    let answer = use_context::<leptos_axum::ResponseOptions>().unwrap_or_default();
    provide_context(ServedAt(sessions.origin(&head)));
    if head.method == Method::GET
        && let Some((returned, taken)) = sessions.brought_back(&head.headers)
    {
        provide_context(Brought(returned));
        answer.append_header(header::SET_COOKIE, taken);
    }
    provide_context(Lost::new(move || answer.set_status(StatusCode::NOT_FOUND)));
}

/// Finds out who asks for a page before it is rendered, so that the first paint is already theirs.
pub async fn know_viewer(State(sessions): State<Sessions>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    if head.method == Method::GET && (head.uri.path() == "/admin" || head.uri.path().starts_with("/admin/")) {
        match sessions.of_person(&head).await {
            Ok(who) => drop(head.extensions.insert(Known(who.viewer().cloned()))),
            Err(ApiError::Unauthenticated) => drop(head.extensions.insert(Known(None))),
            // Nothing is known when the store cannot be asked: the page then tells that itself.
            Err(_) => {}
        }
    }
    next.run(Request::from_parts(head, body)).await
}

/// Hands what [`know_viewer`] found to the pages.
fn provide_viewer() {
    let known = use_context::<axum::http::request::Parts>().and_then(|head| head.extensions.get::<Known>().cloned());
    if let Some(known) = known {
        provide_context(known);
    }
}

/// Scripts only with this page's nonce, and WASM; style attributes because charts place their labels
/// by percent and a nonce-only policy would drop them from server-rendered HTML.
fn set_content_security_policy() {
    let Some(options) = use_context::<leptos_axum::ResponseOptions>() else { return };
    let script = use_nonce().map_or_else(|| "'self'".to_owned(), |nonce| format!("'nonce-{nonce}' 'wasm-unsafe-eval'"));
    let policy = format!(
        "default-src 'self'; script-src {script}; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        options.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
    options.insert_header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    options.insert_header(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    options.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A built file, with the best encoding the client takes.
async fn asset(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let accepts = |encoding: &str| {
        let accepted = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        accepted.is_some_and(|value| value.split(',').any(|part| part.trim().starts_with(encoding)))
    };
    let candidates = [("br", ".br"), ("gzip", ".gz")];
    let encoded = candidates
        .iter()
        .filter(|(encoding, _)| accepts(encoding))
        .find_map(|(encoding, suffix)| Site::get(&format!("{path}{suffix}")).map(|file| (file, Some(*encoding))));
    let Some((file, encoding)) = encoded.or_else(|| Site::get(path).map(|file| (file, None))) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let kind = Site::get(path)
        .map_or_else(|| "application/octet-stream".to_owned(), |plain| plain.metadata.mimetype().to_owned());
    let hash = file.metadata.sha256_hash();
    let etag = format!("\"{}\"", hash[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == etag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    // The package directory carries the version in its name in a release; anything else is asked again.
    let caching = if path.starts_with("pkg-") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = file.data.into_owned().into_response();
    let headers = response.headers_mut();
    let set = |headers: &mut axum::http::HeaderMap, name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(headers, header::CONTENT_TYPE, &kind);
    set(headers, header::ETAG, &etag);
    set(headers, header::CACHE_CONTROL, caching);
    set(headers, header::VARY, "accept-encoding");
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(encoding) = encoding {
        set(headers, header::CONTENT_ENCODING, encoding);
    }
    response
}

/// `/livez` touches nothing: the process answers.
pub fn probes(ready: tokio::sync::watch::Receiver<bool>) -> Router {
    let readiness = move || {
        let ready = *ready.borrow();
        async move { if ready { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") } }
    };
    Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(readiness))
}
