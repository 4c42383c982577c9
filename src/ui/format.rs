//! Figures, times and ages as look.md §7 writes them, in both languages; pure and tested.
//!
//! Between a figure and its unit stands a no-break space, before `%` none. Measured quantities
//! keep ms, s and GiB in both languages; what a person waits for uses words in Chinese.

use super::{
    clock::Zone,
    i18n::{Language, time},
};

const NBSP: char = '\u{a0}';
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `55,294`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Figure and unit of a large count: `("153.2", "k")`, `("15.3", "万")`; whole numbers below 10,000 have no unit.
pub fn compact(number: u64, language: Language) -> (String, &'static str) {
    const ENGLISH: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    const CHINESE: [(f64, &str); 2] = [(1e8, "亿"), (1e4, "万")];
    if number < 10_000 {
        return (count(number), "");
    }
    let value = number as f64;
    let steps: &[(f64, &str)] = match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    };
    let (size, unit) = steps.iter().find(|(size, _)| value >= *size).copied().unwrap_or((1.0, ""));
    let scaled = value / size;
    let digits = if scaled < 10.0 { 2 } else { 1 };
    (format!("{scaled:.digits$}"), unit)
}

/// `153.2 k`, one string.
pub fn compact_text(number: u64, language: Language) -> String {
    join(compact(number, language))
}

/// Money from billionths of a unit, as many decimals as it takes to see it: `$12.30`, `$0.0042`, `CHF 0.000012`.
pub fn cost(nanos: i64, currency: &str) -> String {
    let value = nanos as f64 / 1e9;
    let decimals = match nanos.unsigned_abs() {
        0 | 1_000_000_000.. => 2,
        10_000_000.. => 4,
        1_000.. => 6,
        _ => 9,
    };
    let sign = match currency {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "CNY" => "¥",
        other => return format!("{other}{NBSP}{value:.decimals$}"),
    };
    format!("{sign}{value:.decimals$}")
}

/// Share of a whole: `41.2%`; `None` is `–`.
pub fn share(part: Option<f64>) -> String {
    part.map_or_else(|| "–".to_owned(), |part| format!("{:.1}%", part * 100.0))
}

/// Success: two digits from 90 %, never rounded up to 100 %; `None` is `–`.
pub fn success(rate: Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{}%", success_figure(rate)))
}

/// The figure of a success rate without its sign.
pub fn success_figure(rate: f64) -> String {
    let percent = rate * 100.0;
    if rate >= 1.0 {
        "100".to_owned()
    } else if percent >= 90.0 {
        format!("{:.2}", (percent * 100.0).floor() / 100.0)
    } else {
        format!("{percent:.1}")
    }
}

/// Figure and unit of a measured time: `("388", "ms")`, `("1.92", "s")`.
pub fn latency(micros: u64, language: Language) -> (String, &'static str) {
    let ms = micros as f64 / 1000.0;
    match ms {
        _ if micros == 0 => ("–".to_owned(), ""),
        ..9.95 => (format!("{ms:.1}"), "ms"),
        ..999.5 => (format!("{ms:.0}"), "ms"),
        ..9_995.0 => (format!("{:.2}", ms / 1000.0), "s"),
        ..119_950.0 => (format!("{:.1}", ms / 1000.0), "s"),
        _ => {
            let seconds = (ms / 1000.0).round() as u64;
            (time::minutes_seconds(language, seconds / 60, seconds % 60), "")
        }
    }
}

/// `1.92 s`, one string; nothing measured is `–`.
pub fn latency_text(micros: u64, language: Language) -> String {
    join(latency(micros, language))
}

/// `1.92 s` or `–`.
pub fn maybe_latency(micros: Option<u64>, language: Language) -> String {
    micros.map_or_else(|| "–".to_owned(), |micros| latency_text(micros.max(1), language))
}

/// `3.1 GiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number}{NBSP}B") } else { format!("{value:.1}{NBSP}{}", UNITS[unit]) }
}

/// A rate: `3.4`, `128`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{per_second:.1}"),
        _ => count(per_second.round() as u64),
    }
}

/// A wait from now: `in 38 s`, `38 秒后`.
pub fn wait(until_ms: i64, now_ms: i64, language: Language) -> String {
    match (until_ms - now_ms).max(0) {
        left @ ..MINUTE_MS => time::in_seconds(language, (left + 999) / 1000),
        left @ ..HOUR_MS => time::in_minutes(language, (left + MINUTE_MS - 1) / MINUTE_MS),
        left => time::in_hours(language, (left + HOUR_MS - 1) / HOUR_MS),
    }
}

/// An age: `2 min ago`, `昨天`.
pub fn age(at_ms: i64, now_ms: i64, language: Language) -> String {
    match (now_ms - at_ms).max(0) {
        ..5_000 => time::now(language).to_owned(),
        gone @ ..MINUTE_MS => time::seconds_ago(language, gone / 1000),
        gone @ ..HOUR_MS => time::minutes_ago(language, gone / MINUTE_MS),
        gone @ ..DAY_MS => time::hours_ago(language, gone / HOUR_MS),
        gone if gone < 2 * DAY_MS => time::yesterday(language).to_owned(),
        gone => time::days_ago(language, gone / DAY_MS),
    }
}

/// How long: `38 s`, `3 min`, `2 h`.
pub fn span(length_ms: i64, language: Language) -> String {
    match length_ms.max(0) {
        ms @ ..MINUTE_MS => time::seconds(language, ms / 1000),
        ms @ ..HOUR_MS => time::minutes(language, ms / MINUTE_MS),
        ms => time::hours(language, ms / HOUR_MS),
    }
}

/// A moment split into its parts on the calendar of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, 1–12.
    pub month: u32,
    /// Day of the month.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Millisecond.
    pub milli: u32,
    /// Minutes east of UTC.
    pub offset: i32,
}

impl Civil {
    /// The parts of a moment. Days by Howard Hinnant's `civil_from_days`.
    pub fn of(at_ms: i64, zone: Zone) -> Self {
        let offset = zone.minutes_at(at_ms);
        let local = at_ms + i64::from(offset) * MINUTE_MS;
        let (days, rest) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u32,
            day: (day_of_year - (153 * month_index + 2) / 5 + 1) as u32,
            hour: (rest / HOUR_MS) as u32,
            minute: (rest / MINUTE_MS % 60) as u32,
            second: (rest / 1000 % 60) as u32,
            milli: (rest % 1000) as u32,
            offset,
        }
    }

    fn same_day(&self, other: &Self) -> bool {
        (self.year, self.month, self.day) == (other.year, other.month, other.day)
    }

    /// `Nov 23`, `11 月 23 日`.
    pub fn month_day(&self, language: Language) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        match language {
            Language::English => format!("{}{NBSP}{}", MONTHS[self.month as usize - 1], self.day),
            Language::Chinese => format!("{}{NBSP}月{NBSP}{}{NBSP}日", self.month, self.day),
        }
    }

    /// `14:35`.
    pub fn hour_minute(&self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// `14:35:41`.
    pub fn clock(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

/// A moment: `14:35:41` today, `Nov 22, 14:02` this year, else `2026-11-22`.
pub fn moment(at_ms: i64, now_ms: i64, zone: Zone, language: Language) -> String {
    let (at, now) = (Civil::of(at_ms, zone), Civil::of(now_ms, zone));
    if at.same_day(&now) {
        at.clock()
    } else if at.year == now.year {
        let comma = if language == Language::English { "," } else { "" };
        format!("{}{comma} {}", at.month_day(language), at.hour_minute())
    } else {
        format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)
    }
}

/// Date and time to the millisecond: `Nov 23, 14:35:41.203`.
pub fn exact(at_ms: i64, zone: Zone, language: Language) -> String {
    let at = Civil::of(at_ms, zone);
    let comma = if language == Language::English { "," } else { "" };
    format!("{}{comma} {}.{:03}", at.month_day(language), at.clock(), at.milli)
}

/// ISO 8601 with offset, for hovering and machines: `2026-11-23T14:35:41.203+08:00`.
pub fn iso(at_ms: i64, zone: Zone) -> String {
    let at = Civil::of(at_ms, zone);
    let (sign, offset) = if at.offset < 0 { ('-', -at.offset) } else { ('+', at.offset) };
    format!(
        "{:04}-{:02}-{:02}T{}.{:03}{sign}{:02}:{:02}",
        at.year,
        at.month,
        at.day,
        at.clock(),
        at.milli,
        offset / 60,
        offset % 60
    )
}

/// The middle cut of an id: `01JDC4…9TQX`; copying gives the whole.
pub fn short_id(id: &str) -> String {
    if id.len() <= 12 || !id.is_ascii() {
        return id.to_owned();
    }
    format!("{}…{}", &id[..6], &id[id.len() - 4..])
}

/// Up to two letters for an avatar: `CM`, `陈`.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace().filter_map(|word| word.chars().next());
    let first = words.next().unwrap_or('?');
    let second = if first.is_ascii() { words.next_back() } else { None };
    [Some(first), second].into_iter().flatten().flat_map(char::to_uppercase).collect()
}

fn join((figure, unit): (String, &'static str)) -> String {
    if unit.is_empty() { figure } else { format!("{figure}{NBSP}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Chinese, English};

    fn plain(text: &str) -> String {
        text.replace(NBSP, " ")
    }

    #[test]
    fn counts_are_grouped_and_compact_by_language() {
        assert_eq!(count(55_294), "55,294");
        assert_eq!(count(7), "7");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(plain(&compact_text(153_234, English)), "153.2 k");
        assert_eq!(plain(&compact_text(153_234, Chinese)), "15.3 万");
        assert_eq!(plain(&compact_text(123_800_000, Chinese)), "1.24 亿");
        assert_eq!(plain(&compact_text(1_240_000, English)), "1.24 M");
        assert_eq!(compact_text(1_284, English), "1,284");
    }

    #[test]
    fn success_is_never_rounded_up_to_all() {
        assert_eq!(success(Some(0.9994)), "99.94%");
        assert_eq!(success(Some(0.999_999)), "99.99%");
        assert_eq!(success(Some(1.0)), "100%");
        assert_eq!(success(Some(0.772)), "77.2%");
        assert_eq!(success(None), "–");
    }

    #[test]
    fn latency_has_three_digits_whatever_its_size() {
        let text = |micros| plain(&latency_text(micros, English));
        assert_eq!(text(400), "0.4 ms");
        assert_eq!(text(388_000), "388 ms");
        assert_eq!(text(999_700), "1.00 s");
        assert_eq!(text(1_920_000), "1.92 s");
        assert_eq!(text(21_400_000), "21.4 s");
        assert_eq!(text(125_000_000), "2 min 05 s");
        assert_eq!(latency_text(125_000_000, Chinese), "2 分 05 秒");
        assert_eq!(text(0), "–");
    }

    #[test]
    fn waits_round_up_and_ages_round_down() {
        assert_eq!(plain(&wait(38_000, 100, English)), "in 38 s");
        assert_eq!(plain(&wait(38_000, 0, Chinese)), "38 秒后");
        assert_eq!(plain(&age(0, 125_000, English)), "2 min ago");
        assert_eq!(age(0, 30 * HOUR_MS, Chinese), "昨天");
        assert_eq!(plain(&age(0, 3 * DAY_MS, English)), "3 days ago");
    }

    #[test]
    fn a_moment_is_shown_on_the_readers_calendar() {
        let at = 1_795_444_541_203; // 2026-11-23T14:35:41.203Z
        assert_eq!(iso(at, Zone::Offset(480)), "2026-11-23T22:35:41.203+08:00");
        assert_eq!(iso(at, Zone::Offset(-210)), "2026-11-23T11:05:41.203-03:30");
        assert_eq!(moment(at, at + 60_000, Zone::Offset(0), English), "14:35:41");
        assert_eq!(plain(&moment(at, at + DAY_MS, Zone::Offset(0), English)), "Nov 23, 14:35");
        assert_eq!(plain(&moment(at, at + DAY_MS, Zone::Offset(0), Chinese)), "11 月 23 日 14:35");
        assert_eq!(moment(at, at + 60 * DAY_MS, Zone::Offset(0), English), "2026-11-23");
        assert_eq!(Civil::of(951_782_400_000, Zone::Offset(0)).day, 29, "2000-02-29");
    }

    #[test]
    fn names_become_initials() {
        assert_eq!(initials("Chen Ming"), "CM");
        assert_eq!(initials("陈明"), "陈");
        assert_eq!(initials("root"), "R");
        assert_eq!(initials(""), "?");
    }
}
