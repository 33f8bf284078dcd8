//! Spans of time on the command line.

#[cfg(feature = "local")]
use std::time::Duration;

/// Reads a number of whole seconds, such as `15m`.
///
/// # Errors
/// When it is none, or not from a second to a year.
pub(crate) fn seconds(text: &str) -> Result<i64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(*unit)?.parse().ok()?;
        Some(i64::from(number) * seconds)
    });
    parsed
        .filter(|seconds| (1..=365 * 86_400).contains(seconds))
        .ok_or_else(|| "a number and s, m, h or d, such as 15m; at most 365d".to_owned())
}

/// Reads a response time, such as `500ms` or `1.5s`.
///
/// # Errors
/// When it is none, or not from a millisecond to a day.
#[cfg(feature = "local")]
pub(crate) fn response_time(text: &str) -> Result<Duration, String> {
    let number = |suffix: &str| text.strip_suffix(suffix)?.parse::<f64>().ok();
    number("ms")
        .map(|milliseconds| milliseconds / 1e3)
        .or_else(|| number("s"))
        .filter(|seconds| (0.001..=86_400.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "a number and ms or s, such as 500ms or 1.5s; at most a day".to_owned())
}

/// Returns a time in seconds with its unit, in two or three digits: `4.2 ms`, `250 ms`, `1.2 s`, `3 min`.
pub(crate) fn short(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 0.009_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 119.5 => format!("{s:.0} s"),
        s if s < 7_170.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(["30s", "15m", "6h", "2d"].map(seconds), [Ok(30), Ok(900), Ok(21_600), Ok(172_800)]);
        for invalid in ["", "15", "m", "-5m", "0s", "1w", "366d", "1.5h", "15é"] {
            assert!(seconds(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn times_are_short() {
        let times = [0.000_04, 0.004_2, 0.25, 0.999_6, 1.25, 12.3, 180.0, 7_200.0].map(short);
        assert_eq!(times, ["40 µs", "4.2 ms", "250 ms", "1.0 s", "1.2 s", "12 s", "3 min", "2 h"]);
    }

    #[cfg(feature = "local")]
    #[test]
    fn response_times_may_be_fractions() {
        let milliseconds = |text| response_time(text).map(|time| time.as_millis());
        assert_eq!(["500ms", "1.5s", "2s"].map(milliseconds), [Ok(500), Ok(1_500), Ok(2_000)]);
        for invalid in ["", "5", "s", "-1s", "0ms", "NaNs", "infs", "2m"] {
            assert!(response_time(invalid).is_err(), "{invalid}");
        }
    }
}
