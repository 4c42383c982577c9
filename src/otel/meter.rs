//! Measurements of requests that ended, added up since start.
//!
//! Taken from every record instead of from the statistics, because the conventions want what those do not
//! keep: the operation, and how tokens are distributed. Models are chosen by clients, so the number of
//! series is bounded; beyond it they are added up as one that says so, as an SDK would.

use std::collections::HashMap;

use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum, metric::Data,
        number_data_point,
    },
};

use super::{
    attribute,
    genai::{self, Operation},
    number, text,
};
use crate::model::request_log::{Attempt, RequestDetail, RequestRow};

/// Series of one instrument (the default limit of the metrics SDK).
const SERIES: usize = 2_000;
/// Seconds of operations: the conventions' own bounds.
const DURATION_S: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const FIRST_TOKEN_S: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const HTTP_S: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const TOKENS: &[f64] = &[
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0,
    67108864.0,
];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instrument {
    Http,
    Server,
    FirstToken,
    Operation,
    Tokens,
}

impl Instrument {
    const ALL: [Self; 5] = [Self::Http, Self::Server, Self::FirstToken, Self::Operation, Self::Tokens];

    /// Name, unit and meaning.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Http => ("http.server.request.duration", "s", "Duration of requests of clients."),
            Self::Server => ("gen_ai.server.request.duration", "s", "Requests for a model, as clients saw them."),
            Self::FirstToken => {
                ("gen_ai.server.time_to_first_token", "s", "Time to the first output of streams that were answered.")
            }
            Self::Operation => ("gen_ai.client.operation.duration", "s", "Attempts at providers of models."),
            Self::Tokens => ("gen_ai.client.token.usage", "{token}", "Tokens that providers told."),
        }
    }

    fn bounds(self) -> &'static [f64] {
        match self {
            Self::Http => HTTP_S,
            Self::Server | Self::Operation => DURATION_S,
            Self::FirstToken => FIRST_TOKEN_S,
            Self::Tokens => TOKENS,
        }
    }
}

/// Name and value of what tells series apart.
type Labels = Vec<(&'static str, Label)>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Label {
    Word(&'static str),
    Text(String),
    Number(u16),
    /// Stands for all series beyond the bound.
    Overflow,
}

#[derive(Clone, Debug)]
struct Distribution {
    /// One more than there are bounds.
    buckets: Vec<u64>,
    count: u64,
    sum: f64,
    least: f64,
    most: f64,
}

impl Distribution {
    fn add(&mut self, value: f64, bounds: &[f64]) {
        self.buckets[bounds.partition_point(|bound| *bound < value)] += 1;
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }
}

/// What could not be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost {
    /// Requests for which there was no room in the queue: neither measured nor traced.
    pub(super) requests: u64,
    /// Spans that the collector did not get.
    pub(super) spans: u64,
}

/// All measurements since start.
#[derive(Debug)]
pub(super) struct Meter {
    started_ns: u64,
    series: [HashMap<Labels, Distribution>; Instrument::ALL.len()],
}

impl Meter {
    /// Nothing measured yet.
    pub(super) fn new(started_ns: u64) -> Self {
        Self { started_ns, series: Default::default() }
    }

    /// Measures a request.
    pub(super) fn add(&mut self, detail: &RequestDetail) {
        let row = &detail.row;
        let http = [
            ("http.request.method", Label::Word(genai::method(row))),
            ("http.response.status_code", Label::Number(row.status)),
            ("http.route", Label::Text(genai::route(row))),
        ];
        let error = genai::error_of_request(row).map(|error| ("error.type", Label::Text(error)));
        let total_s = seconds(row.total_us);
        self.measure(Instrument::Http, http.into_iter().chain(error.clone()).collect(), total_s);
        let Some(operation) = Operation::of(row) else { return };
        let group = ("rondo.group", Label::Text(row.group_slug.clone()));
        let served: Labels = of_model(row, operation).chain([group]).collect();
        self.measure(Instrument::Server, served.iter().cloned().chain(error.clone()).collect(), total_s);
        if let Some(first_us) = detail.attempts.last().and_then(|last| Some(last.started_us + last.first_output_us?))
            && error.is_none()
        {
            self.measure(Instrument::FirstToken, served, seconds(first_us));
        }
        for attempt in &detail.attempts {
            let error = genai::error_of_attempt(attempt).map(|error| ("error.type", Label::Word(error)));
            let labels = of_model(row, operation).chain([provider(attempt)]).chain(error).collect();
            self.measure(Instrument::Operation, labels, seconds(attempt.ended_us));
        }
        if let (Some(usage), Some(last)) = (row.usage.filter(|usage| !usage.estimated), detail.attempts.last()) {
            for (kind, tokens) in [("input", usage.input), ("output", usage.output)] {
                let Some(tokens) = tokens else { continue };
                let kind = ("gen_ai.token.type", Label::Word(kind));
                let labels = of_model(row, operation).chain([kind, provider(last)]).collect();
                self.measure(Instrument::Tokens, labels, tokens as f64);
            }
        }
    }

    fn measure(&mut self, instrument: Instrument, labels: Labels, value: f64) {
        let (series, bounds) = (&mut self.series[instrument as usize], instrument.bounds());
        let fits = series.len() < SERIES || series.contains_key(&labels);
        let labels = if fits { labels } else { vec![("otel.metric.overflow", Label::Overflow)] };
        let empty = || Distribution {
            buckets: vec![0; bounds.len() + 1],
            count: 0,
            sum: 0.0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
        };
        series.entry(labels).or_insert_with(empty).add(value, bounds);
    }

    /// All of it as the protocol has it.
    pub(super) fn told(&self, lost: Lost, now_ns: u64) -> Vec<Metric> {
        let mut metrics = Vec::with_capacity(Instrument::ALL.len() + 1);
        for instrument in Instrument::ALL {
            let series = &self.series[instrument as usize];
            if series.is_empty() {
                continue;
            }
            let points = series.iter().map(|(labels, one)| HistogramDataPoint {
                attributes: labels.iter().map(|(name, label)| label.told(name)).collect(),
                start_time_unix_nano: self.started_ns,
                time_unix_nano: now_ns,
                count: one.count,
                sum: Some(one.sum),
                bucket_counts: one.buckets.clone(),
                explicit_bounds: instrument.bounds().to_vec(),
                min: Some(one.least),
                max: Some(one.most),
                ..HistogramDataPoint::default()
            });
            let data = Data::Histogram(Histogram {
                data_points: points.collect(),
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            });
            metrics.push(metric(instrument.words(), data));
        }
        metrics.push(self.told_lost(lost, now_ns));
        metrics
    }

    fn told_lost(&self, lost: Lost, now_ns: u64) -> Metric {
        let point = |kind: &str, count: u64| NumberDataPoint {
            attributes: vec![text("rondo.telemetry.kind", kind)],
            start_time_unix_nano: self.started_ns,
            time_unix_nano: now_ns,
            value: Some(number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
            ..NumberDataPoint::default()
        };
        let data = Data::Sum(Sum {
            data_points: vec![point("request", lost.requests), point("span", lost.spans)],
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        });
        metric(("rondo.telemetry.lost", "{item}", "What the collector was not told."), data)
    }
}

fn metric((name, unit, description): (&str, &str, &str), data: Data) -> Metric {
    let (name, unit, description) = (name.to_owned(), unit.to_owned(), description.to_owned());
    Metric { name, description, unit, data: Some(data), ..Metric::default() }
}

fn of_model(row: &RequestRow, operation: Operation) -> impl Iterator<Item = (&'static str, Label)> {
    [
        ("gen_ai.operation.name", Label::Word(operation.name)),
        ("gen_ai.provider.name", Label::Word(operation.api)),
        ("gen_ai.request.model", Label::Text(row.model.clone().unwrap_or_default())),
    ]
    .into_iter()
}

fn provider(attempt: &Attempt) -> (&'static str, Label) {
    ("rondo.provider", Label::Text(attempt.provider_name.clone()))
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

impl Label {
    fn told(&self, name: &str) -> KeyValue {
        match self {
            Self::Word(word) => text(name, *word),
            Self::Text(words) => text(name, words.as_str()),
            Self::Number(value) => number(name, *value),
            Self::Overflow => attribute(name, Value::BoolValue(true)),
        }
    }
}
