//! `rondo drill …`: failover drills of a running server, through its admin API.
//!
//! Drills live in the running process and not in the store, so these commands speak to the server
//! as any program does: with an access token.

use std::{fmt::Write, net::SocketAddr};

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;

use super::{Failure, healthcheck::reachable, output::Output};
use crate::{
    model::{
        drill::{Drill, DrillDraft, DrillEnd, Drills, Fault, MINUTES_DEFAULT, MINUTES_MAX},
        id::ProviderId,
        name::BaseUrl,
        page::Page,
        provider::ProviderRow,
    },
    server::{
        config::{Settings, Sources},
        rest::BASE,
        upstream::tls::client_config,
    },
};

/// Name of the variable that holds the token: an environment is not world-readable as a command line is.
const TOKEN: &str = "RONDO_ADMIN_TOKEN";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Let a provider pretend to fail for some minutes
    Start(Start),
    /// End the drill of a provider before its time, and print its report
    Stop(Named),
    /// Print what the drills of a provider came to
    Report(Named),
}

#[derive(Args)]
pub(super) struct Start {
    #[command(flatten)]
    named: Named,
    /// How it pretends to fail: 429, 500, 503, stall or truncate
    #[arg(long, value_parser = fault, default_value = "500")]
    fault: Fault,
    /// For how many minutes
    #[arg(long, default_value_t = MINUTES_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(MINUTES_MAX)))]
    minutes: u32,
    /// Percent of its attempts that meet the fault
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    percent: u32,
}

#[derive(Args)]
pub(super) struct Named {
    /// Name or id of the provider
    provider: String,
    /// Address of the server; without it, where a server with these settings listens
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Access token of somebody who may operate, from `rondo token create`; better in RONDO_ADMIN_TOKEN
    #[arg(long)]
    token: Option<String>,
}

fn fault(word: &str) -> Result<Fault, String> {
    let words = Fault::ALL.map(Fault::as_str).join(", ");
    Fault::parse(word).ok_or_else(|| format!("choose one of {words}"))
}

pub(super) async fn run(command: Command, out: Output) -> Result<(), Failure> {
    match command {
        Command::Start(Start { named, fault, minutes, percent }) => {
            let (server, id) = server_of(&named).await?;
            let draft = serde_json::to_value(DrillDraft { fault, minutes, percent }).expect("plain data is JSON");
            let drill: Drill = server.call(Method::POST, &format!("/providers/{id}/drill"), Some(draft)).await?;
            out.line(&course(&drill));
            out.aside("`rondo drill report` tells what it comes to, `rondo drill stop` ends it");
        }
        Command::Stop(named) => {
            let (server, id) = server_of(&named).await?;
            let drill: Drill = server.call(Method::DELETE, &format!("/providers/{id}/drill"), None).await?;
            out.text(&told(&drill));
        }
        Command::Report(named) => {
            let (server, id) = server_of(&named).await?;
            let drills: Drills = server.call(Method::GET, &format!("/providers/{id}/drill"), None).await?;
            let all: Vec<String> = drills.running.iter().chain(&drills.past).map(told).collect();
            out.text(&if all.is_empty() { "no drill since the server started\n".to_owned() } else { all.join("\n") });
        }
    }
    Ok(())
}

/// What runs or ran, in one line.
fn course(drill: &Drill) -> String {
    let DrillDraft { fault, minutes, percent } = drill.draft;
    let state = match drill.end {
        None => "runs",
        Some(DrillEnd::TimeOver) => "is over",
        Some(DrillEnd::Stopped) => "was stopped",
        Some(DrillEnd::Disabled) => "ended: the provider was switched off",
    };
    format!("drill {state}: {} on {percent}% of attempts for {minutes} min, by {}", fault.as_str(), drill.started_by)
}

/// A drill and its report.
fn told(drill: &Drill) -> String {
    let report = drill.report;
    let mut text = format!("{}\n", course(drill));
    let mut line = |name: &str, figure: String| {
        writeln!(text, "  {name:<28} {figure}").expect("text grows");
    };
    line("requests that met the fault", report.met.to_string());
    line("saved by another attempt", report.saved.to_string());
    line("failed for the client", report.failed.to_string());
    line("broken off", report.interrupted.to_string());
    line("left or wrong by the client", report.client.to_string());
    if let Some(added_us) = report.added_p50_us {
        line("added to a saved one, median", format!("{:.1} ms", added_us as f64 / 1_000.0));
    }
    match report.taken_out_after {
        Some(after) => line("left alone after", format!("{after} attempts")),
        None => line("left alone after", "never".to_owned()),
    }
    text
}

/// A running server and the right to ask it.
struct Server {
    url: BaseUrl,
    token: String,
}

/// The server that is meant, and the provider's id there.
async fn server_of(named: &Named) -> Result<(Server, ProviderId), Failure> {
    let text = match &named.url {
        Some(url) => url.clone(),
        None => {
            let listen = Settings::of_process(Default::default())?.web.listen;
            format!("http://{}", SocketAddr::new(reachable(listen.ip()), listen.port()))
        }
    };
    let url = BaseUrl::parse(&text).map_err(|issue| Failure::Told(format!("--url: {issue}")))?;
    let in_environment = || Sources::of_process(Default::default()).environment.remove(TOKEN);
    let token = named.token.clone().or_else(in_environment).filter(|token| !token.trim().is_empty());
    let token = token.ok_or_else(|| {
        Failure::Told(format!("set {TOKEN} to an access token; `rondo token create --user … --name …` makes one"))
    })?;
    let server = Server { url, token: token.trim().to_owned() };
    if let Ok(id) = named.provider.parse() {
        return Ok((server, id));
    }
    let path = format!("/providers?per_page=200&search={}", escape(&named.provider));
    let page: Page<ProviderRow> = server.call(Method::GET, &path, None).await?;
    let found = page.rows.into_iter().find(|row| row.provider.name == named.provider);
    let found = found.ok_or_else(|| Failure::Told(format!("there is no provider {}", named.provider)))?;
    Ok((server, found.provider.id))
}

impl Server {
    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> Result<T, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{BASE}{path}", self.url.base_path()))
            .header(header::HOST, self.url.authority())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()))))
            .map_err(|_| Failure::Told(format!("{TOKEN} holds characters that no token has")))?;
        let (status, answer) = self
            .send(request)
            .await
            .map_err(|reason| Failure::Told(format!("{} does not answer: {reason}", self.url)))?;
        if status.is_success() {
            return serde_json::from_slice(&answer)
                .map_err(|_| Failure::Told(format!("{} answers, but not as Rondo of this version does", self.url)));
        }
        let problem: Value = serde_json::from_slice(&answer).unwrap_or_default();
        Err(Failure::Told(match problem["detail"].as_str() {
            Some(_) if status == StatusCode::UNAUTHORIZED => {
                format!("the token is not accepted; `rondo token create` makes another for {TOKEN}")
            }
            Some(detail) => detail.to_owned(),
            None => format!("{} answers {status}, which is not Rondo's admin API", self.url),
        }))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error>> {
        let host = self.url.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let stream = TcpStream::connect((host.as_str(), self.url.port())).await?;
        if self.url.is_https() {
            let tls = tokio_rustls::TlsConnector::from(client_config(None)?);
            let name = rustls::pki_types::ServerName::try_from(host)?;
            return exchange(tls.connect(name, stream).await?, request).await;
        }
        exchange(stream, request).await
    }
}

async fn exchange<T>(
    stream: T,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the command.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// RFC 3986 §2.3: everything but unreserved characters is escaped.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
