//! Flags made from the table of settings: every setting that is no secret has one.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::server::config::table::{Area, Fallback, SETTINGS, Setting};

/// Every setting, for `serve`.
#[derive(Clone, Debug, Default)]
pub(super) struct ServeFlags {
    /// What was given, by the setting's name.
    pub(super) values: BTreeMap<&'static str, String>,
}

/// Where things are kept, for commands that work on the store.
#[derive(Clone, Debug, Default)]
pub(super) struct StorageFlags {
    /// What was given, by the setting's name.
    pub(super) values: BTreeMap<&'static str, String>,
}

fn add(command: Command, wanted: impl Fn(&Setting) -> bool) -> Command {
    SETTINGS.iter().filter(|setting| wanted(setting)).fold(command, |command, setting| {
        let (title, _) = setting.area.titles();
        let fallback = match setting.fallback {
            Fallback::Value("") => String::new(),
            Fallback::Value(text) | Fallback::Told(text, _) => format!(" [default: {text}]"),
        };
        let Some(flag) = setting.flag() else { return command };
        let arg = Arg::new(setting.name)
            .long(flag)
            .value_name(setting.value)
            .help(format!("{}{fallback} [env: {}]", setting.help, setting.name))
            .help_heading(title)
            .action(ArgAction::Set);
        command.arg(arg)
    })
}

fn collect(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let given = |setting: &Setting| matches.try_get_one::<String>(setting.name).ok().flatten().cloned();
    SETTINGS.iter().filter_map(|setting| Some((setting.name, given(setting)?))).collect()
}

fn secrets() -> String {
    let names = SETTINGS.iter().filter(|setting| setting.secret);
    let lines: Vec<String> = names.map(|setting| format!("  {:<16} {}", setting.name, setting.help)).collect();
    format!("Only from the environment or rondo.toml, because a command line is world-readable:\n{}", lines.join("\n"))
}

impl FromArgMatches for ServeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { values: collect(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.values.extend(collect(matches));
        Ok(())
    }
}

impl Args for ServeFlags {
    fn augment_args(command: Command) -> Command {
        add(command, |_| true).after_help(secrets())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for StorageFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { values: collect(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.values.extend(collect(matches));
        Ok(())
    }
}

impl Args for StorageFlags {
    fn augment_args(command: Command) -> Command {
        add(command, |setting| setting.area == Area::Storage)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
