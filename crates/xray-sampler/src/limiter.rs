//! Limiting to a number of traces per second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// Grants a number of requests per second, and accumulates at most one second's worth of unused ones.
///
/// It stores the time at which it will be full again rather than how much is left (the generic cell rate algorithm).
/// That takes a single atomic number and no lock, and the rate may change at any time: whatever share of a second's
/// worth has been used remains used.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    /// The time at which a full second's worth is available again, in nanoseconds.
    full_at: AtomicU64,
}

impl Limiter {
    /// Takes one of `per_second` requests, and returns whether one was left.
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
        // Relaxed, because it orders no other memory access.
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
    fn one_per_second_is_granted_immediately_and_then_every_second() {
        let limiter = Limiter::default();
        assert!(limiter.take(Duration::ZERO, 1));
        assert!(!limiter.take(Duration::from_millis(999), 1));
        assert!(limiter.take(Duration::from_secs(1), 1));
        assert!(!limiter.take(Duration::from_millis(1_999), 1));
        assert!(limiter.take(Duration::from_hours(1), 1));
        assert!(!limiter.take(Duration::from_hours(1), 1), "accumulates more than a second's worth");
    }

    #[test]
    fn a_rate_of_zero_grants_nothing() {
        assert!(!Limiter::default().take(Duration::from_secs(5), 0));
    }

    #[test]
    fn the_rate_holds_over_a_long_time() {
        for per_second in [1, 3, 7, 10, 250] {
            let requests = 100 * 1_000;
            let granted =
                granted(&Limiter::default(), Duration::ZERO, requests, Duration::from_millis(1), per_second);
            let expected = 100 * per_second;
            assert!((expected..=expected + per_second).contains(&granted), "{per_second}: {granted}");
        }
    }

    #[test]
    fn changing_the_rate_does_not_refill_it() {
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
    fn concurrent_threads_share_the_limit() {
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
        fn no_window_exceeds_its_share_by_more_than_one_second(
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
        fn extreme_numbers_do_not_make_it_panic(now in any::<u64>(), per_second in any::<u32>()) {
            let limiter = Limiter::default();
            limiter.take(Duration::from_secs(now), per_second);
            limiter.take(Duration::from_secs(now), per_second);
        }
    }
}
