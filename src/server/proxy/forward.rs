//! From candidate to candidate until one answers, within what gateway.md §6 allows.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use http::header;

use super::{
    Shared,
    attempt::{Answered, Ask, Attempted, Seen, attempt},
    entry::Entry,
    error::ProxyError,
    inbound::Payload,
    select::{Candidate, Draw, Nobody, Reach},
    usage::include::Injection,
    verdict::{self, Next},
};
use crate::{
    model::{
        drill::Fault,
        request_log::{Attempt, AttemptOutcome, Choice},
    },
    server::{
        health::{
            cooldown,
            credential::CredentialState,
            passive::{self, Told},
        },
        routing::{
            budget::RetryBudget,
            table::{Group, Provider},
        },
        upstream::pool::Freshness,
    },
};

/// The next try must still have so long to its first byte before the exchange's total timeout; a
/// provider with a shorter first-byte timeout needs no more than that.
const ROOM: Duration = Duration::from_secs(30);

/// How the record tells an attempt that no draw chose.
const PROBE: &str = "every provider is out: an early probe";

/// What is passed on: the answer and the candidate that gave it.
pub struct Reply {
    /// The answer.
    pub answered: Box<Answered>,
    /// Who gave it.
    pub candidate: Candidate,
    /// Time to its head, milliseconds.
    pub response_time_ms: u64,
}

/// What the attempts of one request have come to.
struct Run<'a> {
    shared: &'a Shared,
    group: &'a Group,
    ask: Ask<'a>,
    /// How the usage of the stream is asked for, of providers that take it.
    injection: Option<&'a Injection>,
    may_repeat: bool,
    providers_tried: u32,
    /// The last failure: passed on when nobody is left.
    last: Option<Last>,
    /// The smallest wait any provider asked for, milliseconds.
    smallest_wait_ms: Option<u64>,
    /// Who answered 403: the same from another credential of that provider is about the request.
    forbidden: Vec<(usize, Arc<CredentialState>)>,
    /// What the budget was asked for the next try.
    fare: Fare,
    free_failover_used: bool,
}

/// What a try costs the group's retry budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fare {
    /// A first try, one on the house, or another credential of the same provider.
    Free,
    /// A token.
    Token,
}

enum Last {
    Answer(Box<Reply>),
    Failure(AttemptOutcome, String),
}

/// Asks one candidate after another.
pub async fn forward(
    shared: &Shared,
    group: &Group,
    mut draw: Draw<'_>,
    ask: Ask<'_>,
    payload: &mut Payload,
    entry: &mut Entry,
) -> Result<Reply, ProxyError> {
    group.memory.retries.lock().unwrap_or_else(PoisonError::into_inner).deposit();
    let may_repeat = verdict::may_repeat(group.kind, ask.call.is_idempotent());
    let mut run = Run {
        shared,
        group,
        injection: ask.injection,
        ask,
        may_repeat,
        providers_tried: 0,
        last: None,
        smallest_wait_ms: None,
        forbidden: Vec::new(),
        fare: Fare::Free,
        free_failover_used: false,
    };
    loop {
        let clock = &shared.clock;
        let candidate = match draw.next(clock.now_ms(), clock.now_ns()) {
            Ok(candidate) => candidate,
            Err(nobody) => return run.give_up(nobody),
        };
        let (member, provider) = (candidate.member, candidate.provider.clone());
        let was_trial = candidate.permit.is_trial();
        let next = match run.ask_one(candidate, payload, entry).await? {
            Step::Done(reply) => return Ok(*reply),
            Step::Again(next) => next,
            Step::Stop => return run.give_up(Nobody::Left),
        };
        if next == Next::OtherProvider {
            draw.done_with(member);
        }
        let allowed = payload.is_replayable() && has_time(&provider, entry);
        match allowed.then(|| run.reach(next, was_trial)).flatten() {
            Some(reach) => draw.set_reach(reach),
            None => return run.give_up(Nobody::Left),
        }
    }
}

/// Whether the next try could still have its first byte in time.
fn has_time(provider: &Provider, entry: &Entry) -> bool {
    entry.started.elapsed() + ROOM.min(provider.first_byte_timeout) <= provider.total_timeout
}

enum Step {
    /// This is the answer.
    Done(Box<Reply>),
    /// Another may be asked.
    Again(Next),
    /// The last failure stands.
    Stop,
}

impl Run<'_> {
    /// One attempt, and on a stale connection a second at the same provider.
    async fn ask_one(
        &mut self,
        mut candidate: Candidate,
        payload: &mut Payload,
        entry: &mut Entry,
    ) -> Result<Step, ProxyError> {
        let started_us = entry.elapsed_us();
        candidate.permit.meet_drill(self.shared.clock.now_ms());
        self.push(&mut candidate, started_us, entry);
        self.ask.place = entry.place();
        let (state, now_ms) = (candidate.provider.state.clone(), self.shared.clock.now_ms());
        self.ask.injection = self.injection.filter(|_| !state.is_usage_refused(now_ms));
        let mut attempted = attempt(&self.ask, &candidate, payload, Freshness::Any).await;
        if let Attempted::Failed { stale: true, .. } = attempted
            && self.may_repeat
            && payload.is_replayable()
        {
            attempted = attempt(&self.ask, &candidate, payload, Freshness::Fresh).await;
        }
        // A field that the client did not write must not cost it the answer.
        if self.ask.injection.is_some()
            && let Attempted::Answer(answered) = &attempted
            && answered.refuses_usage()
        {
            state.usage_refused(now_ms);
            self.ask.injection = None;
            attempted = attempt(&self.ask, &candidate, payload, Freshness::Any).await;
        }
        let elapsed_us = entry.elapsed_us() - started_us;
        match attempted {
            Attempted::Answer(answered) => Ok(self.answered(candidate, answered, elapsed_us, entry)),
            Attempted::Failed { outcome, detail, seen, .. } => {
                close(entry, outcome, seen, elapsed_us, detail.clone());
                let provider = &candidate.provider.name;
                tracing::debug!(request_id = %entry.id, %provider, outcome = outcome.as_str(), detail, "attempt failed");
                Ok(self.failed(candidate, outcome, detail))
            }
            Attempted::Inbound(fault) => {
                close(entry, AttemptOutcome::ClientLeft, None, elapsed_us, String::new());
                Err(match ProxyError::from(fault) {
                    ProxyError::BodyTooLarge(_) => ProxyError::BodyTooLarge(self.shared.settings.body_limit),
                    other => other,
                })
            }
        }
    }

    fn push(&mut self, candidate: &mut Candidate, started_us: u64, entry: &mut Entry) {
        let known = entry.attempts.iter().any(|attempt| attempt.provider == candidate.provider.id);
        if !known {
            self.providers_tried += 1;
        } else if self.fare == Fare::Token {
            // The draw stayed with a provider: rotating its credentials is not what the budget bounds.
            self.retries().refund();
        }
        entry.attempts.push(Attempt {
            provider: candidate.provider.id,
            provider_name: candidate.provider.name.to_string(),
            credential: candidate.credential().map(|credential| credential.id),
            // What it is called if the client leaves while it runs.
            outcome: AttemptOutcome::ClientLeft,
            status: None,
            started_us,
            first_byte_us: None,
            first_output_us: None,
            ended_us: 0,
            choice: candidate.choice.map(|choice| Choice { trial: candidate.permit.is_trial(), ..choice }),
            chosen: if candidate.choice.is_none() { PROBE.to_owned() } else { String::new() },
            detail: String::new(),
            // A truncated body marks it when it breaks.
            drill: candidate.permit.met().filter(|met| met.fault != Fault::Truncate).map(|met| met.drill),
            skipped: std::mem::take(&mut candidate.skipped),
        });
    }

    fn answered(
        &mut self,
        mut candidate: Candidate,
        answered: Box<Answered>,
        elapsed_us: u64,
        entry: &mut Entry,
    ) -> Step {
        let now_ms = self.shared.clock.now_ms();
        let outcome = answered.outcome;
        let body = answered.content.peeked.as_deref().unwrap_or_default();
        let asked_ms = (answered.head.status.as_u16() >= 400)
            .then(|| cooldown::read(&answered.head.headers, body, self.shared.unix_ms(now_ms)))
            .flatten();
        let status = answered.head.status;
        let told = Told { status: Some(status.as_u16()), retry_after_ms: asked_ms };
        self.learn(&mut candidate, outcome, told, now_ms);
        let first_byte_us = close(entry, outcome, Some(answered.seen), elapsed_us, answered.detail.to_owned());
        if outcome == AttemptOutcome::Answered {
            candidate.permit.first_byte(now_ms, first_byte_us);
            entry.first_output(answered.first_output);
        }
        let next = self.after(&candidate, outcome, status.as_u16());
        let reply = Box::new(Reply { answered, candidate, response_time_ms: first_byte_us / 1_000 });
        if next == Next::Nobody {
            return Step::Done(reply);
        }
        self.last = Some(Last::Answer(reply));
        Step::Again(next)
    }

    fn failed(&mut self, mut candidate: Candidate, outcome: AttemptOutcome, detail: String) -> Step {
        let now_ms = self.shared.clock.now_ms();
        self.learn(&mut candidate, outcome, Told::default(), now_ms);
        self.last = Some(Last::Failure(outcome, detail));
        match verdict::next(outcome, self.may_repeat) {
            Next::Nobody => Step::Stop,
            next => Step::Again(next),
        }
    }

    /// What the attempt says about provider and credential.
    fn learn(&mut self, candidate: &mut Candidate, outcome: AttemptOutcome, told: Told, now_ms: u64) {
        candidate.permit.report(now_ms, outcome);
        let credential = candidate.credential_state();
        let teaches = candidate.permit.may_teach(credential);
        let pause_ms = if teaches { passive::learn(credential, outcome, told, now_ms) } else { None };
        if outcome == AttemptOutcome::ModelNotFound
            && let Some(model) = self.ask.model
        {
            candidate.provider.state.model_missing(&model.name, now_ms);
        }
        if let Some(wait_ms) = pause_ms {
            self.smallest_wait_ms = Some(self.smallest_wait_ms.map_or(wait_ms, |smallest| smallest.min(wait_ms)));
        }
    }

    /// The table, and its one case that needs memory: the same 403 from two credentials.
    fn after(&mut self, candidate: &Candidate, outcome: AttemptOutcome, status: u16) -> Next {
        if outcome == AttemptOutcome::CredentialRefused && status == 403 {
            let credential = candidate.credential_state();
            if let Some((_, other)) = self.forbidden.iter().find(|(member, _)| *member == candidate.member) {
                credential.pardon();
                other.pardon();
                return Next::Nobody;
            }
            self.forbidden.push((candidate.member, credential.clone()));
        }
        verdict::next(outcome, self.may_repeat)
    }

    /// Who may be asked next (gateway.md §6): another provider within `max_attempts` and the group's
    /// retry budget, another credential of the same provider within its pool.
    fn reach(&mut self, next: Next, was_trial: bool) -> Option<Reach> {
        self.fare = Fare::Free;
        if self.providers_tried < self.group.failover.max_attempts && self.pay(was_trial) {
            return Some(Reach::Everybody);
        }
        (next == Next::AnyOther).then_some(Reach::Rotation)
    }

    /// Takes a token for the next try. Two kinds are on the house: the first after a connection that
    /// did not come about, and the one behind a trial, which must not cost its client the answer.
    fn pay(&mut self, was_trial: bool) -> bool {
        use AttemptOutcome as O;
        let refused = matches!(self.last, Some(Last::Failure(O::Connect | O::Dns | O::AddressRefused | O::Tls, _)));
        if was_trial || (refused && !std::mem::replace(&mut self.free_failover_used, true)) {
            return true;
        }
        let granted = self.retries().withdraw(self.shared.clock.now_ms());
        self.fare = if granted { Fare::Token } else { Fare::Free };
        granted
    }

    fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        self.group.memory.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody is left to ask: the last failure is the answer.
    fn give_up(self, nobody: Nobody) -> Result<Reply, ProxyError> {
        let seconds = |ms: u64| ms.div_ceil(1_000).max(1);
        match self.last {
            Some(Last::Answer(reply)) => pass_on(*reply, self.smallest_wait_ms),
            Some(Last::Failure(outcome, detail)) => Err(verdict::last_word(outcome, &detail, self.may_repeat)),
            None => Err(match nobody {
                Nobody::AllCooling { wait_ms } => ProxyError::AllCooling { retry_after_s: seconds(wait_ms) },
                Nobody::AllOpen { wait_ms } => {
                    ProxyError::NoProvider { reason: "every provider is taken out", retry_after_s: seconds(wait_ms) }
                }
                Nobody::Full => {
                    ProxyError::NoProvider { reason: "every provider is at a limit of its own", retry_after_s: 5 }
                }
                Nobody::Left if self.group.members.is_empty() => {
                    ProxyError::NoProvider { reason: "the group has no provider", retry_after_s: 30 }
                }
                Nobody::Left => {
                    ProxyError::NoProvider { reason: "none is enabled, ready and serves this model", retry_after_s: 5 }
                }
            }),
        }
    }
}

/// The last answer, as the table's last column has it: a refused credential is never a raw 401, an
/// exhausted quota is a 429, and the wait is the smallest of those tried.
fn pass_on(mut reply: Reply, smallest_wait_ms: Option<u64>) -> Result<Reply, ProxyError> {
    let wait_s = smallest_wait_ms.map(|ms| ms.div_ceil(1_000).max(1));
    match reply.answered.outcome {
        AttemptOutcome::CredentialRefused if reply.answered.head.status != 403 => Err(ProxyError::CredentialsExhausted),
        AttemptOutcome::QuotaExhausted => Err(ProxyError::QuotaExhausted { retry_after_s: wait_s.unwrap_or(600) }),
        outcome => {
            if let (AttemptOutcome::RateLimited | AttemptOutcome::Overloaded, Some(wait_s)) = (outcome, wait_s) {
                reply.answered.head.headers.insert(header::RETRY_AFTER, wait_s.into());
            }
            Ok(reply)
        }
    }
}

/// Writes the end of the attempt into the record; the time to its response head, microseconds.
fn close(entry: &mut Entry, outcome: AttemptOutcome, seen: Option<Seen>, elapsed_us: u64, detail: String) -> u64 {
    let head_us = seen.map_or(0, |seen| entry.until_us(seen.at));
    let Some(attempt) = entry.attempts.last_mut() else { return 0 };
    let first_byte_us = head_us.saturating_sub(attempt.started_us);
    attempt.outcome = outcome;
    attempt.status = seen.map(|seen| seen.status.as_u16());
    attempt.first_byte_us = seen.map(|_| first_byte_us);
    attempt.ended_us = elapsed_us;
    attempt.detail = detail;
    first_byte_us
}
