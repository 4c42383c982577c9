//! People, roles and what each role may do. One table is the source of code, tests and documents.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    id::UserId,
    problem::{Issue, Problem, Validate, note},
};

/// Shortest password, in characters (NIST SP 800-63B asks for 8 at least, 15 without a second factor; 10 is ours).
pub const PASSWORD_MIN: usize = 10;
/// Longest password, in characters: argon2id would take any length, a request should not.
pub const PASSWORD_MAX: usize = 256;

/// What a person may do, from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything but secrets.
    Viewer,
    /// Also enables, disables, tests and drills.
    Operator,
    /// Also creates, edits and deletes.
    Admin,
    /// Also manages people, secrets and the system.
    Owner,
}

/// One thing that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Read configuration, statistics, health and the log.
    View,
    /// Enable and disable, test connections, run drills, replay, say what tokens cost.
    Operate,
    /// Create, edit and delete providers.
    ManageProviders,
    /// Create, edit and delete groups.
    ManageGroups,
    /// Create, edit and revoke API keys.
    ManageApiKeys,
    /// Create, edit and delete rules and channels of alerts.
    ManageAlerts,
    /// Import and export the configuration.
    Transfer,
    /// Read the audit trail.
    ReadAudit,
    /// Read the bodies of requests that were kept: what people wrote. Each reading is audited.
    ReadBodies,
    /// Manage people and their roles.
    ManageUsers,
    /// Change system settings, rotate the encryption key.
    ManageSystem,
}

impl Role {
    /// All roles, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::Owner];

    /// Whether this role includes the permission. Deny by default: what is not listed is refused.
    pub fn allows(self, permission: Permission) -> bool {
        let least = match permission {
            Permission::View => Self::Viewer,
            Permission::Operate => Self::Operator,
            Permission::ManageProviders
            | Permission::ManageGroups
            | Permission::ManageApiKeys
            | Permission::ManageAlerts
            | Permission::Transfer
            | Permission::ReadAudit
            | Permission::ReadBodies => Self::Admin,
            Permission::ManageUsers | Permission::ManageSystem => Self::Owner,
        };
        self >= least
    }

    /// The word stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Issue;

    fn from_str(text: &str) -> Result<Self, Issue> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(Issue::Unknown)
    }
}

/// The person at the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Who.
    pub id: UserId,
    /// Sign-in name.
    pub username: String,
    /// Name on screen.
    pub display_name: String,
    /// What they may do.
    pub role: Role,
}

/// A person, as the users list shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// Sign-in name.
    pub username: String,
    /// Name on screen.
    pub display_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in.
    pub enabled: bool,
    /// When they were added, unix milliseconds.
    pub created_at_ms: i64,
    /// Last sign-in, unix milliseconds.
    pub last_seen_at_ms: Option<i64>,
}

/// A person to be created. The password crosses the wire once and is stored only as argon2id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDraft {
    /// Sign-in name.
    pub username: String,
    /// Name on screen; empty takes the sign-in name.
    #[serde(default)]
    pub display_name: String,
    /// The password, 10–256 characters.
    pub password: String,
    /// What they may do.
    pub role: Role,
}

impl fmt::Debug for UserDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserDraft").field("username", &self.username).field("role", &self.role).finish_non_exhaustive()
    }
}

impl Validate for UserDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "username", check_username(&self.username));
        note(problems, at, "password", check_password(&self.password, &self.username));
        if self.display_name.chars().count() > super::name::NAME_MAX {
            note(problems, at, "display_name", Err(Issue::TooLong { max: super::name::NAME_MAX as u32 }));
        }
    }
}

/// What an owner may change of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// Name on screen; empty takes the sign-in name.
    #[serde(default)]
    pub display_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in.
    pub enabled: bool,
}

impl Validate for UserPatch {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        if self.display_name.chars().count() > super::name::NAME_MAX {
            note(problems, at, "display_name", Err(Issue::TooLong { max: super::name::NAME_MAX as u32 }));
        }
    }
}

/// Name and password on their way in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginDraft {
    /// Sign-in name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for LoginDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginDraft").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A new password of one's own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordChange {
    /// The password until now.
    pub current: String,
    /// The new one, 10–256 characters.
    pub new: String,
}

impl fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordChange")
    }
}

/// Checks a sign-in name: 1–64 characters of letters, digits and `.`, `_`, `-`, `@`.
pub fn check_username(username: &str) -> Result<(), Issue> {
    match username.chars().count() {
        0 => Err(Issue::Required),
        1..=64 if username.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@')) => Ok(()),
        1..=64 => Err(Issue::InvalidName),
        _ => Err(Issue::TooLong { max: 64 }),
    }
}

/// Checks a new password: long enough, not the user name, not one of those tried first.
pub fn check_password(password: &str, username: &str) -> Result<(), Issue> {
    const TRIED_FIRST: [&str; 8] =
        ["password", "1234567890", "qwertyuiop", "administrator", "letmein", "iloveyou", "rondorondo", "changeme"];
    let length = password.chars().count();
    if length == 0 {
        return Err(Issue::Required);
    }
    if length < PASSWORD_MIN {
        return Err(Issue::TooShort { min: PASSWORD_MIN as u32 });
    }
    if length > PASSWORD_MAX {
        return Err(Issue::TooLong { max: PASSWORD_MAX as u32 });
    }
    let lower = password.to_lowercase();
    let mut letters = lower.chars();
    let first = letters.next();
    let one_letter = letters.all(|c| Some(c) == first);
    let easy = TRIED_FIRST
        .iter()
        .any(|word| lower.trim_end_matches(|c: char| c.is_ascii_digit() || c == '!') == *word || lower == *word);
    if one_letter || easy || (!username.is_empty() && lower == username.to_lowercase()) {
        return Err(Issue::WeakPassword);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_all_of_the_roles_below_it() {
        for permission in [Permission::View, Permission::Operate, Permission::ManageProviders, Permission::ManageUsers]
        {
            let allowed: Vec<bool> = Role::ALL.into_iter().map(|role| role.allows(permission)).collect();
            assert!(allowed.is_sorted(), "{permission:?}: {allowed:?}");
            assert!(Role::Owner.allows(permission));
        }
        assert!(!Role::Viewer.allows(Permission::Operate));
        assert!(!Role::Operator.allows(Permission::ManageApiKeys));
        assert!(!Role::Admin.allows(Permission::ManageUsers));
    }

    #[test]
    fn an_easy_password_is_refused() {
        assert_eq!(check_password("short", "ana"), Err(Issue::TooShort { min: 10 }));
        assert_eq!(check_password("password123", "ana"), Err(Issue::WeakPassword));
        assert_eq!(check_password("aaaaaaaaaaaa", "ana"), Err(Issue::WeakPassword));
        assert_eq!(check_password("anaanaanaana", "anaanaanaana"), Err(Issue::WeakPassword));
        assert_eq!(check_password("correct horse battery", "ana"), Ok(()));
    }
}
