//! The command line: what was asked, who does it, which exit code.
//!
//! Commands work on the store itself, so the server may run or not; a running one notices within a
//! second. Only drills are asked of the running server. An error is one clear line on standard error and exit code 1; a wrong command line is 2.

mod chaos;
mod database;
mod demo;
mod drill;
mod flags;
mod healthcheck;
mod key;
mod output;
mod reference;
mod seed_logs;
mod server;
mod token;
mod transfer;
mod user;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::{
    flags::{ServeFlags, StorageFlags},
    output::Output,
};
use crate::{model::error::ApiError, serve::foundation::StartError, server::config::ConfigError};

/// A self-hosted API gateway: many providers behind one address, with failover and a back office.
#[derive(Parser)]
#[command(name = "rondo", version, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeFlags,
}

#[derive(Subcommand)]
enum Command {
    /// Start the gateway and its back office (what `rondo` alone does)
    Serve(ServeFlags),
    /// People who may sign in
    #[command(subcommand)]
    User(user::Command),
    /// API keys of clients
    #[command(subcommand)]
    Key(key::Command),
    /// Access tokens for the admin API
    #[command(subcommand)]
    Token(token::Command),
    /// Make the configuration what a file says, all or nothing
    Apply(transfer::Apply),
    /// Print the configuration as a file; secrets are left out
    Export(StorageFlags),
    /// Two played providers, clients that keep asking, and nothing to set up
    Demo(ServeFlags),
    /// Failover drills of the running server
    #[command(subcommand)]
    Drill(drill::Command),
    /// The database
    #[command(subcommand)]
    Db(database::Command),
    /// Ask the running server whether it is ready (for containers)
    Healthcheck(ServeFlags),
    /// Every setting: what it is now and where that comes from
    Settings(reference::Arguments),
    /// A provider that fails as it is told to (see docs/FAULTS.md)
    #[command(hide = true)]
    Chaos(chaos::Arguments),
    /// Fill the request log with made-up rows, to measure on (see `make seed-logs`)
    #[command(hide = true)]
    SeedLogs(seed_logs::Arguments),
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// Anything else, told in one line that names the remedy.
    #[error("{0}")]
    Told(String),
}

/// Runs a command line to its end.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Flags of `serve` are taken without the word too, but told only in its own help.
    let hidden = Cli::command().mut_args(|arg| arg.hide(true));
    let parsed = hidden.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match threads {
        Ok(runtime) => runtime,
        Err(error) => return output::failed(&format!("the operating system gives no threads: {error}")),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Refused(ApiError::Invalid { problems })) => {
            output::failed(&problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        Err(failure) => output::failed(&failure.to_string()),
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    let out = Output::default();
    match cli.command {
        None => server::serve(cli.serve, out).await,
        Some(Command::Serve(flags)) => server::serve(flags, out).await,
        Some(Command::User(command)) => user::run(command, out).await,
        Some(Command::Key(command)) => key::run(command, out).await,
        Some(Command::Token(command)) => token::run(command, out).await,
        Some(Command::Apply(command)) => transfer::apply(command, out).await,
        Some(Command::Export(flags)) => transfer::export(flags, out).await,
        Some(Command::Demo(flags)) => demo::run(flags, out).await,
        Some(Command::Drill(command)) => drill::run(command, out).await,
        Some(Command::Db(command)) => database::run(command, out).await,
        Some(Command::Healthcheck(flags)) => healthcheck::run(flags).await,
        Some(Command::Settings(arguments)) => reference::run(arguments, out),
        Some(Command::Chaos(arguments)) => chaos::run(arguments, out).await,
        Some(Command::SeedLogs(arguments)) => seed_logs::run(arguments, out).await,
    }
}
