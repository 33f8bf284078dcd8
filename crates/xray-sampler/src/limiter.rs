//! Limiting to a number of traces a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// Grants at most a number of requests a second, and saves up at most one second's worth.
///
/// It stores how long it takes until nothing is spent any more, and not how much is left (the generic cell rate
/// algorithm). So it needs a single word without a lock, and the rate may change at any time: what was spent stays
/// spent in proportion.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    /// When all of a second's worth is available again, in nanoseconds.
    full_at: AtomicU64,
}

impl Limiter {
    /// Takes one of `per_second` and returns whether there was one left.
    pub(crate) fn take(&self, now: Duration, per_second: u32) -> bool {
        if per_second == 0 {
            return false;
        }
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let cost = (SECOND / u64::from(per_second)).max(1);
        let spend = |full_at: u64| {
            let next = full_at.max(now).saturating_add(cost);
            (next <= now.saturating_add(SECOND)).then_some(next)
        };
        // Relaxed, because no other memory depends on it.
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Limiter;

    fn granted(limiter: &Limiter, from: Duration, requests: u32, apart: Duration, per_second: u32) -> u32 {
        let grants = (0..requests).filter(|request| limiter.take(from + apart * *request, per_second));
        u32::try_from(grants.count()).unwrap()
    }

    #[test]
    fn one_a_second_is_granted_at_once_and_then_every_second() {
        let limiter = Limiter::default();
        assert!(limiter.take(Duration::ZERO, 1));
        assert!(!limiter.take(Duration::from_millis(999), 1));
        assert!(limiter.take(Duration::from_secs(1), 1));
        assert!(!limiter.take(Duration::from_millis(1_999), 1));
        assert!(limiter.take(Duration::from_hours(1), 1));
        assert!(!limiter.take(Duration::from_hours(1), 1), "saves up more than a second's worth");
    }

    #[test]
    fn a_rate_of_zero_grants_nothing() {
        assert!(!Limiter::default().take(Duration::from_secs(5), 0));
    }

    #[test]
    fn over_a_long_time_the_rate_is_kept() {
        for per_second in [1, 3, 7, 10, 250] {
            let requests = 100 * 1_000;
            let granted =
                granted(&Limiter::default(), Duration::ZERO, requests, Duration::from_millis(1), per_second);
            let expected = 100 * per_second;
            assert!((expected..=expected + per_second).contains(&granted), "{per_second}: {granted}");
        }
    }

    #[test]
    fn a_change_of_the_rate_grants_no_second_twice() {
        let limiter = Limiter::default();
        let mut all = 0;
        for second in 0..60 {
            let per_second = if second % 2 == 0 { 10 } else { 11 };
            all +=
                granted(&limiter, Duration::from_secs(second), 1_000, Duration::from_millis(1), per_second);
        }
        assert!((630..=630 + 11).contains(&all), "{all}");
    }

    #[test]
    fn threads_together_get_no_more_than_one_alone() {
        let limiter = Arc::new(Limiter::default());
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let limiter = limiter.clone();
                std::thread::spawn(move || (0..1_000).filter(|_| limiter.take(Duration::ZERO, 50)).count())
            })
            .collect();
        let granted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(granted, 50);
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_its_share_and_one_second(
            per_second in 1..50_u32,
            pauses in proptest::collection::vec(0..400_u64, 1..300),
        ) {
            let limiter = Limiter::default();
            let mut now = Duration::ZERO;
            let mut grants = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                if limiter.take(now, per_second) {
                    grants.push(now);
                }
            }
            for (first, start) in grants.iter().enumerate() {
                for (last, end) in grants.iter().enumerate().skip(first) {
                    let window = end.saturating_sub(*start);
                    let allowed = f64::from(per_second) * (window.as_secs_f64() + 1.0);
                    let count = f64::from(u32::try_from(last - first + 1).unwrap());
                    prop_assert!(count <= allowed + 0.001, "{count} in {window:?}");
                }
            }
        }

        #[test]
        fn whatever_the_numbers_it_does_not_fail(now in any::<u64>(), per_second in any::<u32>()) {
            let limiter = Limiter::default();
            limiter.take(Duration::from_secs(now), per_second);
            limiter.take(Duration::from_secs(now), per_second);
        }
    }
}
