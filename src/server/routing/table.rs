//! The compiled form of the configuration.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use globset::GlobSet;
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use super::{budget::RetryBudget, policy::PathMatcher, prices::Prices};
use crate::{
    model::{
        self,
        group::{FailoverRules, GroupKind, Sticky, Strategy},
        id::{ApiKeyId, CredentialId, GroupId, ProviderId},
        outcome_rule::OutcomeRule,
        rate_limit::{KeyLimits, UpstreamLimits},
    },
    server::{
        balance::{large::Layout, weighted::Credits},
        health::{credential::CredentialState, panic::Valve, provider::ProviderState},
        secret::token::HashedKey,
        upstream::pool::Pool,
    },
};

/// One immutable snapshot of the configuration, ready for requests.
#[derive(Default)]
pub struct Table {
    /// Revision it was compiled from.
    pub revision: i64,
    pub(super) keys: HashMap<HashedKey, Arc<Key>>,
    pub(super) groups: HashMap<Box<str>, Arc<Group>>,
    /// Providers that active checks may ask: switched on, with weight in a group that is switched on.
    pub checked: Vec<Arc<Provider>>,
    /// Providers as stored, for views of health.
    pub providers: Vec<model::provider::Provider>,
    /// Groups as stored, for views of health.
    pub stored_groups: Vec<model::group::Group>,
    /// What tokens cost; `None` where nobody said.
    pub prices: Option<Arc<Prices>>,
}

impl Table {
    /// The key with this hash.
    pub fn key(&self, hash: &HashedKey) -> Option<&Arc<Key>> {
        self.keys.get(hash)
    }

    /// The key with this id: a walk over all of them.
    pub fn key_by_id(&self, id: ApiKeyId) -> Option<&Arc<Key>> {
        self.keys.values().find(|key| key.id == id)
    }

    /// Every key, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    /// The group behind this slug.
    pub fn group(&self, slug: &str) -> Option<&Arc<Group>> {
        self.groups.get(slug)
    }

    /// The group with this id.
    pub fn group_by_id(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.values().find(|group| group.id == id)
    }
}

/// A client's key.
pub struct Key {
    /// Which one.
    pub id: ApiKeyId,
    /// Its name.
    pub name: Arc<str>,
    /// Groups it reaches; `None` is every group.
    pub groups: Option<HashSet<GroupId>>,
    /// Refused from then on, unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// Switched on.
    pub enabled: bool,
    /// What it may use.
    pub limits: KeyLimits,
    /// Addresses it may come from; `None` allows all.
    pub allowed_ips: Option<Vec<IpNet>>,
    /// Narrows the group's policy.
    pub paths: Option<PathMatcher>,
    /// Models it may ask for; `None` allows all.
    pub models: Option<GlobSet>,
    /// Keep bodies of its requests and answers, whatever the group says.
    pub log_bodies: bool,
}

impl Key {
    /// Whether it reaches the group.
    pub fn reaches(&self, group: GroupId) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.contains(&group))
    }

    /// Whether it may come from this address.
    pub fn allows_ip(&self, ip: IpAddr) -> bool {
        self.allowed_ips.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(&ip)))
    }
}

/// A group of providers.
pub struct Group {
    /// Which one.
    pub id: GroupId,
    /// Its slug.
    pub slug: Arc<str>,
    /// Switched on.
    pub enabled: bool,
    /// Kind of the API.
    pub kind: GroupKind,
    /// How candidates are drawn.
    pub strategy: Strategy,
    /// What clients may reach.
    pub paths: PathMatcher,
    /// How failures are met.
    pub failover: FailoverRules,
    /// Limits of clients without a key; `None` asks for a key.
    pub anonymous: Option<KeyLimits>,
    /// Origins a browser may call from.
    pub allowed_origins: Vec<String>,
    /// Leave the provider's name out of answers.
    pub hide_provider_headers: bool,
    /// What `sticky` holds on to.
    pub sticky: Sticky,
    /// What answers mean here, ahead of the built-in table.
    pub outcome_rules: Vec<OutcomeRule>,
    /// Pass WebSocket upgrades on.
    pub websocket: bool,
    /// Ask for the usage of streams whose client does not, where the kind is `llm`.
    pub stream_usage: bool,
    /// Keep bodies of its requests and answers.
    pub log_bodies: bool,
    /// Members, in their order.
    pub members: Vec<Member>,
    /// Tier of each member, beside `members`.
    pub tiers: Vec<u32>,
    /// How a large group is drawn from; `None` walks over all members.
    pub layout: Option<Layout>,
    /// What outlives tables.
    pub memory: Arc<GroupMemory>,
}

/// A provider's place in a group.
pub struct Member {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Base weight; 0 is drained.
    pub priority: u32,
    /// Stable identity in the draw.
    pub key: u64,
}

/// What a group remembers between requests and across table swaps.
#[derive(Default)]
pub struct GroupMemory {
    /// What each member is owed. Held for one draw, never across an await.
    pub credits: Mutex<Credits>,
    /// Who may probe when every member is out. Held for one question.
    pub valve: Mutex<Valve>,
    /// Retries left. Held for one question.
    pub retries: Mutex<RetryBudget>,
    /// Whose turn it is in a large group that goes round.
    pub turn: AtomicUsize,
    /// Attempts of a large group in flight, until their bodies end.
    in_flight: AtomicU32,
}

impl GroupMemory {
    /// Attempts in flight, where they are counted.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Relaxed)
    }

    /// Counts an attempt in flight until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> GroupUse {
        self.in_flight.fetch_add(1, Relaxed);
        GroupUse { memory: Arc::clone(self) }
    }
}

/// An attempt of a large group in flight; counted out when dropped.
pub struct GroupUse {
    memory: Arc<GroupMemory>,
}

impl Drop for GroupUse {
    fn drop(&mut self) {
        self.memory.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A provider, ready to be asked.
pub struct Provider {
    /// Which one.
    pub id: ProviderId,
    /// Its name.
    pub name: Arc<str>,
    /// `X-Proxy-Provider`.
    pub name_header: HeaderValue,
    /// `X-Proxy-Provider-ID`.
    pub id_header: HeaderValue,
    /// Switched on.
    pub enabled: bool,
    /// `Host`.
    pub host_header: HeaderValue,
    /// Scheme and authority, as a `Location` would have them: `https://api.example.com`.
    pub origin: String,
    /// Base path without trailing `/`.
    pub base_path: String,
    /// Headers set on every request.
    pub set_headers: Vec<(HeaderName, HeaderValue)>,
    /// Client headers not passed on.
    pub remove_headers: Vec<HeaderName>,
    /// Model asked for → model here.
    pub model_map: HashMap<String, String>,
    /// Models served here; `None` serves all.
    pub models: Option<GlobSet>,
    /// Wait for the response head.
    pub first_byte_timeout: Duration,
    /// Wait between two chunks.
    pub idle_timeout: Duration,
    /// The whole exchange.
    pub total_timeout: Duration,
    /// The whole exchange of an event stream.
    pub stream_timeout: Duration,
    /// Its own limits.
    pub limits: UpstreamLimits,
    /// Path below the base address that active checks ask for; `None` checks by connecting only.
    pub check_path: Option<Box<str>>,
    /// Path below the base address that costs nothing and needs a credential: the check's, or the
    /// list of models.
    pub proof_path: Option<Box<str>>,
    /// Live state.
    pub state: Arc<ProviderState>,
    /// Connections.
    pub pool: Arc<Pool>,
    /// Whether a credential is needed.
    pub needs_credential: bool,
    /// Credentials that are switched on, weigh something and could be opened.
    pub credentials: Vec<Credential>,
    /// What each credential is owed. Held for one draw, never across an await.
    pub rotation: Arc<Mutex<Credits>>,
}

impl Provider {
    /// Whether it serves the model; an unnamed model is everybody's.
    pub fn serves(&self, model: Option<&str>) -> bool {
        match (&self.models, model) {
            (Some(only), Some(model)) => only.is_match(model) || self.model_map.contains_key(model),
            _ => true,
        }
    }
}

/// A credential, ready to be presented.
pub struct Credential {
    /// Which one.
    pub id: CredentialId,
    /// Stable identity in the draw.
    pub key: u64,
    /// Share among its siblings.
    pub weight: u32,
    /// Its own limits.
    pub limits: UpstreamLimits,
    /// Live state.
    pub state: Arc<CredentialState>,
    /// What is sent.
    pub presented: Presented,
}

/// How a secret leaves.
#[derive(Clone)]
pub enum Presented {
    /// Nothing is sent.
    Nothing,
    /// A header; its value is marked sensitive.
    Header(HeaderName, HeaderValue),
    /// `?key=`, percent-encoded.
    Query(Arc<str>),
}
