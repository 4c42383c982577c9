//! `GET /metrics`: what Prometheus reads.
//!
//! Answered to whoever asks from this machine and to holders of an access token. A request that came
//! through a proxy came from elsewhere, whatever address it has. Every number exists already when it
//! is asked for: counters since start from `record`, health from the board. Labels are groups,
//! providers and words of the program, never keys, models, paths or addresses: what clients choose
//! does not grow the number of series.

mod text;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use http::request::Parts;

use self::text::{Exposition, Kind};
use crate::{
    model::{health::HealthState, id::GroupId, id::ProviderId, stats::UsageTotals, user::Permission},
    server::{
        health::{board::Board, clock::Clock},
        record::{
            Recorder,
            totals::{Measure, Totals},
        },
        routing::{Routing, table::Table},
        session::{ClientAddress, Sessions},
    },
};

/// Upper bounds of latencies, seconds: from an answer out of memory to the longest of a model's.
const BOUNDS_S: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const STATES: [(HealthState, &str); 8] = [
    (HealthState::Healthy, "healthy"),
    (HealthState::Degraded, "degraded"),
    (HealthState::Unhealthy, "unhealthy"),
    (HealthState::Recovering, "recovering"),
    (HealthState::Cooling, "cooling"),
    (HealthState::CredentialFailed, "credential_failed"),
    (HealthState::Disabled, "disabled"),
    (HealthState::Drained, "drained"),
];

/// Where the numbers come from.
#[derive(Clone)]
pub struct Sources {
    /// The table in force.
    pub routing: Routing,
    /// Health of providers.
    pub board: Board,
    /// Counters since start.
    pub recorder: Recorder,
    /// The clock the board is read with.
    pub clock: Clock,
}

/// The route.
pub fn router(sources: Sources, sessions: Sessions) -> Router {
    Router::new().route("/metrics", get(answer)).with_state((sources, sessions))
}

async fn answer(State((sources, sessions)): State<(Sources, Sessions)>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if !is_local(&parts) {
        let allowed = match sessions.of_program_or_person(&parts).await {
            Ok(who) => who.require(Permission::View),
            Err(error) => Err(error),
        };
        if let Err(error) = allowed {
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
            let hint = "metrics are for this machine, or for an access token: Authorization: Bearer rdadm_…\n";
            return (status, [(header::CACHE_CONTROL, "no-store")], hint).into_response();
        }
    }
    let headers = [(header::CONTENT_TYPE, text::CONTENT_TYPE), (header::CACHE_CONTROL, "no-store")];
    (headers, sources.write()).into_response()
}

/// Whether it comes from this machine itself, without a proxy in between.
fn is_local(parts: &Parts) -> bool {
    let proxied = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];
    let direct = !proxied.iter().any(|name| parts.headers.contains_key(*name));
    direct && parts.extensions.get::<ClientAddress>().is_some_and(|address| address.0.to_canonical().is_loopback())
}

impl Sources {
    /// Everything, in the text format of Prometheus.
    fn write(&self) -> String {
        let (table, now_ms) = (self.routing.load(), self.clock.now_ms());
        let totals = self.recorder.since_start(self.clock.unix_ms(now_ms));
        let mut out = Exposition::default();
        self.process(&mut out, &table);
        requests(&mut out, &totals, &table);
        attempts(&mut out, &totals, &table);
        self.health(&mut out, &table, now_ms);
        out.finish()
    }

    fn process(&self, out: &mut Exposition, table: &Table) {
        out.family("rondo_build_info", Kind::Gauge, "Version of the program.");
        out.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        out.family("process_start_time_seconds", Kind::Gauge, "Start of the process, unix time.");
        out.sample(&[], self.clock.epoch_unix_ms() as f64 / 1e3);
        out.family("rondo_config_revision", Kind::Gauge, "Revision of the configuration in force.");
        out.sample(&[], table.revision as f64);
        out.family("rondo_requests_in_flight", Kind::Gauge, "Requests under way.");
        out.sample(&[], self.recorder.in_flight().into());
        out.family("rondo_log_queue_rows", Kind::Gauge, "Rows that wait for the request log.");
        out.sample(&[], self.recorder.queued_rows() as f64);
        out.family("rondo_log_rows_dropped_total", Kind::Counter, "Rows of the request log that were lost.");
        out.sample(&[], self.recorder.dropped_rows() as f64);
        out.family("rondo_body_queue_bytes", Kind::Gauge, "Bytes of bodies that wait to be written.");
        out.sample(&[], self.recorder.queued_body_bytes() as f64);
        let help = "Requests whose bodies were to be kept and were lost.";
        out.family("rondo_bodies_dropped_total", Kind::Counter, help);
        out.sample(&[], self.recorder.dropped_bodies() as f64);
        let help = "Series that statistics added up as others, because a period had too many.";
        out.family("rondo_statistics_merged_total", Kind::Counter, help);
        out.sample(&[], self.recorder.merged_series() as f64);
    }

    fn health(&self, out: &mut Exposition, table: &Table, now_ms: u64) {
        let seen = table.providers.iter().take(text::SUBJECTS);
        let seen: Vec<_> = seen
            .map(|provider| (provider.name.as_str(), self.board.view(provider, &table.stored_groups, now_ms)))
            .collect();
        out.family("rondo_provider_health", Kind::Gauge, "1 for the state a provider is in, 0 for the others.");
        for (name, health) in &seen {
            for (state, word) in STATES {
                out.sample(&[("provider", name), ("state", word)], f64::from(u8::from(health.state == state)));
            }
        }
        out.family("rondo_provider_weight_factor", Kind::Gauge, "Factor of health on a provider's weight, 0 to 1.");
        for (name, health) in &seen {
            out.sample(&[("provider", name)], health.factor);
        }
        out.family("rondo_provider_in_flight", Kind::Gauge, "Requests under way at a provider.");
        for (name, health) in &seen {
            out.sample(&[("provider", name)], health.in_flight.into());
        }
    }
}

fn requests(out: &mut Exposition, totals: &Totals, table: &Table) {
    let named: Vec<_> = totals.groups.iter().map(|(id, group)| (group_name(*id, table), group)).collect();
    out.family("rondo_requests_total", Kind::Counter, "Requests that ended, by how and by the status the client saw.");
    for (name, group) in &named {
        for ((outcome, class), count) in &group.requests {
            let class = format!("{class}xx");
            out.sample(&[("group", name), ("outcome", outcome), ("status_class", &class)], *count as f64);
        }
    }
    for (family, measure, help) in [
        ("rondo_request_duration_seconds", Measure::Total, "Time to the end of requests that reached a provider."),
        ("rondo_request_first_byte_seconds", Measure::FirstByte, "Time to the provider's response head."),
        ("rondo_request_first_output_seconds", Measure::FirstOutput, "Time to the first output of event streams."),
    ] {
        out.family(family, Kind::Histogram, help);
        for (name, group) in &named {
            out.histogram(&[("group", name)], &BOUNDS_S, &group.latency(measure, &BOUNDS_S));
        }
    }
    out.family(
        "rondo_tokens_total",
        Kind::Counter,
        "Tokens of requests whose provider told them; cached are among input, reasoning among output.",
    );
    for (name, group) in &named {
        for (kind, tokens) in kinds(&group.usage) {
            out.sample(&[("group", name), ("kind", kind)], tokens as f64);
        }
    }
    out.family("rondo_requests_with_usage_total", Kind::Counter, "Requests whose tokens are known.");
    for (name, group) in &named {
        out.sample(&[("group", name)], group.usage.known as f64);
    }
    out.family("rondo_cost_estimate_total", Kind::Counter, "Estimated cost, in the currency of the price table.");
    for (name, group) in &named {
        out.sample(&[("group", name)], group.usage.cost_nanos as f64 / 1e9);
    }
}

fn attempts(out: &mut Exposition, totals: &Totals, table: &Table) {
    let named: Vec<_> = totals.providers.iter().map(|(id, one)| (provider_name(*id, table), one)).collect();
    out.family("rondo_attempts_total", Kind::Counter, "Attempts at providers, by how they ended.");
    for (name, provider) in &named {
        for (outcome, count) in &provider.attempts {
            out.sample(&[("provider", name), ("outcome", outcome)], *count as f64);
        }
    }
    out.family("rondo_attempt_first_byte_seconds", Kind::Histogram, "Time to a provider's response head.");
    for (name, provider) in &named {
        out.histogram(&[("provider", name)], &BOUNDS_S, &provider.latency(Measure::FirstByte, &BOUNDS_S));
    }
}

fn kinds(usage: &UsageTotals) -> [(&'static str, u64); 4] {
    [("input", usage.input), ("output", usage.output), ("cached", usage.cached), ("reasoning", usage.reasoning)]
}

/// Its slug; the id of one that was deleted; nothing for requests that reached none.
fn group_name(id: Option<GroupId>, table: &Table) -> String {
    let Some(id) = id else { return String::new() };
    let known = table.stored_groups.iter().find(|group| group.id == id);
    known.map_or_else(|| id.to_string(), |group| group.slug.to_string())
}

/// Its name; the id of one that was deleted; nothing for those beyond the bound.
fn provider_name(id: Option<ProviderId>, table: &Table) -> String {
    let Some(id) = id else { return String::new() };
    let known = table.providers.iter().find(|provider| provider.id == id);
    known.map_or_else(|| id.to_string(), |provider| provider.name.clone())
}
