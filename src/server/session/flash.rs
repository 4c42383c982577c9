//! A new key after a plain form: shown by the page that follows, once.
//!
//! The client shows a key from the answer itself. Without it the answer of a form is a redirect,
//! so the key waits for a minute in a cookie that scripts cannot read and that the next page takes
//! away. It goes to the browser that made it, over the connection that would have shown it anyway.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use super::Sessions;
use crate::model::api_key::CreatedKey;

const NAME: &str = "rondo_once";
const WAITS_S: u32 = 60;

/// Keeps the key for the page at `path` and goes there, if a plain form asked; otherwise does nothing.
pub fn show_once(path: &str, created: &CreatedKey) {
    let plain = use_context::<Parts>().is_some_and(|parts| accepts_html(&parts));
    if !plain {
        return;
    }
    if let Ok(json) = serde_json::to_vec(created) {
        set(&URL_SAFE_NO_PAD.encode(json), WAITS_S);
        leptos_axum::redirect(path);
    }
}

/// The key that waits, taken away with this answer.
pub fn shown_once() -> Option<CreatedKey> {
    let parts = use_context::<Parts>()?;
    let cookies = parts.headers.get(header::COOKIE)?.to_str().ok()?;
    let value = cookies.split(';').find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))?;
    set("", 0);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
}

fn accepts_html(parts: &Parts) -> bool {
    parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn set(value: &str, max_age_s: u32) {
    let https = use_context::<Sessions>().is_some_and(|sessions| sessions.0.site.https);
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}");
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&text)) {
        response.append_header(header::SET_COOKIE, value);
    }
}
