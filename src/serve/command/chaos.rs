//! `rondo chaos`: a provider that fails on request, for tests, benches and whoever wants to see failover.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clap::Args;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{Failure, Output};
use crate::serve::chaos::{Chaos, Options, Script};

#[derive(Args)]
pub(super) struct Arguments {
    /// Address and port; port 0 takes a free one, which is printed
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A name that scripts may ask for with `on`
    #[arg(long, default_value = "chaos")]
    name: String,
    /// What to do with every request, as JSON; `PUT /_chaos` changes it
    #[arg(long)]
    script: Option<String>,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments, out: Output) -> Result<(), Failure> {
    let script: Option<Script> = arguments
        .script
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Failure::Told(format!("--script: {error}")))?;
    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(server_config(certificate, key)?),
        _ => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let options = Options { name: arguments.name, tls, director: None };
    let chaos = Chaos::start(arguments.listen, options).await;
    let chaos = chaos.map_err(|error| Failure::Told(format!("{}: {error}", arguments.listen)))?;
    if let Some(script) = script {
        chaos.play(script);
    }
    out.line(&format!("{scheme}://{}", chaos.address));
    let address = chaos.address;
    chaos.ended().await.map_err(|error| Failure::Told(format!("{address} was lost: {error}")))
}

fn server_config(certificate: PathBuf, key: PathBuf) -> Result<Arc<ServerConfig>, Failure> {
    let told = |path: &PathBuf, error: &dyn std::fmt::Display| Failure::Told(format!("{}: {error}", path.display()));
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(|read| read.collect::<Result<Vec<_>, _>>())
        .map_err(|error| told(&certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| told(&key, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| told(&certificate, &error))?;
    Ok(Arc::new(config))
}
