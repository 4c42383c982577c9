//! Settings: the only reader of the environment and of `rondo.toml`.
//!
//! All of them are optional. Flags win over the environment, the environment over the file. A bad
//! value stops the start with one line that names the variable and what would be right, because a
//! gateway that guesses is found out at three in the morning.

use std::collections::BTreeMap;

mod file;
pub mod gateway;
pub mod log;
mod source;
pub mod storage;
pub mod table;
pub mod telemetry;
pub mod web;

pub use gateway::Gateway;
pub use log::{Log, LogFormat};
pub use source::{ConfigError, Origin, Sources};
pub use storage::{Confidential, KeySource, Storage};
pub use telemetry::Telemetry;
pub use web::{Patience, PublicUrl, Web};

/// Everything that can be set, read and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address people and programs use.
    pub web: Web,
    /// Where things are kept.
    pub storage: Storage,
    /// The data plane.
    pub gateway: Gateway,
    /// What is written down.
    pub log: Log,
    /// Where traces and metrics go; `None` where they go nowhere.
    pub telemetry: Option<Telemetry>,
    /// Things to tell the operator that do not stop the start, one line each.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads this process's environment and file, and these flags.
    pub fn of_process(flags: BTreeMap<&'static str, String>) -> Result<Self, ConfigError> {
        Self::load(&Sources::of_process(flags))
    }

    /// Reads all sources.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let values = source::Values::gather(sources)?;
        Ok(Self {
            web: Web::read(&values)?,
            storage: Storage::read(&values, sources)?,
            gateway: Gateway::read(&values)?,
            log: Log::read(&values)?,
            telemetry: Telemetry::read(&values)?,
            warnings: misspelt(sources),
        })
    }

    /// Every setting, its value and where that comes from, a line each. Secrets are not shown.
    pub fn told(sources: &Sources) -> Result<Vec<String>, ConfigError> {
        let values = source::Values::gather(sources)?;
        Ok(table::SETTINGS.iter().map(|setting| values.told(setting)).collect())
    }
}

/// Variables that look like ours and are not: most likely a slip of the pen.
fn misspelt(sources: &Sources) -> Vec<String> {
    let unknown = sources.environment.keys().filter(|name| name.starts_with("RONDO_") && table::find(name).is_none());
    unknown
        .map(|name| format!("{name} is set but no setting has this name; `rondo serve --help` lists them all"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(environment: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut all: BTreeMap<String, String> = environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        all.entry("HOME".into()).or_insert_with(|| "/home/ana".into());
        let sources = Sources { environment: all, flags: BTreeMap::new(), working_dir: dir.path().into() };
        (dir, sources)
    }

    fn refusal(environment: &[(&str, &str)]) -> String {
        let (_dir, sources) = sources(environment);
        Settings::load(&sources).expect_err("refused").to_string()
    }

    #[test]
    fn everything_has_a_default() {
        let (_dir, sources) = sources(&[]);
        let settings = Settings::load(&sources).expect("defaults are valid");
        assert_eq!(settings.web.site(), "http://127.0.0.1:3000");
        assert_eq!(settings.gateway.default_rpm, 600);
        assert_eq!(settings.gateway.body_limit, 32 << 20);
        assert!(settings.warnings.is_empty());
    }

    #[test]
    fn a_bad_value_is_told_by_the_name_of_its_variable_and_what_would_be_right() {
        for (name, value, message) in [
            ("RONDO_LISTEN", "3000", "RONDO_LISTEN: \"3000\" is not an address and port such as 127.0.0.1:3000"),
            ("RONDO_DEFAULT_RPM", "-1", "RONDO_DEFAULT_RPM: \"-1\" is not a whole number from 0 to 10000000"),
            (
                "RONDO_REPLAY_LIMIT",
                "64MiB",
                "RONDO_REPLAY_LIMIT: \"64MiB\" is not a size from 0 to 32MiB, such as 32MiB",
            ),
            ("RONDO_TIME_ZONE", "Mars", "RONDO_TIME_ZONE: \"Mars\" is not a time zone such as Asia/Shanghai or UTC"),
            (
                "RONDO_LOG",
                "rondo=loud",
                "RONDO_LOG: \"rondo=loud\" is not a log filter such as info or rondo=debug,info",
            ),
            ("RONDO_ALLOW_PRIVATE_UPSTREAMS", "maybe", "RONDO_ALLOW_PRIVATE_UPSTREAMS: \"maybe\" is not true or false"),
        ] {
            assert_eq!(refusal(&[(name, value)]), message);
        }
    }

    #[test]
    fn a_database_password_is_not_repeated_in_the_message() {
        let message = refusal(&[("DATABASE_URL", "mysql://root:hunter2@db/rondo")]);
        assert!(message.starts_with("DATABASE_URL: its value (not shown) is not a database address"), "{message}");
        assert!(!message.contains("hunter2"));
    }

    #[test]
    fn flags_win_over_the_environment_and_the_environment_over_the_file() {
        let (dir, mut sources) = sources(&[("RONDO_DEFAULT_RPM", "20")]);
        let file = "# limits\ndefault_rpm = 10\nlisten = \"127.0.0.1:1\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
        std::fs::write(dir.path().join("rondo.toml"), file).expect("written");
        let settings = Settings::load(&sources).expect("valid");
        assert_eq!((settings.gateway.default_rpm, settings.web.listen.port()), (20, 1));
        assert_eq!(settings.web.trusted_proxies.len(), 1);
        sources.flags.insert("RONDO_DEFAULT_RPM", "30".into());
        assert_eq!(Settings::load(&sources).expect("valid").gateway.default_rpm, 30);
    }

    #[test]
    fn an_unknown_key_of_the_file_is_told_with_its_line() {
        let (dir, sources) = sources(&[]);
        let path = dir.path().join("rondo.toml");
        for (text, message) in [
            ("listen = \"127.0.0.1:1\"\n\nlissten = 3\n", "line 3: unknown setting `lissten`"),
            ("default_rpm = \"many\"\n", "line 1: default_rpm (RONDO_DEFAULT_RPM): \"many\" is not a whole number"),
            ("listen = \n", "line 1: "),
            ("default_rpm = 1.5\n", "line 1: default_rpm takes a text"),
        ] {
            std::fs::write(&path, text).expect("written");
            let told = Settings::load(&sources).expect_err("refused").to_string();
            assert!(told.starts_with(&format!("{} {message}", path.display())), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }

    #[test]
    fn two_encryption_keys_are_one_too_many() {
        let message = refusal(&[("ENCRYPTION_KEY", "a"), ("ENCRYPTION_KEY_FILE", "/b")]);
        assert_eq!(message, "ENCRYPTION_KEY and ENCRYPTION_KEY_FILE are both set; keep one of them");
    }

    #[test]
    fn data_lives_in_a_checkout_or_where_the_platform_keeps_it() {
        let (dir, sources) = sources(&[("XDG_DATA_HOME", "/data")]);
        assert!(Settings::load(&sources).expect("valid").storage.data_dir.ends_with("rondo"));
        std::fs::write(dir.path().join("Leptos.toml"), "").expect("written");
        std::fs::write(dir.path().join("Cargo.toml"), "").expect("written");
        assert_eq!(Settings::load(&sources).expect("valid").storage.data_dir, dir.path().join("data"));
        let empty = Sources { working_dir: "/".into(), ..Sources::default() };
        assert!(Settings::load(&empty).expect_err("no place").to_string().starts_with("RONDO_DATA_DIR"));
    }

    #[test]
    fn a_misspelt_variable_is_pointed_out() {
        let (_dir, sources) = sources(&[("RONDO_LISSTEN", "x")]);
        assert!(Settings::load(&sources).expect("valid").warnings[0].starts_with("RONDO_LISSTEN is set"));
    }

    #[test]
    fn the_documentation_has_a_row_for_each_setting() {
        let text = table::markdown(false);
        assert!(table::SETTINGS.iter().all(|setting| text.contains(&format!("| `{}` |", setting.name))));
    }
}
