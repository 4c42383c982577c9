//! What can go wrong with the store, as decisions: what the caller can do, and what a person can do.

use std::path::{Path, PathBuf};

use crate::{
    model::{id::GroupId, provider::GroupRef},
    server::secret::seal::SealError,
};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The record was changed since the editor read it. Nothing was written.
    #[error("the record was changed by {by} in revision {revision}; nothing was overwritten")]
    Conflict {
        /// Revision that is stored now.
        revision: i64,
        /// Who stored it.
        by: String,
        /// When, unix milliseconds.
        at_ms: i64,
    },
    /// Another record has this name, slug or sign-in name. Nothing was written.
    #[error("the {field} is already taken")]
    Taken {
        /// The field as the wire names it: `name`, `slug`, `username`.
        field: &'static str,
    },
    /// A record that was to be changed, or is referred to, is not there. Nothing was written.
    #[error("{what} not found")]
    NotFound {
        /// Kind of the thing: `provider`, `group`, `api key`, `user`.
        what: &'static str,
    },
    /// A provider is a member of groups, and the caller did not say that it may leave them.
    #[error("the provider is in use by {}", .groups.iter().map(|group| group.slug.as_str()).collect::<Vec<_>>().join(", "))]
    InUse {
        /// Those groups.
        groups: Vec<GroupRef>,
    },
    /// Nobody could manage people any more.
    #[error("the last owner who may sign in cannot be removed, disabled or given another role")]
    LastOwner,
    /// The first administrator exists already.
    #[error("an administrator exists already; sign in instead")]
    AlreadySetUp,
    /// The database cannot be used now; it may be later. Proxying goes on.
    #[error("{0}")]
    Unavailable(Trouble),
    /// The database cannot be used until a person mends something.
    #[error("{0}")]
    Unusable(Trouble),
    /// What is stored cannot be understood.
    #[error(
        "{what} {id} in the store cannot be read: {reason}; restore a backup or correct the row with `rondo db shell`"
    )]
    Damaged {
        /// Kind of the thing.
        what: &'static str,
        /// Which one.
        id: String,
        /// What the parser said.
        reason: String,
    },
    /// The master key is not the one of this store.
    #[error(transparent)]
    Key(#[from] SealError),
    /// A fault of ours: a statement the database refused.
    #[error("the database refused a statement: {0}")]
    Refused(String),
}

/// One line for a person: what is wrong with which database, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Another process holds the lock.
    #[error(
        "the database {place} is locked by another program; close what has it open (a shell, a backup) and try again"
    )]
    Locked {
        /// Which database.
        place: String,
    },
    /// The directory or file cannot be written.
    #[error(
        "the database {place} cannot be written; give the user that runs rondo write permission on its directory, or choose another with RONDO_DATA_DIR"
    )]
    ReadOnly {
        /// Which database.
        place: String,
    },
    /// No space.
    #[error(
        "the disk that holds the database {place} is full; free some space, nothing was lost that was saved before"
    )]
    Full {
        /// Which database.
        place: String,
    },
    /// The file is something else.
    #[error("{place} is not a database; move the file away or name another one with DATABASE_URL")]
    NotADatabase {
        /// Which file.
        place: String,
    },
    /// The file's pages contradict each other.
    #[error("the database {place} is damaged; restore a backup with `rondo db restore`")]
    Corrupt {
        /// Which file.
        place: String,
    },
    /// The directory does not exist, or the path leads elsewhere.
    #[error("the database {place} cannot be opened: {reason}; check that its directory exists and may be entered")]
    CannotOpen {
        /// Which file.
        place: String,
        /// What the database said.
        reason: String,
    },
    /// No answer from the server.
    #[error(
        "the database server {place} cannot be reached: {reason}; check that it runs and that DATABASE_URL names it"
    )]
    Unreachable {
        /// Which server.
        place: String,
        /// What the network said.
        reason: String,
    },
    /// The server refuses us.
    #[error("the database server {place} refuses us: {reason}; check user, password and database in DATABASE_URL")]
    Denied {
        /// Which server.
        place: String,
        /// What it said.
        reason: String,
    },
    /// All connections are busy.
    #[error("no connection to the database {place} became free in time; it is slow or overloaded")]
    Busy {
        /// Which database.
        place: String,
    },
    /// A newer rondo has been here.
    #[error(
        "the database {place} was made by a newer rondo (its schema is {found}, this program knows {known}); start that version, or restore a backup from before the upgrade"
    )]
    NewerSchema {
        /// Which database.
        place: String,
        /// Version found.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A migration that was applied is not the one known here.
    #[error(
        "migration {version} of the database {place} differs from the one in this program; start the version of rondo that made the database"
    )]
    AlteredMigration {
        /// Which database.
        place: String,
        /// Which migration.
        version: i64,
    },
    /// It was never migrated, or not up to this version.
    #[error("the database {place} is not up to date; run `rondo db migrate`")]
    NotMigrated {
        /// Which database.
        place: String,
    },
}

impl StoreError {
    /// Whether trying again later may help: the database is away, locked, full or overloaded.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Groups that hold on to what was to be deleted.
    pub fn groups(&self) -> Vec<GroupId> {
        match self {
            Self::InUse { groups } => groups.iter().map(|group| group.id).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn at(place: &Place, error: sqlx::Error) -> Self {
        let name = place.name();
        match &error {
            sqlx::Error::PoolTimedOut => match place {
                Place::File(_) => Self::Unavailable(Trouble::Busy { place: name }),
                // The pool keeps trying to connect and tells only that its time is up.
                Place::Server(_) => {
                    let reason = "no connection could be made, or became free, in time".to_owned();
                    Self::Unavailable(Trouble::Unreachable { place: name, reason })
                }
            },
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(Trouble::Unreachable { place: name, reason: error.to_string() })
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Self::Unavailable(Trouble::Unreachable { place: name, reason: error.to_string() })
            }
            sqlx::Error::Database(told) => {
                let (code, message) = (told.code().unwrap_or_default(), told.message());
                match place {
                    Place::File(file) => sqlite_error(file, &code, message),
                    Place::Server(_) => postgres_error(name, &code, message),
                }
            }
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// Result codes of SQLite (<https://www.sqlite.org/rescode.html>); the low byte is the primary code.
fn sqlite_error(file: &Path, code: &str, message: &str) -> StoreError {
    let place = file.display().to_string();
    let cannot_open = |place| Trouble::CannotOpen { place, reason: message.to_owned() };
    match code.parse::<i32>().unwrap_or(0) & 0xff {
        5 | 6 => StoreError::Unavailable(Trouble::Locked { place }),
        8 => StoreError::Unavailable(Trouble::ReadOnly { place }),
        10 => StoreError::Unavailable(cannot_open(place)),
        11 => StoreError::Unusable(Trouble::Corrupt { place }),
        13 => StoreError::Unavailable(Trouble::Full { place }),
        // In a directory that is there, what cannot be opened cannot be made.
        14 if file.parent().is_some_and(Path::is_dir) => StoreError::Unavailable(Trouble::ReadOnly { place }),
        14 => StoreError::Unavailable(cannot_open(place)),
        26 => StoreError::Unusable(Trouble::NotADatabase { place }),
        1 if message.starts_with("no such table") => StoreError::Unusable(Trouble::NotMigrated { place }),
        _ => StoreError::Refused(message.to_owned()),
    }
}

/// SQLSTATE of PostgreSQL (appendix A of its manual), by class.
fn postgres_error(place: String, code: &str, message: &str) -> StoreError {
    let reason = message.to_owned();
    match code {
        "42P01" => StoreError::Unusable(Trouble::NotMigrated { place }),
        "25006" => StoreError::Unavailable(Trouble::ReadOnly { place }),
        "53100" => StoreError::Unavailable(Trouble::Full { place }),
        "3D000" | "42501" => StoreError::Unusable(Trouble::Denied { place, reason }),
        code if code.starts_with("28") => StoreError::Unusable(Trouble::Denied { place, reason }),
        // Connection exceptions, out of resources, stopped by an operator, serialisation failures and deadlocks.
        code if ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class)) => {
            StoreError::Unavailable(Trouble::Unreachable { place, reason })
        }
        _ => StoreError::Refused(reason),
    }
}

/// Which database, as messages name it. Never with a password.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    Server(String),
}

impl Place {
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(address) => address.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_sqlite_becomes_what_a_person_can_do() {
        let told = |code: &str| sqlite_error(Path::new("/tmp/rondo.db"), code, "told").to_string();
        assert!(told("5").contains("locked by another program"), "{}", told("5"));
        // 1032 is SQLITE_READONLY_DBMOVED: the low byte decides.
        for code in ["8", "1032", "14"] {
            assert!(told(code).contains("write permission"), "{}", told(code));
        }
        assert!(told("13").contains("is full"), "{}", told("13"));
        assert!(told("11").contains("rondo db restore"), "{}", told("11"));
        assert!(told("1").contains("refused a statement"), "{}", told("1"));
    }

    #[test]
    fn a_state_of_postgres_becomes_what_a_person_can_do() {
        let told = |code: &str| postgres_error("db".into(), code, "told");
        assert!(told("28P01").to_string().contains("check user, password and database"));
        assert!(told("53100").to_string().contains("is full"));
        for passing in ["57P01", "53300", "40001", "08006"] {
            assert!(told(passing).is_unavailable(), "{passing}");
        }
        assert!(!told("23505").is_unavailable());
    }
}
