//! When an item whose handling failed is tried again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The most items of a bucket that are remembered. One that is not is tried again with every pass.
const REMEMBERED: usize = 1_000;
/// The delay after the first failure; it doubles with every further one.
const BASE: Duration = Duration::from_secs(1);
/// The longest delay.
const CAP: Duration = Duration::from_mins(5);

/// The failed items of one bucket. They are due in the table whatever is forgotten here.
#[derive(Debug, Default)]
pub(crate) struct Retries(Mutex<HashMap<String, Failed>>);

#[derive(Debug)]
struct Failed {
    attempts: u32,
    again_at: Instant,
}

impl Retries {
    /// Returns the number of the attempt to be made now, or `None` if it is too early.
    pub(crate) fn attempt(&self, key: &str) -> Option<u32> {
        match self.lock().get(key) {
            None => Some(1),
            Some(failed) if failed.again_at <= Instant::now() => Some(failed.attempts + 1),
            Some(_) => None,
        }
    }

    /// Remembers a failure, and returns the delay before the next attempt.
    pub(crate) fn failed(&self, key: &str, attempt: u32, at_least: Option<Duration>) -> Duration {
        let ceiling = BASE.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(CAP);
        // Half of it is jitter, so that items that failed together are not tried together.
        let delay = rand::random_range(ceiling / 2..=ceiling).max(at_least.unwrap_or_default());
        let mut items = self.lock();
        if items.len() >= REMEMBERED {
            let now = Instant::now();
            items.retain(|_, failed| failed.again_at > now);
        }
        if items.len() < REMEMBERED || items.contains_key(key) {
            items.insert(key.to_owned(), Failed { attempts: attempt, again_at: Instant::now() + delay });
        }
        delay
    }

    pub(crate) fn done(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn delays_grow_and_the_memory_is_bounded() {
        let retries = Retries::default();
        assert_eq!(retries.attempt("a"), Some(1));
        let first = retries.failed("a", 1, None);
        assert!(first <= BASE && retries.attempt("a").is_none());
        tokio::time::advance(first).await;
        assert_eq!(retries.attempt("a"), Some(2));
        assert!(retries.failed("a", 12, None) > CAP / 3);
        retries.done("a");
        assert_eq!(retries.attempt("a"), Some(1));
        for number in 0..2 * REMEMBERED {
            retries.failed(&number.to_string(), 1, None);
        }
        assert_eq!(retries.lock().len(), REMEMBERED);
    }
}
