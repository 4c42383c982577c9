//! What a browser chose: language, theme and time zone, kept in three plain cookies.
//!
//! The server reads them before it renders, so the first paint is already right; the document
//! repeats them on `<html>`, so hydration starts from the very same values.

use leptos::prelude::*;

use super::i18n::Language;

/// Cookie of the chosen language.
pub const LANGUAGE_COOKIE: &str = "rondo_language";
/// Cookie of the chosen theme.
pub const THEME_COOKIE: &str = "rondo_theme";
/// Cookie of the browser's offset from UTC, minutes east.
pub const ZONE_COOKIE: &str = "rondo_zone";

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it; needs no script.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The word in the cookie and in `data-theme`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the word; anything unknown follows the system.
    pub fn parse(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// The one the switch turns to.
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Auto,
        }
    }
}

/// What this page is rendered with. `serve` provides it as context before rendering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Language of the words.
    pub language: Language,
    /// Theme, if one was chosen.
    pub theme: Theme,
    /// Minutes east of UTC, as the browser last said.
    pub zone_minutes: i32,
    /// When the page was rendered, unix milliseconds.
    pub now_ms: i64,
}

impl Preferences {
    /// Reads the `Cookie` and `Accept-Language` headers; a cookie wins.
    pub fn read(cookies: &str, accept_language: &str, now_ms: i64) -> Self {
        let language = cookie(cookies, LANGUAGE_COOKIE).and_then(Language::parse);
        Self {
            language: language.unwrap_or_else(|| Language::negotiate(accept_language)),
            theme: cookie(cookies, THEME_COOKIE).map(Theme::parse).unwrap_or_default(),
            zone_minutes: cookie(cookies, ZONE_COOKIE)
                .and_then(|text| text.parse().ok())
                .map_or(0, |minutes: i32| minutes.clamp(-840, 840)),
            now_ms,
        }
    }

    /// What the server wrote on `<html>`; the defaults where there is no document.
    pub fn of_document() -> Self {
        if !is_browser() {
            return Self::default();
        }
        let Some(root) = document().document_element() else { return Self::default() };
        let read = |name: &str| root.get_attribute(name).unwrap_or_default();
        Self {
            language: Language::parse(&read("lang")).unwrap_or_default(),
            theme: Theme::parse(&read("data-theme")),
            zone_minutes: read("data-zone").parse().unwrap_or(0),
            now_ms: read("data-now").parse().unwrap_or(0),
        }
    }
}

/// The value of one cookie of a `Cookie` header (RFC 6265 §5.4).
fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Keeps a choice for a year, from the browser. Does nothing on the server.
pub fn remember(name: &str, value: &str) {
    use wasm_bindgen::JsCast;
    if !is_browser() {
        return;
    }
    if let Some(document) = document().dyn_ref::<web_sys::HtmlDocument>() {
        // A refused cookie costs the choice on the next visit, nothing now.
        let _ = document.set_cookie(&format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax"));
    }
}

/// Shows the page in a theme at once, and keeps it.
pub fn apply_theme(theme: Theme) {
    if !is_browser() {
        return;
    }
    if let Some(root) = document().document_element() {
        let _ = match theme {
            Theme::Auto => root.remove_attribute("data-theme"),
            chosen => root.set_attribute("data-theme", chosen.as_str()),
        };
    }
    remember(THEME_COOKIE, theme.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_wins_over_the_accepted_languages() {
        let read = Preferences::read("a=b; rondo_language=zh-CN; rondo_theme=dark; rondo_zone=480", "en", 7);
        assert_eq!(read, Preferences { language: Language::Chinese, theme: Theme::Dark, zone_minutes: 480, now_ms: 7 });
    }

    #[test]
    fn nonsense_in_a_cookie_falls_back() {
        let read = Preferences::read("rondo_language=xx; rondo_theme=\"; rondo_zone=99999999", "zh", 0);
        assert_eq!(read, Preferences { language: Language::Chinese, theme: Theme::Auto, zone_minutes: 840, now_ms: 0 });
    }
}
