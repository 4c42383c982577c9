//! TLS towards providers: rustls with the platform's roots, the compiled-in ones where there are none.
//!
//! Verification cannot be switched off; a provider may bring a certificate authority of its own.

use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use rustls_platform_verifier::Verifier;

/// A certificate file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Unreadable or not PEM.
    #[error("the CA file {path} cannot be read as PEM certificates: {reason}")]
    CaFile {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// rustls refused the set-up.
    #[error("TLS cannot be set up: {0}")]
    Config(#[from] rustls::Error),
}

/// The client configuration of one provider; `ca_file` adds authorities. The protocol is named when connecting.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let extra = ca_file.map(read_certificates).transpose()?.unwrap_or_default();
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let config = match platform_verifier(&extra, provider) {
        Some(verifier) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        None => {
            let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            for certificate in extra {
                roots.add(certificate)?;
            }
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

/// `None` on a machine without any root certificates, such as a bare container.
fn platform_verifier(extra: &[CertificateDer<'static>], provider: Arc<CryptoProvider>) -> Option<Verifier> {
    // With extra roots alone the verifier would build even where the system has none, and then
    // trust nothing but them: ask for the system's first.
    Verifier::new(provider.clone()).ok()?;
    Verifier::new_with_extra_roots(extra.iter().cloned(), provider).ok()
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |reason: String| TlsError::CaFile { path: path.display().to_string(), reason };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| fail(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| fail(error.to_string()))?;
    if certificates.is_empty() { Err(fail("it holds no certificate".to_owned())) } else { Ok(certificates) }
}
