//! Where values and moments stand on an axis, and which of them get a word. Pure.

use crate::ui::{
    clock::Zone,
    format::{self, Civil},
    i18n::Language,
};

/// A word at a place of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Place, 0–100 percent from the top or from the left.
    pub percent: f64,
    /// The word.
    pub label: String,
}

/// A linear axis from zero.
#[derive(Clone, Debug, PartialEq)]
pub struct CountScale {
    /// Value at the top.
    pub top: f64,
    /// Values that get a gridline.
    pub steps: Vec<u64>,
}

impl CountScale {
    /// Room for the largest value, with two to four gridlines at round numbers.
    pub fn for_max(max: u64) -> Self {
        let max = max.max(1);
        let mut step = 1_u64;
        'sizes: loop {
            for factor in [1, 2, 5] {
                if max / (step * factor) <= 3 {
                    step *= factor;
                    break 'sizes;
                }
            }
            step *= 10;
        }
        let steps = (1..=max / step).map(|n| n * step).collect();
        Self { top: max as f64 * 1.08, steps }
    }
}

/// A logarithmic axis of microseconds, between round times.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyScale {
    low: f64,
    high: f64,
    /// Times that get a gridline, microseconds.
    pub steps: Vec<u64>,
}

impl LatencyScale {
    /// Room for all values that are not zero.
    pub fn for_values(values: impl Iterator<Item = u64>) -> Self {
        let (mut low, mut high) = (u64::MAX, 0);
        for value in values.filter(|value| *value > 0) {
            low = low.min(value);
            high = high.max(value);
        }
        if high == 0 {
            (low, high) = (300_000, 10_000_000);
        }
        // 1, 3, 10, 30 … from a tenth of a millisecond to three hours.
        let rounds: Vec<u64> = (2..11).flat_map(|power| [10_u64.pow(power), 3 * 10_u64.pow(power)]).collect();
        let from = rounds.iter().rposition(|round| *round <= low).unwrap_or(0);
        let to = rounds.iter().position(|round| *round >= high).unwrap_or(rounds.len() - 1).max(from + 1);
        let mut steps = rounds[from..=to].to_vec();
        if steps.len() > 5 {
            steps.retain(|step| step.to_string().starts_with('1'));
        }
        Self { low: rounds[from] as f64 * 0.82, high: rounds[to] as f64 * 1.15, steps }
    }

    /// Place of a time, 0 (top) – 1 (bottom).
    pub fn place(&self, micros: u64) -> f64 {
        let part = (micros.max(1) as f64 / self.low).ln() / (self.high / self.low).ln();
        1.0 - part.clamp(0.0, 1.0)
    }
}

/// Words on a time axis of equal columns: round hours, the day at midnight; at most six.
pub fn time_ticks(first_ms: i64, step_ms: i64, columns: usize, zone: Zone, language: Language) -> Vec<Tick> {
    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    const DAY_MS: i64 = 24 * HOUR_MS;
    const GAPS: [i64; 10] = [
        10 * MINUTE_MS,
        15 * MINUTE_MS,
        30 * MINUTE_MS,
        HOUR_MS,
        3 * HOUR_MS,
        6 * HOUR_MS,
        12 * HOUR_MS,
        DAY_MS,
        2 * DAY_MS,
        7 * DAY_MS,
    ];
    let length_ms = step_ms * columns as i64;
    if length_ms <= 0 {
        return Vec::new();
    }
    let gap = GAPS.into_iter().find(|gap| length_ms / gap <= 6).unwrap_or(DAY_MS * 30);
    let offset_ms = i64::from(zone.minutes_at(first_ms)) * MINUTE_MS;
    let mut at = (first_ms + offset_ms).div_euclid(gap) * gap + gap - offset_ms;
    let mut ticks = Vec::new();
    while at < first_ms + length_ms {
        let percent = (at - first_ms) as f64 / length_ms as f64 * 100.0;
        // A word at the very edge would stand outside the card.
        if (3.0..=97.0).contains(&percent) {
            let civil = Civil::of(at, zone);
            let midnight = civil.hour == 0 && civil.minute == 0;
            let label = if midnight || gap >= DAY_MS { civil.month_day(language) } else { civil.hour_minute() };
            ticks.push(Tick { percent, label });
        }
        at += gap;
    }
    ticks
}

/// `13:05 – 13:20`: the time a column covers.
pub fn column_time(at_ms: i64, step_ms: i64, zone: Zone, language: Language) -> String {
    let (from, to) = (Civil::of(at_ms, zone), Civil::of(at_ms + step_ms, zone));
    let range = format!("{}\u{a0}–\u{a0}{}", from.hour_minute(), to.hour_minute());
    if step_ms < 3_600_000 { range } else { format!("{} {range}", from.month_day(language)) }
}

/// The words of an axis of counts, from the top.
pub fn count_ticks(scale: &CountScale, base_percent: f64, language: Language) -> Vec<Tick> {
    let tick = |value: &u64| Tick {
        percent: (1.0 - *value as f64 / scale.top) * base_percent,
        label: axis_count(*value, language),
    };
    scale.steps.iter().map(tick).collect()
}

/// `2 k`, `1,500`: short, for an axis.
fn axis_count(value: u64, language: Language) -> String {
    if language == Language::English && (1000..1_000_000).contains(&value) {
        // Steps are 1, 2 or 5 by tens: one digit after the point says all.
        return format!("{}\u{a0}k", value as f64 / 1000.0);
    }
    if value < 10_000 { format::count(value) } else { format::compact_text(value, language) }
}

/// `300 ms`, `3 s`: round times need no digits after the point.
pub fn axis_latency(micros: u64) -> String {
    match micros {
        ..1_000 => format!("0.{}\u{a0}ms", micros / 100),
        1_000..1_000_000 => format!("{}\u{a0}ms", micros / 1_000),
        _ => format!("{}\u{a0}s", micros / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_axis_has_few_round_lines() {
        assert_eq!(CountScale::for_max(2_243).steps, [1_000, 2_000]);
        assert_eq!(CountScale::for_max(7).steps, [2, 4, 6]);
        assert_eq!(CountScale::for_max(1).steps, [1]);
        assert_eq!(CountScale::for_max(0).steps, [1]);
        assert_eq!(CountScale::for_max(38_000).steps, [10_000, 20_000, 30_000]);
    }

    #[test]
    fn a_latency_axis_runs_between_round_times() {
        let scale = LatencyScale::for_values([388_000, 9_100_000, 0].into_iter());
        assert_eq!(scale.steps, [300_000, 1_000_000, 3_000_000, 10_000_000]);
        assert!(scale.place(10_000_000) < scale.place(388_000));
        assert_eq!(LatencyScale::for_values(std::iter::empty()).steps.len(), 4);
        assert_eq!(LatencyScale::for_values([700, 900].into_iter()).steps, [300, 1_000]);
    }

    #[test]
    fn time_is_told_at_round_hours_and_the_day_at_midnight() {
        let noon = 1_795_435_200_000; // 2026-11-23T12:00Z
        let ticks = time_ticks(noon, 900_000, 96, Zone::Offset(0), Language::English);
        let words: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(words, ["18:00", "Nov\u{a0}24", "06:00"]);
        let east = time_ticks(noon, 900_000, 96, Zone::Offset(120), Language::English);
        assert_eq!(east[0].label, "18:00", "aligned to the reader's hours");
    }
}
