//! Active checks: what no request has asked for a while, the gateway asks itself, free of charge.
//!
//! Providers that are OPEN, or were not asked for five minutes, are connected to (TCP and TLS) every
//! 30 s, and asked for the path that their operator names. A failure counts as the table has it. A
//! success closes no breaker, because connecting is not answering: it lets the trial come earlier
//! when it got as far as the failures did that tripped it.
//!
//! Suspect and failed credentials are checked here too ([`CredentialState::needs_check`]): a list of
//! models costs nothing and needs a credential that works.
//!
//! One tick a second walks all providers and reads a few atomics of each; no provider has a timer.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use http::Request;
use http_body_util::{BodyExt, Limited};
use rand::RngExt;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    breaker::State,
    cooldown,
    credential::{CredentialState, Finding},
    outcome,
    passive::{self, Told},
    provider::ProviderState,
};
use crate::{
    model::{id::ProviderId, request_log::AttemptOutcome},
    server::upstream::{
        body::Outbound,
        pool::{Freshness, Lease, Pool, SendFault},
    },
};

/// Between two checks of a provider, milliseconds, give or take a quarter.
const EVERY_MS: u64 = 30_000;
/// A provider that was not asked for so long is checked, milliseconds.
const UNUSED_MS: u64 = 300_000;
/// Checks at the same time.
const AT_ONCE: usize = 8;
/// A check waits no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Read of an error's body, to know what it is called.
const BODY_BYTES: usize = 64 * 1024;

/// A provider as checks see it.
pub trait Checked: Send + Sync + 'static {
    /// Its live state.
    fn state(&self) -> &Arc<ProviderState>;
    /// Its connections.
    fn pool(&self) -> &Arc<Pool>;
    /// Live states of the credentials in use.
    fn credentials(&self) -> impl Iterator<Item = &Arc<CredentialState>>;
    /// The request that its operator named for checks.
    fn check(&self, credential: Option<&CredentialState>) -> Option<Request<Outbound>>;
    /// A request that costs nothing and tells whether this credential works; `None` where none is known.
    fn proof(&self, credential: &CredentialState) -> Option<Request<Outbound>>;
}

/// Who is checked next, and the checks under way. Dropped, it ends them.
#[derive(Debug, Default)]
pub struct Checker {
    /// When the next check of a provider is due.
    due: HashMap<ProviderId, u64>,
    running: JoinSet<()>,
}

impl Checker {
    /// Nobody is due yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the checks that are due. Those beyond [`AT_ONCE`] begin at a later tick.
    pub fn tick<P: Checked>(&mut self, now_ms: u64, wall_ms: i64, providers: &[Arc<P>]) {
        while self.running.try_join_next().is_some() {}
        let known: HashSet<ProviderId> = providers.iter().map(|provider| provider.state().id()).collect();
        self.due.retain(|id, _| known.contains(id));
        for provider in providers {
            for credential in provider.credentials() {
                if credential.needs_check(now_ms) && self.has_room() && credential.begin_check(now_ms) {
                    self.running.spawn(prove(provider.clone(), credential.clone(), now_ms));
                }
            }
            if self.is_due(provider.state(), now_ms) && self.has_room() {
                let jittered = rand::rng().random_range(EVERY_MS * 3 / 4..=EVERY_MS * 5 / 4);
                self.due.insert(provider.state().id(), now_ms + jittered);
                self.running.spawn(check(provider.clone(), now_ms, wall_ms));
            }
        }
    }

    /// Waits until every check under way has ended.
    pub async fn settle(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    fn has_room(&self) -> bool {
        self.running.len() < AT_ONCE
    }

    /// Whether its time has come; the first time is spread, so that not all come together.
    fn is_due(&mut self, state: &ProviderState, now_ms: u64) -> bool {
        let unused = now_ms.saturating_sub(state.used_at_ms()) >= UNUSED_MS;
        let wanted = match state.breaker_state() {
            State::Open => true,
            // The trial decides, and it is a request's.
            State::HalfOpen => false,
            _ => unused,
        };
        if !wanted {
            self.due.remove(&state.id());
            return false;
        }
        let first = || now_ms + rand::rng().random_range(0..=EVERY_MS);
        now_ms >= *self.due.entry(state.id()).or_insert_with(first)
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// A connection; nothing was asked.
    Connected,
    /// An answer, or how it failed.
    Ended(AttemptOutcome, Option<u16>),
}

async fn check<P: Checked>(provider: Arc<P>, now_ms: u64, wall_ms: i64) {
    let started = Instant::now();
    let state = provider.state();
    let credential = provider.credentials().find(|credential| credential.is_ready(now_ms));
    let (found, retry_after_ms) = match provider.pool().lease(Freshness::Fresh).await {
        Err(fault) => (Found::Ended(outcome::of_connect(&fault), None), None),
        Ok(lease) => match provider.check(credential.map(|one| &**one)) {
            None => (Found::Connected, None),
            Some(request) => {
                let answer = ask(lease, request).await;
                let asked_ms =
                    answer.headers.as_ref().and_then(|headers| cooldown::read(headers, &answer.body, wall_ms));
                (Found::Ended(answer.outcome(credential.is_some()), answer.status), asked_ms)
            }
        },
    };
    let now_ms = now_ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Found::Ended(outcome, status) = found {
        let credential = credential.unwrap_or_else(|| state.keyless());
        passive::learn(credential, outcome, Told { status, retry_after_ms }, now_ms);
    }
    apply(state, found, now_ms);
}

/// What a check means for the breaker.
fn apply(state: &ProviderState, found: Found, now_ms: u64) {
    let success = match found {
        Found::Connected => Some(true),
        Found::Ended(outcome, _) => outcome.success(),
    };
    match (state.breaker_state(), success) {
        (State::Open, Some(true)) if disproves(found, state.last_failure()) => state.invite(now_ms),
        (State::Open | State::HalfOpen, _) | (_, None) => {}
        (_, Some(_)) => match found {
            Found::Ended(outcome, _) => _ = state.report(now_ms, outcome, None),
            Found::Connected if disproves(found, state.last_failure()) => state.end_row(),
            Found::Connected => {}
        },
    }
}

/// Whether a success got as far as the failure before it.
fn disproves(found: Found, failure: Option<AttemptOutcome>) -> bool {
    use AttemptOutcome as O;
    let unconnected =
        matches!(failure, None | Some(O::Dns | O::AddressRefused | O::Connect | O::ConnectTimeout | O::Tls));
    unconnected || found != Found::Connected
}

async fn prove<P: Checked>(provider: Arc<P>, credential: Arc<CredentialState>, now_ms: u64) {
    let started = Instant::now();
    let finding = match provider.proof(&credential) {
        // To connect would say nothing about a credential.
        None => Finding::Unknown,
        Some(request) => match provider.pool().lease(Freshness::Fresh).await {
            Err(_) => Finding::Unknown,
            Ok(lease) => finding(&ask(lease, request).await, &credential, now_ms),
        },
    };
    tracing::debug!(credential = %credential.id(), ?finding, "a credential was checked");
    credential.decide(now_ms + u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), finding);
}

fn finding(answer: &Answer, credential: &CredentialState, now_ms: u64) -> Finding {
    match answer.outcome(true) {
        // It may be allowed to infer and not to list: then a request has to try it.
        AttemptOutcome::CredentialRefused if answer.status == Some(403) && credential.has_failed(now_ms) => {
            Finding::Unknown
        }
        AttemptOutcome::CredentialRefused => Finding::Refused,
        AttemptOutcome::Answered | AttemptOutcome::RateLimited | AttemptOutcome::QuotaExhausted => Finding::Accepted,
        _ => Finding::Unknown,
    }
}

/// What came back.
struct Answer {
    status: Option<u16>,
    headers: Option<http::HeaderMap>,
    body: Vec<u8>,
    /// Where there was no answer.
    failure: AttemptOutcome,
}

impl Answer {
    fn none(failure: AttemptOutcome) -> Self {
        Self { status: None, headers: None, body: Vec::new(), failure }
    }

    fn outcome(&self, has_credential: bool) -> AttemptOutcome {
        let status = self.status.and_then(|status| http::StatusCode::from_u16(status).ok());
        status.map_or(self.failure, |status| outcome::of_answer(status, &self.body, has_credential))
    }
}

async fn ask(mut lease: Lease, request: Request<Outbound>) -> Answer {
    let exchange = async {
        let response = lease.send(request).await?;
        let (head, body) = response.into_parts();
        let body = match head.status.is_success() {
            true => Vec::new(),
            false => Limited::new(body, BODY_BYTES).collect().await.map_or(Vec::new(), |body| body.to_bytes().to_vec()),
        };
        let (status, headers) = (Some(head.status.as_u16()), Some(head.headers));
        Ok::<_, SendFault>(Answer { status, headers, body, failure: AttemptOutcome::InvalidResponse })
    };
    // The connection is closed with its lease: a check leaves nothing behind.
    match timeout(PATIENCE, exchange).await {
        Err(_) => Answer::none(AttemptOutcome::FirstByteTimeout),
        Ok(Err(SendFault::Invalid(_))) => Answer::none(AttemptOutcome::InvalidResponse),
        Ok(Err(_)) => Answer::none(AttemptOutcome::Reset),
        Ok(Ok(answer)) => answer,
    }
}

#[cfg(test)]
mod tests;
