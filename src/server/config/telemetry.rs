//! Traces and metrics over OTLP: the variables that OpenTelemetry names, so that what an operator
//! already sets for other programs holds here too.

use std::time::Duration;

use super::{
    source::{ConfigError, Values},
    storage::Confidential,
};
use crate::model::{name::BaseUrl, trace::Sampler};

/// Where traces and metrics go.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The collector; `v1/traces` and `v1/metrics` are below it.
    pub endpoint: BaseUrl,
    /// Headers of every message, such as a token: name and value.
    pub headers: Vec<(String, Confidential)>,
    /// `service.name`, then what else is said of this program.
    pub resource: Vec<(String, String)>,
    /// Which traces are sent.
    pub sampler: Sampler,
    /// How often metrics are sent.
    pub interval: Duration,
    /// How long one message may take.
    pub timeout: Duration,
}

impl Telemetry {
    /// `None` where no collector is named: then nothing else is read.
    pub(super) fn read(values: &Values) -> Result<Option<Self>, ConfigError> {
        let expected = "an address such as http://127.0.0.1:4318";
        let endpoint =
            values.read_optional("OTEL_EXPORTER_OTLP_ENDPOINT", expected, |text| BaseUrl::parse(text).ok())?;
        let Some(endpoint) = endpoint else { return Ok(None) };
        values.read("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf, the only one there is", |text| {
            (text == "http/protobuf").then_some(())
        })?;
        let headers = values
            .read_optional("OTEL_EXPORTER_OTLP_HEADERS", "a list such as authorization=Bearer%20abc", |text| {
                Some(pairs(text)?.into_iter().map(|(name, value)| (name, Confidential::new(value))).collect())
            })?
            .unwrap_or_default();
        let mut resource = vec![("service.name".to_owned(), values.read("OTEL_SERVICE_NAME", "a name", owned)?)];
        let more = values.read("OTEL_RESOURCE_ATTRIBUTES", "a list such as a=1,b=2", pairs)?;
        resource.extend(more.into_iter().filter(|(name, _)| name != "service.name"));
        Ok(Some(Self {
            endpoint,
            headers,
            resource,
            sampler: sampler(values)?,
            interval: Duration::from_millis(values.number("OTEL_METRIC_EXPORT_INTERVAL", 1_000, 3_600_000)?),
            timeout: Duration::from_millis(values.number("OTEL_EXPORTER_OTLP_TIMEOUT", 100, 600_000)?),
        }))
    }
}

fn sampler(values: &Values) -> Result<Sampler, ConfigError> {
    let share = values.read_optional("OTEL_TRACES_SAMPLER_ARG", "a share from 0 to 1, such as 0.1", |text| {
        text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
    })?;
    let expected = "always_on, always_off or traceidratio, each also as parentbased_…";
    values.read("OTEL_TRACES_SAMPLER", expected, |text| {
        let (by_parent, kind) = text.strip_prefix("parentbased_").map_or((false, text), |kind| (true, kind));
        let share = match kind {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => share.unwrap_or(1.0),
            _ => return None,
        };
        Some(Sampler { by_parent, share })
    })
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// `name=value,name=value`, values percent-encoded (the format of W3C Baggage).
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            let (name, value) = item.split_once('=')?;
            let (name, value) = (name.trim(), decoded(value.trim())?);
            (!name.is_empty()).then(|| (name.to_owned(), value))
        })
        .collect()
}

/// Without its percent-encoding; `None` for an escape that is none.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push((digit()? * 16 + digit()?) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::server::config::{Settings, Sources};

    fn load(environment: &[(&str, &str)]) -> Result<Option<Telemetry>, String> {
        let directory = tempfile::tempdir().expect("a directory");
        let mut all: BTreeMap<String, String> = environment.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        all.insert("HOME".into(), "/home/ana".into());
        let sources = Sources { environment: all, flags: BTreeMap::new(), working_dir: directory.path().into() };
        Settings::load(&sources).map(|settings| settings.telemetry).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        assert!(load(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER", "odd")]).expect("valid").is_none());
    }

    #[test]
    fn the_standard_variables_are_read() {
        let telemetry = load(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.com/otlp/"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20se%63ret, x-team = a"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=other"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        let telemetry = telemetry.expect("valid").expect("on");
        assert_eq!(telemetry.endpoint.base_path(), "/otlp");
        let headers: Vec<_> = telemetry.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(headers, [("authorization", "Bearer secret"), ("x-team", "a")]);
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(telemetry.resource, [own("service.name", "rondo"), own("deployment.environment.name", "test")]);
        assert_eq!(telemetry.sampler, Sampler { by_parent: true, share: 0.25 });
        assert_eq!((telemetry.interval.as_secs(), telemetry.timeout.as_secs()), (60, 10));
        assert!(!format!("{telemetry:?}").contains("secret"));
    }

    #[test]
    fn a_bad_value_is_told_and_a_header_is_not_repeated() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        for (name, value, message) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "\"grpc\" is not http/protobuf, the only one there is"),
            ("OTEL_TRACES_SAMPLER_ARG", "2", "\"2\" is not a share from 0 to 1, such as 0.1"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "its value (not shown) is not a list such as"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz", "its value (not shown) is not a list such as"),
        ] {
            let told = load(&[on, (name, value)]).expect_err("refused");
            assert!(told.starts_with(&format!("{name}: {message}")), "{told}");
        }
        let told = load(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317")]).expect_err("refused");
        assert!(told.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: \"localhost:4317\" is not an address"), "{told}");
    }
}
