//! `rondo demo`: the whole of Rondo on a data directory that goes with it, with providers to watch.

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    Failure, Output, ServeFlags,
    server::{begin_log, reachable},
};
use crate::{
    model::{
        api_key::{ApiKeyDraft, Scope},
        rate_limit::KeyLimits,
        user::{Role, User, UserDraft},
    },
    serve::{
        demo::{Folder, GROUP, Stage},
        foundation::Foundation,
        run::{Running, until_stopped},
    },
    server::{
        admin::{Admin, transfer::ApplyOptions},
        config::{Log, Settings},
        secret::token::PlainKey,
        session::{Principal, Sessions},
    },
};

/// Sets the stage, then serves until it is stopped.
pub(super) async fn run(mut flags: ServeFlags, out: Output) -> Result<(), Failure> {
    let told = |what: &str, error: &std::io::Error| Failure::Told(format!("{what}: {error}"));
    let folder = Folder::make().map_err(|error| told("no temporary directory for the demo", &error))?;
    let database = format!("sqlite:{}", folder.path.join("rondo.db").display());
    flags.values.insert("RONDO_DATA_DIR", folder.path.display().to_string());
    flags.values.insert("DATABASE_URL", database);
    let settings = Settings::of_process(flags.values)?;
    begin_log(&Log { filter: "warn".to_owned(), ..settings.log.clone() });
    let stage = Stage::set().await.map_err(|error| told("no port for the demo's providers", &error))?;
    let (visitor, key) = fill(&Foundation::open(&settings).await?.admin(), &stage).await?;
    let ticket = PlainKey::generate(&mut rand::rng()).expose().trim_start_matches("rd_").to_owned();
    let door = Door { ticket: ticket.clone(), visitor };
    let running = Running::start_with(&settings, move |sessions| door.router(sessions)).await?;
    let (address, site) = (running.address, format!("http://{}", reachable(running.address)));
    out.aside(&format!(
        "\nTwo played providers stand behind the group `{GROUP}`: adagio is slow and steady, presto is fast and\n\
         breaks twice a minute. Clients keep asking. Watch what they notice, no account needed:\n\n\
         \x20 {site}/demo/{ticket}\n\n\
         \x20 curl {site}/api/proxy/{GROUP}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n\
         \x20   -d '{{\"model\":\"demo-1\",\"messages\":[]}}'\n\n\
         Nothing of this is kept. Ctrl-C ends it.\n"
    ));
    tokio::select! {
        stopped = until_stopped(running) => Ok(stopped?),
        () = stage.play(address, &key) => Ok(()),
    }
}

/// Applies the configuration; makes somebody to sign in and a client key without limits.
async fn fill(admin: &Admin, stage: &Stage) -> Result<(User, String), Failure> {
    let who = Principal::system("demo");
    admin.transfer().apply(&who, &stage.configuration(), ApplyOptions::default()).await?;
    let password = PlainKey::generate(&mut rand::rng()).expose().to_owned();
    let draft = UserDraft { username: "demo".into(), display_name: "Demo".into(), password, role: Role::Owner };
    let visitor = admin.users().create(&who, draft).await?;
    let limits = KeyLimits { rpm: Some(0), ..KeyLimits::default() };
    let draft = ApiKeyDraft { name: "audience".into(), scope: Scope::Global, limits, ..ApiKeyDraft::default() };
    Ok((visitor, admin.api_keys().create(&who, draft).await?.secret))
}

/// The way into the demo without an account: a link with a ticket that only this terminal knows.
#[derive(Clone)]
struct Door {
    ticket: String,
    visitor: User,
}

impl Door {
    fn router(self, sessions: Sessions) -> Router {
        Router::new().route("/demo/{ticket}", get(enter)).with_state((self, sessions))
    }
}

async fn enter(
    State((door, sessions)): State<(Door, Sessions)>,
    Path(ticket): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if ticket != door.ticket {
        return (StatusCode::NOT_FOUND, "this is not the link of the demo that runs now\n").into_response();
    }
    match sessions.begin(&door.visitor, &parts).await {
        Ok(signed_in) => {
            let home = HeaderValue::from_static("/admin");
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, signed_in.set_cookie), (header::LOCATION, home)])
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
