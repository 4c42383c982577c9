//! The request log as a file: CSV with a head line, or a JSON object on each line. It is written while it is read,
//! a page in memory at a time; a reader that leaves ends it.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};

use crate::{
    model::request_log::{Outcome, RequestDetail},
    server::admin::{Export, ExportBroken},
};

/// The two forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Form {
    /// Comma-separated, one line a request, attempts left out.
    #[default]
    Csv,
    /// One JSON object a line (<https://jsonlines.org>), attempts and all.
    Ndjson,
}

impl Form {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    pub(super) fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "requests.csv",
            Self::Ndjson => "requests.ndjson",
        }
    }
}

/// The whole file. An error in the middle breaks the transfer off, so that half a file is not taken for a whole one.
pub(super) fn body(export: Export, form: Form) -> Body {
    let head = (form == Form::Csv).then(|| Bytes::from(format!("{}\r\n", COLUMNS.join(","))));
    Body::from_stream(stream::unfold((export, head), move |(mut export, head)| async move {
        if let Some(head) = head {
            return Some((Ok::<_, ExportBroken>(head), (export, None)));
        }
        let page = export.next().await?;
        let lines = page.map(|rows| Bytes::from(rows.iter().map(|row| line(row, form)).collect::<String>()));
        Some((lines, (export, None)))
    }))
}

fn line(detail: &RequestDetail, form: Form) -> String {
    match form {
        Form::Ndjson => serde_json::to_string(detail).expect("model types are JSON") + "\n",
        Form::Csv => csv(detail),
    }
}

const COLUMNS: [&str; 27] = [
    "id",
    "time",
    "group",
    "group_id",
    "api_key",
    "api_key_id",
    "method",
    "path",
    "model",
    "status",
    "outcome",
    "provider",
    "provider_id",
    "attempts",
    "first_byte_us",
    "total_us",
    "request_bytes",
    "response_bytes",
    "error_code",
    "client_ip",
    "user_agent",
    "streamed",
    "tokens_in",
    "tokens_out",
    "tokens_cached",
    "tokens_reasoning",
    "cost_nanos",
];

fn csv(detail: &RequestDetail) -> String {
    let row = &detail.row;
    let usage = row.usage.unwrap_or_default();
    fn maybe(value: Option<impl ToString>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let at = jiff::Timestamp::from_millisecond(row.at_ms).map(|at| format!("{at:.3}")).unwrap_or_default();
    let fields: [String; COLUMNS.len()] = [
        row.id.to_string(),
        at,
        row.group_slug.clone(),
        maybe(row.group),
        row.api_key_name.clone(),
        maybe(row.api_key),
        row.method.clone(),
        row.path.clone(),
        maybe(row.model.as_ref()),
        row.status.to_string(),
        Outcome::as_str(row.outcome).to_owned(),
        row.provider_name.clone(),
        maybe(row.provider),
        row.attempts.to_string(),
        maybe(row.first_byte_us),
        row.total_us.to_string(),
        row.request_bytes.to_string(),
        row.response_bytes.to_string(),
        maybe(row.error_code.as_ref()),
        row.client_ip.clone(),
        detail.user_agent.clone(),
        row.streamed.to_string(),
        maybe(usage.input),
        maybe(usage.output),
        maybe(usage.cached),
        maybe(usage.reasoning),
        maybe(row.cost_nanos),
    ];
    fields.map(|field| quoted(&field)).join(",") + "\r\n"
}

/// A field of RFC 4180. What a spreadsheet would take for a formula gets an apostrophe in front: a client chooses
/// its path, its model and its name.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && field.parse::<f64>().is_err();
    let field = if formula { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\r', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        assert_eq!(quoted("=HYPERLINK(\"http://evil\")"), "\"'=HYPERLINK(\"\"http://evil\"\")\"");
        for field in ["+1+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\tx"] {
            assert!(quoted(field).trim_start_matches('"').starts_with('\''), "{field}");
        }
        assert_eq!(quoted("-5"), "-5", "a number stays one");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
        assert_eq!(quoted("/v1/chat"), "/v1/chat");
    }
}
