//! The address of the database: parsed once, and never printed with its password.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::seal::Secret;

/// Where the configuration lives.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// SQLite; `None` is `rondo.db` in the data directory.
    Sqlite(Option<PathBuf>),
    /// PostgreSQL; the whole address, password and all.
    Postgres(Secret),
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Another database, or no address at all.
    #[error(
        "is not a database address; use `sqlite:`, `sqlite:/path/to/rondo.db` or `postgres://user:password@host/database`"
    )]
    Unknown,
    /// SQLite in memory.
    #[error(
        "asks for a database in memory, which every restart would empty; use `sqlite:` for a file in the data directory"
    )]
    Memory,
    /// No host or database is named.
    #[error("names no host; use `postgres://user:password@host/database`")]
    NoHost,
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite(None)
    }
}

impl DatabaseUrl {
    /// The files of a SQLite database, configuration and log; `None` for PostgreSQL.
    pub fn files(&self, data_dir: &Path) -> Option<(PathBuf, PathBuf)> {
        match self {
            Self::Sqlite(None) => Some((data_dir.join("rondo.db"), data_dir.join("log.db"))),
            Self::Sqlite(Some(path)) => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Some((path.clone(), path.with_file_name(format!("{stem}-log.db"))))
            }
            Self::Postgres(_) => None,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Accepts `sqlite:`, `sqlite:/path`, `sqlite://path`, `file:path`, `postgres://…` and `postgresql://…`.
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let text = text.trim();
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("sqlite" | "file") => parse_sqlite(&text[text.find(':').map_or(0, |at| at + 1)..]),
            Some("postgres" | "postgresql") => {
                let rest = text.split_once("://").map(|(_, rest)| rest).ok_or(DatabaseUrlError::NoHost)?;
                let authority = rest.split(['/', '?']).next().unwrap_or_default();
                let socket = rest.contains("host=");
                let host = authority.rsplit('@').next().unwrap_or_default();
                if host.is_empty() && !socket {
                    Err(DatabaseUrlError::NoHost)
                } else {
                    Ok(Self::Postgres(Secret::new(text)))
                }
            }
            _ => Err(DatabaseUrlError::Unknown),
        }
    }
}

fn parse_sqlite(rest: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
    let path = rest.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.contains(":memory:") || rest.contains("mode=memory") {
        return Err(DatabaseUrlError::Memory);
    }
    Ok(DatabaseUrl::Sqlite((!path.is_empty()).then(|| PathBuf::from(path))))
}

impl fmt::Display for DatabaseUrl {
    /// The address without its password and parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(None) => f.write_str("sqlite:"),
            Self::Sqlite(Some(path)) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url.expose())),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// An address as it may be shown: `scheme://user@host:port/path`. Password, query and fragment are left out,
/// for a password may stand there too.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "…".to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // The last `@` ends the user part: a password typed with an unescaped `@` or `/` must not show.
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (user.split(':').next().unwrap_or_default(), place),
        None => ("", rest),
    };
    if user.is_empty() { format!("{scheme}://{place}") } else { format!("{scheme}://{user}@{place}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_address_names_a_file_or_the_data_directory() {
        let files = |text: &str| text.parse::<DatabaseUrl>().expect("valid").files(Path::new("/data")).expect("sqlite");
        assert_eq!(files("sqlite:"), ("/data/rondo.db".into(), "/data/log.db".into()));
        assert_eq!(files("sqlite:/srv/a.db"), ("/srv/a.db".into(), "/srv/a-log.db".into()));
        assert_eq!(files("sqlite:///srv/a.db?mode=rwc").0, PathBuf::from("/srv/a.db"));
        assert_eq!(files("sqlite://dev.db").0, PathBuf::from("dev.db"));
        assert_eq!(files("file:./dev.db"), ("./dev.db".into(), "./dev-log.db".into()));
    }

    #[test]
    fn an_address_that_cannot_work_says_what_to_write() {
        let parse = |text: &str| text.parse::<DatabaseUrl>();
        assert_eq!(parse("mysql://x"), Err(DatabaseUrlError::Unknown));
        assert_eq!(parse(""), Err(DatabaseUrlError::Unknown));
        assert_eq!(parse("sqlite::memory:"), Err(DatabaseUrlError::Memory));
        assert_eq!(parse("postgres://"), Err(DatabaseUrlError::NoHost));
        assert!(parse("postgres:///rondo?host=/run/postgresql").is_ok());
    }

    #[test]
    fn a_password_is_never_printed() {
        let url: DatabaseUrl =
            "postgres://ana:p@ss/w:rd@db:5432/rondo?sslmode=require&password=pw".parse().expect("valid");
        assert_eq!(url.to_string(), "postgres://ana@db:5432/rondo");
        assert_eq!(format!("{url:?}"), "DatabaseUrl(postgres://ana@db:5432/rondo)");
        assert_eq!(without_password("redis://:pw@cache:6379/0"), "redis://cache:6379/0");
    }
}
