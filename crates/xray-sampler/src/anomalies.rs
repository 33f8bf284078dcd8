//! Counts of a rule's traces that have ended, from which X-Ray decides whether to boost the rule's rate.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a trace ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Without an anomaly.
    Normally,
    /// With an anomaly that was sampled.
    SampledAnomaly,
    /// With an anomaly that was not.
    UnsampledAnomaly,
}

/// The traces of one rule. Each increments exactly one counter, so that a snapshot never contains more anomalies than
/// traces.
#[derive(Debug, Default)]
pub(crate) struct Anomalies {
    normal: AtomicU64,
    sampled: AtomicU64,
    unsampled: AtomicU64,
}

/// The counts taken for a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TakenAnomalies {
    normal: u64,
    sampled: u64,
    unsampled: u64,
}

impl Anomalies {
    /// Counts a trace.
    pub(crate) fn count(&self, ended: Ended) {
        let counter = match ended {
            Ended::Normally => &self.normal,
            Ended::SampledAnomaly => &self.sampled,
            Ended::UnsampledAnomaly => &self.unsampled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the counts for a report, and resets them.
    pub(crate) fn take(&self) -> TakenAnomalies {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        TakenAnomalies {
            normal: take(&self.normal),
            sampled: take(&self.sampled),
            unsampled: take(&self.unsampled),
        }
    }

    /// Puts back what was taken for a report that failed.
    pub(crate) fn put_back(&self, taken: TakenAnomalies) {
        self.normal.fetch_add(taken.normal, Ordering::Relaxed);
        self.sampled.fetch_add(taken.sampled, Ordering::Relaxed);
        self.unsampled.fetch_add(taken.unsampled, Ordering::Relaxed);
    }
}

impl TakenAnomalies {
    /// Returns the number of traces.
    pub(crate) fn total(self) -> u64 {
        self.normal.saturating_add(self.anomalies())
    }

    /// Returns the number of those with an anomaly.
    pub(crate) fn anomalies(self) -> u64 {
        self.sampled.saturating_add(self.unsampled)
    }

    /// Returns the number of those that were sampled.
    pub(crate) fn sampled_anomalies(self) -> u64 {
        self.sampled
    }
}

#[cfg(test)]
mod tests {
    use super::{Anomalies, Ended, TakenAnomalies};

    #[test]
    fn traces_are_counted_once_until_they_are_taken_and_again_if_their_report_failed() {
        let anomalies = Anomalies::default();
        for ended in [Ended::Normally, Ended::Normally, Ended::SampledAnomaly, Ended::UnsampledAnomaly] {
            anomalies.count(ended);
        }
        let taken = anomalies.take();
        assert_eq!((taken.total(), taken.anomalies(), taken.sampled_anomalies()), (4, 2, 1));
        assert_eq!(anomalies.take(), TakenAnomalies::default());
        anomalies.count(Ended::Normally);
        anomalies.put_back(taken);
        assert_eq!(anomalies.take().total(), 5);
    }
}
