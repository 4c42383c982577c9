//! A provider: one upstream address, its credentials and how to talk to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    health::ProviderHealth,
    id::{CredentialId, GroupId, ProviderId},
    name::{BaseUrl, check_name},
    problem::{Issue, Problem, Validate, note, path, within},
    rate_limit::UpstreamLimits,
    stats::ProviderStats,
};

/// Highest weight of a credential and priority of a member.
pub const WEIGHT_MAX: i64 = 1000;
/// Weight of a credential and priority of a member when nothing is said.
pub const WEIGHT_DEFAULT: u32 = 100;

/// How a credential is presented to the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthStyle {
    /// `Authorization: Bearer {secret}`.
    #[default]
    Bearer,
    /// `x-api-key: {secret}` (Anthropic).
    XApiKey,
    /// `api-key: {secret}` (Azure OpenAI).
    ApiKey,
    /// `x-goog-api-key: {secret}` (Gemini).
    XGoogApiKey,
    /// `?key={secret}`.
    Query,
    /// No credential is sent.
    None,
    /// A header of the operator's choice.
    #[serde(untagged)]
    Header {
        /// Header name.
        header: String,
        /// Header value with `{secret}` once in it.
        template: String,
    },
}

impl AuthStyle {
    /// Whether requests need a secret.
    pub fn needs_secret(&self) -> bool {
        !matches!(self, Self::None)
    }
}

/// Static headers of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderRules {
    /// Headers set on every request, in this order.
    pub set: std::collections::BTreeMap<String, String>,
    /// Client headers that are not passed on.
    pub remove: Vec<String>,
}

/// Model names at this provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRules {
    /// What the client asks for → what this provider calls it.
    pub map: std::collections::BTreeMap<String, String>,
    /// Globs of models this provider serves; empty serves all.
    pub only: Vec<String>,
}

/// Time limits of one provider, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// DNS, TCP and TLS together.
    pub connect_ms: u32,
    /// From the request being sent to the response head.
    pub first_byte_ms: u32,
    /// Between two chunks of the answer.
    pub idle_ms: u32,
    /// The whole exchange.
    pub total_ms: u32,
    /// The whole exchange when the answer is an event stream.
    pub stream_total_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 5_000,
            first_byte_ms: 120_000,
            idle_ms: 120_000,
            total_ms: 600_000,
            stream_total_ms: 3_600_000,
        }
    }
}

/// TLS options of one provider. Verification cannot be switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// PEM file on the server with certificates to trust besides the system's.
    pub ca_file: Option<String>,
}

/// How a provider is connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connection {
    /// Version of HTTP spoken with it.
    pub protocol: Protocol,
    /// HTTP proxy on the way to it, as `http://host:port`; `None` connects directly. Proxies of the
    /// environment are never used.
    pub egress_proxy: Option<String>,
    /// Path below the base address that active checks `GET`, such as `/v1/models`; `None` checks by
    /// connecting only.
    pub check_path: Option<String>,
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2: by ALPN over TLS, by prior knowledge over plain TCP.
    Http2,
}

impl Validate for Connection {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        if let Some(proxy) = &self.egress_proxy {
            note(problems, at, "egress_proxy", check_egress_proxy(proxy));
        }
        if let Some(check) = &self.check_path {
            let plain =
                check.starts_with('/') && check.len() <= 500 && check.bytes().all(|byte| byte.is_ascii_graphic());
            let climbs = check.split('/').any(|segment| matches!(segment, "." | ".."));
            let fault = Issue::InvalidUrl { reason: super::name::UrlFault::Path };
            note(problems, at, "check_path", if plain && !climbs { Ok(()) } else { Err(fault) });
        }
    }
}

/// `http://host:port`, nothing more: TLS to the provider goes through it unbroken.
fn check_egress_proxy(proxy: &str) -> Result<(), Issue> {
    let url = BaseUrl::parse(proxy)?;
    let fault = |reason| Err(Issue::InvalidUrl { reason });
    match (url.is_https(), url.base_path().is_empty()) {
        (true, _) => fault(super::name::UrlFault::Scheme),
        (false, false) => fault(super::name::UrlFault::Path),
        (false, true) => Ok(()),
    }
}

/// A secret on its way in: entered by a person, sealed by the server, never sent back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretInput(String);

impl SecretInput {
    /// Wraps what was entered; surrounding white space is a paste accident.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The secret itself, to be sealed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Prefix and last four characters, the only part ever shown again.
    pub fn hint(&self) -> String {
        hint(&self.0)
    }
}

impl fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretInput")
    }
}

/// What may be shown of a secret: `sk-…d41c`. Short secrets show nothing.
pub fn hint(secret: &str) -> String {
    let chars: Vec<char> = secret.chars().collect();
    if chars.len() < 12 {
        return "…".to_owned();
    }
    let prefix = match secret.find(['-', '_']) {
        Some(at) if at < 5 => &secret[..=at],
        _ => "",
    };
    let tail: String = chars[chars.len() - 4..].iter().collect();
    format!("{prefix}…{tail}")
}

/// A credential as the screens see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Which one.
    pub id: CredentialId,
    /// Name within the provider.
    pub label: String,
    /// Prefix and last four of the secret; empty where none is needed.
    pub hint: String,
    /// Share among its siblings, 0–1000; 0 takes it out.
    pub weight: u32,
    /// Switched on.
    pub enabled: bool,
    /// Its own limits.
    pub limits: UpstreamLimits,
}

/// A provider as stored, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    /// Which one.
    pub id: ProviderId,
    /// Unique name, shown in `X-Proxy-Provider`.
    pub name: String,
    /// Home page for people.
    pub website: String,
    /// Where requests go.
    pub base_url: BaseUrl,
    /// How the credential is presented.
    pub auth: AuthStyle,
    /// Switched on.
    pub enabled: bool,
    /// Header rules.
    pub headers: HeaderRules,
    /// Model rules.
    pub models: ModelRules,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Limits of the provider as a whole.
    pub limits: UpstreamLimits,
    /// TLS options.
    pub tls: TlsOptions,
    /// How it is connected to.
    pub connection: Connection,
    /// Category colour in charts, 1–8, kept for ever.
    pub color: u8,
    /// Credentials in their order.
    pub credentials: Vec<Credential>,
    /// Revision of the configuration that last changed this record.
    pub revision: i64,
    /// Made at, unix milliseconds.
    pub created_at_ms: i64,
    /// Changed at, unix milliseconds.
    pub updated_at_ms: i64,
}

/// A provider in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderRow {
    /// The provider.
    pub provider: Provider,
    /// Groups it is in.
    pub groups: Vec<GroupRef>,
}

/// A provider as its list on screen shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderLine {
    /// The provider and the groups it is in.
    pub row: ProviderRow,
    /// Its health now; `None` outside of a running gateway.
    pub health: Option<ProviderHealth>,
    /// Its part in the last 24 hours; `None` if it was not asked.
    pub day: Option<ProviderStats>,
}

/// Name of a group, to link to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRef {
    /// Which group.
    pub id: GroupId,
    /// Its slug.
    pub slug: String,
    /// Priority of the provider in it.
    pub priority: u32,
    /// Tier of the provider in it.
    pub tier: u32,
}

/// A credential to be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialDraft {
    /// The credential being edited; `None` is a new one.
    #[serde(default)]
    pub id: Option<CredentialId>,
    /// Name within the provider.
    pub label: String,
    /// The secret; `None` keeps the one that is there.
    #[serde(default)]
    pub secret: Option<SecretInput>,
    /// Share among its siblings, 0–1000.
    #[serde(default = "default_weight")]
    pub weight: u32,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its own limits.
    #[serde(default)]
    pub limits: UpstreamLimits,
}

pub(crate) fn default_weight() -> u32 {
    WEIGHT_DEFAULT
}

pub(crate) fn yes() -> bool {
    true
}

/// A provider to be stored: the whole record, as the form holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderDraft {
    /// Unique name.
    pub name: String,
    /// Home page for people.
    #[serde(default)]
    pub website: String,
    /// Where requests go.
    pub base_url: String,
    /// How the credential is presented.
    #[serde(default)]
    pub auth: AuthStyle,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Header rules.
    #[serde(default)]
    pub headers: HeaderRules,
    /// Model rules.
    #[serde(default)]
    pub models: ModelRules,
    /// Time limits.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Limits of the provider as a whole.
    #[serde(default)]
    pub limits: UpstreamLimits,
    /// TLS options.
    #[serde(default)]
    pub tls: TlsOptions,
    /// How it is connected to.
    #[serde(default)]
    pub connection: Connection,
    /// Credentials in their order; those missing here are deleted.
    #[serde(default)]
    pub credentials: Vec<CredentialDraft>,
}

impl Default for ProviderDraft {
    fn default() -> Self {
        Self {
            name: String::new(),
            website: String::new(),
            base_url: String::new(),
            auth: AuthStyle::default(),
            enabled: true,
            headers: HeaderRules::default(),
            models: ModelRules::default(),
            timeouts: Timeouts::default(),
            limits: UpstreamLimits::default(),
            tls: TlsOptions::default(),
            connection: Connection::default(),
            credentials: Vec::new(),
        }
    }
}

impl From<&Provider> for ProviderDraft {
    fn from(provider: &Provider) -> Self {
        let credentials = provider.credentials.iter().map(|credential| CredentialDraft {
            id: Some(credential.id),
            label: credential.label.clone(),
            secret: None,
            weight: credential.weight,
            enabled: credential.enabled,
            limits: credential.limits,
        });
        Self {
            name: provider.name.clone(),
            website: provider.website.clone(),
            base_url: provider.base_url.to_string(),
            auth: provider.auth.clone(),
            enabled: provider.enabled,
            headers: provider.headers.clone(),
            models: provider.models.clone(),
            timeouts: provider.timeouts,
            limits: provider.limits,
            tls: provider.tls.clone(),
            connection: provider.connection.clone(),
            credentials: credentials.collect(),
        }
    }
}

impl Validate for ProviderDraft {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        note(problems, at, "name", check_name(&self.name));
        note(problems, at, "base_url", BaseUrl::parse(&self.base_url).map(drop));
        if !self.website.is_empty() {
            let web = self.website.starts_with("https://") || self.website.starts_with("http://");
            let fault = Issue::InvalidUrl { reason: super::name::UrlFault::Scheme };
            note(problems, at, "website", if web { Ok(()) } else { Err(fault) });
        }
        check_auth(&self.auth, at, problems);
        check_headers(&self.headers, &path(at, "headers"), problems);
        self.timeouts.check(&path(at, "timeouts"), problems);
        self.limits.check(&path(at, "limits"), problems);
        self.connection.check(&path(at, "connection"), problems);
        check_credentials(&self.credentials, self.auth.needs_secret(), at, problems);
    }
}

fn check_auth(auth: &AuthStyle, at: &str, problems: &mut Vec<Problem>) {
    if let AuthStyle::Header { header, template } = auth {
        let name = is_header_name(header) && !is_reserved_header(header);
        note(problems, at, "auth.header", if name { Ok(()) } else { Err(Issue::InvalidHeader) });
        let once = template.matches("{secret}").count() == 1 && is_header_value(template);
        note(problems, at, "auth.template", if once { Ok(()) } else { Err(Issue::InvalidTemplate) });
    }
}

fn check_headers(headers: &HeaderRules, at: &str, problems: &mut Vec<Problem>) {
    for (name, value) in &headers.set {
        if !is_header_name(name) || is_reserved_header(name) || !is_header_value(value) {
            problems.push(Problem::new(path(at, &format!("set.{name}")), Issue::InvalidHeader));
        }
    }
    for (index, name) in headers.remove.iter().enumerate() {
        if !is_header_name(name) {
            problems.push(Problem::new(path(at, &format!("remove[{index}]")), Issue::InvalidHeader));
        }
    }
}

fn check_credentials(credentials: &[CredentialDraft], needs_secret: bool, at: &str, problems: &mut Vec<Problem>) {
    for (index, credential) in credentials.iter().enumerate() {
        let at = path(at, &format!("credentials[{index}]"));
        note(problems, &at, "label", check_name(&credential.label));
        if credentials[..index].iter().any(|other| other.label == credential.label) {
            note(problems, &at, "label", Err(Issue::Duplicate));
        }
        note(problems, &at, "weight", within(i64::from(credential.weight), 0, WEIGHT_MAX));
        credential.limits.check(&path(&at, "limits"), problems);
        let secret = match &credential.secret {
            Some(secret) if secret.expose().is_empty() && needs_secret => Err(Issue::Required),
            Some(secret) if !is_header_value(secret.expose()) => Err(Issue::InvalidSecret),
            None if credential.id.is_none() && needs_secret => Err(Issue::SecretRequired),
            _ => Ok(()),
        };
        note(problems, &at, "secret", secret);
    }
}

impl Validate for Timeouts {
    fn check(&self, at: &str, problems: &mut Vec<Problem>) {
        const HOUR: i64 = 3_600_000;
        note(problems, at, "connect_ms", within(i64::from(self.connect_ms), 10, 120_000));
        note(problems, at, "first_byte_ms", within(i64::from(self.first_byte_ms), 10, HOUR));
        note(problems, at, "idle_ms", within(i64::from(self.idle_ms), 10, HOUR));
        note(problems, at, "total_ms", within(i64::from(self.total_ms), 10, 24 * HOUR));
        note(problems, at, "stream_total_ms", within(i64::from(self.stream_total_ms), 10, 24 * HOUR));
    }
}

/// RFC 9110 §5.1: a field name is a token.
pub fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// RFC 9110 §5.5: visible ASCII, space and tab; nothing that could end the line.
pub fn is_header_value(value: &str) -> bool {
    value.len() <= 8192 && value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
}

/// Headers that the gateway or the protocol sets itself.
pub fn is_reserved_header(name: &str) -> bool {
    const RESERVED: [&str; 12] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-request-id",
    ];
    RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

/// What to test: a stored provider, an edited form, or both (the form's blanks are filled from the store).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestTarget {
    /// The stored provider, if there is one.
    #[serde(default)]
    pub id: Option<ProviderId>,
    /// The form as it stands, if it was changed.
    #[serde(default)]
    pub draft: Option<ProviderDraft>,
}

/// What a connection test found, step by step. It costs nothing: no model is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionTest {
    /// Steps in order; the first failed one is the last.
    pub steps: Vec<TestStep>,
    /// Whether all passed.
    pub works: bool,
}

/// One step of a connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestStep {
    /// What was tried.
    pub step: TestStage,
    /// Whether it went well.
    pub passed: bool,
    /// Time it took, milliseconds.
    pub took_ms: u32,
    /// One line: an address, a status, a count of models, or the reason of failure.
    pub detail: String,
}

/// The stages of a connection test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStage {
    /// The host's addresses were found and are allowed.
    Resolve,
    /// TCP and TLS.
    Connect,
    /// The credential was accepted (`GET …/models`).
    Authenticate,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> ProviderDraft {
        ProviderDraft { name: "alpha".into(), base_url: "https://api.example.com".into(), ..ProviderDraft::default() }
    }

    #[test]
    fn an_auth_style_is_written_as_the_declarative_file_has_it() {
        let text = |style: &AuthStyle| serde_json::to_string(style).expect("plain data");
        assert_eq!(text(&AuthStyle::XGoogApiKey), r#""x-goog-api-key""#);
        let header = AuthStyle::Header { header: "X-Token".into(), template: "Token {secret}".into() };
        assert_eq!(text(&header), r#"{"header":"X-Token","template":"Token {secret}"}"#);
        let back: AuthStyle = serde_json::from_str(&text(&header)).expect("round trip");
        assert_eq!(back, header);
    }

    #[test]
    fn a_new_credential_needs_its_secret_and_an_old_one_keeps_it() {
        let credential = CredentialDraft {
            id: None,
            label: "main".into(),
            secret: None,
            weight: 100,
            enabled: true,
            limits: UpstreamLimits::default(),
        };
        let mut provider = ProviderDraft { credentials: vec![credential], ..draft() };
        assert_eq!(provider.validate(), Err(vec![Problem::new("credentials[0].secret", Issue::SecretRequired)]));
        provider.credentials[0].id = Some(CredentialId(uuid::Uuid::nil()));
        assert_eq!(provider.validate(), Ok(()));
        provider.credentials[0].secret = Some(SecretInput::new("sk-a\r\nX: y"));
        assert_eq!(provider.validate(), Err(vec![Problem::new("credentials[0].secret", Issue::InvalidSecret)]));
    }

    #[test]
    fn a_secret_shows_its_prefix_and_last_four_and_nothing_in_debug() {
        let secret = SecretInput::new(" sk-0123456789abcdef ");
        assert_eq!(secret.hint(), "sk-…cdef");
        assert_eq!(format!("{secret:?}"), "SecretInput");
        assert_eq!(hint("short"), "…");
    }

    #[test]
    fn an_egress_proxy_is_an_address_and_a_check_path_stays_below_the_base() {
        let check = |proxy: Option<&str>, path: Option<&str>| {
            let connection = Connection {
                egress_proxy: proxy.map(str::to_owned),
                check_path: path.map(str::to_owned),
                ..Connection::default()
            };
            connection.validate().err().map(|problems| problems[0].field.clone())
        };
        assert_eq!(check(Some("http://proxy.example:3128"), Some("/v1/models?limit=1")), None);
        for proxy in ["https://proxy.example", "http://me:secret@proxy.example", "http://proxy.example/x", "proxy"] {
            assert_eq!(check(Some(proxy), None).as_deref(), Some("egress_proxy"), "{proxy}");
        }
        for path in ["v1/models", "/a/../b", "/a b", ""] {
            assert_eq!(check(None, Some(path)).as_deref(), Some("check_path"), "{path}");
        }
    }

    #[test]
    fn headers_the_gateway_sets_itself_are_refused() {
        let mut provider = draft();
        provider.headers.set.insert("Host".into(), "evil".into());
        provider.headers.set.insert("X-Team".into(), "a\r\nb".into());
        assert_eq!(provider.validate().expect_err("two problems").len(), 2);
    }
}
