//! The intervals of the poller.

use std::time::Duration;

/// The shortest interval between reports that is accepted from X-Ray.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The longest interval between reports that is accepted from X-Ray.
const LONGEST_INTERVAL: Duration = Duration::from_mins(5);

/// The largest share by which an interval is prolonged.
const JITTER: f64 = 0.01;

/// The intervals between calls, and their time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Between fetching rules.
    pub(crate) rules: Duration,
    /// Between reports, unless X-Ray returns another interval.
    pub(crate) report: Duration,
    /// Before the first retry of fetching rules. It doubles with every further one, up to the interval between fetches.
    pub(crate) first_retry: Duration,
    /// The time limit for one report, and for fetching all pages of rules.
    pub(crate) call: Duration,
}

impl Default for Timing {
    /// Creates the usual intervals: ten seconds between reports, as AWS documents
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sampling.html>), and five minutes between fetching
    /// rules, as in samplers for other languages.
    fn default() -> Self {
        Self {
            rules: Duration::from_mins(5),
            report: Duration::from_secs(10),
            first_retry: Duration::from_secs(1),
            call: Duration::from_secs(10),
        }
    }
}

impl Timing {
    /// Returns the time until the next attempt to fetch rules, after a number of consecutive failures.
    pub(crate) fn retry(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first_retry.saturating_mul(factor).min(self.rules)
    }

    /// Returns the time until the next report, given the shortest interval in seconds that X-Ray returned.
    pub(crate) fn next_report(&self, interval: Option<u64>) -> Duration {
        interval.map_or(self.report, |seconds| {
            Duration::from_secs(seconds).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
        })
    }
}

/// Prolongs an interval at random, so that services that started together do not keep calling together.
pub(crate) fn jittered(interval: Duration) -> Duration {
    interval.saturating_add(interval.mul_f64(JITTER * rand::random::<f64>()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::{Timing, jittered};

    #[test]
    fn retries_are_spaced_out_up_to_the_usual_interval() {
        let retry = |failures| Timing::default().retry(failures).as_secs();
        assert_eq!([1, 2, 3, 4].map(retry), [1, 2, 4, 8]);
        assert_eq!(retry(9), 256);
        assert_eq!([10, 40, u32::MAX].map(retry), [300; 3]);
    }

    #[test]
    fn an_interval_of_the_service_is_kept_within_bounds() {
        let next = |interval| Timing::default().next_report(interval).as_secs();
        assert_eq!(next(None), 10);
        assert_eq!(next(Some(10)), 10);
        assert_eq!(next(Some(30)), 30);
        assert_eq!(next(Some(0)), 1);
        assert_eq!(next(Some(u64::MAX)), 300);
    }

    #[test]
    fn jitter_only_prolongs_and_only_a_little() {
        let pauses: HashSet<Duration> = (0..1_000).map(|_| jittered(Duration::from_secs(100))).collect();
        let bounds = Duration::from_secs(100)..=Duration::from_secs(101);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)), "{pauses:?}");
        assert!(pauses.len() > 900, "they differ");
    }
}
