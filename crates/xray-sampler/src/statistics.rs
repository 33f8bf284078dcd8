//! Counts of a rule's decisions since the last report.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::anomalies::{Anomalies, TakenAnomalies};

/// The outcome of a decision, and what it is based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Sampled within the quota that X-Ray assigned.
    Quota,
    /// Sampled by borrowing from the reservoir, without a quota.
    Borrowed,
    /// Sampled by the fixed rate.
    Rate,
    /// Not sampled.
    NotSampled,
}

impl Outcome {
    pub(crate) fn is_sampled(self) -> bool {
        self != Self::NotSampled
    }
}

/// The decisions of one rule. Each increments exactly one counter, so that a snapshot never contains more borrowed
/// traces than sampled ones, or more sampled ones than requests, even while other threads are counting.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    quota: AtomicU64,
    borrowed: AtomicU64,
    rate: AtomicU64,
    not_sampled: AtomicU64,
    /// How the traces ended, if anomalies are detected.
    pub(crate) anomalies: Anomalies,
}

/// The counts of a report, as X-Ray defines them: `requests` includes `sampled`, which includes `borrowed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) sampled: u64,
    pub(crate) borrowed: u64,
}

/// Statistics taken for a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    quota: u64,
    borrowed: u64,
    rate: u64,
    not_sampled: u64,
    anomalies: TakenAnomalies,
}

impl Statistics {
    /// Counts a decision.
    pub(crate) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Quota => &self.quota,
            Outcome::Borrowed => &self.borrowed,
            Outcome::Rate => &self.rate,
            Outcome::NotSampled => &self.not_sampled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the counts for a report, and resets them.
    pub(crate) fn take(&self) -> Taken {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Taken {
            quota: take(&self.quota),
            borrowed: take(&self.borrowed),
            rate: take(&self.rate),
            not_sampled: take(&self.not_sampled),
            anomalies: self.anomalies.take(),
        }
    }

    /// Puts back what was taken for a report that failed.
    pub(crate) fn put_back(&self, taken: Taken) {
        self.quota.fetch_add(taken.quota, Ordering::Relaxed);
        self.borrowed.fetch_add(taken.borrowed, Ordering::Relaxed);
        self.rate.fetch_add(taken.rate, Ordering::Relaxed);
        self.not_sampled.fetch_add(taken.not_sampled, Ordering::Relaxed);
        self.anomalies.put_back(taken.anomalies);
    }
}

impl Taken {
    /// Returns whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how traces ended, or `None` if none did or anomalies are not detected.
    pub(crate) fn anomalies(self) -> Option<TakenAnomalies> {
        (self.anomalies.total() > 0).then_some(self.anomalies)
    }

    /// Returns the counts, or `None` if there were no requests.
    pub(crate) fn counts(self) -> Option<Counts> {
        let sampled = self.quota.saturating_add(self.borrowed).saturating_add(self.rate);
        let requests = sampled.saturating_add(self.not_sampled);
        (requests > 0).then_some(Counts { requests, sampled, borrowed: self.borrowed })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{Counts, Outcome, Statistics};

    const OUTCOMES: [Outcome; 4] = [Outcome::Quota, Outcome::Borrowed, Outcome::Rate, Outcome::NotSampled];

    #[test]
    fn decisions_are_counted_once_until_they_are_taken() {
        let statistics = Statistics::default();
        assert_eq!(statistics.take().counts(), None);
        for outcome in OUTCOMES {
            statistics.count(outcome);
        }
        let expected = Counts { requests: 4, sampled: 3, borrowed: 1 };
        assert_eq!(statistics.take().counts(), Some(expected));
        assert_eq!(statistics.take().counts(), None);
    }

    #[test]
    fn what_did_not_arrive_goes_with_the_next_report() {
        let statistics = Statistics::default();
        statistics.count(Outcome::Borrowed);
        let taken = statistics.take();
        statistics.count(Outcome::NotSampled);
        statistics.put_back(taken);
        let expected = Counts { requests: 2, sampled: 1, borrowed: 1 };
        assert_eq!(statistics.take().counts(), Some(expected));
    }

    #[test]
    fn every_snapshot_is_consistent_while_others_count() {
        let statistics = Arc::new(Statistics::default());
        let done = Arc::new(AtomicBool::new(false));
        let counting = std::thread::spawn({
            let (statistics, done) = (statistics.clone(), done.clone());
            move || {
                for _ in 0..50_000 {
                    for outcome in OUTCOMES {
                        statistics.count(outcome);
                    }
                }
                done.store(true, Ordering::Release);
            }
        });
        let mut all = Counts::default();
        loop {
            let last = done.load(Ordering::Acquire);
            let counts = statistics.take().counts().unwrap_or_default();
            assert!(counts.borrowed <= counts.sampled && counts.sampled <= counts.requests, "{counts:?}");
            all.requests += counts.requests;
            all.sampled += counts.sampled;
            all.borrowed += counts.borrowed;
            if last {
                break;
            }
        }
        counting.join().unwrap();
        assert_eq!(all, Counts { requests: 200_000, sampled: 150_000, borrowed: 50_000 });
    }
}
