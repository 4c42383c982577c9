//! Made-up rows for the request log: what `rondo seed-logs` writes and benches measure on. The same number of rows
//! is the same rows each time, but for their times.

use uuid::Uuid;

use crate::{
    model::{
        id::{ApiKeyId, CredentialId, GroupId, ProviderId, RequestId},
        request_log::{Attempt, AttemptOutcome, Choice, Outcome, RequestDetail, RequestRow},
        usage::Usage,
    },
    server::store::{Lane, Store, StoreError},
};

const BATCH: u64 = 500;
const DAY_MS: i64 = 86_400_000;
const MODELS: [&str; 8] = [
    "gpt-4.1",
    "gpt-4.1-mini",
    "o4-mini",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "gemini-2.5-pro",
    "qwen3-max",
    "llama-4",
];

/// Writes so many rows, spread evenly over the days before `now_ms`, oldest first. `told` hears how many there
/// are, every thousand or so.
pub async fn fill(store: &Store, rows: u64, days: u32, now_ms: i64, told: impl Fn(u64)) -> Result<(), StoreError> {
    let (mut seeds, mut lane) = (Seeds::new(1), Lane::default());
    let span_ms = i64::from(days) * DAY_MS;
    let mut batch = Vec::with_capacity(BATCH as usize);
    for number in 0..rows {
        let back = i128::from(span_ms) * i128::from(rows - number) / i128::from(rows.max(1));
        batch.push(seeds.request(now_ms - i64::try_from(back).unwrap_or(0)));
        if batch.len() as u64 == BATCH || number + 1 == rows {
            store.append_old_requests(&mut lane, &batch).await?;
            batch.clear();
            told(number + 1);
        }
    }
    store.finish_old_requests(lane).await
}

/// A source of requests.
#[derive(Clone, Debug)]
pub struct Seeds(u64);

impl Seeds {
    /// The same seed is the same requests.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// The first are chosen much more often than the last.
    fn skewed(&mut self, most: u64) -> u64 {
        let (one, other) = (self.below(most), self.below(most));
        one.min(other)
    }

    /// A request that began then.
    pub fn request(&mut self, at_ms: i64) -> RequestDetail {
        let (group, key, model) = (self.skewed(8), self.skewed(40), self.skewed(8) as usize);
        let (status, outcome) = self.end();
        let total_us = 200_000 + self.below(8_000_000);
        let attempts = self.attempts(outcome, status, total_us);
        let answered = attempts.last();
        let row = RequestRow {
            id: self.id(at_ms),
            at_ms,
            group: Some(GroupId(named(1, group))),
            group_slug: format!("team-{group}"),
            api_key: Some(ApiKeyId(named(2, key))),
            api_key_name: format!("service {key}"),
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            model: Some(MODELS[model].to_owned()),
            status,
            outcome,
            provider: answered.map(|attempt| attempt.provider),
            provider_name: answered.map(|attempt| attempt.provider_name.clone()).unwrap_or_default(),
            attempts: attempts.len() as u32,
            first_byte_us: answered.and_then(|attempt| attempt.first_byte_us),
            total_us,
            request_bytes: 300 + self.below(20_000),
            response_bytes: 500 + self.below(60_000),
            error_code: error_code(outcome).map(str::to_owned),
            client_ip: format!("10.0.{}.{}", self.skewed(4), self.below(250)),
            streamed: self.below(3) > 0,
            usage: (status == 200).then(|| self.usage()),
            cost_nanos: (status == 200).then(|| self.below(40_000_000) as i64),
        };
        RequestDetail { row, user_agent: "OpenAI/Python 1.99.1".to_owned(), attempts, bodies: None }
    }

    /// How it ended: 95.5 of 100 were served by the provider they met first.
    fn end(&mut self) -> (u16, Outcome) {
        match self.below(100_000) {
            0 => (418, Outcome::ClientError),
            1..500 => (502, Outcome::Failed),
            500..1_000 => (429, Outcome::RateLimited),
            1_000..2_000 => (404, Outcome::ClientError),
            2_000..2_300 => (200, Outcome::Interrupted),
            2_300..4_000 => (200, Outcome::Saved),
            4_000..4_500 => (499, Outcome::ClientLeft),
            _ => (200, Outcome::Served),
        }
    }

    /// The providers it met; none where a limit of ours refused it.
    fn attempts(&mut self, outcome: Outcome, status: u16, total_us: u64) -> Vec<Attempt> {
        let mut attempts = Vec::with_capacity(1);
        if outcome == Outcome::RateLimited {
            return attempts;
        }
        if matches!(outcome, Outcome::Saved | Outcome::Failed) {
            attempts.push(self.attempt(AttemptOutcome::ServerError, Some(500), total_us / 3));
        }
        let last = match outcome {
            Outcome::Failed => (AttemptOutcome::FirstByteTimeout, None),
            Outcome::Interrupted => (AttemptOutcome::BodyBroken, Some(200)),
            Outcome::ClientError => (AttemptOutcome::ClientError, Some(status)),
            Outcome::ClientLeft => (AttemptOutcome::ClientLeft, None),
            _ => (AttemptOutcome::Answered, Some(200)),
        };
        attempts.push(self.attempt(last.0, last.1, total_us));
        attempts
    }

    fn usage(&mut self) -> Usage {
        Usage {
            input: Some(100 + self.below(8_000)),
            output: Some(10 + self.below(1_500)),
            cached: Some(self.below(100)),
            reasoning: None,
            estimated: false,
        }
    }

    fn attempt(&mut self, outcome: AttemptOutcome, status: Option<u16>, ended_us: u64) -> Attempt {
        let provider = self.skewed(12);
        let number = self.below(1_000_000);
        Attempt {
            provider: ProviderId(named(3, provider)),
            provider_name: format!("provider {provider}"),
            credential: Some(CredentialId(named(4, provider * 3 + self.below(3)))),
            outcome,
            status,
            started_us: 100 + self.below(400),
            first_byte_us: status.map(|_| 80_000 + self.below(900_000)),
            first_output_us: None,
            ended_us,
            choice: Some(Choice {
                tier: 1,
                weight: 100,
                factor_percent: 100,
                credit: Some(self.below(400) as i32 - 200),
                in_flight: self.below(20) as u32,
                trial: false,
                out_of: None,
            }),
            chosen: String::new(),
            detail: match outcome {
                AttemptOutcome::Answered => String::new(),
                AttemptOutcome::ServerError => format!("500: upstream said internal error {number}"),
                other => other.as_str().to_owned(),
            },
            drill: None,
            skipped: Vec::new(),
        }
    }

    /// A UUID of version 7 made at that time.
    fn id(&mut self, at_ms: i64) -> RequestId {
        let random = (u128::from(self.next()) << 64) | u128::from(self.next());
        let time = u128::try_from(at_ms).unwrap_or(0) << 80;
        let low = random & ((1 << 80) - 1) & !(0xf << 76) & !(0x3 << 62);
        RequestId(Uuid::from_u128(time | low | (0x7 << 76) | (0x2 << 62)))
    }
}

fn error_code(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Failed => Some("upstream_timeout"),
        Outcome::RateLimited => Some("rate_limited"),
        _ => None,
    }
}

/// An id that always means the same: of a group (1), a key (2), a provider (3) or a credential (4).
pub fn named(kind: u64, number: u64) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 64) | u128::from(number + 1))
}
