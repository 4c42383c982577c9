//! One message to the collector: a POST of protobuf on a connection of its own, bounded in time, no
//! redirect followed (OTLP specification 1.9, OTLP/HTTP).

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use opentelemetry_proto::tonic::collector::{
    metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse},
    trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
};
use prost::Message;

use crate::{
    model::name::BaseUrl,
    server::{
        config::{Confidential, Telemetry},
        upstream::{guard::AddressPolicy, single::Single},
    },
};

/// Read of an answer.
const ANSWER_BYTES: usize = 4 * 1024;

/// Where messages go.
#[derive(Debug)]
pub(super) struct Collector {
    single: Single,
    endpoint: BaseUrl,
    headers: Vec<(String, Confidential)>,
    timeout: Duration,
}

/// Why a message was not taken, in one line without the headers it was sent with.
#[derive(Debug)]
pub(super) struct Refusal {
    reason: String,
    /// Whether another try may go better.
    pub(super) retryable: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Collector {
    /// The collector of these settings. The operator names it, not a user of the back office: it may be anywhere
    /// but on metadata addresses.
    pub(super) fn new(settings: &Telemetry) -> Self {
        let policy = AddressPolicy { allow_private: true, own_listeners: Vec::new() };
        Self {
            single: Single::new(Arc::new(policy), settings.timeout),
            endpoint: settings.endpoint.clone(),
            headers: settings.headers.clone(),
            timeout: settings.timeout,
        }
    }

    /// Sends spans; how many of them the collector rejected.
    pub(super) async fn traces(&self, message: &ExportTraceServiceRequest) -> Result<u64, Refusal> {
        let answer = self.post("/v1/traces", message.encode_to_vec()).await?;
        let told = ExportTraceServiceResponse::decode(&*answer).unwrap_or_default().partial_success;
        Ok(told.map_or(0, |told| u64::try_from(told.rejected_spans).unwrap_or(0)))
    }

    /// Sends metrics.
    pub(super) async fn metrics(&self, message: &ExportMetricsServiceRequest) -> Result<(), Refusal> {
        let answer = self.post("/v1/metrics", message.encode_to_vec()).await?;
        let told = ExportMetricsServiceResponse::decode(&*answer).unwrap_or_default().partial_success;
        match told.filter(|told| told.rejected_data_points > 0) {
            Some(told) => Err(Refusal {
                reason: format!("{} metrics were rejected: {}", told.rejected_data_points, told.error_message),
                retryable: false,
            }),
            None => Ok(()),
        }
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let late = || Refusal { reason: format!("no answer within {} ms", self.timeout.as_millis()), retryable: true };
        tokio::time::timeout(self.timeout, self.exchange(path, body)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let mut request = Request::post(format!("{}{path}", self.endpoint.base_path()))
            .header(header::HOST, self.endpoint.authority())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_LENGTH, body.len())
            .header(header::USER_AGENT, concat!("rondo/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        // The error would repeat a header.
        let unsendable = |_| Refusal {
            reason: "OTEL_EXPORTER_OTLP_HEADERS holds a name or a value that HTTP does not allow".to_owned(),
            retryable: false,
        };
        let request = request.body(Bytes::from(body)).map_err(unsendable)?;
        let unreached = |fault: crate::server::upstream::single::SingleFault| Refusal {
            reason: fault.to_string(),
            retryable: true,
        };
        let answer = self.single.exchange(&self.endpoint, None, request, ANSWER_BYTES).await.map_err(unreached)?;
        match answer.status {
            200..300 => Ok(answer.body),
            status => Err(Refusal {
                reason: format!("it answered {status}"),
                retryable: matches!(status, 429 | 502 | 503 | 504),
            }),
        }
    }
}
