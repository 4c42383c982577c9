//! `rondo demo`: the whole of Rondo on a data directory that goes with it, with providers to watch.

use super::{Failure, Output, ServeFlags, user};
use crate::{
    model::{
        api_key::ApiKeyDraft,
        user::{Role, UserDraft},
    },
    serve::{
        demo::{Folder, GROUP, Stage},
        foundation::Foundation,
    },
    server::{
        admin::{Admin, transfer::ApplyOptions},
        config::Settings,
        session::Principal,
    },
};

/// Who signs in to the demo.
const USERNAME: &str = "demo";

/// Sets the stage, then serves until it is stopped.
pub(super) async fn run(mut flags: ServeFlags, out: Output) -> Result<(), Failure> {
    let told = |what: &str, error: &std::io::Error| Failure::Told(format!("{what}: {error}"));
    let folder = Folder::make().map_err(|error| told("no temporary directory for the demo", &error))?;
    let database = format!("sqlite:{}", folder.path.join("rondo.db").display());
    flags.values.insert("RONDO_DATA_DIR", folder.path.display().to_string());
    flags.values.insert("DATABASE_URL", database);
    let settings = Settings::of_process(flags.values.clone())?;
    let stage = Stage::set().await.map_err(|error| told("no port for the demo's providers", &error))?;
    let (password, key) = fill(&Foundation::open(&settings).await?.admin(), &stage).await?;

    let address = format!("http://{}", settings.web.listen);
    out.aside(&format!(
        "Two played providers stand behind the group `{GROUP}`: adagio is slow and steady, presto is fast and\n\
         breaks twice a minute. Clients keep asking. Watch what they notice:\n\n\
         \x20 {address}/admin     sign in as {USERNAME} with {password}\n\n\
         \x20 curl {address}/api/proxy/{GROUP}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n\
         \x20   -d '{{\"model\":\"demo-1\",\"messages\":[]}}'\n\n\
         Nothing of this is kept. Ctrl-C ends it.\n"
    ));
    tokio::select! {
        served = super::serve(flags) => served,
        played = stage.play(settings.web.listen, &key) => played.map_err(|error| told("the demo's providers", &error)),
    }
}

/// Applies the configuration; makes an owner and a client key. Returns the password and the key.
async fn fill(admin: &Admin, stage: &Stage) -> Result<(String, String), Failure> {
    let who = Principal::system("demo");
    admin.transfer().apply(&who, &stage.configuration(), ApplyOptions::default()).await?;
    let password = user::generate();
    let draft = UserDraft {
        username: USERNAME.to_owned(),
        display_name: String::new(),
        password: password.clone(),
        role: Role::Owner,
    };
    admin.users().create(&who, draft).await?;
    let draft = ApiKeyDraft { name: "audience".to_owned(), ..ApiKeyDraft::default() };
    Ok((password, admin.api_keys().create(&who, draft).await?.secret))
}
