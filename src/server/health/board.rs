//! The shared state of all providers and credentials. It outlives routing tables: a change of
//! configuration resets nobody's health, and what is in flight stays counted.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio::sync::broadcast;

use super::{
    credential::{CredentialState, Standing},
    provider::{Facts, ProviderState},
};
use crate::model::{
    drill::{Drill, DrillEnd},
    group::Group,
    health::{CredentialHealth, CredentialState as Shown, HealthEvent, ProviderHealth},
    id::{CredentialId, ProviderId},
    provider::Provider,
};

/// Changes of state that are kept.
pub const EVENTS: usize = 1_000;
/// Events a slow listener may lag behind.
const CHANNEL: usize = 256;

/// Health of everything. Cheap to clone; all clones are the same board.
#[derive(Clone, Debug)]
pub struct Board {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    feed: Arc<Feed>,
    /// Written when a provider or credential is seen for the first time or removed; a compiled
    /// table holds the `Arc`s, so requests do not come here. Never held across an await.
    providers: RwLock<HashMap<ProviderId, Arc<ProviderState>>>,
    credentials: RwLock<HashMap<CredentialId, Arc<CredentialState>>>,
    /// Drills that nobody stopped and nobody was told of yet. Held to add one and to take them all.
    ended: Mutex<Vec<Drill>>,
}

impl Board {
    /// An empty board; `epoch_unix_ms` is the wall time at monotone 0 (see [`super::clock::Clock`]).
    pub fn new(epoch_unix_ms: i64) -> Self {
        let feed = Arc::new(Feed::new(epoch_unix_ms));
        let (providers, credentials, ended) = (RwLock::default(), RwLock::default(), Mutex::default());
        Self { shared: Arc::new(Shared { feed, providers, credentials, ended }) }
    }

    /// State of a provider, made on first sight.
    pub fn provider(&self, id: ProviderId) -> Arc<ProviderState> {
        let known = self.shared.providers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        known.unwrap_or_else(|| {
            let mut providers = self.shared.providers.write().unwrap_or_else(PoisonError::into_inner);
            let make = || Arc::new(ProviderState::new(id, Arc::clone(&self.shared.feed)));
            Arc::clone(providers.entry(id).or_insert_with(make))
        })
    }

    /// State of a credential, made on first sight.
    pub fn credential(&self, id: CredentialId) -> Arc<CredentialState> {
        let known = self.shared.credentials.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        known.unwrap_or_else(|| {
            let mut credentials = self.shared.credentials.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(credentials.entry(id).or_insert_with(|| Arc::new(CredentialState::new(id))))
        })
    }

    /// Tells every state what a new routing table says about it, and forgets those no longer in it.
    /// Call at each table swap; requests in flight keep the states they hold.
    pub fn adopt(&self, providers: &[Provider], groups: &[Group], now_ms: u64) {
        let switched_on: HashSet<ProviderId> =
            providers.iter().filter(|provider| provider.enabled).map(|provider| provider.id).collect();
        for provider in providers {
            let state = self.provider(provider.id);
            let members = || groups.iter().filter(|group| is_member(group, provider.id));
            let alone = members().any(|group| weighted_members(group, &switched_on) == 1);
            state.breaker().configure(u64::from(provider.timeouts.first_byte_ms), alone);
            let mut facts = state.facts();
            facts.disabled = !provider.enabled;
            facts.drained = is_drained(groups, provider.id);
            facts.credentials = self.usable(provider, &state);
            if !std::mem::replace(&mut facts.adopted, true) {
                // How it starts is no change of state.
                (facts.announced, _) = state.judge(&facts, now_ms);
                facts.since_ms = now_ms;
            }
            drop(facts);
            if !provider.enabled {
                self.end_drill(&state, now_ms, DrillEnd::Disabled);
            }
            state.announce(now_ms);
        }
        let kept: HashSet<ProviderId> = providers.iter().map(|provider| provider.id).collect();
        let credentials = providers.iter().flat_map(|provider| &provider.credentials);
        let kept_credentials: HashSet<CredentialId> = credentials.map(|credential| credential.id).collect();
        self.shared.providers.write().unwrap_or_else(PoisonError::into_inner).retain(|id, state| {
            let stays = kept.contains(id);
            if !stays {
                self.end_drill(state, now_ms, DrillEnd::Disabled);
            }
            stays
        });
        let mut credentials = self.shared.credentials.write().unwrap_or_else(PoisonError::into_inner);
        credentials.retain(|id, _| kept_credentials.contains(id));
    }

    /// Moves on what only time moves, and announces it. Once a second is enough: requests do the
    /// same for the providers they meet. Returns drills that ended since the last time without anybody stopping them.
    pub fn sweep(&self, now_ms: u64) -> Vec<Drill> {
        let providers: Vec<_> = {
            let providers = self.shared.providers.read().unwrap_or_else(PoisonError::into_inner);
            providers.values().cloned().collect()
        };
        for provider in providers {
            if provider.is_drill_due(now_ms) {
                self.end_drill(&provider, now_ms, DrillEnd::TimeOver);
            }
            provider.announce(now_ms);
        }
        std::mem::take(&mut *self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn end_drill(&self, state: &ProviderState, now_ms: u64, end: DrillEnd) {
        let ended = state.end_drill(now_ms, end);
        self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner).extend(ended);
    }

    /// Health of a provider as the screens show it.
    pub fn view(&self, provider: &Provider, groups: &[Group], now_ms: u64) -> ProviderHealth {
        let state = self.provider(provider.id);
        let (shown, reason, since_ms) = {
            let facts = state.facts();
            let now = Facts {
                disabled: !provider.enabled,
                drained: is_drained(groups, provider.id),
                credentials: self.usable(provider, &state),
                ..facts.clone()
            };
            let (shown, reason) = state.judge(&now, now_ms);
            (shown, reason, facts.since_ms)
        };
        let breaker = state.breaker();
        let tally = breaker.tally(now_ms);
        ProviderHealth {
            provider: provider.id,
            state: shown,
            reason,
            since_ms: self.shared.feed.unix_ms(since_ms),
            factor: breaker.factor(now_ms),
            samples: tally.samples,
            successes: tally.successes,
            consecutive_failures: breaker.consecutive_failures(),
            in_flight: state.in_flight(),
            credentials: self.credentials(provider, now_ms),
        }
    }

    /// Changes of state from now on.
    pub fn events(&self) -> broadcast::Receiver<HealthEvent> {
        self.shared.feed.sender.subscribe()
    }

    /// The last changes of state, newest first, at most [`EVENTS`].
    pub fn recent(&self, most: usize) -> Vec<HealthEvent> {
        let kept = self.shared.feed.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().take(most).cloned().collect()
    }

    fn credentials(&self, provider: &Provider, now_ms: u64) -> Vec<CredentialHealth> {
        let show = |credential: &crate::model::provider::Credential| {
            let state = self.credential(credential.id);
            let shown = match state.standing(now_ms) {
                _ if !credential.enabled => Shown::Disabled,
                Standing::Ready => Shown::Ready,
                Standing::Cooling { until_ms } => Shown::Cooling { until_ms: self.shared.feed.unix_ms(until_ms) },
                Standing::Failed { .. } => Shown::Failed,
            };
            CredentialHealth { credential: credential.id, state: shown, in_flight: state.in_flight() }
        };
        provider.credentials.iter().map(show).collect()
    }

    /// States of the credentials that may be drawn; the stand-in where none is needed.
    fn usable(&self, provider: &Provider, state: &ProviderState) -> Vec<Arc<CredentialState>> {
        if !provider.auth.needs_secret() {
            return vec![Arc::clone(state.keyless())];
        }
        let drawn = provider.credentials.iter().filter(|credential| credential.enabled && credential.weight > 0);
        drawn.map(|credential| self.credential(credential.id)).collect()
    }
}

fn is_member(group: &Group, provider: ProviderId) -> bool {
    group.members.iter().any(|member| member.provider == provider && member.priority > 0)
}

/// Members that could be asked: one whose only sibling is switched off stands alone.
fn weighted_members(group: &Group, switched_on: &HashSet<ProviderId>) -> usize {
    group.members.iter().filter(|member| member.priority > 0 && switched_on.contains(&member.provider)).count()
}

/// Whether it is in a group and has weight in none.
fn is_drained(groups: &[Group], provider: ProviderId) -> bool {
    let mut memberships =
        groups.iter().flat_map(|group| &group.members).filter(|member| member.provider == provider).peekable();
    memberships.peek().is_some() && memberships.all(|member| member.priority == 0)
}

/// Where changes of state go: to listeners, and into the memory of the last thousand.
#[derive(Debug)]
pub(super) struct Feed {
    epoch_unix_ms: i64,
    sender: broadcast::Sender<HealthEvent>,
    /// Written on changes of state only; never held across an await.
    kept: Mutex<VecDeque<HealthEvent>>,
}

impl Feed {
    fn new(epoch_unix_ms: i64) -> Self {
        Self { epoch_unix_ms, sender: broadcast::Sender::new(CHANNEL), kept: Mutex::default() }
    }

    pub(super) fn unix_ms(&self, now_ms: u64) -> i64 {
        self.epoch_unix_ms.saturating_add(i64::try_from(now_ms).unwrap_or(i64::MAX))
    }

    pub(super) fn publish(&self, event: HealthEvent) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == EVENTS {
            kept.pop_front();
        }
        kept.push_back(event.clone());
        // Under the lock, so that listeners see the order that is kept. Nobody listening is fine.
        let _ = self.sender.send(event);
    }
}
