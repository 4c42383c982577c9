//! From rows to a table: secrets opened, addresses split, patterns compiled, live states attached.
//!
//! What cannot be compiled is left out with a fault that names it; the rest of the table serves.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use super::{
    check,
    policy::PathMatcher,
    prices::Prices,
    table::{Credential, Group, GroupMemory, Key, Member, Presented, Provider, Table},
};
use crate::{
    model::{
        self,
        api_key::Scope,
        group::GroupKind,
        id::{CredentialId, GroupId, ProviderId},
        name::BaseUrl,
        provider::{AuthStyle, Connection},
    },
    server::{
        balance::{
            large::{Layout, Placed},
            weighted::Credits,
        },
        health::board::Board,
        secret::seal::{MasterKey, Sealed, credential_aad},
        store::{Snapshot, StoredApiKey, StoredProvider},
        upstream::{connect::Connector, guard::AddressPolicy, pool::Pool, tls},
    },
};

/// What one table hands on to the next: connections, health, credits.
pub struct Compiler {
    key: MasterKey,
    board: Board,
    policy: Arc<AddressPolicy>,
    pools: HashMap<ProviderId, (PoolSettings, Arc<Pool>)>,
    groups: HashMap<GroupId, Arc<GroupMemory>>,
    rotations: HashMap<ProviderId, Arc<Mutex<Credits>>>,
    /// What each credential was sealed as: a secret that is entered anew starts anew.
    sealed: HashMap<CredentialId, Sealed>,
}

/// What a pool of connections depends on; when it changes, so does the pool.
#[derive(Clone, PartialEq, Eq)]
struct PoolSettings {
    base_url: BaseUrl,
    connect_ms: u32,
    ca_file: Option<String>,
    connection: Connection,
}

/// Something that had to be left out.
#[derive(Debug, thiserror::Error)]
pub enum CompileFault {
    /// A secret that the master key does not open.
    #[error("credential {label} of provider {provider} cannot be opened: {reason}; enter it again")]
    Credential {
        /// The provider.
        provider: String,
        /// The credential.
        label: String,
        /// Why.
        reason: String,
    },
    /// TLS options that cannot be used.
    #[error("provider {provider} is left out: {reason}")]
    Tls {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
}

impl Compiler {
    /// A compiler with nothing to hand on yet.
    pub fn new(key: MasterKey, board: Board, policy: AddressPolicy) -> Self {
        Self {
            key,
            board,
            policy: Arc::new(policy),
            pools: HashMap::new(),
            groups: HashMap::new(),
            rotations: HashMap::new(),
            sealed: HashMap::new(),
        }
    }

    /// Compiles a snapshot; `now_ms` is the reading of the clock of health.
    pub fn compile(&mut self, snapshot: Snapshot, now_ms: u64) -> (Table, Vec<CompileFault>) {
        let mut faults = Vec::new();
        let mut providers = HashMap::with_capacity(snapshot.providers.len());
        let of_models = members(&snapshot.groups, |group| group.kind == GroupKind::Llm);
        for stored in &snapshot.providers {
            match self.provider(stored, &of_models, &mut faults) {
                Ok(provider) => drop(providers.insert(provider.id, Arc::new(provider))),
                Err(fault) => faults.push(fault),
            }
        }
        let groups = snapshot.groups.iter().map(|group| self.group(group, &providers));
        let groups: HashMap<Box<str>, Arc<Group>> =
            groups.map(|group| (Box::from(&*group.slug), Arc::new(group))).collect();
        let keys = snapshot.api_keys.iter().map(|stored| (stored.hash, Arc::new(api_key(stored)))).collect();
        let stored: Vec<_> = snapshot.providers.into_iter().map(|stored| stored.provider).collect();
        self.forget(&stored, &snapshot.groups);
        self.board.adopt(&stored, &snapshot.groups, now_ms);
        let weighted = members(&snapshot.groups, |group| group.enabled);
        let checked = providers.into_values().filter(|one| one.enabled && weighted.contains(&one.id)).collect();
        let table = Table {
            revision: snapshot.revision,
            keys,
            groups,
            checked,
            providers: stored,
            stored_groups: snapshot.groups,
            prices: Prices::new(&snapshot.prices).map(Arc::new),
        };
        (table, faults)
    }

    fn forget(&mut self, snapshot: &[model::provider::Provider], groups: &[model::group::Group]) {
        let providers: HashSet<ProviderId> = snapshot.iter().map(|provider| provider.id).collect();
        let groups: HashSet<GroupId> = groups.iter().map(|group| group.id).collect();
        self.pools.retain(|id, _| providers.contains(id));
        self.rotations.retain(|id, _| providers.contains(id));
        self.groups.retain(|id, _| groups.contains(id));
        let credentials = snapshot.iter().flat_map(|provider| &provider.credentials);
        let credentials: HashSet<CredentialId> = credentials.map(|credential| credential.id).collect();
        self.sealed.retain(|id, _| credentials.contains(id));
    }

    fn provider(
        &mut self,
        stored: &StoredProvider,
        of_models: &HashSet<ProviderId>,
        faults: &mut Vec<CompileFault>,
    ) -> Result<Provider, CompileFault> {
        let provider = &stored.provider;
        let check_path = provider.connection.check_path.as_deref();
        let lists_models = of_models.contains(&provider.id);
        let models_path = lists_models.then(|| check::models_path(provider.base_url.base_path()));
        let pool = self.pool(provider)?;
        let header = |text: &str| HeaderValue::from_str(text).ok();
        let set = provider.headers.set.iter().filter_map(|(name, value)| Some((name.parse().ok()?, header(value)?)));
        let timeout = |ms: u32| Duration::from_millis(u64::from(ms));
        Ok(Provider {
            id: provider.id,
            name: provider.name.as_str().into(),
            name_header: header_text(&provider.name),
            id_header: header_text(&provider.id.to_string()),
            enabled: provider.enabled,
            host_header: header_text(provider.base_url.authority()),
            origin: format!("{}://{}", provider.base_url.scheme(), provider.base_url.authority()),
            base_path: provider.base_url.base_path().to_owned(),
            set_headers: set.collect(),
            remove_headers: provider.headers.remove.iter().filter_map(|name| name.parse().ok()).collect(),
            model_map: provider.models.map.clone().into_iter().collect(),
            models: globs(&provider.models.only),
            first_byte_timeout: timeout(provider.timeouts.first_byte_ms),
            idle_timeout: timeout(provider.timeouts.idle_ms),
            total_timeout: timeout(provider.timeouts.total_ms),
            stream_timeout: timeout(provider.timeouts.stream_total_ms),
            limits: provider.limits,
            check_path: check_path.map(Box::from),
            proof_path: check_path.or(models_path).map(Box::from),
            state: self.board.provider(provider.id),
            pool,
            needs_credential: provider.auth.needs_secret(),
            credentials: self.credentials(stored, faults),
            rotation: self.rotations.entry(provider.id).or_default().clone(),
        })
    }

    fn pool(&mut self, provider: &model::provider::Provider) -> Result<Arc<Pool>, CompileFault> {
        let settings = PoolSettings {
            base_url: provider.base_url.clone(),
            connect_ms: provider.timeouts.connect_ms,
            ca_file: provider.tls.ca_file.clone(),
            // What active checks ask for is no reason for new connections.
            connection: Connection { check_path: None, ..provider.connection.clone() },
        };
        if let Some((known, pool)) = self.pools.get(&provider.id)
            && *known == settings
        {
            return Ok(pool.clone());
        }
        let connector = connector(&settings, self.policy.clone())
            .map_err(|error| CompileFault::Tls { provider: provider.name.clone(), reason: error.to_string() })?;
        let pool = Pool::new(connector);
        self.pools.insert(provider.id, (settings, pool.clone()));
        Ok(pool)
    }

    fn credentials(&mut self, stored: &StoredProvider, faults: &mut Vec<CompileFault>) -> Vec<Credential> {
        let provider = &stored.provider;
        let mut credentials = Vec::with_capacity(provider.credentials.len());
        for credential in provider.credentials.iter().filter(|one| one.enabled && one.weight > 0) {
            let Some((_, sealed)) = stored.sealed.iter().find(|(id, _)| *id == credential.id) else { continue };
            let before = self.sealed.insert(credential.id, sealed.clone());
            if before.is_some_and(|before| before != *sealed) {
                self.board.credential(credential.id).reset();
            }
            match self.present(provider, credential.id, sealed) {
                Ok(presented) => credentials.push(Credential {
                    id: credential.id,
                    key: draw_key(credential.id.0),
                    weight: credential.weight,
                    limits: credential.limits,
                    state: self.board.credential(credential.id),
                    presented,
                }),
                Err(reason) => faults.push(CompileFault::Credential {
                    provider: provider.name.clone(),
                    label: credential.label.clone(),
                    reason,
                }),
            }
        }
        credentials
    }

    fn present(
        &self,
        provider: &model::provider::Provider,
        credential: CredentialId,
        sealed: &Sealed,
    ) -> Result<Presented, String> {
        let aad = credential_aad(credential, provider.base_url.host());
        let secret = self.key.open(sealed, &aad).map_err(|error| error.to_string())?;
        present(&provider.auth, secret.expose()).ok_or_else(|| "it cannot be sent in a header".to_owned())
    }

    fn group(&mut self, group: &model::group::Group, providers: &HashMap<ProviderId, Arc<Provider>>) -> Group {
        let members = group.members.iter().filter_map(|member| {
            let provider = providers.get(&member.provider)?.clone();
            Some((Member { key: draw_key(provider.id.0), provider, priority: member.priority }, member.tier))
        });
        let (members, tiers): (Vec<Member>, Vec<u32>) = members.unzip();
        let placed = members.iter().zip(&tiers).map(|(member, tier)| Placed {
            key: member.key,
            tier: *tier,
            priority: if member.provider.enabled { member.priority } else { 0 },
        });
        let layout = Layout::new(&placed.collect::<Vec<_>>());
        Group {
            id: group.id,
            slug: group.slug.as_str().into(),
            enabled: group.enabled,
            kind: group.kind,
            strategy: group.strategy,
            paths: PathMatcher::new(&group.path_policy),
            failover: group.failover,
            anonymous: group.anonymous.allowed.then_some(group.anonymous.limits),
            allowed_origins: group.allowed_origins.clone(),
            hide_provider_headers: group.hide_provider_headers,
            sticky: group.sticky.clone(),
            outcome_rules: group.outcome_rules.clone(),
            websocket: group.websocket,
            stream_usage: group.stream_usage,
            log_bodies: group.log_bodies,
            members,
            tiers,
            layout,
            memory: self.groups.entry(group.id).or_default().clone(),
        }
    }
}

/// Members with weight of the groups that are meant.
fn members(groups: &[model::group::Group], meant: impl Fn(&model::group::Group) -> bool) -> HashSet<ProviderId> {
    let members = groups.iter().filter(|group| meant(group)).flat_map(|group| &group.members);
    members.filter(|member| member.priority > 0).map(|member| member.provider).collect()
}

/// How a provider is connected to, as the table and the connection test need it.
fn connector(settings: &PoolSettings, policy: Arc<AddressPolicy>) -> Result<Connector, tls::TlsError> {
    let ca_file = settings.ca_file.as_ref().map(PathBuf::from);
    let tls = if settings.base_url.is_https() { Some(tls::client_config(ca_file.as_deref())?) } else { None };
    let timeout = Duration::from_millis(u64::from(settings.connect_ms));
    Ok(Connector::new(&settings.base_url, &settings.connection, tls, policy, timeout))
}

/// Names may be in any script, headers may not: bytes outside visible ASCII are percent-encoded.
fn header_text(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::from_str(&encoded).expect("visible ASCII is a header value")
}

/// The low half of a UUID of version 7 is random: enough to tell members apart.
fn draw_key(id: uuid::Uuid) -> u64 {
    id.as_u64_pair().1
}

/// `None` when there is no pattern; a pattern that is not a glob matches nothing.
fn globs(patterns: &[String]) -> Option<GlobSet> {
    if patterns.is_empty() {
        return None;
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        if let Ok(glob) = GlobBuilder::new(pattern).literal_separator(false).build() {
            set.add(glob);
        }
    }
    set.build().ok().or_else(|| Some(GlobSet::empty()))
}

/// The credential as it is sent; `None` when it cannot be put into a header.
pub fn present(auth: &AuthStyle, secret: &str) -> Option<Presented> {
    let named = |name: &'static str, value: String| header(HeaderName::from_static(name), &value);
    match auth {
        AuthStyle::Bearer => named("authorization", format!("Bearer {secret}")),
        AuthStyle::XApiKey => named("x-api-key", secret.to_owned()),
        AuthStyle::ApiKey => named("api-key", secret.to_owned()),
        AuthStyle::XGoogApiKey => named("x-goog-api-key", secret.to_owned()),
        AuthStyle::Query => Some(Presented::Query(percent_encode(secret).into())),
        AuthStyle::None => Some(Presented::Nothing),
        AuthStyle::Header { header: name, template } => {
            header(name.parse().ok()?, &template.replace("{secret}", secret))
        }
    }
}

fn header(name: HeaderName, value: &str) -> Option<Presented> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(Presented::Header(name, value))
}

/// RFC 3986 §2.3: everything but unreserved characters is escaped.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn api_key(stored: &StoredApiKey) -> Key {
    let key = &stored.key;
    Key {
        id: key.id,
        name: key.name.as_str().into(),
        groups: match &key.scope {
            Scope::Global => None,
            Scope::Groups(groups) => Some(groups.iter().copied().collect()),
        },
        expires_at_ms: key.expires_at_ms,
        enabled: key.enabled,
        limits: key.limits,
        // A range that cannot be read allows nobody; a list never opens the key to all.
        allowed_ips: (!key.allowed_ips.is_empty())
            .then(|| key.allowed_ips.iter().filter_map(|text| range(text)).collect()),
        paths: key.path_policy.as_ref().map(PathMatcher::new),
        models: globs(&key.models),
        log_bodies: key.log_bodies,
    }
}

/// A range of addresses, or one. IPv4 written as IPv6 (RFC 4291 §2.5.5.2) is IPv4: so are clients' addresses.
fn range(text: &str) -> Option<IpNet> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let range = text.parse::<IpNet>().ok().or_else(one)?;
    match (range, range.addr().to_canonical()) {
        (IpNet::V6(_), IpAddr::V4(mapped)) if range.prefix_len() >= 96 => {
            IpNet::new(IpAddr::V4(mapped), range.prefix_len() - 96).ok()
        }
        _ => Some(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_cannot_be_read_never_opens_a_key() {
        let with = |allowed_ips: Vec<String>| {
            let key = model::api_key::ApiKey {
                id: model::id::ApiKeyId(uuid::Uuid::nil()),
                name: "k".into(),
                hint: String::new(),
                scope: Scope::Global,
                enabled: true,
                expires_at_ms: None,
                limits: model::rate_limit::KeyLimits::default(),
                allowed_ips,
                path_policy: None,
                models: Vec::new(),
                log_bodies: false,
                last_used_at_ms: None,
                used: None,
                revision: 0,
                created_at_ms: 0,
                updated_at_ms: 0,
            };
            let hash = crate::server::secret::token::HashedKey::of("rd_x");
            api_key(&StoredApiKey { key, hash }).allows_ip("10.0.0.1".parse().expect("an address"))
        };
        assert!(with(Vec::new()) && with(vec!["10.0.0.0/8".into()]));
        assert!(!with(vec!["here".into()]));
    }

    #[test]
    fn an_address_range_is_the_same_in_either_family() {
        let shown = |text: &str| range(text).map(|range| range.to_string());
        assert_eq!(shown("10.0.0.0/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(shown("::ffff:10.0.0.0/104").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(shown("::ffff:192.0.2.1").as_deref(), Some("192.0.2.1/32"));
        assert_eq!(shown("2001:db8::/32").as_deref(), Some("2001:db8::/32"));
        assert_eq!(shown("2001:db8::1").as_deref(), Some("2001:db8::1/128"));
        assert_eq!(shown("here"), None);
    }

    #[test]
    fn every_auth_style_presents_the_secret_its_own_way() {
        let shown = |auth: &AuthStyle| match present(auth, "s ecret") {
            Some(Presented::Header(name, value)) => {
                assert!(value.is_sensitive());
                format!("{name}: {}", value.to_str().expect("ascii"))
            }
            Some(Presented::Query(text)) => format!("?key={text}"),
            Some(Presented::Nothing) => "nothing".to_owned(),
            None => "none".to_owned(),
        };
        assert_eq!(shown(&AuthStyle::Bearer), "authorization: Bearer s ecret");
        assert_eq!(shown(&AuthStyle::XApiKey), "x-api-key: s ecret");
        assert_eq!(shown(&AuthStyle::ApiKey), "api-key: s ecret");
        assert_eq!(shown(&AuthStyle::XGoogApiKey), "x-goog-api-key: s ecret");
        assert_eq!(shown(&AuthStyle::Query), "?key=s%20ecret");
        assert_eq!(shown(&AuthStyle::None), "nothing");
        let custom = AuthStyle::Header { header: "X-Token".into(), template: "Token {secret}".into() };
        assert_eq!(shown(&custom), "x-token: Token s ecret");
    }

    #[test]
    fn a_name_in_any_script_becomes_a_header() {
        assert_eq!(header_text("alpha 1"), "alpha 1");
        assert_eq!(header_text("月"), "%E6%9C%88");
    }
}
