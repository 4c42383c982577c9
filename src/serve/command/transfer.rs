//! `rondo apply` and `rondo export`: the configuration as a file.

use std::{io::Read, path::PathBuf};

use clap::Args;

use super::{Failure, flags::StorageFlags, output::Output};
use crate::{
    model::transfer::{ApplyReport, ChangeKind},
    serve::foundation::Foundation,
    server::{
        admin::transfer::ApplyOptions,
        config::{Settings, Sources},
        session::Principal,
    },
};

#[derive(Args)]
pub(super) struct Apply {
    /// The file; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    /// Also delete providers and groups that the file does not name
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    storage: StorageFlags,
}

pub(super) async fn apply(arguments: Apply, out: Output) -> Result<(), Failure> {
    let text = read(&arguments.file)?;
    let admin = Foundation::open(&Settings::of_process(arguments.storage.values)?).await?.admin();
    let variables = Sources::of_process(Default::default()).environment;
    let options = ApplyOptions { dry_run: arguments.dry_run, prune: arguments.prune, variables };
    let report = admin.transfer().apply(&Principal::system("cli"), &text, options).await?;
    out.text(&told(&report, arguments.dry_run));
    Ok(())
}

pub(super) async fn export(storage: StorageFlags, out: Output) -> Result<(), Failure> {
    let admin = Foundation::open(&Settings::of_process(storage.values)?).await?.admin();
    out.text(&admin.transfer().export(&Principal::system("cli")).await?);
    Ok(())
}

fn read(path: &PathBuf) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| Failure::Told(format!("{}: cannot be read: {error}", path.display()));
    if path.as_os_str() != "-" {
        return std::fs::read_to_string(path).map_err(unreadable);
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The report in words: `+` new, `~` changed, `-` deleted.
fn told(report: &ApplyReport, dry_run: bool) -> String {
    let mut text = String::new();
    let mut counts = [0_usize; 4];
    for change in &report.changes {
        let (mark, at) = match change.kind {
            ChangeKind::Create => ('+', 0),
            ChangeKind::Update => ('~', 1),
            ChangeKind::Delete => ('-', 2),
            ChangeKind::Unchanged => ('=', 3),
        };
        counts[at] += 1;
        text.push_str(&format!("{mark} {} {}\n", change.object, change.name));
        for field in &change.fields {
            text.push_str(&format!("    {field}\n"));
        }
    }
    let [created, updated, deleted, unchanged] = counts;
    let end = match report.revision {
        Some(revision) => format!("; revision {revision}"),
        None if dry_run => "; nothing was written (dry run)".to_owned(),
        None => "; nothing to do".to_owned(),
    };
    text.push_str(&format!("{created} created, {updated} changed, {deleted} deleted, {unchanged} unchanged{end}\n"));
    text
}
