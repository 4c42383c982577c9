//! Requests for the tests of this room.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use uuid::Uuid;

use super::{bodies::BodySink, writer::Sink};
use crate::{
    model::{
        id::{GroupId, ProviderId, RequestId},
        request_log::{Attempt, AttemptOutcome, Outcome, RequestDetail, RequestRow},
    },
    server::store::PackedBodies,
};

/// Noon, 2026-01-01 UTC: starts a column of the two finest grains.
pub(super) const NOON_MS: i64 = 1_767_268_800_000;

pub(super) fn group(number: u128) -> GroupId {
    GroupId(Uuid::from_u128(number))
}

pub(super) fn provider(number: u128) -> ProviderId {
    ProviderId(Uuid::from_u128(number))
}

/// A request of group 1 that ended at `ended_ms` after `total_us`, without attempts.
pub(super) fn request(number: u128, ended_ms: i64, outcome: Outcome, total_us: u64) -> RequestDetail {
    let row = RequestRow {
        id: RequestId(Uuid::from_u128(number)),
        at_ms: ended_ms - (total_us / 1_000) as i64,
        group: Some(group(1)),
        group_slug: "chat".into(),
        api_key: None,
        api_key_name: String::new(),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        model: None,
        status: 200,
        outcome,
        provider: None,
        provider_name: String::new(),
        attempts: 0,
        first_byte_us: None,
        total_us,
        request_bytes: 0,
        response_bytes: 0,
        error_code: None,
        client_ip: "192.0.2.1".into(),
        streamed: false,
        usage: None,
        cost_nanos: None,
    };
    RequestDetail { row, user_agent: String::new(), attempts: Vec::new(), bodies: None }
}

/// The same with attempts at these providers; the first byte came after half of the time.
pub(super) fn attempted(mut detail: RequestDetail, attempts: &[(u128, AttemptOutcome)]) -> RequestDetail {
    let first_byte_us = Some(detail.row.total_us / 2);
    detail.attempts = attempts
        .iter()
        .map(|(number, outcome)| Attempt {
            provider: provider(*number),
            provider_name: format!("provider {number}"),
            credential: None,
            outcome: *outcome,
            status: Some(200),
            started_us: 0,
            first_byte_us: first_byte_us.filter(|_| outcome.success() == Some(true)),
            first_output_us: None,
            ended_us: detail.row.total_us,
            choice: None,
            chosen: String::new(),
            detail: String::new(),
            drill: None,
            skipped: Vec::new(),
        })
        .collect();
    detail.row.attempts = attempts.len() as u32;
    detail.row.first_byte_us = first_byte_us.filter(|_| !attempts.is_empty());
    detail
}

/// A store in memory that can be told to fail or to hang.
#[derive(Clone, Default)]
pub(super) struct Shelf {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// Rows or bodies of each batch, and the gap before them.
    batches: Vec<(usize, u64)>,
    /// Rows by their ids.
    numbers: Vec<u128>,
    failing: bool,
    delay: Duration,
}

impl Shelf {
    pub(super) fn set(&self, failing: bool, delay: Duration) {
        let mut inner = self.inner.lock().expect("no panic");
        (inner.failing, inner.delay) = (failing, delay);
    }

    pub(super) fn numbers(&self) -> Vec<u128> {
        self.inner.lock().expect("no panic").numbers.clone()
    }

    pub(super) fn batches(&self) -> Vec<(usize, u64)> {
        self.inner.lock().expect("no panic").batches.clone()
    }

    /// Rows or bodies of all batches.
    pub(super) fn count(&self) -> usize {
        self.batches().iter().map(|batch| batch.0).sum()
    }

    async fn put(&self, count: usize, gap: u64, numbers: Vec<u128>) -> Result<(), String> {
        let delay = self.inner.lock().expect("no panic").delay;
        tokio::time::sleep(delay).await;
        let mut inner = self.inner.lock().expect("no panic");
        if inner.failing {
            return Err("the disk is full".into());
        }
        inner.batches.push((count, gap));
        inner.numbers.extend(numbers);
        Ok(())
    }
}

impl Sink for Shelf {
    async fn append(&self, rows: &[Arc<RequestDetail>], gap: u64) -> Result<(), String> {
        self.put(rows.len(), gap, rows.iter().map(|detail| detail.row.id.0.as_u128()).collect()).await
    }
}

impl BodySink for Shelf {
    async fn append(&self, bodies: &[PackedBodies]) -> Result<(), String> {
        self.put(bodies.len(), 0, Vec::new()).await
    }
}
