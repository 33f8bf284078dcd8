//! Schedule expressions: `rate(5 minutes)` and `cron(0 12 * * ? *)` (EventBridge user guide, "Schedule types").

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

const FIRST_YEAR: i16 = 1970;
const LAST_YEAR: i16 = 2199;
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When a rule fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    Rate(SignedDuration),
    Cron(Box<Cron>),
}

impl Schedule {
    /// Reads an expression; `None` if AWS refuses it.
    pub(super) fn read(text: &str) -> Option<Self> {
        let inside = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            return read_rate(rate).map(Self::Rate);
        }
        Cron::read(inside("cron")?).map(|cron| Self::Cron(Box::new(cron)))
    }

    /// Returns the first time after another at which the rule fires; `None` if it never does.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Rate(every) => after.checked_add(*every).ok(),
            Self::Cron(cron) => cron.next(after),
        }
    }
}

fn read_rate(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_once(' ')?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let unit = if number == 1 { unit } else { unit.strip_suffix('s')? };
    let seconds = match unit {
        "minute" => 60,
        "hour" => 3600,
        "day" => 86400,
        _ => return None,
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}

/// The six fields of a cron expression. One of the two fields for days is `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: Days,
    months: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(BTreeSet<i16>),
    LastOfMonth,
    /// The weekday nearest to a day of the month.
    NearestWeekday(i16),
    /// One is Sunday, as in AWS's expressions.
    OfWeek(BTreeSet<i16>),
    /// The last such weekday of the month.
    LastOfWeek(i16),
    /// The nth such weekday of the month.
    NthOfWeek(i16, i16),
}

impl Cron {
    fn read(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, day_of_month, months, day_of_week, years] = fields[..] else { return None };
        let days = match (day_of_month, day_of_week) {
            (of_month, "?") if of_month != "?" => read_day_of_month(of_month)?,
            ("?", of_week) => read_day_of_week(of_week)?,
            _ => return None,
        };
        Some(Self {
            minutes: read_set(minutes, 0, 59, &[])?,
            hours: read_set(hours, 0, 23, &[])?,
            days,
            months: read_set(months, 1, 12, &MONTHS)?,
            years: read_set(years, FIRST_YEAR, LAST_YEAR, &[])?,
        })
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after.to_zoned(TimeZone::UTC).datetime();
        let mut date = start.date();
        let last_year = self.years.last()?;
        while date.year() <= *last_year {
            if !self.years.contains(&date.year()) {
                date = Date::new(date.year() + 1, 1, 1).ok()?;
                continue;
            }
            if self.months.contains(&i16::from(date.month())) && self.days.contains(date) {
                for hour in &self.hours {
                    for minute in &self.minutes {
                        let at = date.at(i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?, 0, 0);
                        if at > start {
                            return Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp());
                        }
                    }
                }
            }
            date = date.checked_add(1.day()).ok()?;
        }
        None
    }
}

impl Days {
    fn contains(&self, date: Date) -> bool {
        let day = i16::from(date.day());
        let weekday = i16::from(date.weekday().to_sunday_one_offset());
        let days_in_month = i16::from(date.days_in_month());
        match self {
            Self::OfMonth(days) => days.contains(&day),
            Self::LastOfMonth => day == days_in_month,
            Self::NearestWeekday(wanted) => day == nearest_weekday(date, (*wanted).min(days_in_month)),
            Self::OfWeek(weekdays) => weekdays.contains(&weekday),
            Self::LastOfWeek(wanted) => weekday == *wanted && day + 7 > days_in_month,
            Self::NthOfWeek(wanted, n) => weekday == *wanted && (day - 1) / 7 + 1 == *n,
        }
    }
}

/// Returns the day of the month that is a weekday and nearest to another day of that month, without leaving the month.
fn nearest_weekday(month: Date, wanted: i16) -> i16 {
    let last = i16::from(month.days_in_month());
    let weekday = i8::try_from(wanted)
        .ok()
        .and_then(|day| Date::new(month.year(), month.month(), day).ok())
        .map(Date::weekday);
    match weekday {
        Some(Weekday::Saturday) if wanted == 1 => 3,
        Some(Weekday::Saturday) => wanted - 1,
        Some(Weekday::Sunday) if wanted == last => wanted - 2,
        Some(Weekday::Sunday) => wanted + 1,
        _ => wanted,
    }
}

fn read_day_of_month(text: &str) -> Option<Days> {
    if text == "L" {
        return Some(Days::LastOfMonth);
    }
    if let Some(day) = text.strip_suffix('W') {
        return read_value(day, 1, 31, &[]).map(Days::NearestWeekday);
    }
    read_set(text, 1, 31, &[]).map(Days::OfMonth)
}

fn read_day_of_week(text: &str) -> Option<Days> {
    if text == "L" {
        return Some(Days::OfWeek([7].into()));
    }
    if let Some(day) = text.strip_suffix('L') {
        return read_value(day, 1, 7, &WEEKDAYS).map(Days::LastOfWeek);
    }
    if let Some((day, n)) = text.split_once('#') {
        return Some(Days::NthOfWeek(read_value(day, 1, 7, &WEEKDAYS)?, read_value(n, 1, 5, &[])?));
    }
    read_set(text, 1, 7, &WEEKDAYS).map(Days::OfWeek)
}

/// Reads a list of values, ranges and steps. `names` are those of the values from the first one on.
fn read_set(text: &str, first: i16, last: i16, names: &[&str]) -> Option<BTreeSet<i16>> {
    let mut values = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(read_value(step, 1, last.max(1), &[])?)),
            None => (part, None),
        };
        let (from, to) = if range == "*" {
            (first, last)
        } else if let Some((from, to)) = range.split_once('-') {
            (read_value(from, first, last, names)?, read_value(to, first, last, names)?)
        } else {
            let from = read_value(range, first, last, names)?;
            (from, if step.is_some() { last } else { from })
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        if from <= to {
            values.extend((from..=to).step_by(step));
        } else {
            // A range may go over the end: FRI-MON.
            let size = last - first + 1;
            values.extend((from..=to + size).step_by(step).map(|value| (value - first) % size + first));
        }
    }
    Some(values)
}

fn read_value(text: &str, first: i16, last: i16, names: &[&str]) -> Option<i16> {
    if let Some(index) = names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
        return i16::try_from(index).ok().map(|index| first + index);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|value| (first..=last).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, after: &str) -> Option<String> {
        let next = Schedule::read(expression).unwrap().next(after.parse().unwrap())?;
        Some(next.to_string())
    }

    #[test]
    fn rates_agree_with_their_unit_in_number() {
        for expression in
            ["rate(1 minute)", "rate(2 minutes)", "rate(1 hour)", "rate(12 hours)", "rate(1 day)"]
        {
            assert!(Schedule::read(expression).is_some(), "{expression}");
        }
        for expression in [
            "rate(10 seconds)",
            "rate(10 years)",
            "rate(1 minutes)",
            "rate(1 hours)",
            "rate(1 days)",
            "rate(10 minute)",
            "rate(10 day)",
            "rate()",
            "rate(10)",
            "rate(10 minutess)",
            "rate(foo minutes)",
            "rate(0 minutes)",
            "rate(-10 minutes)",
            "rate(10 MINUTES)",
            "rate( 10 minutes )",
            " rate(10 minutes)",
            "every(1 minute)",
            "",
        ] {
            assert!(Schedule::read(expression).is_none(), "{expression}");
        }
        assert_eq!(next("rate(5 minutes)", "2026-01-01T00:00:07Z").unwrap(), "2026-01-01T00:05:07Z");
    }

    #[test]
    fn malformed_cron_expressions_are_refused() {
        for expression in [
            "cron(0 1 * * * *)",
            "cron(0 1 ? * ? *)",
            "cron(7 20 * * NOT *)",
            "cron(INVALID)",
            "cron(0 dummy ? * MON-FRI *)",
            "cron(71 8 1 * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 12 32 * ? *)",
            "cron(0 12 * 13 ? *)",
            "cron(0 12 ? * 8 *)",
            "cron(0 12 ? * 2#6 *)",
            "cron(0 12 * * ?)",
            "cron(0 12 * * ? 1969)",
            "cron(0/0 12 * * ? *)",
            "cron(, 12 * * ? *)",
        ] {
            assert!(Schedule::read(expression).is_none(), "{expression}");
        }
    }

    #[test]
    fn cron_expressions_fire_in_utc() {
        for (expression, expected) in [
            ("cron(0 12 * * ? *)", "2026-01-15T12:00:00Z"),
            ("cron(5,35 14 * * ? *)", "2026-01-15T14:05:00Z"),
            ("cron(0/15 * * * ? *)", "2026-01-15T10:15:00Z"),
            ("cron(* * ? * SAT#3 *)", "2026-01-17T00:00:00Z"),
            ("cron(0 2 ? * SAT *)", "2026-01-17T02:00:00Z"),
            ("cron(0 18 ? * mon-fri *)", "2026-01-15T18:00:00Z"),
            ("cron(0 18 ? * FRI-MON *)", "2026-01-16T18:00:00Z"),
            ("cron(15 10 ? * 6L 2026-2027)", "2026-01-30T10:15:00Z"),
            ("cron(0 8 1 * ? *)", "2026-02-01T08:00:00Z"),
            ("cron(0 0 L 2 ? 2028)", "2028-02-29T00:00:00Z"),
            ("cron(0 0 15W 2,8 ? *)", "2026-02-16T00:00:00Z"),
            ("cron(0/5 5 ? JAN 1-5 2027)", "2027-01-03T05:00:00Z"),
        ] {
            assert_eq!(next(expression, "2026-01-15T10:00:30Z").as_deref(), Some(expected), "{expression}");
        }
        assert_eq!(next("cron(15 10 ? * 6L 2002-2005)", "2026-01-15T10:00:30Z"), None);
        assert_eq!(next("cron(0 0 30 2 ? *)", "2026-01-15T10:00:30Z"), None);
    }
}
