//! `rondo token …`: access tokens with which programs use the admin API.

use clap::{Args, Subcommand};

use super::{Failure, flags::StorageFlags, output::Output};
use crate::{
    serve::foundation::Foundation,
    server::{config::Settings, session::Principal},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a token that acts for a person and print it, alone, on standard output; it is shown only now
    Create(Create),
    /// List tokens
    List(StorageFlags),
    /// End a token
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct Create {
    /// Sign-in name of the person it acts for
    #[arg(long, value_name = "USERNAME")]
    user: String,
    /// What it is for
    #[arg(long)]
    name: String,
    /// Days until it is refused; without it, it lasts until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_in: Option<u32>,
    #[command(flatten)]
    storage: StorageFlags,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// Name of the token
    name: String,
    #[command(flatten)]
    storage: StorageFlags,
}

pub(super) async fn run(command: Command, out: Output) -> Result<(), Failure> {
    let who = Principal::system("cli");
    match command {
        Command::Create(arguments) => {
            let admin = Foundation::open(&Settings::of_process(arguments.storage.values)?).await?.admin();
            let user = super::user::by_name(&admin, &arguments.user).await?;
            let expires = arguments.expires_in.map(|days| admin.now_ms() + i64::from(days) * 86_400_000);
            let (_, secret) = admin.tokens().create(&who, user.id, &arguments.name, expires).await?;
            out.line(&secret);
        }
        Command::List(storage) => {
            let admin = Foundation::open(&Settings::of_process(storage.values)?).await?.admin();
            for token in admin.tokens().list(&who).await? {
                out.line(&format!("{:<24} {}", token.name, token.hint));
            }
        }
        Command::Revoke(arguments) => {
            let admin = Foundation::open(&Settings::of_process(arguments.storage.values)?).await?.admin();
            admin.tokens().revoke(&who, &arguments.name).await?;
            out.aside(&format!("{} is refused from now on", arguments.name));
        }
    }
    Ok(())
}
