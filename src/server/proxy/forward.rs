//! From candidate to candidate until one answers, within what gateway.md §6 allows.

use std::{sync::PoisonError, time::Duration};

use http::header;

use super::{
    Shared,
    attempt::{Answered, Ask, Attempted, attempt},
    entry::Entry,
    error::ProxyError,
    inbound::Payload,
    select::{Candidate, Draw, Nobody},
    verdict::{self, Next},
};
use crate::{
    model::{
        drill::Fault,
        id::CredentialId,
        request_log::{Attempt, AttemptOutcome, Choice},
    },
    server::{
        health::{cooldown, passive},
        routing::table::Group,
        upstream::pool::Freshness,
    },
};

/// No new attempt is begun after this.
const DEADLINE: Duration = Duration::from_secs(30);

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
    may_repeat: bool,
    providers_tried: u32,
    /// The last failure: passed on when nobody is left.
    last: Option<Last>,
    /// The smallest wait any provider asked for, milliseconds.
    smallest_wait_ms: Option<u64>,
    /// A 403 seen: the same from another credential of that provider is about the request.
    forbidden: Option<(usize, Option<CredentialId>)>,
    free_failover_used: bool,
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
        ask,
        may_repeat,
        providers_tried: 0,
        last: None,
        smallest_wait_ms: None,
        forbidden: None,
        free_failover_used: false,
    };
    loop {
        let clock = &shared.clock;
        let candidate = match draw.next(clock.now_ms(), clock.now_ns()) {
            Ok(candidate) => candidate,
            Err(nobody) => return run.give_up(nobody),
        };
        let member = candidate.member;
        match run.ask_one(candidate, payload, entry).await? {
            Step::Done(reply) => return Ok(*reply),
            Step::Again(Next::OtherProvider) => draw.done_with(member),
            Step::Again(_) => {}
            Step::Stop => return run.give_up(Nobody::Left),
        }
        if !run.may_go_on(payload, entry) {
            return run.give_up(Nobody::Left);
        }
    }
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
        let mut attempted = attempt(&self.ask, &candidate, payload, Freshness::Any).await;
        if let Attempted::Failed { stale: true, .. } = attempted
            && self.may_repeat
            && payload.is_replayable()
        {
            attempted = attempt(&self.ask, &candidate, payload, Freshness::Fresh).await;
        }
        let elapsed_us = entry.elapsed_us() - started_us;
        match attempted {
            Attempted::Answer(answered) => Ok(self.answered(candidate, answered, elapsed_us, entry)),
            Attempted::Failed { outcome, detail, .. } => Ok(self.failed(candidate, outcome, detail, elapsed_us, entry)),
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
        let body = answered.peeked.as_deref().unwrap_or_default();
        let asked_ms = (answered.head.status.as_u16() >= 400)
            .then(|| cooldown::read(&answered.head.headers, body, self.shared.unix_ms(now_ms)))
            .flatten();
        self.learn(&mut candidate, outcome, asked_ms, now_ms);
        let status = answered.head.status;
        close(entry, outcome, Some(status.as_u16()), elapsed_us, String::new());
        if outcome == AttemptOutcome::Answered {
            candidate.permit.first_byte(now_ms, elapsed_us);
        }
        let next = self.after(&candidate, outcome, status.as_u16());
        let reply = Box::new(Reply { answered, candidate, response_time_ms: elapsed_us / 1_000 });
        if next == Next::Nobody {
            return Step::Done(reply);
        }
        self.last = Some(Last::Answer(reply));
        Step::Again(next)
    }

    fn failed(
        &mut self,
        mut candidate: Candidate,
        outcome: AttemptOutcome,
        detail: String,
        elapsed_us: u64,
        entry: &mut Entry,
    ) -> Step {
        let now_ms = self.shared.clock.now_ms();
        self.learn(&mut candidate, outcome, None, now_ms);
        close(entry, outcome, None, elapsed_us, detail.clone());
        tracing::debug!(provider = %candidate.provider.name, outcome = outcome.as_str(), detail, "attempt failed");
        self.last = Some(Last::Failure(outcome, detail));
        match verdict::next(outcome, self.may_repeat) {
            Next::Nobody => Step::Stop,
            next => Step::Again(next),
        }
    }

    /// What the attempt says about provider and credential.
    fn learn(&mut self, candidate: &mut Candidate, outcome: AttemptOutcome, asked_ms: Option<u64>, now_ms: u64) {
        candidate.permit.report(now_ms, outcome);
        let credential = candidate.credential().map(|credential| credential.state.clone());
        let credential = credential.unwrap_or_else(|| candidate.provider.state.keyless().clone());
        if candidate.permit.may_teach(&credential) {
            passive::learn(&credential, outcome, asked_ms, now_ms);
        }
        if outcome == AttemptOutcome::ModelNotFound
            && let Some(model) = self.ask.model
        {
            candidate.provider.state.model_missing(&model.name, now_ms);
        }
        if matches!(outcome, AttemptOutcome::RateLimited | AttemptOutcome::Overloaded | AttemptOutcome::QuotaExhausted)
        {
            let wait_ms = asked_ms.unwrap_or(60_000);
            self.smallest_wait_ms = Some(self.smallest_wait_ms.map_or(wait_ms, |smallest| smallest.min(wait_ms)));
        }
    }

    /// The table, and its one case that needs memory: the same 403 from two credentials.
    fn after(&mut self, candidate: &Candidate, outcome: AttemptOutcome, status: u16) -> Next {
        if outcome == AttemptOutcome::CredentialRefused && status == 403 {
            let credential = candidate.credential().map(|credential| credential.id);
            let seen = self.forbidden.replace((candidate.member, credential));
            if seen.is_some_and(|(member, other)| member == candidate.member && other != credential) {
                return Next::Nobody;
            }
        }
        verdict::next(outcome, self.may_repeat)
    }

    /// Whether another attempt is allowed at all (gateway.md §6).
    fn may_go_on(&mut self, payload: &Payload, entry: &Entry) -> bool {
        if !payload.is_replayable() || entry.started.elapsed() >= DEADLINE {
            return false;
        }
        let rotates = matches!(&self.last, Some(Last::Answer(reply)) if verdict::next(reply.answered.outcome, true) == Next::AnyOther);
        if !rotates && self.providers_tried >= self.group.failover.max_attempts {
            return false;
        }
        let refused = matches!(
            self.last,
            Some(Last::Failure(
                AttemptOutcome::Connect | AttemptOutcome::Dns | AttemptOutcome::AddressRefused | AttemptOutcome::Tls,
                _
            ))
        );
        if refused && !std::mem::replace(&mut self.free_failover_used, true) {
            return true;
        }
        let now_ms = self.shared.clock.now_ms();
        self.group.memory.retries.lock().unwrap_or_else(PoisonError::into_inner).withdraw(now_ms)
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
        AttemptOutcome::CredentialRefused if reply.answered.head.status == 401 => Err(ProxyError::CredentialsExhausted),
        AttemptOutcome::QuotaExhausted => Err(ProxyError::QuotaExhausted { retry_after_s: wait_s.unwrap_or(600) }),
        outcome => {
            if let (AttemptOutcome::RateLimited | AttemptOutcome::Overloaded, Some(wait_s)) = (outcome, wait_s) {
                reply.answered.head.headers.insert(header::RETRY_AFTER, wait_s.into());
            }
            Ok(reply)
        }
    }
}

/// Writes the end of the attempt into the record.
fn close(entry: &mut Entry, outcome: AttemptOutcome, status: Option<u16>, elapsed_us: u64, detail: String) {
    if let Some(attempt) = entry.attempts.last_mut() {
        attempt.outcome = outcome;
        attempt.status = status;
        attempt.first_byte_us = status.map(|_| elapsed_us);
        attempt.ended_us = elapsed_us;
        attempt.detail = detail;
    }
}
