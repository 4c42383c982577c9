//! Language and theme, for a browser whose client does not run.

use leptos::prelude::*;

use super::browser::Browser;
use crate::model::error::ApiError;

/// Keeps a choice in a cookie for a year, then goes back to the page. Needs no session: it changes
/// nothing but how the next page looks in this browser.
#[server(client = Browser, prefix = "/rpc", endpoint = "preferences")]
pub async fn save_preferences(language: Option<String>, theme: Option<String>) -> Result<(), ApiError> {
    let language = language.filter(|word| ["en", "zh-CN"].contains(&word.as_str()));
    let theme = theme.filter(|word| ["auto", "light", "dark"].contains(&word.as_str()));
    let response = expect_context::<leptos_axum::ResponseOptions>();
    for (name, value) in [("rondo_language", language), ("rondo_theme", theme)] {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax");
        let parsed = cookie.parse().expect("words of the lists above");
        response.append_header("set-cookie".parse().expect("a header name"), parsed);
    }
    Ok(())
}
