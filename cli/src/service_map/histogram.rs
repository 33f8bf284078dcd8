//! How often requests took how long.

use std::collections::BTreeMap;

use aws_sdk_xray::types::HistogramEntry;

/// Counts by seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// Returns a histogram of these times in seconds, each with its count.
    #[cfg(test)]
    pub(crate) fn of(entries: &[(f64, u64)]) -> Self {
        let mut histogram = Self::default();
        for (seconds, count) in entries {
            histogram.count(*seconds, *count);
        }
        histogram
    }

    /// Adds the entries of X-Ray's histogram.
    pub(crate) fn add(&mut self, entries: &[HistogramEntry]) {
        for entry in entries {
            self.count(entry.value(), u64::try_from(entry.count()).unwrap_or_default());
        }
    }

    /// Counts a time in seconds. One that is negative or not a number is left out.
    pub(crate) fn count(&mut self, seconds: f64, count: u64) {
        if seconds >= 0.0 && seconds.is_finite() && count > 0 {
            // Bits of numbers that are not negative have the same order as the numbers; the sum makes -0 positive.
            *self.0.entry((seconds + 0.0).to_bits()).or_default() += count;
        }
    }

    /// Returns how many times were counted.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Iterates over seconds with their counts, in ascending order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (f64, u64)> {
        self.0.iter().map(|(bits, count)| (f64::from_bits(*bits), *count))
    }

    /// Returns the smallest time that at least this share of all do not exceed (nearest rank); `None` if there are none.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let total = self.total();
        let mut below = 0;
        self.iter().find_map(|(seconds, count)| {
            below += count;
            (count_as_number(below) >= share * count_as_number(total)).then_some(seconds)
        })
    }
}

/// Converts a count for a division. Counts stay far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
pub(crate) fn count_as_number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let histogram = Histogram::of(&[(0.3, 1), (0.1, 98), (2.0, 1)]);
        let percentiles = [0.0, 0.5, 0.98, 0.99, 1.0].map(|share| histogram.percentile(share));
        assert_eq!(percentiles, [Some(0.1), Some(0.1), Some(0.1), Some(0.3), Some(2.0)]);
        assert_eq!(Histogram::default().percentile(0.5), None);
    }

    #[test]
    fn what_is_no_time_is_left_out() {
        let histogram = Histogram::of(&[(-1.0, 3), (f64::NAN, 3), (f64::INFINITY, 1), (-0.0, 2), (0.0, 1)]);
        assert_eq!(histogram.iter().collect::<Vec<_>>(), [(0.0, 3)]);
    }
}
