//! Days and months as the clocks of a time zone show them: pure.
//!
//! A day is what lies between two midnights there, 23 or 25 hours long where the clocks are moved.
//! Periods are known by their name (`2026-11-23`, `2026-11`), so that a count that was written down
//! is found again after the time zone was changed, and by every node alike.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grain {
    /// From midnight to midnight.
    Day,
    /// From the first to the last day.
    Month,
}

/// One day or month. Its text form is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    grain: Grain,
    first: Date,
    /// Its first moment, unix milliseconds.
    pub starts_at_ms: i64,
    /// The first moment after it, unix milliseconds.
    pub ends_at_ms: i64,
}

impl Period {
    /// Whether it is a day or a month.
    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// Whether a moment lies in it.
    pub fn contains(&self, unix_ms: i64) -> bool {
        (self.starts_at_ms..self.ends_at_ms).contains(&unix_ms)
    }

    /// Whole seconds until it ends, at least one.
    pub fn seconds_left(&self, unix_ms: i64) -> u64 {
        let left_ms = u64::try_from(self.ends_at_ms.saturating_sub(unix_ms)).unwrap_or(0);
        left_ms.div_ceil(1_000).max(1)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.grain {
            Grain::Day => self.first.fmt(f),
            Grain::Month => write!(f, "{:04}-{:02}", self.first.year(), self.first.month()),
        }
    }
}

/// The day of a moment, and its month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Today {
    /// The day.
    pub day: Period,
    /// The month it lies in.
    pub month: Period,
}

/// Tells days and months apart in one time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// The calendar of this time zone.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// Day and month of a moment.
    pub fn at(&self, unix_ms: i64) -> Today {
        let moment = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
        let date = self.zone.to_datetime(moment).date();
        Today {
            day: self.period(Grain::Day, date, date),
            month: self.period(Grain::Month, date.first_of_month(), date.last_of_month()),
        }
    }

    /// The first moment of the week of a moment: midnight of its Monday.
    pub fn week_starts_at_ms(&self, unix_ms: i64) -> i64 {
        let moment = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
        let date = self.zone.to_datetime(moment).date();
        let back = date.weekday().to_monday_zero_offset();
        (0..back).try_fold(date, |date, _| date.yesterday()).map_or(unix_ms, |monday| self.midnight_ms(monday))
    }

    fn period(&self, grain: Grain, first: Date, last: Date) -> Period {
        let ends_at_ms = last.tomorrow().map_or(i64::MAX, |next| self.midnight_ms(next));
        Period { grain, first, starts_at_ms: self.midnight_ms(first), ends_at_ms }
    }

    /// The first moment of a day. Where the clocks skip midnight it is the moment they skip to.
    fn midnight_ms(&self, date: Date) -> i64 {
        date.to_zoned(self.zone.clone()).map_or(i64::MAX, |midnight| midnight.timestamp().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn at(zone: &str, moment: &str) -> Today {
        let calendar = Calendar::new(TimeZone::get(zone).expect("a zone"));
        calendar.at(moment.parse::<Timestamp>().expect("a moment").as_millisecond())
    }

    #[test]
    fn a_day_begins_at_midnight_of_its_time_zone() {
        let before = at("Asia/Shanghai", "2026-11-22T15:59:59.999Z");
        let after = at("Asia/Shanghai", "2026-11-22T16:00:00Z");
        assert_eq!((before.day.to_string(), after.day.to_string()), ("2026-11-22".into(), "2026-11-23".into()));
        assert_eq!(before.day.ends_at_ms, after.day.starts_at_ms);
        assert_eq!(after.day.ends_at_ms - after.day.starts_at_ms, 24 * HOUR_MS);
        assert_eq!(at("UTC", "2026-11-22T16:00:00Z").day.to_string(), "2026-11-22");
    }

    #[test]
    fn a_day_is_23_or_25_hours_long_where_the_clocks_are_moved() {
        let hours = |moment| {
            let day = at("Europe/Berlin", moment).day;
            (day.ends_at_ms - day.starts_at_ms) / HOUR_MS
        };
        assert_eq!(hours("2026-03-29T12:00:00Z"), 23);
        assert_eq!(hours("2026-10-25T12:00:00Z"), 25);
        assert_eq!(hours("2026-10-26T12:00:00Z"), 24);
    }

    #[test]
    fn a_day_without_a_midnight_begins_where_the_clocks_skip_to() {
        // At 24:00 of the 5th the clocks of Santiago show 01:00 of the 6th.
        let day = at("America/Santiago", "2026-09-06T12:00:00Z").day;
        assert_eq!(
            Timestamp::from_millisecond(day.starts_at_ms).expect("a moment").to_string(),
            "2026-09-06T04:00:00Z"
        );
        let before = at("America/Santiago", "2026-09-06T03:59:59Z").day;
        assert_eq!((before.to_string(), before.ends_at_ms), ("2026-09-05".into(), day.starts_at_ms));
    }

    #[test]
    fn a_month_is_as_long_as_it_is() {
        let days = |moment| {
            let month = at("UTC", moment).month;
            (month.to_string(), (month.ends_at_ms - month.starts_at_ms) / (24 * HOUR_MS))
        };
        assert_eq!(days("2028-02-29T23:59:59Z"), ("2028-02".into(), 29));
        assert_eq!(days("2026-12-31T23:59:59Z"), ("2026-12".into(), 31));
        assert_eq!(at("Asia/Shanghai", "2026-12-31T16:00:00Z").month.to_string(), "2027-01");
    }

    #[test]
    fn a_week_begins_on_monday() {
        let calendar = Calendar::new(TimeZone::get("Europe/Berlin").expect("a zone"));
        let ms = |moment: &str| moment.parse::<Timestamp>().expect("a moment").as_millisecond();
        // Sunday night and Monday morning, there.
        assert_eq!(calendar.week_starts_at_ms(ms("2026-11-22T22:59:00Z")), ms("2026-11-15T23:00:00Z"));
        assert_eq!(calendar.week_starts_at_ms(ms("2026-11-22T23:00:00Z")), ms("2026-11-22T23:00:00Z"));
    }

    #[test]
    fn a_period_knows_how_long_it_still_lasts() {
        let day = at("UTC", "2026-11-23T00:00:00Z").day;
        assert_eq!(day.seconds_left(day.starts_at_ms), 86_400);
        assert_eq!(day.seconds_left(day.ends_at_ms - 1), 1);
        assert_eq!(day.seconds_left(day.ends_at_ms + 5), 1);
        assert!(day.contains(day.starts_at_ms) && !day.contains(day.ends_at_ms));
    }

    #[test]
    fn a_moment_no_calendar_reaches_is_no_reason_to_panic() {
        let calendar = Calendar::new(TimeZone::UTC);
        assert_eq!(calendar.at(i64::MAX).day.to_string(), "1970-01-01");
    }
}
