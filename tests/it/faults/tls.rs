//! Certificates that must not be trusted: the provider failed, and no byte of a key went out.

use std::{net::Ipv4Addr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rondo::{
    model::request_log::AttemptOutcome,
    serve::chaos::{Chaos, Options},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::{PATH, caller::Caller, chaos, extra_attempts, failures, file};
use crate::world::World;

/// An authority that the provider's `ca_file` names.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(parameters, key).expect("a certificate") }
    }

    /// A certificate for this address or name, valid to the end of that year.
    fn certify(&self, name: &str, last_year: i32) -> Arc<ServerConfig> {
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        server_config(certificate.der().clone(), key)
    }
}

fn server_config(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("TLS versions").with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).expect("a certificate and its key"))
}

async fn speaking_tls(tls: Arc<ServerConfig>) -> Chaos {
    let options = Options { name: "bad".to_owned(), tls: Some(tls), director: None };
    Chaos::start((Ipv4Addr::LOCALHOST, 0).into(), options).await.expect("a port")
}

#[tokio::test]
async fn a_certificate_that_is_expired_foreign_or_for_another_name_gets_no_byte_of_a_key() {
    let authority = Authority::new("ours");
    let directory = tempfile::tempdir().expect("a directory");
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, authority.issuer.pem()).expect("written");
    for (what, tls, reason) in [
        ("expired", authority.certify("127.0.0.1", 2021), "expired"),
        ("foreign", Authority::new("foreign").certify("127.0.0.1", 2090), "unknownissuer"),
        ("another name", authority.certify("elsewhere.example", 2090), "not valid for name"),
    ] {
        let (bad, one, two) = (speaking_tls(tls).await, chaos("one").await, chaos("two").await);
        let members = [
            ("one", format!("http://{}", one.address)),
            ("bad", format!("https://{}", bad.address)),
            ("two", format!("http://{}", two.address)),
        ];
        let credentials = "    credentials: [{ label: main, secret: sk-secret-of-bad }]\n";
        let with_authority = format!("    tls: {{ ca_file: {} }}\n{credentials}", ca_file.display());
        let world = World::start(&file("llm", &members).replace(credentials, &with_authority)).await;
        let mut caller = Caller::of(&world);
        let mut heard = Vec::new();
        for _ in 0..30 {
            heard.push(caller.post(PATH).await);
        }
        assert_eq!(failures(&heard), 0, "{what}");
        let attempts = extra_attempts(&heard);
        assert!((1..=5).contains(&attempts), "{what}: {attempts}");
        let counters = bad.until(|counters| counters.failed_handshakes >= attempts).await;
        assert_eq!((counters.requests, counters.received_bytes), (0, 0), "{what}");
        let records = world.log(30).await;
        let failed: Vec<_> =
            records.iter().flat_map(|record| &record.attempts).filter(|one| one.provider_name == "bad").collect();
        for attempt in &failed {
            assert_eq!(attempt.outcome, AttemptOutcome::Tls, "{what}");
            assert!(attempt.detail.to_lowercase().contains(reason), "{what}: {}", attempt.detail);
        }
        assert_eq!(failed.len() as u64, attempts, "{what}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_providers_own_authority_is_trusted() {
    let authority = Authority::new("ours");
    let directory = tempfile::tempdir().expect("a directory");
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, authority.issuer.pem()).expect("written");
    let provider = speaking_tls(authority.certify("127.0.0.1", 2090)).await;
    let text = file("llm", &[("bad", format!("https://{}", provider.address))]);
    let with_authority = format!("    tls: {{ ca_file: {} }}\n    timeouts:", ca_file.display());
    let world = World::start(&text.replace("    timeouts:", &with_authority)).await;
    let heard = Caller::of(&world).post(PATH).await;
    assert_eq!((heard.status, provider.counters().requests), (200, 1), "{}", heard.text());
    assert_eq!(provider.seen()[0].header("authorization"), Some("Bearer sk-secret-of-bad"));
}
