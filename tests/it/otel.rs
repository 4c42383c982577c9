//! What a collector of OpenTelemetry gets: a real listener, read with the messages that the project publishes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{HistogramDataPoint, Metric, metric::Data, number_data_point::Value as Count},
    trace::v1::{Span, span::SpanKind, status::StatusCode as SpanStatus},
};
use prost::Message;

use crate::{
    proxy::group_of,
    world::{
        World,
        provider::{Act, Provider, each, json},
    },
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const CHAT: &str = "/api/proxy/prod/v1/chat/completions";
const ANSWER: &str =
    r#"{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":1000,"completion_tokens":20}}"#;

/// A collector that answers traces with these statuses, one after the other, then with 200.
#[derive(Clone, Default)]
struct Collector {
    got: Arc<Mutex<Got>>,
}

#[derive(Default)]
struct Got {
    refusals: Vec<u16>,
    headers: Vec<HeaderMap>,
    resources: Vec<BTreeMap<String, String>>,
    spans: Vec<Span>,
    metrics: Vec<Metric>,
}

impl Collector {
    async fn start(refusals: &[u16]) -> (Self, SocketAddr) {
        let collector = Self::default();
        collector.got.lock().expect("not poisoned").refusals = refusals.iter().rev().copied().collect();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new()
            .route("/otlp/v1/traces", post(traces))
            .route("/otlp/v1/metrics", post(metrics))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (collector, address)
    }

    fn spans(&self) -> Vec<Span> {
        self.got.lock().expect("not poisoned").spans.clone()
    }

    fn metric(&self, name: &str) -> Option<Metric> {
        self.got.lock().expect("not poisoned").metrics.iter().find(|metric| metric.name == name).cloned()
    }

    fn points(&self, name: &str) -> Vec<(BTreeMap<String, String>, HistogramDataPoint)> {
        let Some(Data::Histogram(histogram)) = self.metric(name).and_then(|metric| metric.data) else {
            panic!("no histogram {name}")
        };
        assert_eq!(histogram.aggregation_temporality, 2, "sums since start");
        histogram.data_points.into_iter().map(|point| (told(&point.attributes), point)).collect()
    }

    /// What `rondo.telemetry.lost` says of this kind.
    fn lost(&self, kind: &str) -> i64 {
        let Some(Data::Sum(sum)) = self.metric("rondo.telemetry.lost").and_then(|metric| metric.data) else {
            panic!("losses are not told")
        };
        let point = sum.data_points.iter().find(|point| told(&point.attributes)["rondo.telemetry.kind"] == kind);
        match point.and_then(|point| point.value) {
            Some(Count::AsInt(count)) => count,
            other => panic!("{other:?}"),
        }
    }
}

async fn traces(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let mut got = collector.got.lock().expect("not poisoned");
    if let Some(status) = got.refusals.pop() {
        return (StatusCode::from_u16(status).expect("a status"), Bytes::new());
    }
    got.headers.push(headers);
    for one in ExportTraceServiceRequest::decode(body).expect("traces").resource_spans {
        got.resources.push(told(&one.resource.expect("a resource").attributes));
        got.spans.extend(one.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    (StatusCode::OK, Bytes::new())
}

async fn metrics(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> Bytes {
    let message = ExportMetricsServiceRequest::decode(body).expect("metrics");
    let mut got = collector.got.lock().expect("not poisoned");
    got.headers.push(headers);
    let scopes = message.resource_metrics.into_iter().flat_map(|one| one.scope_metrics);
    got.metrics = scopes.flat_map(|scope| scope.metrics).collect();
    Bytes::new()
}

fn told(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let read = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => panic!("{other:?}"),
    };
    let value = |one: &KeyValue| one.value.as_ref().and_then(|value| value.value.as_ref()).map(read).expect("a value");
    attributes.iter().map(|one| (one.key.clone(), value(one))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A gateway that tells this collector, and one request in a trace of its client.
async fn one_request(file: &str, collector: SocketAddr, flags: &str, more: &[(&str, &str)]) -> World {
    let endpoint = format!("http://{collector}/otlp");
    let mut settings = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    settings.extend_from_slice(more);
    let world = World::start_with(file, &settings).await;
    let body = r#"{"model":"gpt-4o","messages":[]}"#;
    let answer = world
        .raw(&format!(
            "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntraceparent: 00-{TRACE}-{PARENT}-{flags}\r\ntracestate: a=1\r\nuser-agent: test\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            world.key,
            body.len()
        ))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    world
}

#[tokio::test]
async fn a_request_and_its_attempts_are_spans_of_the_clients_trace() {
    let (collector, address) = Collector::start(&[]).await;
    let failing = Provider::start(json(500, "{}")).await;
    let serving = Provider::start(json(200, ANSWER)).await;
    let file = group_of(&[("alpha", failing.address, 100), ("beta", serving.address, 1)]);
    let more = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue%20one"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    one_request(&file, address, "01", &more).await.stop().await;

    let spans = collector.spans();
    let by_kind = |kind: SpanKind| spans.iter().filter(move |span| span.kind == i32::from(kind));
    let own = by_kind(SpanKind::Server).next().expect("the request");
    assert_eq!((hex(&own.trace_id), hex(&own.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(own.name, "POST /api/proxy/prod/{path}");
    let about = told(&own.attributes);
    assert_eq!((about["rondo.outcome"].as_str(), about["http.response.status_code"].as_str()), ("saved", "200"));
    assert_eq!((about["url.path"].as_str(), about["user_agent.original"].as_str()), (CHAT, "test"));
    assert!(!about.contains_key("error.type"), "{about:?}");

    let mut attempts: Vec<&Span> = by_kind(SpanKind::Client).collect();
    attempts.sort_by_key(|span| span.start_time_unix_nano);
    assert_eq!(attempts.len(), 2, "{spans:?}");
    for (attempt, provider) in attempts.iter().zip([&failing, &serving]) {
        assert_eq!((&attempt.trace_id, &attempt.parent_span_id), (&own.trace_id, &own.span_id));
        assert_eq!(attempt.name, "chat gpt-4o");
        assert!(attempt.start_time_unix_nano >= own.start_time_unix_nano, "inside");
        assert!(attempt.end_time_unix_nano <= own.end_time_unix_nano, "inside");
        let seen = provider.seen().remove(0);
        assert!(seen.contains(&format!("traceparent: 00-{TRACE}-{}-01\r\n", hex(&attempt.span_id))), "{seen}");
        assert!(seen.contains("tracestate: a=1\r\n"), "{seen}");
    }
    let (first, last) = (told(&attempts[0].attributes), told(&attempts[1].attributes));
    assert_eq!((first["rondo.provider"].as_str(), first["error.type"].as_str()), ("alpha", "server_error"));
    assert_eq!(attempts[0].status.as_ref().expect("a status").code, i32::from(SpanStatus::Error));
    assert_eq!((last["rondo.provider"].as_str(), last["http.request.resend_count"].as_str()), ("beta", "1"));
    assert_eq!((last["gen_ai.operation.name"].as_str(), last["gen_ai.provider.name"].as_str()), ("chat", "openai"));
    assert_eq!(last["gen_ai.usage.input_tokens"], "1000");
    assert_eq!(last["gen_ai.usage.output_tokens"], "20");
    assert!(!first.contains_key("gen_ai.usage.input_tokens"));

    let got = collector.got.lock().expect("not poisoned");
    assert!(got.headers.iter().all(|headers| headers["x-team"] == "blue one"), "traces and metrics");
    assert_eq!(got.resources[0]["service.name"], "rondo");
    assert_eq!(got.resources[0]["deployment.environment.name"], "test");
}

#[tokio::test]
async fn measurements_have_the_names_of_the_conventions() {
    let (collector, address) = Collector::start(&[]).await;
    let failing = Provider::start(json(500, "{}")).await;
    let serving = Provider::start(json(200, ANSWER)).await;
    let file = group_of(&[("alpha", failing.address, 100), ("beta", serving.address, 1)]);
    one_request(&file, address, "01", &[]).await.stop().await;

    let tokens = collector.points("gen_ai.client.token.usage");
    let sums: BTreeMap<&str, f64> =
        tokens.iter().map(|(about, point)| (about["gen_ai.token.type"].as_str(), point.sum.expect("a sum"))).collect();
    assert_eq!(sums, BTreeMap::from([("input", 1000.0), ("output", 20.0)]));
    for (about, point) in &tokens {
        assert_eq!((about["gen_ai.request.model"].as_str(), about["rondo.provider"].as_str()), ("gpt-4o", "beta"));
        assert_eq!((point.count, point.bucket_counts.len()), (1, point.explicit_bounds.len() + 1));
        let sum = point.sum.expect("a sum");
        let bucket = point.bucket_counts.iter().position(|count| *count == 1).expect("one value");
        assert!(sum <= point.explicit_bounds[bucket] && sum > point.explicit_bounds[bucket - 1], "{point:?}");
    }
    let attempts = collector.points("gen_ai.client.operation.duration");
    let error = |name: &str| {
        let (about, _) = attempts.iter().find(|(about, _)| about["rondo.provider"] == name).expect("its attempts");
        about.get("error.type").cloned()
    };
    assert_eq!((error("alpha").as_deref(), error("beta")), (Some("server_error"), None));
    for (name, key, value) in [
        ("gen_ai.server.request.duration", "rondo.group", "prod"),
        ("http.server.request.duration", "http.response.status_code", "200"),
    ] {
        let (about, point) = collector.points(name).remove(0);
        assert_eq!((about[key].as_str(), point.count), (value, 1), "{name}");
    }
    assert_eq!((collector.lost("request"), collector.lost("span")), (0, 0));
}

#[tokio::test]
async fn a_client_that_does_not_sample_has_no_spans_and_its_provider_is_told_so() {
    let (collector, address) = Collector::start(&[]).await;
    let provider = Provider::start(json(200, ANSWER)).await;
    let file = group_of(&[("alpha", provider.address, 100)]);
    one_request(&file, address, "00", &[]).await.stop().await;
    assert!(collector.spans().is_empty());
    assert_eq!(collector.points("http.server.request.duration")[0].1.count, 1, "measured all the same");
    let seen = provider.seen().remove(0);
    assert!(seen.contains(&format!("traceparent: 00-{TRACE}-")) && seen.contains("-00\r\n"), "{seen}");
    assert!(!seen.contains(PARENT), "{seen}");
}

#[tokio::test]
async fn a_collector_that_is_busy_gets_the_spans_later_and_one_that_refuses_costs_them() {
    let provider = Provider::start(json(200, ANSWER)).await;
    let file = group_of(&[("alpha", provider.address, 100)]);
    for (refusals, spans, lost) in [(vec![503], 2, 0), (vec![400], 0, 2)] {
        let (collector, address) = Collector::start(&refusals).await;
        let world = one_request(&file, address, "01", &[]).await;
        while !collector.got.lock().expect("not poisoned").refusals.is_empty() {
            tokio::task::yield_now().await;
        }
        world.stop().await;
        assert_eq!((collector.spans().len(), collector.lost("span")), (spans, lost), "{refusals:?}");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_costs_no_request_anything() {
    let hanging = Provider::start(Act::Hang).await;
    let provider = Provider::start(each(|_| json(200, ANSWER))).await;
    let file = group_of(&[("alpha", provider.address, 100)]);
    let world = one_request(&file, hanging.address, "01", &[("OTEL_EXPORTER_OTLP_TIMEOUT", "500")]).await;
    while hanging.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let started = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(world.post(CHAT, r#"{"model":"m","messages":[]}"#).await.status, 200);
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    world.stop().await;
}
