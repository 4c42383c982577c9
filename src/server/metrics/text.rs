//! The text format of Prometheus, version 0.0.4: a few rules about names, escapes and order.
//!
//! Written here and not by a client library: those count for their callers, while every number here
//! is counted already and only wants to be told.

use std::fmt::Write as _;

use crate::server::record::totals::Cumulative;

/// What the answer says it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Things that get series of their own.
pub(super) const SUBJECTS: usize = 500;

/// What kind of number a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows, and begins at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts at or under bounds.
    Histogram,
}

/// A document in the making: a family, then its samples.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    family: &'static str,
}

impl Exposition {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        let _ = writeln!(self.text, "# HELP {name} {}", help.replace('\\', "\\\\").replace('\n', "\\n"));
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
    }

    /// A sample of the family.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.line("", labels, None, value);
    }

    /// A histogram of the family.
    pub(super) fn histogram(&mut self, labels: &[(&str, &str)], bounds: &[f64], values: &Cumulative) {
        for (bound, count) in bounds.iter().zip(&values.buckets) {
            self.line("_bucket", labels, Some(&bound.to_string()), *count as f64);
        }
        self.line("_bucket", labels, Some("+Inf"), values.count as f64);
        self.line("_sum", labels, None, values.sum_s);
        self.line("_count", labels, None, values.count as f64);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: f64) {
        let _ = write!(self.text, "{}{suffix}", self.family);
        let bound = bound.map(|bound| ("le", bound));
        for (at, (name, value)) in labels.iter().copied().chain(bound).enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{name}=\"{}\"", escaped(value));
        }
        let close = if labels.is_empty() && bound.is_none() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_told_once_and_labels_are_escaped() {
        let mut out = Exposition::default();
        out.family("rondo_a_total", Kind::Counter, "Help.");
        out.sample(&[("name", "a \"b\" \\ c\nd"), ("kind", "x")], 3.0);
        out.family("rondo_b", Kind::Gauge, "More.");
        out.sample(&[], 0.5);
        let expected = "# HELP rondo_a_total Help.\n# TYPE rondo_a_total counter\n\
                        rondo_a_total{name=\"a \\\"b\\\" \\\\ c\\nd\",kind=\"x\"} 3\n\
                        # HELP rondo_b More.\n# TYPE rondo_b gauge\nrondo_b 0.5\n";
        assert_eq!(out.finish(), expected);
    }

    #[test]
    fn a_histogram_ends_with_everything_its_sum_and_its_count() {
        let mut out = Exposition::default();
        out.family("rondo_s", Kind::Histogram, "Seconds.");
        let values = Cumulative { buckets: vec![1, 2], count: 3, sum_s: 4.5 };
        out.histogram(&[("group", "g")], &[0.5, 1.0], &values);
        let lines: Vec<String> = out.finish().lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "rondo_s_bucket{group=\"g\",le=\"0.5\"} 1",
                "rondo_s_bucket{group=\"g\",le=\"1\"} 2",
                "rondo_s_bucket{group=\"g\",le=\"+Inf\"} 3",
                "rondo_s_sum{group=\"g\"} 4.5",
                "rondo_s_count{group=\"g\"} 3",
            ]
        );
    }
}
