//! Who is at the browser, as the screens see it.
//!
//! The server knows before it renders and says so in context ([`Known`]); the document repeats it
//! on `<html>`, so hydration starts from the same person. Only a page that was reached without a
//! new document (right after signing in) asks once more.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::session::current_viewer,
    model::user::{Permission, Role, Viewer},
};

/// What the server knows of the person behind a request; `serve` provides it before rendering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known(pub Option<Viewer>);

impl Known {
    /// The attribute of `<html>` that carries the person to the browser.
    pub fn attribute(&self) -> Option<String> {
        self.0.as_ref().and_then(|viewer| serde_json::to_string(viewer).ok())
    }

    /// What the server wrote on `<html>`.
    fn of_document() -> Option<Self> {
        if !is_browser() {
            return None;
        }
        let text = document().document_element()?.get_attribute("data-viewer")?;
        Some(Self(serde_json::from_str(&text).ok()))
    }
}

/// The person at the browser; `None` until known.
#[derive(Clone, Copy)]
pub struct Session {
    viewer: RwSignal<Option<Viewer>>,
}

impl Session {
    /// Provides the person to everything below.
    pub fn provide() -> Self {
        let known = use_context::<Known>().or_else(Known::of_document);
        let session = Self { viewer: RwSignal::new(known.and_then(|known| known.0)) };
        provide_context(session);
        session
    }

    /// The session of this page.
    pub fn here() -> Self {
        use_context().expect("App provides the session")
    }

    /// The person, if known.
    pub fn viewer(self) -> Option<Viewer> {
        self.viewer.get()
    }

    /// Whether the person may do it: for hiding what the server would refuse.
    pub fn allows(self, permission: Permission) -> bool {
        self.viewer.with(|viewer| viewer.as_ref().is_some_and(|viewer| viewer.role.allows(permission)))
    }

    /// [`allows`](Self::allows) for what is decided once, while a page is drawn.
    pub fn may(self, permission: Permission) -> bool {
        untrack(|| self.allows(permission))
    }

    /// Asks the server who this is, where the document did not say; nobody goes to sign in.
    pub(super) fn ask(self) {
        Effect::new(move || {
            if self.viewer.with_untracked(Option::is_some) {
                return;
            }
            spawn_local(async move {
                match current_viewer().await {
                    Ok(Some(viewer)) => self.viewer.set(Some(viewer)),
                    Ok(None) => leave_for_sign_in(),
                    // The pages tell what they cannot read.
                    Err(_) => {}
                }
            });
        });
    }
}

/// Loads the sign-in page anew, which forgets everything this page knows, and comes back after.
pub fn leave_for_sign_in() {
    let place = window().location();
    let here = place.pathname().unwrap_or_default() + &place.search().unwrap_or_default();
    let _ = place.set_href(&sign_in_address(&here));
}

/// The sign-in page that leads back here.
pub fn sign_in_address(here: &str) -> String {
    let mut next = String::new();
    for byte in here.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => next.push(char::from(byte)),
            other => next.push_str(&format!("%{other:02X}")),
        }
    }
    format!("/login?next={next}")
}

/// The word for a role.
pub fn role_name(role: Role) -> &'static str {
    use super::i18n::t;
    match role {
        Role::Viewer => t!(shell::viewer),
        Role::Operator => t!(shell::operator),
        Role::Admin => t!(shell::admin),
        Role::Owner => t!(shell::owner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_survives_as_one_query_value() {
        assert_eq!(sign_in_address("/admin?range=1h&group=a b"), "/login?next=/admin%3Frange%3D1h%26group%3Da%20b");
    }
}
