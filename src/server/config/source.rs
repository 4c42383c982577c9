//! Raw values first, meaning second: gathers text from flags, environment and file, and remembers
//! where each came from, so that an error can name the place to mend.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::table::{self, Fallback, SETTINGS};

/// Everything the settings are read from. Tests build one by hand; the process has one of its own.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Values of flags, by the name of the setting.
    pub flags: BTreeMap<&'static str, String>,
    /// Where relative paths start and `rondo.toml` is looked for.
    pub working_dir: PathBuf,
}

impl Sources {
    /// This process's environment and working directory, and these flags.
    pub fn of_process(flags: BTreeMap<&'static str, String>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .collect();
        Self { environment, flags, working_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")) }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table's own default.
    Default,
    /// The environment.
    Environment,
    /// A line of the file.
    File {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The command line.
    Flag,
}

impl Origin {
    fn name(&self, setting: &str) -> String {
        let found = table::find(setting);
        match (self, found) {
            (Self::Flag, Some(found)) => format!("--{}", found.key().replace('_', "-")),
            (Self::File { path, line }, Some(found)) => {
                format!("{} line {line}: {} ({setting})", path.display(), found.key())
            }
            _ => setting.to_owned(),
        }
    }
}

/// Why the settings cannot be used: always one line that names the thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that means nothing.
    #[error("{place}: {value} is not {expected}")]
    BadValue {
        /// Variable, flag or line.
        place: String,
        /// What was there, in quotes; hidden for a secret.
        value: String,
        /// What would be right, with an example.
        expected: String,
    },
    /// A key of the file that no setting has.
    #[error("{} line {line}: unknown setting `{key}`; `rondo serve --help` lists them all", path.display())]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is written there.
        key: String,
    },
    /// A file that is not TOML.
    #[error("{} line {line}: {message}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A file that was named and cannot be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A value that its own parser refuses, in the parser's words.
    #[error("{place}: its value (not shown) {reason}")]
    Refused {
        /// Variable, flag or line.
        place: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Two settings that exclude each other.
    #[error("{0} and {1} are both set; keep one of them")]
    Both(&'static str, &'static str),
    /// There is no place for the data.
    #[error("RONDO_DATA_DIR: no home directory was found to keep data in; set it to a directory")]
    NoDataDir,
}

/// Text of every setting that was given, with its origin.
#[derive(Debug)]
pub(super) struct Values {
    texts: BTreeMap<&'static str, (String, Origin)>,
    /// Where relative paths start.
    pub(super) working_dir: PathBuf,
}

impl Values {
    /// Gathers all sources; flags win over the environment, the environment over the file.
    pub(super) fn gather(sources: &Sources) -> Result<Self, ConfigError> {
        let mut values = Self { texts: BTreeMap::new(), working_dir: sources.working_dir.clone() };
        for setting in SETTINGS {
            if let Some(text) = sources.environment.get(setting.name).filter(|text| !text.trim().is_empty()) {
                values.texts.insert(setting.name, (text.trim().to_owned(), Origin::Environment));
            }
            if let Some(text) = sources.flags.get(setting.name) {
                values.texts.insert(setting.name, (text.clone(), Origin::Flag));
            }
        }
        values.add_file()?;
        Ok(values)
    }

    fn add_file(&mut self) -> Result<(), ConfigError> {
        let named = self.texts.get("RONDO_CONFIG").map(|(path, _)| self.working_dir.join(path));
        let path = named.clone().unwrap_or_else(|| self.working_dir.join("rondo.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => return Ok(()),
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        for (setting, value, line) in super::file::read(&path, &text)? {
            self.texts.entry(setting).or_insert((value, Origin::File { path: path.clone(), line }));
        }
        Ok(())
    }

    /// Where this setting's value came from.
    pub(super) fn origin(&self, name: &str) -> &Origin {
        self.texts.get(name).map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// The text of a setting: given, or the table's default.
    pub(super) fn text(&self, name: &'static str) -> Option<&str> {
        if let Some((text, _)) = self.texts.get(name) {
            return Some(text);
        }
        match table::find(name).expect("areas read only settings of the table").fallback {
            Fallback::Value(text) => Some(text),
            Fallback::Told(..) => None,
        }
    }

    /// Reads a setting that has a default value.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let value = self.read_optional(name, expected, parse)?;
        Ok(value.expect("settings read this way have a default in the table"))
    }

    /// Reads a setting that may be missing.
    pub(super) fn read_optional<T>(
        &self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| self.bad(name, expected))
    }

    /// Reads a whole number within a range.
    pub(super) fn number(&self, name: &'static str, least: u64, most: u64) -> Result<u64, ConfigError> {
        let expected = format!("a whole number from {least} to {most}");
        self.read(name, &expected, |text| text.replace('_', "").parse().ok().filter(|n| (least..=most).contains(n)))
    }

    /// Reads a size such as `32MiB` within a range of bytes.
    pub(super) fn size(&self, name: &'static str, least: u64, most: u64) -> Result<u64, ConfigError> {
        let expected = format!("a size from {} to {}, such as 32MiB", Size(least), Size(most));
        self.read(name, &expected, |text| parse_size(text).filter(|n| (least..=most).contains(n)))
    }

    /// Reads a path; a relative one starts at the working directory.
    pub(super) fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(|text| self.working_dir.join(Path::new(text)))
    }

    /// A setting, its value and its origin, in a line.
    pub(super) fn told(&self, setting: &table::Setting) -> String {
        let value = match (self.texts.get(setting.name), setting.fallback) {
            (Some(_), _) if setting.secret => "(not shown)".to_owned(),
            (Some((text, _)), _) => text.clone(),
            (None, Fallback::Value(text)) => text.to_owned(),
            (None, Fallback::Told(words, _)) => format!("({words})"),
        };
        let origin = match self.origin(setting.name) {
            Origin::Default => "default".to_owned(),
            Origin::Environment => "environment".to_owned(),
            Origin::File { path, line } => format!("{} line {line}", path.display()),
            Origin::Flag => "command line".to_owned(),
        };
        format!("{} = {value}  # {origin}", setting.name)
    }

    /// The error of a confidential value that its parser refuses.
    pub(super) fn refused(&self, name: &'static str, reason: &impl fmt::Display) -> ConfigError {
        ConfigError::Refused { place: self.origin(name).name(name), reason: reason.to_string() }
    }

    /// The error of a value that means nothing.
    pub(super) fn bad(&self, name: &'static str, expected: &str) -> ConfigError {
        let secret = table::find(name).is_some_and(|setting| setting.secret);
        let value = match self.text(name) {
            Some(text) if !secret => format!("\"{}\"", text.escape_debug()),
            _ => "its value (not shown)".to_owned(),
        };
        ConfigError::BadValue { place: self.origin(name).name(name), value, expected: expected.to_owned() }
    }
}

struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in UNITS.into_iter().rev() {
            if self.0 >= bytes && self.0.is_multiple_of(bytes) {
                return write!(f, "{}{unit}", self.0 / bytes);
            }
        }
        write!(f, "{}", self.0)
    }
}

const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Bytes of `32MiB`, `32 MB` (taken as MiB) or `4096`.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    if unit.is_empty() || unit == "b" {
        return Some(number);
    }
    let (_, bytes) = UNITS.into_iter().find(|(name, _)| {
        let name = name.to_ascii_lowercase();
        unit == name || unit == name.replace('i', "") || unit == name[..1]
    })?;
    number.checked_mul(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_people_write_it() {
        for (text, bytes) in [("4096", 4096), ("64KiB", 65_536), ("2mb", 2 << 20), ("1 G", 1 << 30), ("0", 0)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5MiB", "3 apples", "99999999999TiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(Size(32 << 20).to_string(), "32MiB");
    }
}
