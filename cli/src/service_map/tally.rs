//! How requests ended.

use aws_sdk_xray::types::{EdgeStatistics, ErrorStatistics, FaultStatistics, ServiceStatistics};

use super::histogram::count_as_number;

/// Counts of requests by how they ended. Those in none of the classes have not ended yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) total: u64,
    pub(crate) ok: u64,
    /// Client errors other than throttling.
    pub(crate) errors: u64,
    pub(crate) throttles: u64,
    pub(crate) faults: u64,
}

impl Tally {
    /// Adds another count.
    pub(crate) fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.ok += other.ok;
        self.errors += other.errors;
        self.throttles += other.throttles;
        self.faults += other.faults;
    }

    /// Returns the share of `part` in all requests, from 0 to 1.
    pub(crate) fn share(&self, part: u64) -> f64 {
        if self.total == 0 { 0.0 } else { count_as_number(part) / count_as_number(self.total) }
    }

    /// Returns how many requests per second there were over a time in seconds.
    pub(crate) fn rate(&self, seconds: f64) -> f64 {
        count_as_number(self.total) / seconds.max(1.0)
    }

    fn of(
        total: Option<i64>,
        ok: Option<i64>,
        errors: Option<&ErrorStatistics>,
        faults: Option<&FaultStatistics>,
    ) -> Self {
        let count = |count: Option<i64>| u64::try_from(count.unwrap_or_default()).unwrap_or_default();
        Self {
            total: count(total),
            ok: count(ok),
            errors: count(errors.and_then(ErrorStatistics::other_count)),
            throttles: count(errors.and_then(ErrorStatistics::throttle_count)),
            faults: count(faults.and_then(FaultStatistics::total_count)),
        }
    }
}

impl From<&ServiceStatistics> for Tally {
    fn from(statistics: &ServiceStatistics) -> Self {
        let ServiceStatistics { total_count, ok_count, error_statistics, fault_statistics, .. } = statistics;
        Self::of(*total_count, *ok_count, error_statistics.as_ref(), fault_statistics.as_ref())
    }
}

impl From<&EdgeStatistics> for Tally {
    fn from(statistics: &EdgeStatistics) -> Self {
        let EdgeStatistics { total_count, ok_count, error_statistics, fault_statistics, .. } = statistics;
        Self::of(*total_count, *ok_count, error_statistics.as_ref(), fault_statistics.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_split_into_what_differs_in_colour() {
        let errors = ErrorStatistics::builder().throttle_count(2).other_count(3).total_count(5).build();
        let faults = FaultStatistics::builder().other_count(1).total_count(1).build();
        let statistics = EdgeStatistics::builder().total_count(10).ok_count(4);
        let statistics = statistics.error_statistics(errors).fault_statistics(faults).build();
        let tally = Tally::from(&statistics);
        assert_eq!(tally, Tally { total: 10, ok: 4, errors: 3, throttles: 2, faults: 1 });
        assert_eq!((tally.share(tally.faults), tally.rate(20.0)), (0.1, 0.5));
        assert_eq!(Tally::default().share(0).to_bits(), 0.0_f64.to_bits());
    }
}
