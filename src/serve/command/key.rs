//! `rondo key …`: keys for clients from a script.

use clap::{Args, Subcommand};

use super::{Failure, flags::StorageFlags, output::Output};
use crate::{
    model::{
        api_key::{ApiKeyDraft, Scope},
        page::{ListQuery, PAGE_MAX},
        rate_limit::KeyLimits,
    },
    serve::foundation::Foundation,
    server::{config::Settings, session::Principal},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key and print it, alone, on standard output; it is shown only now
    Create(Create),
}

#[derive(Args)]
pub(super) struct Create {
    /// Name of the key
    #[arg(long)]
    name: String,
    /// Slug of a group it reaches; repeat it for more; without it the key reaches every group
    #[arg(long = "group", value_name = "SLUG")]
    groups: Vec<String>,
    /// Requests per minute; 0 is unlimited; without it RONDO_DEFAULT_RPM holds
    #[arg(long)]
    rpm: Option<u32>,
    #[command(flatten)]
    storage: StorageFlags,
}

pub(super) async fn run(command: Command, out: Output) -> Result<(), Failure> {
    let Command::Create(arguments) = command;
    let admin = Foundation::open(&Settings::of_process(arguments.storage.values)?).await?.admin();
    let who = Principal::system("cli");
    let mut scope = Vec::with_capacity(arguments.groups.len());
    for slug in &arguments.groups {
        let query = ListQuery { search: slug.clone(), per_page: PAGE_MAX, ..ListQuery::default() };
        let found = admin.groups().list(&who, query).await?.rows.into_iter().find(|group| group.slug.as_str() == slug);
        let group = found.ok_or_else(|| {
            Failure::Told(format!("there is no group with the slug {slug}; `rondo export` shows them"))
        })?;
        scope.push(group.id);
    }
    let scope = if scope.is_empty() { Scope::Global } else { Scope::Groups(scope) };
    let limits = KeyLimits { rpm: arguments.rpm, ..KeyLimits::default() };
    let draft = ApiKeyDraft { name: arguments.name, scope, limits, ..ApiKeyDraft::default() };
    let created = admin.api_keys().create(&who, draft).await?;
    out.line(&created.secret);
    Ok(())
}
