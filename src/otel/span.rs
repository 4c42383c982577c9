//! The spans of a request: one of the gateway as a server, and below it one of each attempt, where the
//! gateway is the client of a provider.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{
        Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};

use super::{
    genai::{self, Operation},
    number, text,
};
use crate::model::{
    request_log::{Attempt, AttemptOutcome, RequestDetail, RequestRow},
    trace::Trace,
};

/// Sampled, and it is known whether the parent is somewhere else (`SpanFlags` of the protocol).
const FLAGS: u32 = 0x101;
/// It is.
const REMOTE: u32 = 0x200;

/// All spans of a request, its own first.
pub(super) fn of(detail: &RequestDetail, trace: &Trace) -> Vec<Span> {
    let mut spans = Vec::with_capacity(1 + detail.attempts.len());
    spans.push(of_request(detail, trace));
    let attempts = detail.attempts.iter().enumerate();
    spans.extend(attempts.map(|(index, attempt)| of_attempt(&detail.row, index, attempt, trace)));
    spans
}

fn of_request(detail: &RequestDetail, trace: &Trace) -> Span {
    let row = &detail.row;
    let (method, route) = (genai::method(row), genai::route(row));
    let mut attributes = vec![
        text("http.request.method", method),
        text("http.route", route.as_str()),
        text("url.path", format!("/api/proxy/{}{}", row.group_slug, row.path)),
        number("http.response.status_code", row.status),
        number("http.request.body.size", row.request_bytes),
        number("http.response.body.size", row.response_bytes),
        text("client.address", row.client_ip.as_str()),
        text("rondo.request.id", row.id.to_string()),
        text("rondo.outcome", row.outcome.as_str()),
        number("rondo.attempts", row.attempts),
    ];
    if method == "_OTHER" {
        attributes.push(text("http.request.method_original", row.method.as_str()));
    }
    for (key, value) in [
        ("user_agent.original", &detail.user_agent),
        ("rondo.group", if row.group.is_some() { &row.group_slug } else { NOTHING }),
        ("rondo.api_key", &row.api_key_name),
    ] {
        attributes.extend((!value.is_empty()).then(|| text(key, value.as_str())));
    }
    let error = genai::error_of_request(row);
    attributes.extend(error.as_ref().map(|error| text("error.type", error.as_str())));
    Span {
        span_id: trace.span_id.to_be_bytes().to_vec(),
        parent_span_id: trace.parent.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: if trace.parent.is_some() { FLAGS | REMOTE } else { FLAGS },
        name: format!("{} {route}", if method == "_OTHER" { "HTTP" } else { method }),
        kind: SpanKind::Server.into(),
        attributes,
        status: Some(status(error.as_deref(), "")),
        ..timed(row, 0, row.total_us, trace)
    }
}

const NOTHING: &String = &String::new();

fn of_attempt(row: &RequestRow, index: usize, attempt: &Attempt, trace: &Trace) -> Span {
    let operation = Operation::of(row);
    let mut attributes = vec![
        text("http.request.method", genai::method(row)),
        text("rondo.provider", attempt.provider_name.as_str()),
        text("rondo.attempt.outcome", attempt.outcome.as_str()),
    ];
    attributes.extend(attempt.status.map(|status| number("http.response.status_code", status)));
    attributes.extend((index > 0).then(|| number("http.request.resend_count", index as u64)));
    attributes.extend(attempt.drill.map(|drill| text("rondo.drill", drill.to_string())));
    if let Some(operation) = operation {
        let usage = row.usage.filter(|usage| !usage.estimated && index + 1 == row.attempts as usize);
        attributes.extend(of_model(row, operation));
        attributes.extend(usage.and_then(|usage| usage.input).map(|count| number("gen_ai.usage.input_tokens", count)));
        attributes
            .extend(usage.and_then(|usage| usage.output).map(|count| number("gen_ai.usage.output_tokens", count)));
    }
    let error = genai::error_of_attempt(attempt);
    attributes.extend(error.map(|error| text("error.type", error)));
    let name = match (operation, &row.model) {
        (Some(operation), Some(model)) => format!("{} {model}", operation.name),
        _ => genai::method(row).trim_start_matches('_').to_owned(),
    };
    // That the client left is nobody's error.
    let failure = error.filter(|_| attempt.outcome != AttemptOutcome::ClientLeft);
    Span {
        span_id: trace.attempt(index).to_be_bytes().to_vec(),
        parent_span_id: trace.span_id.to_be_bytes().to_vec(),
        flags: FLAGS,
        name,
        kind: SpanKind::Client.into(),
        attributes,
        events: moments(row, attempt),
        status: Some(status(failure, &attempt.detail)),
        ..timed(row, attempt.started_us, attempt.ended_us, trace)
    }
}

fn of_model(row: &RequestRow, operation: Operation) -> impl Iterator<Item = KeyValue> {
    let model = row.model.as_ref().map(|model| text("gen_ai.request.model", model.as_str()));
    let named = [text("gen_ai.operation.name", operation.name), text("gen_ai.provider.name", operation.api)];
    named.into_iter().chain(model)
}

/// What happened inside of an attempt.
fn moments(row: &RequestRow, attempt: &Attempt) -> Vec<Event> {
    let seen = [("rondo.first_byte", attempt.first_byte_us), ("rondo.first_output", attempt.first_output_us)];
    seen.into_iter()
        .filter_map(|(name, after_us)| {
            let time_unix_nano = at(row, attempt.started_us.saturating_add(after_us?));
            Some(Event { time_unix_nano, name: name.to_owned(), ..Event::default() })
        })
        .collect()
}

/// A span of this request from `started_us` after its start, for `lasted_us`.
fn timed(row: &RequestRow, started_us: u64, lasted_us: u64, trace: &Trace) -> Span {
    Span {
        trace_id: trace.trace_id.to_be_bytes().to_vec(),
        start_time_unix_nano: at(row, started_us),
        end_time_unix_nano: at(row, started_us.saturating_add(lasted_us)),
        ..Span::default()
    }
}

/// That moment, nanoseconds of unix time.
fn at(row: &RequestRow, after_us: u64) -> u64 {
    let start_us = u64::try_from(row.at_ms).unwrap_or(0).saturating_mul(1_000);
    start_us.saturating_add(after_us).saturating_mul(1_000)
}

fn status(error: Option<&str>, detail: &str) -> Status {
    let code = if error.is_some() { StatusCode::Error } else { StatusCode::Unset };
    Status { code: code.into(), message: error.map(|_| detail.to_owned()).unwrap_or_default() }
}
