//! Traces and metrics over OTLP/HTTP, behind the feature `otel`, in the names of the semantic
//! conventions for HTTP and for GenAI.
//!
//! No request is instrumented: spans and measurements are made of the record that every request leaves
//! behind, by a task of its own. A request pays for one more `try_send` into a bounded queue. A collector
//! that is slow or gone costs spans, which are counted, and nothing else: metrics are sums since start, so the
//! next message makes good for one that was lost.

mod collector;
mod genai;
mod meter;
mod span;

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{ResourceMetrics, ScopeMetrics},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::{
    collector::{Collector, Refusal},
    meter::{Lost, Meter},
};
use crate::server::{
    config::Telemetry,
    record::{Recorder, Told},
};

/// Whether this program can send telemetry.
pub const BUILT: bool = true;

/// Requests that may wait to be told of.
const QUEUE: usize = 16_384;
/// Requests taken up at once, and how long they come together: being woken for each costs more than the rest.
const TAKE: usize = 512;
const GATHER: Duration = Duration::from_millis(50);
/// Spans of one message.
const BATCH: usize = 512;
/// Spans that may wait for the collector.
const SPANS: usize = 8_192;
/// How long spans wait for others.
const LINGER: Duration = Duration::from_secs(1);
/// Pauses between tries of one message; after the last it is given up.
const PAUSES_S: [u64; 4] = [1, 2, 4, 8];

/// What is told to a collector; run it as a task.
#[derive(Debug)]
pub struct Exporter {
    told: mpsc::Receiver<Told>,
    outbox: Outbox,
}

/// Listens to the recorder for this collector.
pub fn exporter(settings: &Telemetry, recorder: &Recorder) -> Option<Exporter> {
    let told = recorder.listen(QUEUE);
    let resource = Resource { attributes: attributes_of(settings), ..Resource::default() };
    let desk = Mutex::new(Desk { spans: VecDeque::new(), lost_spans: 0, meter: Meter::new(unix_ns()) });
    let outbox = Outbox {
        collector: Collector::new(settings),
        resource,
        interval: settings.interval,
        recorder: recorder.clone(),
        desk,
        full: Notify::new(),
    };
    Some(Exporter { told, outbox })
}

/// What waits to be sent, and where to.
#[derive(Debug)]
struct Outbox {
    collector: Collector,
    resource: Resource,
    interval: Duration,
    recorder: Recorder,
    /// Held to add requests that ended or to take what is sent; never across an await.
    desk: Mutex<Desk>,
    /// A message is full.
    full: Notify,
}

#[derive(Debug)]
struct Desk {
    spans: VecDeque<Span>,
    lost_spans: u64,
    meter: Meter,
}

impl Exporter {
    /// Sends until `stop`, then what is left, once.
    pub async fn run(self, stop: CancellationToken) {
        let Self { told, outbox } = self;
        let drained = CancellationToken::new();
        tokio::join!(
            async {
                take_up(told, &outbox, &stop).await;
                drained.cancel();
            },
            outbox.send(&drained),
        );
    }
}

/// Takes up requests that ended, until the end and all that wait then.
async fn take_up(mut told: mpsc::Receiver<Told>, outbox: &Outbox, stop: &CancellationToken) {
    let mut batch = Vec::with_capacity(TAKE);
    let mut open = true;
    loop {
        tokio::select! {
            count = told.recv_many(&mut batch, TAKE) => {
                if count == 0 {
                    return;
                }
                outbox.add(&mut batch);
                if open && told.is_empty() {
                    stop.run_until_cancelled(sleep(GATHER)).await;
                }
            }
            () = stop.cancelled(), if open => {
                open = false;
                told.close();
            }
        }
    }
}

impl Outbox {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, batch: &mut Vec<Told>) {
        let mut desk = self.desk();
        for told in batch.drain(..) {
            desk.meter.add(&told.detail);
            let spans = told.trace.filter(|trace| trace.sampled).map(|trace| span::of(&told.detail, &trace));
            for span in spans.into_iter().flatten() {
                if desk.spans.len() < SPANS {
                    desk.spans.push_back(span);
                } else {
                    desk.lost_spans += 1;
                }
            }
        }
        if desk.spans.len() >= BATCH {
            self.full.notify_one();
        }
    }

    /// Sends spans soon and metrics from time to time, until `drained`, then both once more.
    async fn send(&self, drained: &CancellationToken) {
        let mut metrics_at = Instant::now() + self.interval;
        let mut failing = false;
        loop {
            let ending = tokio::select! {
                () = drained.cancelled() => true,
                () = sleep(LINGER) => false,
                () = self.full.notified() => false,
            };
            let mut sent = self.send_spans(drained).await;
            if ending || Instant::now() >= metrics_at {
                metrics_at = Instant::now() + self.interval;
                let metrics = self.send_metrics().await;
                sent = Some(sent.unwrap_or(Ok(())).and(metrics));
            }
            match sent {
                Some(Err(refusal)) if !failing => {
                    tracing::warn!(%refusal, "the collector does not take telemetry; proxying goes on");
                    failing = true;
                }
                Some(Ok(())) if failing => {
                    tracing::info!("the collector takes telemetry again");
                    failing = false;
                }
                _ => {}
            }
            if ending {
                return;
            }
        }
    }

    /// Sends all spans that wait; `None` when there was none.
    async fn send_spans(&self, drained: &CancellationToken) -> Option<Result<(), Refusal>> {
        let mut sent = None;
        loop {
            // What was not tried waits for the next turn.
            if matches!(sent, Some(Err(_))) {
                return sent;
            }
            let batch: Vec<Span> = {
                let mut desk = self.desk();
                let count = desk.spans.len().min(BATCH);
                desk.spans.drain(..count).collect()
            };
            if batch.is_empty() {
                return sent;
            }
            let count = batch.len() as u64;
            let result = self.try_spans(&self.message_of(batch), drained).await;
            self.desk().lost_spans += result.as_ref().map_or(count, |rejected| *rejected);
            sent = Some(result.map(drop));
        }
    }

    /// Tries one message some times; how many of its spans the collector rejected.
    async fn try_spans(
        &self,
        message: &ExportTraceServiceRequest,
        drained: &CancellationToken,
    ) -> Result<u64, Refusal> {
        for pause_s in PAUSES_S {
            match self.collector.traces(message).await {
                Err(refusal) if refusal.retryable && !drained.is_cancelled() => {
                    drained.run_until_cancelled(sleep(Duration::from_secs(pause_s))).await;
                }
                result => return result,
            }
        }
        self.collector.traces(message).await
    }

    fn message_of(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }],
        }
    }

    async fn send_metrics(&self) -> Result<(), Refusal> {
        let metrics = {
            let desk = self.desk();
            let lost = Lost { requests: self.recorder.untold(), spans: desk.lost_spans };
            desk.meter.told(lost, unix_ns())
        };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        let message = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }],
        };
        self.collector.metrics(&message).await
    }
}

fn scope() -> InstrumentationScope {
    let (name, version) = ("rondo".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    InstrumentationScope { name, version, ..InstrumentationScope::default() }
}

fn attributes_of(settings: &Telemetry) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> =
        settings.resource.iter().map(|(name, value)| text(name, value.as_str())).collect();
    attributes.push(text("service.version", env!("CARGO_PKG_VERSION")));
    attributes
}

/// An attribute that is text.
fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

/// An attribute that is a number; what does not fit is the largest that does.
fn number(key: &str, value: impl TryInto<i64>) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value.try_into().unwrap_or(i64::MAX)))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn unix_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
