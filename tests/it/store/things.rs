//! Records to store, every field different from its default.

use rondo::{
    model::{
        api_key::{ApiKey, Scope},
        group::{
            AnonymousAccess, FailoverRules, Group, GroupKind, Member, PathPolicy, PathRule, Sticky, StickyBy, Strategy,
        },
        id::{ApiKeyId, CredentialId, GroupId, ProviderId, UserId},
        name::{BaseUrl, Slug},
        outcome_rule::{OutcomeRule, RuledOutcome},
        provider::{
            AuthStyle, Connection, Credential, HeaderRules, ModelRules, Protocol, Provider, Timeouts, TlsOptions,
        },
        rate_limit::{KeyLimits, UpstreamLimits},
        user::{Role, User},
    },
    server::{
        secret::{seal::Sealed, token::HashedKey},
        store::Change,
    },
};
use uuid::Uuid;

pub(crate) fn provider(name: &str) -> Provider {
    Provider {
        id: ProviderId(Uuid::now_v7()),
        name: name.to_owned(),
        website: "https://example.com/主页".into(),
        base_url: BaseUrl::parse("https://api.example.com:8443/openai/v1").expect("valid"),
        auth: AuthStyle::Header { header: "X-Token".into(), template: "Token {secret}".into() },
        enabled: false,
        headers: HeaderRules { set: [("X-Team".to_owned(), "blue".to_owned())].into(), remove: vec!["Cookie".into()] },
        models: ModelRules { map: [("gpt-4".to_owned(), "gpt-4.1".to_owned())].into(), only: vec!["gpt-*".into()] },
        timeouts: Timeouts { connect_ms: 1, first_byte_ms: 2, idle_ms: 3, total_ms: 4, stream_total_ms: u32::MAX },
        limits: UpstreamLimits { rpm: 5, concurrency: 6, requests_per_day: u64::from(u32::MAX) + 1 },
        tls: TlsOptions { ca_file: Some("/etc/ca.pem".into()) },
        connection: Connection {
            protocol: Protocol::Http2,
            egress_proxy: Some("http://proxy.example:3128".into()),
            check_path: Some("/v1/models".into()),
        },
        color: 7,
        credentials: vec![credential("main"), credential("spare")],
        revision: 0,
        created_at_ms: 0,
        updated_at_ms: 0,
    }
}

pub(crate) fn credential(label: &str) -> Credential {
    Credential {
        id: CredentialId(Uuid::now_v7()),
        label: label.to_owned(),
        hint: "sk-…abcd".into(),
        weight: 250,
        enabled: true,
        limits: UpstreamLimits { rpm: 1, ..UpstreamLimits::default() },
    }
}

pub(crate) fn sealed(provider: &Provider, text: &str) -> Vec<(CredentialId, Sealed)> {
    provider
        .credentials
        .iter()
        .map(|credential| (credential.id, Sealed(format!("{text} {}", credential.label))))
        .collect()
}

pub(crate) fn group(slug: &str, members: &[&Provider]) -> Group {
    let member = |(tier, provider): (u32, &&Provider)| Member { provider: provider.id, priority: 1000, tier };
    Group {
        id: GroupId(Uuid::now_v7()),
        name: format!("Group {slug} 组"),
        slug: Slug::parse(slug).expect("valid"),
        description: "for 'people' \"too\"; --".into(),
        kind: GroupKind::Generic,
        strategy: Strategy::LeastInFlight,
        enabled: false,
        path_policy: PathPolicy::Rules(vec![PathRule { method: "POST".into(), path: "/v1/**".into() }]),
        failover: FailoverRules { max_attempts: 9, first_output_timeout_ms: 10, keepalive_after_ms: 11 },
        anonymous: AnonymousAccess { allowed: true, limits: key_limits() },
        allowed_origins: vec!["https://app.example.com".into()],
        hide_provider_headers: true,
        sticky: Sticky { by: StickyBy::Header, header: Some("x-session".into()) },
        outcome_rules: vec![OutcomeRule {
            status_from: 400,
            status_to: 404,
            body_contains: Some("capacity".into()),
            header: Some("x-reason: full".into()),
            outcome: RuledOutcome::Overloaded,
        }],
        websocket: true,
        stream_usage: false,
        log_bodies: true,
        members: (1..).zip(members).map(member).collect(),
        revision: 0,
        created_at_ms: 0,
        updated_at_ms: 0,
    }
}

fn key_limits() -> KeyLimits {
    KeyLimits {
        rpm: Some(1),
        burst: Some(2),
        concurrency: 3,
        requests_per_day: 4,
        requests_per_month: 5,
        tokens_per_day: 6,
        tokens_per_month: u64::MAX,
    }
}

pub(crate) fn api_key(name: &str, groups: &[&Group]) -> ApiKey {
    ApiKey {
        id: ApiKeyId(Uuid::now_v7()),
        name: name.to_owned(),
        hint: "rd_…1234".into(),
        scope: if groups.is_empty() {
            Scope::Global
        } else {
            Scope::Groups(groups.iter().map(|group| group.id).collect())
        },
        enabled: true,
        expires_at_ms: Some(4_102_444_800_000),
        limits: key_limits(),
        allowed_ips: vec!["10.0.0.0/8".into(), "2001:db8::/32".into()],
        path_policy: Some(PathPolicy::ReadOnly),
        models: vec!["gpt-*".into()],
        log_bodies: true,
        last_used_at_ms: None,
        used: None,
        revision: 0,
        created_at_ms: 0,
        updated_at_ms: 0,
    }
}

pub(crate) fn user(username: &str, role: Role) -> User {
    User {
        id: UserId(Uuid::now_v7()),
        username: username.to_owned(),
        display_name: "Ana 安娜".into(),
        role,
        enabled: true,
        created_at_ms: 0,
        last_seen_at_ms: None,
    }
}

pub(crate) fn put_provider(provider: &Provider) -> Change {
    Change::PutProvider { provider: provider.clone(), sealed: sealed(provider, "sealed"), expect: None }
}

pub(crate) fn put_group(group: &Group) -> Change {
    Change::PutGroup { group: group.clone(), expect: None }
}

pub(crate) fn put_key(key: &ApiKey) -> Change {
    Change::PutApiKey { key: key.clone(), hash: Some(HashedKey::of(&key.name)), expect: None }
}

pub(crate) fn put_user(user: &User) -> Change {
    Change::PutUser { user: user.clone(), password_hash: Some("$argon2id$…".into()) }
}
