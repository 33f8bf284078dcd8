//! Exponential backoff with full jitter
//! (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).

use std::time::Duration;

use rand::{Rng, RngExt as _};

use crate::queue::MAX_VISIBILITY;

/// A random delay between zero and an exponentially growing ceiling.
///
/// Full jitter spreads the retries of messages that failed together over the whole interval, so that they are not
/// redelivered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling after the first attempt; it doubles with each further one.
    pub base: Duration,
    /// The highest value of the ceiling.
    pub cap: Duration,
}

impl Backoff {
    /// Returns the longest delay after `attempt`, counted from one.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// Returns a random delay after `attempt`, from zero to the [`ceiling`](Self::ceiling).
    #[must_use]
    pub fn delay(&self, attempt: u32, rng: &mut impl Rng) -> Duration {
        self.ceiling(attempt).mul_f64(rng.random_range(0.0..=1.0))
    }

    /// Returns a pause that is never zero: from half of the [`ceiling`](Self::ceiling) to all of it.
    #[must_use]
    pub fn pause(&self, attempt: u32, rng: &mut impl Rng) -> Duration {
        let half = self.ceiling(attempt) / 2;
        half + half.mul_f64(rng.random_range(0.0..=1.0))
    }

    /// Returns how long a message that failed stays invisible: a random delay, but never less than the dependency
    /// requested. SQS takes whole seconds, so the delay is rounded up, and a retry is never immediate. It stays an hour
    /// below the longest that SQS allows, since SQS counts that from the receive.
    #[must_use]
    pub fn visibility(&self, attempt: u32, retry_after: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let delay = self.delay(attempt, rng).max(retry_after.unwrap_or_default());
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let longest = MAX_VISIBILITY.saturating_sub(Duration::from_hours(1));
        Duration::from_secs(seconds.max(1)).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(15) };

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings: Vec<u64> = (1..=12).map(|attempt| BACKOFF.ceiling(attempt).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    }

    #[test]
    fn the_jitter_uses_the_whole_interval() {
        let mut rng = StdRng::seed_from_u64(7);
        let delays: Vec<f64> = (0..1_000).map(|_| BACKOFF.delay(8, &mut rng).as_secs_f64()).collect();
        let mean = delays.iter().sum::<f64>() / 1_000.0;
        assert!((58.0..70.0).contains(&mean), "mean {mean} of 0..128");
        assert!(delays.iter().any(|delay| *delay < 6.4) && delays.iter().any(|delay| *delay > 121.6));
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds(attempt in 0_u32.., seed: u64, base_ms in 1_u64..60_000, cap_s in 1_u64..3_600,
                               retry_after in proptest::option::of(0_u64..200_000)) {
            let backoff = Backoff { base: Duration::from_millis(base_ms), cap: Duration::from_secs(cap_s) };
            let mut rng = StdRng::seed_from_u64(seed);
            let delay = backoff.delay(attempt, &mut rng);
            prop_assert!(delay <= backoff.ceiling(attempt) && backoff.ceiling(attempt) <= backoff.cap);
            prop_assert!(backoff.ceiling(attempt) <= backoff.ceiling(attempt.saturating_add(1)));

            let requested = retry_after.map(Duration::from_secs);
            let visibility = backoff.visibility(attempt, requested, &mut rng);
            prop_assert_eq!(visibility.subsec_nanos(), 0);
            prop_assert!(visibility >= Duration::from_secs(1) && visibility <= MAX_VISIBILITY);
            let highest = backoff.ceiling(attempt).max(requested.unwrap_or_default()) + Duration::from_secs(1);
            prop_assert!(visibility <= highest);
            prop_assert!(visibility >= requested.unwrap_or_default().min(Duration::from_hours(11)));
        }
    }
}
