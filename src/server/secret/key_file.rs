//! The file that holds the master key when no variable names one: made on the first start, mode 0600.
//!
//! It is written once, with `create_new`, and synchronised with its directory before anything is sealed: a
//! key that is lost after the first credential was stored would take that credential with it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::seal::{MasterKey, SealError};

/// Name of the key file inside the data directory.
pub const FILE_NAME: &str = "encryption.key";

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others than the owner can read or write it.
    #[error("the key file {path} is open to others (mode {mode:o}); run `chmod 600 {path}`", path = .path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no key.
    #[error("the key file {path} holds no usable key: {source}", path = .path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with its content.
        source: SealError,
    },
    /// It is named but missing.
    #[error("the key file {path} does not exist; restore it, or name another with ENCRYPTION_KEY_FILE", path = .path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be read or made.
    #[error("the key file {path} cannot be used: {source}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl MasterKey {
    /// Reads a key file that must exist: `ENCRYPTION_KEY_FILE`. Nobody but its owner may be able to write it;
    /// reading is not checked, for mounted container secrets are readable by the whole container.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::load_guarded(path, 0o022)
    }

    /// Reads the key file of the data directory, making it on the first start. Two processes that start at
    /// once end with the same key: the file appears whole, by a hard link, and only for one of them.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        match Self::load_guarded(path, 0o077) {
            Err(KeyFileError::Missing { .. }) => {}
            other => return other,
        }
        let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
        let key = Self::generate(&mut rand::rng());
        let text = Zeroizing::new(format!("{}\n", STANDARD.encode(*key)));
        create_whole(path, text.as_bytes()).map_err(failed)?;
        Self::load_guarded(path, 0o077)
    }

    fn load_guarded(path: &Path, forbidden: u32) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeyFileError::Missing { path: path.to_owned() });
            }
            other => other.map_err(failed)?,
        };
        let mode = mode(&file.metadata().map_err(failed)?);
        if mode & forbidden != 0 {
            return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        Self::from_text(&text).map_err(|source| KeyFileError::Unusable { path: path.to_owned(), source })
    }
}

fn create_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", uuid::Uuid::now_v7().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let linked =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    std::fs::remove_file(&draft)?;
    linked?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o777
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> u32 {
    0o600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_makes_the_key_and_a_second_finds_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(FILE_NAME);
        assert!(matches!(MasterKey::load(&path), Err(KeyFileError::Missing { .. })));
        let made = MasterKey::load_or_create(&path).expect("made");
        assert_eq!(MasterKey::load_or_create(&path).expect("found").key_id(), made.key_id());
        assert_eq!(mode(&std::fs::metadata(&path).expect("there")), 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1, "no draft is left behind");
    }

    #[test]
    fn starts_at_the_same_moment_end_with_one_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(FILE_NAME);
        let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| MasterKey::load_or_create(&path))).collect();
            starts
                .into_iter()
                .map(|start| start.join().expect("no panic").expect("a key").key_id().to_owned())
                .collect()
        });
        assert_eq!(ids.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_stops_the_start_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(FILE_NAME);
        MasterKey::load_or_create(&path).expect("made");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("ours");
        let error = MasterKey::load_or_create(&path).expect_err("exposed").to_string();
        assert!(error.contains("chmod 600"), "{error}");
        MasterKey::load(&path).expect("a mounted secret may be readable");
    }
}
