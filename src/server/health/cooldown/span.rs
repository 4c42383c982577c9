//! Spans and moments as providers write them, in milliseconds. Nothing here can overflow or panic.

use jiff::{Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};

/// Numbers from here on are unix seconds (September 2001), not a span of 31 years.
const EPOCH_S: u64 = 1_000_000_000;
/// Numbers from here on are unix milliseconds.
const EPOCH_MS: u64 = 1_000_000_000_000;
/// The three forms of RFC 9110 §5.6.7.
const DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Milliseconds from now until what the text names: seconds, a span like `6m0s`, unix time, RFC 3339
/// or an HTTP date. A moment that has passed is 0.
pub fn until_ms(text: &str, now_unix_ms: i64) -> Option<u64> {
    let text = text.trim();
    if let Some(number) = decimal(text, 1) {
        return match number {
            EPOCH_MS.. => Some(from_now(i64::try_from(number).unwrap_or(i64::MAX), now_unix_ms)),
            EPOCH_S.. => Some(from_now(i64::try_from(number).ok()?.saturating_mul(1_000), now_unix_ms)),
            _ => decimal(text, 1_000),
        };
    }
    span_ms(text).or_else(|| moment_ms(text).map(|moment_ms| from_now(moment_ms, now_unix_ms)))
}

/// A span with units, largest first or not: `6m0s`, `20ms`, `1h2m3.5s`, `2d`.
pub fn span_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum_us: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = &rest[..rest.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(rest.len())];
        rest = &rest[number.len()..];
        let unit = &rest[..rest.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(rest.len())];
        rest = &rest[unit.len()..];
        sum_us = sum_us.saturating_add(decimal(number, unit_us(unit)?)?);
    }
    Some(sum_us.div_ceil(1_000))
}

fn unit_us(unit: &str) -> Option<u64> {
    match unit.trim() {
        "us" | "µs" | "μs" => Some(1),
        "ms" => Some(1_000),
        "s" | "sec" | "second" | "seconds" => Some(1_000_000),
        "m" | "min" | "minute" | "minutes" => Some(60_000_000),
        "h" | "hour" | "hours" => Some(3_600_000_000),
        "d" | "day" | "days" => Some(86_400_000_000),
        _ => None,
    }
}

/// A decimal number without sign or exponent times `unit`, rounded up; huge ones saturate.
pub fn decimal(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // All digits: the only way to fail is to be too large.
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    let mut sum = whole.saturating_mul(unit);
    let (mut part, mut inexact) = (unit, false);
    for digit in fraction.bytes().map(|byte| u64::from(byte - b'0')) {
        // Each place is worth a tenth of the one before; what falls below one is rounded up at the end.
        let worth = digit.saturating_mul(part) / 10;
        inexact |= !digit.saturating_mul(part).is_multiple_of(10);
        sum = sum.saturating_add(worth);
        part /= 10;
    }
    Some(sum.saturating_add(u64::from(inexact)))
}

fn moment_ms(text: &str) -> Option<i64> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.as_millisecond());
    }
    let date: DateTime = DATES.iter().find_map(|form| strtime::parse(form, text).ok()?.to_datetime().ok())?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

fn from_now(moment_ms: i64, now_unix_ms: i64) -> u64 {
    u64::try_from(moment_ms.saturating_sub(now_unix_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_with_units_add_up() {
        let cases = [
            ("6m0s", 360_000),
            ("20ms", 20),
            ("1h2m3.5s", 3_723_500),
            ("8.64s", 8_640),
            ("500µs", 1),
            ("2d", 172_800_000),
            ("37 seconds", 37_000),
        ];
        for (text, expected) in cases {
            assert_eq!(span_ms(text), Some(expected), "{text}");
        }
        for text in ["", "s", "6m0", "1x", "1.2.3s", "m6"] {
            assert_eq!(span_ms(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_exact_and_saturate() {
        assert_eq!(decimal("0.1", 1_000), Some(100));
        assert_eq!(decimal("1.0001", 1_000), Some(1_001));
        assert_eq!(decimal("12", 1_000), Some(12_000));
        assert_eq!(decimal("99999999999999999999", 1_000), Some(u64::MAX));
        assert_eq!(decimal(".5", 1_000), None);
    }
}
