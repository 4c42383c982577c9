//! The form of the declarative file: what `rondo apply -f` reads and `rondo export` writes.
//!
//! Every setting of a provider and of a group has its field, and what is left out has its default,
//! so that exporting and applying changes nothing. Unknown fields are errors with their line.

use serde::{Deserialize, Serialize};
use serde_saphyr::{SnippetMode, Spanned};

use super::alerts::{AlertsDeclared, AlertsExported};
use crate::model::{
    error::{ApiError, ApiResult},
    group::{AnonymousAccess, FailoverRules, GroupKind, PathPolicy, Sticky, Strategy},
    outcome_rule::OutcomeRule,
    price::PriceDraft,
    problem::Issue,
    provider::{AuthStyle, Connection, HeaderRules, ModelRules, SecretInput, Timeouts, TlsOptions, WEIGHT_DEFAULT},
    rate_limit::UpstreamLimits,
};

/// The whole file as read: each entry knows its line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Declared {
    /// Providers, matched by name.
    pub(super) providers: Vec<Spanned<ProviderEntry>>,
    /// Groups, matched by slug.
    pub(super) groups: Vec<Spanned<GroupEntry>>,
    /// The price table.
    pub(super) prices: Option<Spanned<PriceDraft>>,
    /// Rules and channels of alerts, matched by name; without them they stay as they are.
    pub(super) alerts: Option<AlertsDeclared>,
}

/// The whole file as written.
#[derive(Debug, Serialize)]
pub(super) struct Exported {
    /// Every provider.
    pub(super) providers: Vec<ProviderEntry>,
    /// Every group.
    pub(super) groups: Vec<GroupEntry>,
    /// The price table, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prices: Option<PriceDraft>,
    /// Every rule and channel of alerts.
    pub(super) alerts: AlertsExported,
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderEntry {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) website: String,
    pub(super) base_url: String,
    #[serde(default)]
    pub(super) auth: AuthStyle,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) credentials: Vec<CredentialEntry>,
    #[serde(default)]
    pub(super) headers: HeaderRules,
    #[serde(default)]
    pub(super) models: ModelRules,
    #[serde(default)]
    pub(super) timeouts: Timeouts,
    #[serde(default)]
    pub(super) limits: UpstreamLimits,
    #[serde(default)]
    pub(super) tls: TlsOptions,
    #[serde(default)]
    pub(super) connection: Connection,
}

/// One credential; its secret is written or comes from a variable, and is never exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialEntry {
    pub(super) label: String,
    #[serde(default, skip_serializing)]
    pub(super) secret: Option<SecretInput>,
    #[serde(default, skip_serializing)]
    pub(super) secret_env: Option<String>,
    #[serde(default = "full_weight")]
    pub(super) weight: u32,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) limits: UpstreamLimits,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupEntry {
    pub(super) name: String,
    pub(super) slug: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default)]
    pub(super) kind: GroupKind,
    #[serde(default)]
    pub(super) strategy: Strategy,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Without it: what a new group of this kind gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path_policy: Option<PathPolicy>,
    #[serde(default)]
    pub(super) providers: Vec<MemberEntry>,
    #[serde(default)]
    pub(super) failover: FailoverRules,
    #[serde(default)]
    pub(super) anonymous: AnonymousAccess,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed_origins: Vec<String>,
    #[serde(default)]
    pub(super) hide_provider_headers: bool,
    #[serde(default)]
    pub(super) sticky: Sticky,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outcome_rules: Vec<OutcomeRule>,
    #[serde(default)]
    pub(super) websocket: bool,
    #[serde(default = "yes")]
    pub(super) stream_usage: bool,
    #[serde(default)]
    pub(super) log_bodies: bool,
}

/// One member, by the provider's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberEntry {
    pub(super) provider: String,
    #[serde(default = "full_weight")]
    pub(super) priority: u32,
    #[serde(default = "first")]
    pub(super) tier: u32,
}

fn yes() -> bool {
    true
}

fn full_weight() -> u32 {
    WEIGHT_DEFAULT
}

fn first() -> u32 {
    1
}

/// Reads the text of a file; an empty one declares nothing.
pub(super) fn read(text: &str) -> ApiResult<Declared> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Declared::default());
    }
    serde_saphyr::from_str(text).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_saphyr::Error) -> ApiError {
    let line = error.location().map_or(1, |location| location.line());
    let options = serde_saphyr::render_options! { snippets: SnippetMode::Off };
    let message = error.without_snippet().render_with_options(options);
    let message = message.lines().next().unwrap_or("not YAML").to_owned();
    ApiError::invalid(&format!("line {line}"), Issue::Unreadable { message })
}

/// Writes a file.
pub(super) fn write(file: &Exported) -> String {
    let body = serde_saphyr::to_string(file).expect("maps with text keys, numbers and texts are YAML");
    format!("# Written by `rondo export`. Secrets are not in here; `rondo apply -f` keeps those it finds.\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        read(text).expect_err("refused").to_string()
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let text = r#"
providers:
  - name: alpha
    base_url: https://api.example.com        # may carry a base path
    auth: { header: X-Token, template: "Token {secret}" }
    enabled: true
    credentials: [{ label: main, secret: sk-1, weight: 100 }]
    headers: { set: { X-Team: a }, remove: [] }
    models: { map: { gpt-4: gpt-4.1 }, only: [] }
    timeouts: { connect_ms: 5000, first_byte_ms: 120000, idle_ms: 120000, total_ms: 600000, stream_total_ms: 3600000 }
    limits: { rpm: 0, concurrency: 0, requests_per_day: 0 }
    tls: { ca_file: null }
groups:
  - name: Production
    slug: prod
    kind: llm
    strategy: weighted
    path_policy: [{ method: POST, path: "/v1/**" }]
    providers: [{ provider: alpha, priority: 50, tier: 1 }]
    failover: { max_attempts: 3, first_output_timeout_ms: 0, keepalive_after_ms: 15000 }
prices:
  currency: USD
  models:
    - { model: gpt-4.1, input: 2, output: 8, cached_input: 0.5 }
    - { model: "text-embedding-*", input: 0.02 }
"#;
        let file = read(text).expect("valid");
        assert_eq!(file.providers[0].referenced.line(), 3);
        assert!(matches!(file.providers[0].value.auth, AuthStyle::Header { .. }));
        assert!(matches!(&file.groups[0].value.path_policy, Some(PathPolicy::Rules(rules)) if rules.len() == 1));
        let written = Exported {
            providers: file.providers.iter().map(|entry| entry.value.clone()).collect(),
            groups: file.groups.iter().map(|entry| entry.value.clone()).collect(),
            prices: file.prices.as_ref().map(|entry| entry.value.clone()),
            alerts: AlertsExported::default(),
        };
        let text = write(&written);
        assert!(!text.contains("sk-1"), "secrets stay here: {text}");
        let again = read(&text).expect("what is written can be read");
        assert_eq!(again.groups[0].value, written.groups[0]);
        assert_eq!(again.providers[0].value.headers, written.providers[0].headers);
        assert_eq!(again.prices.map(|prices| prices.value), written.prices);
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line() {
        let message = fault("providers:\n  - name: a\n    base_url: https://a\n    base_ulr: https://b\n");
        assert!(message.contains("line 4") && message.contains("base_ulr"), "{message}");
        let message = fault("providers:\n  - name: a\n    base_url: https://a\n    timeouts:\n      conect_ms: 5\n");
        assert!(message.contains("line 5") && message.contains("conect_ms"), "{message}");
        let message = fault("provider: []\n");
        assert!(message.contains("line 1") && message.contains("provider"), "{message}");
        for message in [fault("groups: [{ name: a, slug: b, strategy: fastest }]\n"), fault("groups:\n  - [1, 2\n")] {
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }

    #[test]
    fn an_empty_file_declares_nothing() {
        for text in ["", "# nothing yet\n", "providers: []\n"] {
            assert!(read(text).expect("valid").providers.is_empty(), "{text:?}");
        }
    }
}
