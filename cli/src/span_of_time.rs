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
