//! The connection test: name, connection, credential, each with its time; no model is asked.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};

use super::{Admin, providers};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        name::BaseUrl,
        problem::{Issue, Problem, Validate},
        provider::{AuthStyle, ConnectionTest, ProviderDraft, TestStage, TestStep, TestTarget},
    },
    server::{
        routing::check::models_path,
        secret::seal::credential_aad,
        store::StoredProvider,
        upstream::{
            body::Outbound,
            connect::Connector,
            pool::{Freshness, Lease, Pool},
            tls::client_config,
        },
    },
};

/// What is read of a model list to count the models.
const LIST_MAX: usize = 2 << 20;
/// Nobody waits longer for a test.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tests a stored provider, a form, or a form over a stored provider.
pub(super) async fn test(admin: &Admin, target: TestTarget) -> ApiResult<ConnectionTest> {
    let stored = match target.id {
        Some(id) => Some(providers::find(&admin.snapshot().await?, id)?.clone()),
        None => None,
    };
    let draft = match (target.draft, &stored) {
        (Some(draft), _) => draft,
        (None, Some(stored)) => ProviderDraft::from(&stored.provider),
        (None, None) => return Err(ApiError::invalid("id", Issue::Required)),
    };
    draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
    let base_url = BaseUrl::parse(&draft.base_url).map_err(|issue| ApiError::invalid("base_url", issue))?;
    let secret = secret(admin, &draft, &base_url, stored.as_ref())?;
    let mut steps = Vec::new();
    let works = Walk { admin, draft: &draft, base_url: &base_url, secret, steps: &mut steps }.run().await;
    Ok(ConnectionTest { works: works.is_some(), steps })
}

/// The secret to try: entered in the form, or the stored one if it is bound to this host.
fn secret(
    admin: &Admin,
    draft: &ProviderDraft,
    base_url: &BaseUrl,
    stored: Option<&StoredProvider>,
) -> ApiResult<Option<String>> {
    let usable = |index: &usize| draft.credentials[*index].enabled;
    let Some(index) = (0..draft.credentials.len()).find(usable).filter(|_| draft.auth.needs_secret()) else {
        return Ok(None);
    };
    let credential = &draft.credentials[index];
    if let Some(entered) = credential.secret.as_ref().filter(|secret| !secret.expose().is_empty()) {
        return Ok(Some(entered.expose().to_owned()));
    }
    let field = format!("credentials[{index}].secret");
    let sealed =
        stored.zip(credential.id).and_then(|(stored, id)| stored.sealed.iter().find(|(sealed, _)| *sealed == id));
    let Some((id, sealed)) = sealed else { return Err(ApiError::invalid(&field, Issue::SecretRequired)) };
    match admin.master().open(sealed, &credential_aad(*id, base_url.host())) {
        Ok(secret) => Ok(Some(secret.expose().to_owned())),
        Err(_) => Err(ApiError::Invalid { problems: vec![Problem::new(field, Issue::SecretAgain)] }),
    }
}

/// One way through the steps; the first that fails ends it.
struct Walk<'a> {
    admin: &'a Admin,
    draft: &'a ProviderDraft,
    base_url: &'a BaseUrl,
    secret: Option<String>,
    steps: &'a mut Vec<TestStep>,
}

impl Walk<'_> {
    async fn run(mut self) -> Option<()> {
        let connector = self.resolve().await?;
        let pool = Pool::new(connector);
        let started = Instant::now();
        let lease = pool.lease(Freshness::Fresh).await;
        let told = if self.base_url.is_https() { "TCP and TLS" } else { "TCP" };
        let lease = self.note(
            TestStage::Connect,
            started,
            lease.map(|lease| (lease, told.to_owned())).map_err(|e| e.to_string()),
        )?;
        if self.draft.auth.needs_secret() && self.secret.is_none() {
            let nothing = Err("no enabled credential to try".to_owned());
            return self.note(TestStage::Authenticate, Instant::now(), nothing);
        }
        let started = Instant::now();
        let asked = tokio::time::timeout(PATIENCE, self.ask(lease)).await;
        let answer = asked.unwrap_or_else(|_| Err(format!("no answer within {} seconds", PATIENCE.as_secs())));
        self.note(TestStage::Authenticate, started, answer.map(|told| ((), told)))
    }

    async fn resolve(&mut self) -> Option<Connector> {
        let started = Instant::now();
        let made = self.connector();
        let found = match made {
            Ok(connector) => match tokio::time::timeout(PATIENCE, connector.resolve()).await {
                Ok(Ok(addresses)) => {
                    let told: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
                    Ok((connector, told.join(", ")))
                }
                Ok(Err(fault)) => Err(fault.to_string()),
                Err(_) => Err("the name server did not answer".to_owned()),
            },
            Err(reason) => Err(reason),
        };
        self.note(TestStage::Resolve, started, found)
    }

    fn connector(&self) -> Result<Connector, String> {
        let tls = match self.base_url.is_https() {
            true => Some(
                client_config(self.draft.tls.ca_file.as_deref().map(Path::new)).map_err(|error| error.to_string())?,
            ),
            false => None,
        };
        let timeout = Duration::from_millis(u64::from(self.draft.timeouts.connect_ms));
        Ok(Connector::new(self.base_url, &self.draft.connection, tls, Arc::clone(self.admin.addresses()), timeout))
    }

    /// `GET …/models`: every provider of models has it, and it costs nothing.
    async fn ask(&self, mut lease: Lease) -> Result<String, String> {
        let request = self.request()?;
        let response = lease.send(request).await.map_err(|fault| fault.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LIST_MAX)
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(format!("the credential was refused (HTTP {})", status.as_u16()))
            }
            status if status.is_server_error() => Err(format!("the provider answered HTTP {}", status.as_u16())),
            status if status.is_success() => Ok(match count(&body) {
                Some(models) => format!("HTTP {}, {models} models", status.as_u16()),
                None => format!("HTTP {}", status.as_u16()),
            }),
            status => {
                Ok(format!("HTTP {}; the provider has no model list, the credential was not refused", status.as_u16()))
            }
        }
    }

    fn request(&self) -> Result<Request<Outbound>, String> {
        let secret = self.secret.as_deref().unwrap_or_default();
        let base = self.base_url.base_path();
        let path = format!("{base}{}", models_path(base));
        let target = match self.draft.auth {
            AuthStyle::Query => format!("{path}?key={}", escaped(secret)),
            _ => path,
        };
        let mut request = Request::get(target).body(Outbound::Held(Bytes::new())).map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        insert(headers, "host", self.base_url.authority())?;
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("rondo/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &self.draft.headers.set {
            insert(headers, name, value)?;
        }
        match &self.draft.auth {
            AuthStyle::Bearer => insert(headers, "authorization", &format!("Bearer {secret}"))?,
            AuthStyle::XApiKey => {
                insert(headers, "x-api-key", secret)?;
                headers.entry("anthropic-version").or_insert(HeaderValue::from_static("2023-06-01"));
            }
            AuthStyle::ApiKey => insert(headers, "api-key", secret)?,
            AuthStyle::XGoogApiKey => insert(headers, "x-goog-api-key", secret)?,
            AuthStyle::Header { header, template } => insert(headers, header, &template.replace("{secret}", secret))?,
            AuthStyle::Query | AuthStyle::None => {}
        }
        Ok(request)
    }

    fn note<T>(&mut self, step: TestStage, started: Instant, result: Result<(T, String), String>) -> Option<T> {
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        let (value, passed, detail) = match result {
            Ok((value, detail)) => (Some(value), true, detail),
            Err(reason) => (None, false, reason),
        };
        self.steps.push(TestStep { step, passed, took_ms, detail });
        value
    }
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::from_str(value).ok());
    let (name, mut value) = parsed.ok_or_else(|| format!("the header {name} cannot be sent"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Models in a list as OpenAI (`data`), Gemini (`models`) and their likes write it.
fn count(body: &[u8]) -> Option<usize> {
    let list: serde_json::Value = serde_json::from_slice(body).ok()?;
    ["data", "models"].into_iter().find_map(|key| list.get(key)?.as_array()).map(Vec::len)
}
