//! Who acts. Every service takes one and asks it for the permission itself, so that no route, page
//! or command can forget to.

use crate::model::{
    error::{ApiError, ApiResult},
    id::SessionId,
    user::{Permission, Role, Viewer},
};

/// A person who is signed in, a program with a person's token, or the machine's own operator.
#[derive(Clone, Debug)]
pub struct Principal {
    name: String,
    role: Role,
    viewer: Option<Viewer>,
    session: Option<SessionId>,
}

impl Principal {
    /// Whoever may run commands on the machine: they can read the database anyway.
    pub fn system(name: &str) -> Self {
        Self { name: name.to_owned(), role: Role::Owner, viewer: None, session: None }
    }

    /// A person at a browser.
    pub fn person(viewer: Viewer, session: SessionId) -> Self {
        Self { name: viewer.username.clone(), role: viewer.role, viewer: Some(viewer), session: Some(session) }
    }

    /// A program that acts for a person.
    pub fn program(viewer: Viewer) -> Self {
        Self { name: viewer.username.clone(), role: viewer.role, viewer: Some(viewer), session: None }
    }

    /// The name that audit rows carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What they may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The person, unless it is the machine.
    pub fn viewer(&self) -> Option<&Viewer> {
        self.viewer.as_ref()
    }

    /// The session they came with, if they came with one.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Passes if the role has the permission.
    pub fn require(&self, permission: Permission) -> ApiResult<()> {
        if self.role.allows(permission) { Ok(()) } else { Err(ApiError::Forbidden { permission }) }
    }
}
