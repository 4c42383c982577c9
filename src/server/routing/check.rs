//! The requests of active checks, and what else they need to know of a provider.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};

use super::table::{Credential, Presented, Provider};
use crate::server::{
    health::{credential::CredentialState, probe::Checked, provider::ProviderState},
    upstream::{body::Outbound, pool::Pool},
};

const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Where a provider of models lists them: below the version, which many base addresses name.
pub fn models_path(base_path: &str) -> &'static str {
    let last = base_path.rsplit('/').next().unwrap_or_default();
    let versioned = last.starts_with('v') && last[1..].starts_with(|c: char| c.is_ascii_digit());
    if versioned { "/models" } else { "/v1/models" }
}

impl Checked for Provider {
    fn state(&self) -> &Arc<ProviderState> {
        &self.state
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn credentials(&self) -> impl Iterator<Item = &Arc<CredentialState>> {
        self.credentials.iter().map(|credential| &credential.state)
    }

    fn check(&self, credential: Option<&CredentialState>) -> Option<Request<Outbound>> {
        let credential = credential.and_then(|state| self.credential(state));
        if self.needs_credential && credential.is_none() {
            return None;
        }
        self.get(self.check_path.as_deref()?, credential)
    }

    fn proof(&self, credential: &CredentialState) -> Option<Request<Outbound>> {
        self.get(self.proof_path.as_deref()?, Some(self.credential(credential)?))
    }
}

impl Provider {
    fn credential(&self, state: &CredentialState) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.id == state.id())
    }

    fn get(&self, path: &str, credential: Option<&Credential>) -> Option<Request<Outbound>> {
        let mut target = format!("{}{path}", self.base_path);
        if let Some(Presented::Query(key)) = credential.map(|credential| &credential.presented) {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&format!("key={key}"));
        }
        let mut request = Request::get(target).body(Outbound::Held(Bytes::new())).ok()?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host_header.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("rondo/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.set_headers {
            headers.insert(name, value.clone());
        }
        if let Some(Presented::Header(name, value)) = credential.map(|credential| &credential.presented) {
            headers.insert(name, value.clone());
            if name.as_str() == "x-api-key" {
                headers.entry(ANTHROPIC_VERSION).or_insert(HeaderValue::from_static("2023-06-01"));
            }
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_below_the_version() {
        assert_eq!(models_path(""), "/v1/models");
        assert_eq!(models_path("/openai"), "/v1/models");
        assert_eq!(models_path("/v1"), "/models");
        assert_eq!(models_path("/api/v1beta"), "/models");
        assert_eq!(models_path("/vendor"), "/v1/models");
    }
}
