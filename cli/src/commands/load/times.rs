//! Times in histograms of three significant digits, whose memory does not depend on their number.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use histogram_log::Interval;
use serde::{Deserialize, Serialize};

use crate::service_map;

/// Times in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Times(Histogram<u64>);

/// What half, nine in ten, 99 in a hundred and all of the times do not exceed, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Times {
    /// Returns no times.
    pub(super) fn none() -> Self {
        Self(histogram_log::empty())
    }

    /// Counts a time. One below zero, by which two clocks differ, counts as none; one above an hour counts as an hour.
    pub(super) fn count(&mut self, microseconds: i64) {
        self.0.saturating_record(u64::try_from(microseconds).unwrap_or_default());
    }

    /// Returns how many times were counted.
    pub(super) fn total(&self) -> u64 {
        self.0.len()
    }

    /// Returns the percentiles; `None` without times.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let at = |share| seconds(self.0.value_at_quantile(share));
        (self.total() > 0).then(|| Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: seconds(self.0.max()),
        })
    }

    /// Returns the times as what an interval of a log has.
    pub(super) fn interval(&self, began: SystemTime, length: Duration) -> Interval {
        Interval { began, length, histogram: self.0.clone() }
    }

    /// Returns the times in the form that is drawn.
    pub(super) fn histogram(&self) -> service_map::Histogram {
        let mut histogram = service_map::Histogram::default();
        for value in self.0.iter_recorded() {
            histogram.count(seconds(value.value_iterated_to()), value.count_since_last_iteration());
        }
        histogram
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most an hour in microseconds")]
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut times = Times::none();
        assert_eq!(times.percentiles(), None);
        (1..=1000).for_each(|milliseconds| times.count(milliseconds * 1000));
        let found = times.percentiles().unwrap();
        for (found, expected) in [(found.p50, 0.5), (found.p90, 0.9), (found.p99, 0.99), (found.max, 1.0)] {
            assert!((found / expected - 1.0).abs() < 1e-3, "{found} instead of {expected}");
        }
        assert_eq!(times.histogram().total(), 1000);
    }

    #[test]
    fn no_time_is_left_out() {
        let mut times = Times::none();
        for microseconds in [-5, 0, i64::MAX] {
            times.count(microseconds);
        }
        assert_eq!(times.total(), 3);
    }
}
