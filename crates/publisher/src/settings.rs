//! The settings for a publisher's batches, retries and deadlines.

use std::time::Duration;

/// How a publisher batches and retries, and when it abandons an entry.
///
/// The defaults suit a service that responds to its caller within ten seconds: an entry's outcome is known after
/// [`deadline`](Self::deadline) at the latest, whatever the bus or topic does.
#[derive(Debug, Clone)]
pub struct PublisherSettings {
    /// How long the first entry of a batch waits for others. A longer wait fills batches better, but delays a lone
    /// entry more.
    pub linger: Duration,
    /// How many entries may wait to be batched; when the queue is full, `publish` waits (back-pressure).
    pub queue: usize,
    /// How many calls to AWS may be in flight at the same time, including retries.
    pub concurrent_calls: usize,
    /// How many times an entry is sent at most, including the first time.
    pub max_attempts: u32,
    /// How long one call to AWS may take before it counts as failed and is retried.
    pub call_timeout: Duration,
    /// How long after the call of `publish` an entry is abandoned, including its time in the queue.
    pub deadline: Duration,
    /// The upper bound of the pause before the first retry; it doubles with each further one.
    pub backoff: Duration,
    /// The upper bound of any pause between two attempts.
    pub max_backoff: Duration,
}

impl Default for PublisherSettings {
    fn default() -> Self {
        Self {
            linger: Duration::from_millis(5),
            queue: 1_000,
            concurrent_calls: 16,
            max_attempts: 8,
            call_timeout: Duration::from_secs(3),
            deadline: Duration::from_secs(8),
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
        }
    }
}

impl PublisherSettings {
    /// The longest [`linger`](Self::linger) that a service should take from its environment: an entry needs time for
    /// several attempts before its [`deadline`](Self::deadline).
    pub const LONGEST_LINGER: Duration = Duration::from_secs(1);

    /// Returns the pause before the next attempt after `attempts` failed ones: exponential with full jitter, so that
    /// publishers that failed together do not retry together
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    pub(crate) fn pause_after(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        let bound = self.backoff.saturating_mul(1 << doublings).min(self.max_backoff);
        bound.mul_f64(rand::random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_their_bounds() {
        let settings = PublisherSettings::default();
        for _ in 0..200 {
            assert!(settings.pause_after(1) <= Duration::from_millis(100));
            assert!(settings.pause_after(2) <= Duration::from_millis(200));
            assert!(settings.pause_after(u32::MAX) <= settings.max_backoff);
        }
        let longest = (0..200).map(|_| settings.pause_after(10)).max().unwrap();
        assert!(longest > Duration::from_millis(200), "the bound grows with the attempts: {longest:?}");
    }
}
