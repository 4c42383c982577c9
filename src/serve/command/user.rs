//! `rondo user …`: for the first person without a browser, and for whoever forgot a password.

use std::io::{BufRead, Read};

use clap::{Args, Subcommand};
use rand::RngExt;

use super::{Failure, flags::StorageFlags, output::Output};
use crate::{
    model::{
        page::ListQuery,
        user::{Role, User, UserDraft},
    },
    serve::foundation::Foundation,
    server::{admin::Admin, config::Settings, session::Principal},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a person; a generated password is printed unless one comes on standard input
    Create(Create),
    /// Give a person a new password and end their sessions
    ResetPassword(ResetPassword),
    /// List people and their roles
    List(StorageFlags),
}

#[derive(Args)]
pub(super) struct Create {
    /// Sign-in name
    username: String,
    /// What they may do: owner, admin, operator or viewer
    #[arg(long, default_value = "owner", value_parser = parse_role)]
    role: Role,
    /// Name on screen
    #[arg(long, default_value = "")]
    display_name: String,
    /// Read the password from standard input (one line)
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    storage: StorageFlags,
}

#[derive(Args)]
pub(super) struct ResetPassword {
    /// Sign-in name
    username: String,
    /// Read the password from standard input (one line)
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    storage: StorageFlags,
}

fn parse_role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| "choose owner, admin, operator or viewer".to_owned())
}

pub(super) async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Create(arguments) => create(arguments, out).await,
        Command::ResetPassword(arguments) => reset(arguments, out).await,
        Command::List(storage) => list(storage, out).await,
    }
}

async fn create(arguments: Create, out: Output) -> Result<(), Failure> {
    let admin = Foundation::open(&Settings::of_process(arguments.storage.values)?).await?.admin();
    let (password, generated) = password(arguments.password_stdin)?;
    let draft = UserDraft {
        username: arguments.username,
        display_name: arguments.display_name,
        password: password.clone(),
        role: arguments.role,
    };
    let user = admin.users().create(&Principal::system("cli"), draft).await?;
    out.aside(&format!("{} may sign in as {}", user.username, user.role));
    tell(&password, generated, out);
    Ok(())
}

async fn reset(arguments: ResetPassword, out: Output) -> Result<(), Failure> {
    let admin = Foundation::open(&Settings::of_process(arguments.storage.values)?).await?.admin();
    let user = by_name(&admin, &arguments.username).await?;
    let (password, generated) = password(arguments.password_stdin)?;
    admin.users().reset_password(&Principal::system("cli"), user.id, password.clone()).await?;
    out.aside(&format!("{} has a new password; their sessions have ended", user.username));
    tell(&password, generated, out);
    Ok(())
}

async fn list(storage: StorageFlags, out: Output) -> Result<(), Failure> {
    let admin = Foundation::open(&Settings::of_process(storage.values)?).await?.admin();
    for user in people(&admin).await? {
        let access = if user.enabled { "" } else { "  (may not sign in)" };
        out.line(&format!("{:<24} {}{access}", user.username, user.role));
    }
    Ok(())
}

async fn people(admin: &Admin) -> Result<Vec<User>, Failure> {
    let everybody = ListQuery { per_page: crate::model::page::PAGE_MAX, ..ListQuery::default() };
    Ok(admin.users().list(&Principal::system("cli"), everybody).await?.rows)
}

/// The person of this sign-in name.
pub(super) async fn by_name(admin: &Admin, username: &str) -> Result<User, Failure> {
    let query =
        ListQuery { search: username.to_owned(), per_page: crate::model::page::PAGE_MAX, ..ListQuery::default() };
    let found = admin.users().list(&Principal::system("cli"), query).await?.rows;
    let exact = found.into_iter().find(|user| user.username.to_lowercase() == username.to_lowercase());
    exact.ok_or_else(|| Failure::Told(format!("there is no user {username}; `rondo user list` names them")))
}

/// A password from standard input, or a generated one and `true`.
fn password(from_stdin: bool) -> Result<(String, bool), Failure> {
    if !from_stdin {
        return Ok((generate(), true));
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().take(4096).read_line(&mut line);
    read.map_err(|error| Failure::Told(format!("no password could be read from standard input: {error}")))?;
    Ok((line.trim_end_matches(['\r', '\n']).to_owned(), false))
}

fn tell(password: &str, generated: bool, out: Output) {
    if generated {
        out.aside("the password, shown only now:");
        out.line(password);
    }
}

/// Twenty characters that are not mistaken for each other: 116 bits.
pub(super) fn generate() -> String {
    const ALPHABET: &[u8; 57] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut rng = rand::rng();
    (0..20).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect()
}
