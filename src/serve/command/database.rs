//! `rondo db …`: migrations and a console.

use std::{path::Path, process::Command as Program};

use clap::Subcommand;

use super::{Failure, flags::StorageFlags, output::Output};
use crate::{
    serve::foundation::Foundation,
    server::{
        config::Settings,
        store::{DatabaseUrl, MigrationStatus},
    },
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Bring the database to this program's schema (a start does that too)
    Migrate(StorageFlags),
    /// Show which migrations were applied
    Status(StorageFlags),
    /// Open a console on the database (sqlite3 or psql)
    Shell(StorageFlags),
}

pub(super) async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Migrate(storage) => migrate(&Settings::of_process(storage.values)?, out).await,
        Command::Status(storage) => status(&Settings::of_process(storage.values)?, out).await,
        Command::Shell(storage) => shell(&Settings::of_process(storage.values)?),
    }
}

async fn migrate(settings: &Settings, out: Output) -> Result<(), Failure> {
    let store = Foundation::open_store(settings).await?;
    let applied = store.migrate().await.map_err(crate::serve::foundation::StartError::from)?;
    store.close().await;
    if applied.is_empty() {
        out.line("the database is up to date");
    }
    applied.iter().for_each(|migration| out.line(&told(migration)));
    Ok(())
}

async fn status(settings: &Settings, out: Output) -> Result<(), Failure> {
    let store = Foundation::open_store(settings).await?;
    let all = store.status().await.map_err(crate::serve::foundation::StartError::from)?;
    store.close().await;
    out.aside(&format!("database: {}", settings.storage.database_url));
    all.iter().for_each(|migration| out.line(&told(migration)));
    Ok(())
}

fn told(migration: &MigrationStatus) -> String {
    let when = migration.applied_at_ms.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let when = when.map_or_else(|| "pending".to_owned(), |at| format!("applied {at:.0}"));
    format!("{:<6} {:>4}  {:<24} {when}", migration.database, migration.version, migration.name)
}

/// Hands the terminal over to the database's own console.
fn shell(settings: &Settings) -> Result<(), Failure> {
    let url = &settings.storage.database_url;
    let (name, mut program) = match url {
        DatabaseUrl::Postgres(secret) => ("psql", postgres(secret.expose(), &url.to_string())),
        DatabaseUrl::Sqlite(_) => ("sqlite3", sqlite(url, &settings.storage.data_dir)),
    };
    let ended = program.status().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::Told(format!("{name} is not installed; install it to open a console on {url}"))
        }
        _ => Failure::Told(format!("{name} could not be started: {error}")),
    })?;
    if ended.success() { Ok(()) } else { Err(Failure::Told(format!("{name} ended with {ended}"))) }
}

fn sqlite(url: &DatabaseUrl, data_dir: &Path) -> Program {
    let (config, _log) = url.files(data_dir).expect("a SQLite address names files");
    let mut program = Program::new("sqlite3");
    program.arg("-header").arg(config);
    program
}

/// The password goes through the environment: a command line is world-readable.
fn postgres(url: &str, shown: &str) -> Program {
    let mut program = Program::new("psql");
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    if let Some((_, password)) = user.split_once(':') {
        program.env("PGPASSWORD", unescaped(password));
    }
    let query = url.split_once('?').map(|(_, query)| query).filter(|query| !query.contains("password"));
    program.arg(query.map_or_else(|| shown.to_owned(), |query| format!("{shown}?{query}")));
    program
}

/// Undoes percent-encoding.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%').then(|| tail.get(..2)).flatten().and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
