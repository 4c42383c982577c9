//! What is written down, and how long it is kept.

use super::source::{ConfigError, Values};

/// Settings of logs.
#[derive(Clone, Debug)]
pub struct Log {
    /// Filter of the program's own log, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// For people or for machines.
    pub format: LogFormat,
    /// Days the request log is kept; 0 writes none.
    pub request_days: u32,
    /// Bytes the request log may reach.
    pub request_bytes: u64,
    /// Bytes of each body that are taken, where a group or a key asks for bodies.
    pub body_limit: usize,
    /// Days bodies are kept.
    pub body_days: u32,
    /// Bytes bodies may reach.
    pub body_bytes: u64,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object.
    Json,
}

impl Log {
    pub(super) fn read(values: &Values) -> Result<Self, ConfigError> {
        Ok(Self {
            filter: values.read("RONDO_LOG", "a log filter such as info or rondo=debug,info", |text| {
                tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| text.to_owned())
            })?,
            format: values.read("RONDO_LOG_FORMAT", "text or json", |text| match text {
                "text" => Some(LogFormat::Text),
                "json" => Some(LogFormat::Json),
                _ => None,
            })?,
            request_days: values.number("RONDO_REQUEST_LOG_DAYS", 0, 3650)? as u32,
            request_bytes: values.size("RONDO_REQUEST_LOG_SIZE", 16 << 20, 1 << 50)?,
            body_limit: values.size("RONDO_BODY_LOG_LIMIT", 1 << 10, 4 << 20)? as usize,
            body_days: values.number("RONDO_BODY_LOG_DAYS", 1, 3650)? as u32,
            body_bytes: values.size("RONDO_BODY_LOG_SIZE", 16 << 20, 1 << 50)?,
        })
    }
}
