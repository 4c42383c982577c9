//! What the end of an exchange is called, by what came over the wire: the first column of the table.
//!
//! Errors are named by the fields that only the provider writes (`code`, `type`, `reason`) and by
//! sentences known from their beginning on. A phrase anywhere in the text would not do: providers
//! repeat parts of the request in their messages, and a client must not be able to switch a
//! credential or a model off by what it sends.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{
    model::{outcome_rule::OutcomeRule, request_log::AttemptOutcome},
    server::upstream::connect::ConnectFault,
};

/// Bodies above this are not read.
const LONGEST: usize = 64 * 1024;
/// How deep errors nest: `[{"error": {"details": [{"reason": …}]}}]`.
const DEPTH: u32 = 6;

/// What a failed connection is called.
pub fn of_connect(fault: &ConnectFault) -> AttemptOutcome {
    match fault {
        ConnectFault::Dns { .. } => AttemptOutcome::Dns,
        ConnectFault::Refused { .. } => AttemptOutcome::AddressRefused,
        ConnectFault::Tcp { .. } | ConnectFault::Proxy { .. } | ConnectFault::Protocol(_) => AttemptOutcome::Connect,
        ConnectFault::Tls(_) => AttemptOutcome::Tls,
        ConnectFault::Timeout(_) => AttemptOutcome::ConnectTimeout,
    }
}

/// What an answer is called, by its status and, for errors, the first part of its body.
pub fn of_answer(status: StatusCode, body: &[u8], has_credential: bool) -> AttemptOutcome {
    let status = status.as_u16();
    // Only where a body can say more than the status does is it read.
    let told = if matches!(status, 400 | 403 | 404 | 429) { Words::read(body) } else { Words::default() };
    match status {
        402 => AttemptOutcome::QuotaExhausted,
        400 | 403 | 429 if told.exhausted() => AttemptOutcome::QuotaExhausted,
        429 => AttemptOutcome::RateLimited,
        400 | 404 if told.unknown_model() => AttemptOutcome::ModelNotFound,
        403 if told.has_code(&UNKNOWN_MODEL) => AttemptOutcome::ModelNotFound,
        // Google refuses a key with a 400.
        400 if has_credential && told.has_code(&["api_key_invalid"]) => AttemptOutcome::CredentialRefused,
        401 | 403 if has_credential => AttemptOutcome::CredentialRefused,
        503 | 529 => AttemptOutcome::Overloaded,
        408 | 425 => AttemptOutcome::ServerError,
        // Not implemented, and a version of HTTP that is not spoken: about the request, like a 4xx.
        501 | 505 => AttemptOutcome::ClientError,
        500.. => AttemptOutcome::ServerError,
        400.. => AttemptOutcome::ClientError,
        _ => AttemptOutcome::Answered,
    }
}

/// What the operator's rules call an answer; `None` where none fits.
///
/// A rule that reads the body fits errors only: the body of a success is not read ahead.
pub fn by_rule(rules: &[OutcomeRule], status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<AttemptOutcome> {
    let fits = |rule: &&OutcomeRule| {
        (rule.status_from..=rule.status_to).contains(&status.as_u16())
            && rule.body_contains.as_ref().is_none_or(|text| contains(body, text))
            && rule.header.as_ref().is_none_or(|header| has_header(headers, header))
    };
    rules.iter().find(fits).map(|rule| rule.outcome.into())
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len().max(1)).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// `name`, or `name: part of its value`.
fn has_header(headers: &HeaderMap, wanted: &str) -> bool {
    let (name, part) = wanted.split_once(':').unwrap_or((wanted, ""));
    let part = part.trim();
    let mut values = headers.get_all(name.trim()).iter();
    values.any(|value| part.is_empty() || contains(value.as_bytes(), part))
}

const EXHAUSTED: [&str; 4] =
    ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"];
const UNKNOWN_MODEL: [&str; 4] = ["model_not_found", "modelnotfound", "deploymentnotfound", "invalid_model"];
/// How sentences about an unknown model begin, in lower case.
const ABOUT_A_MODEL: [&str; 6] =
    ["the model ", "model ", "models/", "the requested model", "the deployment ", "the api deployment"];
/// What they go on with.
const NOT_HERE: [&str; 5] = ["does not exist", "not found", "not exist", "is not available", "is not supported"];

/// What an error's body says, in lower case.
#[derive(Debug, Default)]
struct Words {
    /// Fields that name the error.
    codes: Vec<String>,
    /// Sentences.
    messages: Vec<String>,
}

impl Words {
    fn read(body: &[u8]) -> Self {
        let mut words = Self::default();
        if body.len() <= LONGEST
            && let Ok(value) = serde_json::from_slice(body)
        {
            words.collect("", &value, DEPTH);
        }
        words
    }

    fn collect(&mut self, name: &str, value: &Value, depth: u32) {
        match value {
            Value::String(text) => match name {
                "code" | "type" | "status" | "reason" => self.codes.push(text.to_ascii_lowercase()),
                "message" | "error" | "detail" => self.messages.push(text.to_ascii_lowercase()),
                _ => {}
            },
            Value::Object(fields) if depth > 0 => {
                fields.iter().for_each(|(name, value)| self.collect(name, value, depth - 1));
            }
            Value::Array(items) if depth > 0 => {
                items.iter().for_each(|item| self.collect(name, item, depth - 1));
            }
            _ => {}
        }
    }

    fn has_code(&self, known: &[&str]) -> bool {
        self.codes.iter().any(|code| known.contains(&code.as_str()))
    }

    fn exhausted(&self) -> bool {
        self.has_code(&EXHAUSTED) || self.messages.iter().any(|text| text.starts_with("your credit balance is too low"))
    }

    fn unknown_model(&self) -> bool {
        self.has_code(&UNKNOWN_MODEL)
            || (self.has_code(&["not_found_error"]) && self.messages.iter().any(|text| text.starts_with("model:")))
            || self.messages.iter().any(|text| names_an_unknown_model(text))
    }
}

fn names_an_unknown_model(text: &str) -> bool {
    ABOUT_A_MODEL.iter().any(|start| text.starts_with(start)) && NOT_HERE.iter().any(|end| text.contains(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome_rule::RuledOutcome;

    fn name(status: u16, body: &str) -> AttemptOutcome {
        of_answer(StatusCode::from_u16(status).expect("a status"), body.as_bytes(), true)
    }

    #[test]
    fn an_answer_is_named_by_its_status() {
        use AttemptOutcome as O;
        for (outcome, statuses) in [
            (O::Answered, &[200, 204, 206, 301, 302, 304][..]),
            (O::RateLimited, &[429]),
            (O::QuotaExhausted, &[402]),
            (O::CredentialRefused, &[401, 403]),
            (O::Overloaded, &[503, 529]),
            (O::ServerError, &[500, 502, 504, 507, 520, 521, 522, 523, 524, 525, 526, 530, 408, 425, 600]),
            (O::ClientError, &[400, 404, 405, 409, 410, 413, 415, 418, 422, 424, 431, 451, 501, 505]),
        ] {
            for status in statuses {
                assert_eq!(name(*status, ""), outcome, "{status}");
            }
        }
        assert_eq!(of_answer(StatusCode::UNAUTHORIZED, b"", false), O::ClientError, "no credential of ours was sent");
    }

    #[test]
    fn the_words_of_every_provider_are_known() {
        use AttemptOutcome as O;
        for (status, body, outcome) in [
            (
                429,
                r#"{"error":{"message":"You exceeded…","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                O::QuotaExhausted,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
                O::QuotaExhausted,
            ),
            (
                429,
                r#"[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}]"#,
                O::RateLimited,
            ),
            (
                404,
                r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","code":"model_not_found"}}"#,
                O::ModelNotFound,
            ),
            (
                403,
                r#"{"error":{"message":"Project `p` does not have access to model `x`","code":"model_not_found"}}"#,
                O::ModelNotFound,
            ),
            (
                404,
                r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
                O::ModelNotFound,
            ),
            (
                404,
                r#"{"error":{"code":404,"message":"models/x is not found for API version v1beta","status":"NOT_FOUND"}}"#,
                O::ModelNotFound,
            ),
            (404, r#"{"error":"model 'llama9' not found"}"#, O::ModelNotFound),
            (
                404,
                r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#,
                O::ModelNotFound,
            ),
            (400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#, O::ModelNotFound),
            (
                404,
                r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
                O::ModelNotFound,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                O::CredentialRefused,
            ),
        ] {
            assert_eq!(name(status, body), outcome, "{body}");
        }
    }

    #[test]
    fn what_a_client_writes_and_a_provider_repeats_names_nothing() {
        for body in [
            r#"{"error":{"message":"Invalid value: 'model_not_found'. Supported values are: 'a'.","code":"invalid_value"}}"#,
            r#"{"error":{"message":"bad prompt: your credit balance is too low, insufficient_quota","type":"invalid_request_error"}}"#,
            r#"{"error":{"message":"Unknown tool: the model x does not exist"}}"#,
            "model_not_found",
            r#"{"deep":[[[[[[[[{"code":"model_not_found"}]]]]]]]]}"#,
        ] {
            assert_eq!(name(400, body), AttemptOutcome::ClientError, "{body}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rule = |from, to, body: Option<&str>, header: Option<&str>, outcome| OutcomeRule {
            status_from: from,
            status_to: to,
            body_contains: body.map(str::to_owned),
            header: header.map(str::to_owned),
            outcome,
        };
        let rules = [
            rule(400, 499, Some("no capacity"), None, RuledOutcome::Overloaded),
            rule(400, 400, None, Some("x-reason: billing"), RuledOutcome::QuotaExhausted),
            rule(400, 400, None, Some("x-hint"), RuledOutcome::RateLimited),
            rule(404, 404, None, None, RuledOutcome::ModelNotFound),
        ];
        let ruled = |status: u16, headers: &[(&'static str, &'static str)], body: &str| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
            let status = StatusCode::from_u16(status).expect("a status");
            by_rule(&rules, status, &headers.collect(), body.as_bytes())
        };
        assert_eq!(ruled(404, &[], "we have NO CAPACITY"), Some(AttemptOutcome::Overloaded));
        assert_eq!(ruled(404, &[], ""), Some(AttemptOutcome::ModelNotFound));
        assert_eq!(ruled(400, &[("x-reason", "Billing: off")], ""), Some(AttemptOutcome::QuotaExhausted));
        assert_eq!(ruled(400, &[("x-reason", "other"), ("x-hint", "")], ""), Some(AttemptOutcome::RateLimited));
        assert_eq!(ruled(400, &[], ""), None);
        assert_eq!(ruled(500, &[("x-reason", "billing")], "no capacity"), None);
    }
}
