//! Who is at the browser, as the screens see it.

use leptos::prelude::*;

use crate::model::user::{Permission, Role, Viewer};

/// The person at the browser; `None` until known.
#[derive(Clone, Copy)]
pub struct Session {
    viewer: Signal<Option<Viewer>>,
}

impl Session {
    /// Provides the person to everything below.
    pub fn provide(viewer: Signal<Option<Viewer>>) -> Self {
        let session = Self { viewer };
        provide_context(session);
        session
    }

    /// The session of this page.
    pub fn here() -> Self {
        use_context().expect("the frame provides the session")
    }

    /// The person, if known.
    pub fn viewer(self) -> Option<Viewer> {
        self.viewer.get()
    }

    /// Whether the person may do it: for hiding what the server would refuse.
    pub fn allows(self, permission: Permission) -> bool {
        self.viewer.with(|viewer| viewer.as_ref().is_some_and(|viewer| viewer.role.allows(permission)))
    }
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
