//! How long an upstream asks to be left alone: every way providers say it, read without panics.
//!
//! | where | who | form |
//! |---|---|---|
//! | `retry-after-ms`, `x-ms-retry-after-ms` | OpenAI, Azure | milliseconds |
//! | `Retry-After` | everybody (RFC 9110 §10.2.3) | seconds, also with a fraction, or a date |
//! | `x-ratelimit-reset-requests`, `-tokens` | OpenAI, Groq | `6m0s`, `20ms`, `1.5s` |
//! | `anthropic-ratelimit-*-reset` | Anthropic | RFC 3339 |
//! | `x-ratelimit-reset`, `ratelimit-reset`, `x-rate-limit-reset` | OpenRouter and others | seconds, or unix time in s or ms |
//! | JSON body, `retryDelay` | Google | `37s` |
//! | JSON body, `retry_after`, or "try again in 20s", "retry after 26 seconds" | others | seconds, span |
//!
//! The first row that says something wins. Of several reset headers the exhausted ones count
//! (`…-remaining-…: 0`), the latest of them; when none says it is exhausted, the earliest.

pub mod body;
pub mod span;

use http::HeaderMap;

/// Shortest cooldown, milliseconds.
pub const SHORTEST_MS: u64 = 1_000;
/// Longest cooldown, milliseconds.
pub const LONGEST_MS: u64 = 86_400_000;

/// Keeps a pause within 1 s and 24 h.
pub fn clamp_ms(pause_ms: u64) -> u64 {
    pause_ms.clamp(SHORTEST_MS, LONGEST_MS)
}

/// What the answer asks for, milliseconds from now within 1 s and 24 h; `None` when it says nothing
/// that can be read. `body` is the beginning of an error's body, `now_unix_ms` the wall time that
/// dates are compared with.
pub fn read(headers: &HeaderMap, body: &[u8], now_unix_ms: i64) -> Option<u64> {
    let pause_ms = retry_after_ms(headers)
        .or_else(|| retry_after(headers, now_unix_ms))
        .or_else(|| resets(headers, now_unix_ms))
        .or_else(|| body::pause_ms(body));
    pause_ms.map(clamp_ms)
}

/// What `Retry-After` alone asks for, in the same bounds: what a client would have been told.
pub fn read_retry_after(headers: &HeaderMap, now_unix_ms: i64) -> Option<u64> {
    retry_after_ms(headers).or_else(|| retry_after(headers, now_unix_ms)).map(clamp_ms)
}

fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = text(headers, "retry-after-ms").or_else(|| text(headers, "x-ms-retry-after-ms"))?;
    span::decimal(text, 1)
}

fn retry_after(headers: &HeaderMap, now_unix_ms: i64) -> Option<u64> {
    span::until_ms(text(headers, "retry-after")?, now_unix_ms)
}

fn resets(headers: &HeaderMap, now_unix_ms: i64) -> Option<u64> {
    let (mut exhausted, mut others): (Option<u64>, Option<u64>) = (None, None);
    for (name, value) in headers {
        let name = name.as_str();
        if !(name.contains("ratelimit") || name.contains("rate-limit")) || !name.contains("reset") {
            continue;
        }
        let Some(pause_ms) = value.to_str().ok().and_then(|value| span::until_ms(value, now_unix_ms)) else { continue };
        let remaining = text(headers, &name.replace("reset", "remaining"));
        if remaining.is_some_and(|remaining| remaining.trim() == "0") {
            exhausted = exhausted.max(Some(pause_ms));
        } else {
            others = Some(others.map_or(pause_ms, |other| other.min(pause_ms)));
        }
    }
    exhausted.or(others)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    /// 2026-01-01T00:00:00Z.
    const NOW: i64 = 1_767_225_600_000;

    fn from(headers: &[(&str, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a header name");
            (name, HeaderValue::from_str(value).expect("a header value"))
        });
        read(&headers.collect(), b"", NOW)
    }

    /// Every form that is in use: where it stands, what it says, what is heard, milliseconds.
    #[test]
    fn every_way_of_saying_it_is_understood() {
        for (name, value, pause_ms) in [
            ("retry-after", "37", 37_000),
            ("retry-after", " 1.5 ", 1_500),
            ("retry-after", "6m0s", 360_000),
            ("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT", 60_000),
            ("retry-after", "Thursday, 01-Jan-26 00:01:00 GMT", 60_000),
            ("retry-after", "Thu Jan  1 00:01:00 2026", 60_000),
            ("retry-after-ms", "2300", 2_300),
            ("retry-after-ms", "1250.5", 1_251),
            ("x-ms-retry-after-ms", "4000", 4_000),
            ("x-ratelimit-reset-requests", "1s", 1_000),
            ("x-ratelimit-reset-requests", "8.64s", 8_640),
            ("x-ratelimit-reset-tokens", "6m0s", 360_000),
            ("x-ratelimit-reset-tokens", "1h2m3.5s", 3_723_500),
            ("x-ratelimit-reset-tokens", "1500ms", 1_500),
            ("x-ratelimit-reset-tokens", "2026-01-01T00:00:30Z", 30_000),
            ("x-ratelimit-reset-after", "12.5", 12_500),
            ("x-ratelimit-reset", "90", 90_000),
            ("x-ratelimit-reset", "1767225690", 90_000),
            ("x-ratelimit-reset", "1767225690.25", 91_000),
            ("x-ratelimit-reset", "1767225690000", 90_000),
            ("x-rate-limit-reset", "1767225690", 90_000),
            ("ratelimit-reset", "50", 50_000),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:45Z", 45_000),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T01:00:45.5+01:00", 45_500),
        ] {
            assert_eq!(from(&[(name, value)]), Some(pause_ms), "{name}: {value}");
        }
        for (body, pause_ms) in [
            (r#"{"error":{"details":[{"retryDelay":"13s"}]}}"#, 13_000),
            (r#"[{"error":{"details":[{"retryDelay":"13.25s"}]}}]"#, 13_250),
            (r#"{"error":{"message":"Rate limit reached for gpt-4o. Please try again in 1.2s. Visit …"}}"#, 1_200),
            (r#"{"error":{"message":"Please try again in 7m12s."}}"#, 432_000),
            (r#"{"error":{"message":"Please retry after 26 seconds."}}"#, 26_000),
            (r#"{"error":{"message":"Please retry in 37.5s."}}"#, 37_500),
            (r#"{"retry_after":2.5}"#, 2_500),
        ] {
            assert_eq!(read(&HeaderMap::new(), body.as_bytes(), NOW), Some(pause_ms), "{body}");
        }
    }

    #[test]
    fn milliseconds_are_more_exact_and_win() {
        assert_eq!(from(&[("retry-after-ms", "2300"), ("retry-after", "3")]), Some(2_300));
        assert_eq!(from(&[("retry-after-ms", "soon"), ("retry-after", "3")]), Some(3_000));
    }

    #[test]
    fn a_pause_is_within_a_second_and_a_day() {
        assert_eq!(from(&[("retry-after", "0")]), Some(SHORTEST_MS));
        assert_eq!(from(&[("retry-after-ms", "20")]), Some(SHORTEST_MS));
        assert_eq!(from(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")]), Some(SHORTEST_MS));
        assert_eq!(from(&[("retry-after", "99999999")]), Some(LONGEST_MS));
        assert_eq!(from(&[("retry-after", "99999999999999999999999999")]), Some(LONGEST_MS));
    }

    #[test]
    fn of_openai_resets_the_exhausted_one_counts() {
        let both = [("x-ratelimit-reset-requests", "8.64s"), ("x-ratelimit-reset-tokens", "6m0s")];
        let with = |requests, tokens| {
            let remaining = [("x-ratelimit-remaining-requests", requests), ("x-ratelimit-remaining-tokens", tokens)];
            from(&[both, remaining].concat())
        };
        assert_eq!(with("0", "100"), Some(8_640));
        assert_eq!(with("5", "0"), Some(360_000));
        assert_eq!(with("0", "0"), Some(360_000));
        assert_eq!(with("5", "100"), Some(8_640));
        assert_eq!(from(&both), Some(8_640));
    }

    #[test]
    fn anthropic_resets_are_rfc_3339() {
        let headers = [
            ("anthropic-ratelimit-requests-remaining", "12"),
            ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:02Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:00:45Z"),
        ];
        assert_eq!(from(&headers), Some(45_000));
    }

    #[test]
    fn a_reset_may_be_unix_time() {
        assert_eq!(from(&[("x-ratelimit-reset", "1767225690")]), Some(90_000));
        assert_eq!(from(&[("x-ratelimit-reset", "1767225690000")]), Some(90_000));
        assert_eq!(from(&[("ratelimit-reset", "50")]), Some(50_000));
    }

    #[test]
    fn the_body_speaks_when_no_header_does() {
        let google = br#"{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37s"}]}}"#;
        assert_eq!(read(&HeaderMap::new(), google, NOW), Some(37_000));
        let headers = [(http::header::RETRY_AFTER, HeaderValue::from_static("5"))].into_iter().collect();
        assert_eq!(read(&headers, google, NOW), Some(5_000));
        assert_eq!(read(&HeaderMap::new(), b"<html>busy</html>", NOW), None);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for value in ["", "soon", "-5", "nan", "inf", "1e9", "5 apples", "6m0", "Thu, 99 Foo 2026 00:00:00 GMT"] {
            assert_eq!(from(&[("retry-after", value)]), None, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_cause_a_panic(
            values in prop::collection::vec(prop::collection::vec(prop::num::u8::ANY, 0..40), 4),
            body in prop::collection::vec(prop::num::u8::ANY, 0..200),
            now in prop::num::i64::ANY,
        ) {
            let names = ["retry-after-ms", "retry-after", "x-ratelimit-reset-tokens", "anthropic-ratelimit-tokens-reset"];
            for (name, value) in names.into_iter().zip(&values) {
                let Ok(value) = HeaderValue::from_bytes(value) else { continue };
                let headers = [(HeaderName::from_static(name), value)].into_iter().collect();
                let read = read(&headers, &body, now);
                prop_assert!(read.is_none_or(|pause| (SHORTEST_MS..=LONGEST_MS).contains(&pause)));
            }
        }

        #[test]
        fn nothing_that_looks_like_a_time_causes_a_panic(
            value in "[-+]?[0-9]{0,25}\\.?[0-9]{0,25}(ms|s|m|h|d|us|µs)?([0-9]{1,20}(ms|s|m|h))?([TZ: ,GMThu-]{0,6})?",
            now in prop::num::i64::ANY,
        ) {
            let read = span::until_ms(&value, now).map(clamp_ms);
            prop_assert!(read.is_none_or(|pause| (SHORTEST_MS..=LONGEST_MS).contains(&pause)));
            let body = format!(r#"{{"error":{{"retryDelay":"{value}","message":"try again in {value}"}}}}"#);
            let _ = body::pause_ms(body.as_bytes());
        }
    }
}
