//! When each event is due, whatever became of those before it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The highest rate: above it, one generator on the layer's own machine measures mostly itself.
const HIGHEST: f64 = 10_000.0;

/// Events per second, such as `20/s`; may be a fraction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Rate(f64);

impl Rate {
    /// Returns the rate, unless it is not above 0 or higher than a generator can reach.
    pub(super) fn per_second(rate: f64) -> Option<Self> {
        (rate > 0.0 && rate <= HIGHEST).then_some(Self(rate))
    }

    /// Returns the events per second.
    pub(super) fn as_f64(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |unit: &str| text.strip_suffix(unit)?.parse::<f64>().ok();
        number("/s")
            .or_else(|| number("/m").map(|a_minute| a_minute / 60.0))
            .and_then(Self::per_second)
            .ok_or_else(|| format!("a number above 0 and /s or /m, such as 20/s; at most {HIGHEST}/s"))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Three decimals are enough to tell rates apart, and trailing zeros tell nothing.
        let text = format!("{:.3}", self.0);
        write!(f, "{}/s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The intended times of a number of events, from the first one on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    pub(super) rate: Rate,
    pub(super) length: Duration,
}

impl Schedule {
    /// Returns the number of events, at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 10,000 a second for a year"
    )]
    pub(super) fn events(&self) -> u64 {
        // A little more, since a tenth of a second times 10/s is not exactly 1.
        ((self.rate.0 * self.length.as_secs_f64() + 1e-6) as u64).max(1)
    }

    /// Iterates over the times since the start of the schedule at which events are due.
    #[expect(clippy::cast_precision_loss, reason = "numbers of events are far below 2^52")]
    pub(super) fn times(self) -> impl Iterator<Item = Duration> {
        // From the number each time, so that errors do not add up.
        (0..self.events()).map(move |number| Duration::from_secs_f64(number as f64 / self.rate.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: f64, length: Duration) -> Schedule {
        Schedule { rate: Rate(rate), length }
    }

    #[test]
    fn rates_have_a_unit() {
        let read = |text: &str| text.parse::<Rate>().map(Rate::as_f64);
        assert_eq!(
            ["20/s", "0.5/s", "1200/m", "10000/s"].map(read),
            [Ok(20.0), Ok(0.5), Ok(20.0), Ok(10_000.0)]
        );
        for invalid in ["", "20", "/s", "0/s", "-1/s", "NaN/s", "inf/s", "10001/s", "20/h"] {
            assert!(read(invalid).is_err(), "{invalid}");
        }
        assert_eq!(
            [20.0, 0.5, 33.75, 1000.0 / 3.0].map(|rate| Rate(rate).to_string()),
            ["20/s", "0.5/s", "33.75/s", "333.333/s"]
        );
    }

    #[test]
    fn times_are_evenly_spaced_from_the_start() {
        let times: Vec<_> =
            schedule(4.0, Duration::from_secs(1)).times().map(|time| time.as_millis()).collect();
        assert_eq!(times, [0, 250, 500, 750]);
        let slow: Vec<_> = schedule(0.5, Duration::from_secs(4)).times().map(|time| time.as_secs()).collect();
        assert_eq!(slow, [0, 2]);
        assert_eq!(schedule(0.5, Duration::from_secs(1)).events(), 1);
    }

    #[test]
    fn no_time_drifts() {
        for (rate, seconds) in [(0.3, 3_000), (7.0, 3_600), (333.3, 60), (9_999.9, 10)] {
            let schedule = schedule(rate, Duration::from_secs(seconds));
            let last = schedule.times().last().unwrap();
            let number = f64::from(u32::try_from(schedule.events() - 1).unwrap());
            assert!((last.as_secs_f64() - number / rate).abs() < 1e-6, "{rate}");
            assert!(last <= schedule.length, "{rate}");
        }
    }
}
