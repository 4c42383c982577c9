//! `rondo serve`: the command that stays.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use super::{Failure, flags::ServeFlags, output::Output};
use crate::{
    serve::run::{Running, until_stopped},
    server::config::{Log, LogFormat, Settings},
};

/// `rondo serve`.
pub(super) async fn serve(flags: ServeFlags, out: Output) -> Result<(), Failure> {
    let settings = Settings::of_process(flags.values)?;
    begin_log(&settings.log);
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let running = Running::start(&settings).await?;
    greet(&settings, &running, out);
    Ok(until_stopped(running).await?)
}

/// Lines on standard error, so that standard output stays for results.
pub(super) fn begin_log(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(std::io::stderr).with_target(false)).init(),
        LogFormat::Json => registry.with(fmt::layer().with_writer(std::io::stderr).json()).init(),
    }
}

/// The address, the setup link, and what to do next.
fn greet(settings: &Settings, running: &Running, out: Output) {
    let site = match &settings.web.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", reachable(running.address)),
    };
    out.aside(&format!("\n  Rondo is ready at {site}/admin"));
    match &running.setup_token {
        Some(token) => {
            out.aside("  Nobody may sign in yet. Open this link once to make the administrator:");
            out.aside(&format!("\n    {site}/setup?token={token}\n"));
        }
        None => out.aside(&format!("  Clients call {site}/api/proxy/{{group}}/…\n")),
    }
}

/// An address people can open: `0.0.0.0` is where a server listens, not where it is.
pub(super) fn reachable(address: std::net::SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}
