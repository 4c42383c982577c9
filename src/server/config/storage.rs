//! Where things are kept: data directory, databases, the key that seals secrets.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::source::{ConfigError, Sources, Values};
use crate::server::secret::{database_url::DatabaseUrl, key_file};

/// Settings of what is kept.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Directory of everything Rondo writes.
    pub data_dir: PathBuf,
    /// Database of the configuration and the request log.
    pub database_url: DatabaseUrl,
    /// Redis shared by several instances; `None` keeps everything in this process.
    pub redis_url: Option<Confidential>,
    /// Where the key that seals provider credentials comes from.
    pub encryption_key: KeySource,
}

/// Where the master key comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// `ENCRYPTION_KEY`: the key itself.
    Text(Confidential),
    /// `ENCRYPTION_KEY_FILE`: a file that must exist.
    File(PathBuf),
    /// A file in the data directory, made with mode 0600 on first start.
    Generated(PathBuf),
}

/// A setting that may hold a password; `Debug` prints its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Confidential(String);

impl Confidential {
    /// Keeps it from being printed.
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The value, to be used, never printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Confidential")
    }
}

impl Storage {
    pub(super) fn read(values: &Values, sources: &Sources) -> Result<Self, ConfigError> {
        let data_dir = match values.path("RONDO_DATA_DIR") {
            Some(path) => path,
            None => default_data_dir(sources).ok_or(ConfigError::NoDataDir)?,
        };
        let database_url = match values.text("DATABASE_URL") {
            Some(text) => text.parse().map_err(|error| values.refused("DATABASE_URL", &error))?,
            None => DatabaseUrl::default(),
        };
        let redis_url =
            values.read_optional("REDIS_URL", "a Redis address such as redis://127.0.0.1:6379", |text| {
                starts(text, &["redis://", "rediss://"])
            })?;
        let key = values.read_optional("ENCRYPTION_KEY", "a key", |text| Some(Confidential(text.to_owned())))?;
        let encryption_key = match (key, values.path("ENCRYPTION_KEY_FILE")) {
            (Some(_), Some(_)) => return Err(ConfigError::Both("ENCRYPTION_KEY", "ENCRYPTION_KEY_FILE")),
            (Some(key), None) => KeySource::Text(key),
            (None, Some(path)) => KeySource::File(path),
            (None, None) => KeySource::Generated(data_dir.join(key_file::FILE_NAME)),
        };
        Ok(Self { data_dir, database_url, redis_url, encryption_key })
    }
}

fn starts(text: &str, schemes: &[&str]) -> Option<Confidential> {
    schemes.iter().any(|scheme| text.starts_with(scheme)).then(|| Confidential(text.to_owned()))
}

/// `./data` in a checkout of Rondo, otherwise where the platform keeps data of programs.
fn default_data_dir(sources: &Sources) -> Option<PathBuf> {
    let here = &sources.working_dir;
    if here.join("Leptos.toml").is_file() && here.join("Cargo.toml").is_file() {
        return Some(here.join("data"));
    }
    let variable = |name: &str| sources.environment.get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let home = || variable("HOME");
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME")
            .filter(|path| Path::is_absolute(path))
            .or_else(|| home().map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("rondo"))
}
