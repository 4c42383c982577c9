//! What stands for [`otel`](crate::otel) in a program that was built without the feature: it tells
//! whoever asked for telemetry that there is none.

use tokio_util::sync::CancellationToken;

use crate::server::{config::Telemetry, record::Recorder};

/// Whether this program can send telemetry.
pub const BUILT: bool = false;

/// There is none.
#[derive(Debug)]
pub enum Exporter {}

/// Says what is missing.
pub fn exporter(_settings: &Telemetry, _recorder: &Recorder) -> Option<Exporter> {
    tracing::warn!(
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this program was built without OTLP: cargo build --features otel"
    );
    None
}

impl Exporter {
    /// Never.
    pub async fn run(self, _stop: CancellationToken) {
        match self {}
    }
}
