//! `rondo settings`: every setting, its value and where that comes from; or the table as Markdown.

use clap::Args;

use super::{Failure, flags::ServeFlags, output::Output};
use crate::server::config::{Settings, Sources, table};

#[derive(Args)]
pub(super) struct Arguments {
    /// Print the reference for docs/CONFIGURATION.md instead
    #[arg(long)]
    markdown: bool,
    /// With --markdown: in Chinese
    #[arg(long, requires = "markdown")]
    chinese: bool,
    #[command(flatten)]
    serve: ServeFlags,
}

pub(super) fn run(arguments: Arguments, out: Output) -> Result<(), Failure> {
    if arguments.markdown {
        out.text(&table::markdown(arguments.chinese));
        return Ok(());
    }
    let sources = Sources::of_process(arguments.serve.values);
    let settings = Settings::load(&sources)?;
    for line in Settings::told(&sources)? {
        out.line(&line);
    }
    for warning in settings.warnings {
        out.aside(&format!("warning: {warning}"));
    }
    Ok(())
}
