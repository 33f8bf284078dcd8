//! How often and for how long an operation is retried.

use std::time::Duration;

use tokio::time::Instant;

/// A bound on attempts and time, with exponential backoff and
/// [full jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/) between them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let mut attempts = idempotency::Retry { attempts: 3, ..Default::default() }.start();
/// while attempts.again().await {}
/// assert_eq!(attempts.made(), 3);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The total number of attempts, including the first.
    pub attempts: u32,
    /// The upper bound of the first pause; it doubles with every further one.
    pub base: Duration,
    /// The upper bound of every pause.
    pub cap: Duration,
    /// How long after the first attempt another may still begin.
    pub within: Duration,
}

impl Default for Retry {
    /// Returns eight attempts within five seconds: enough to outlast a burst of events on one item, and short compared
    /// with a visibility timeout.
    fn default() -> Self {
        Self {
            attempts: 8,
            base: Duration::from_millis(25),
            cap: Duration::from_secs(1),
            within: Duration::from_secs(5),
        }
    }
}

impl Retry {
    /// Begins the first attempt.
    #[must_use]
    pub fn start(self) -> Attempts {
        Attempts { policy: self, made: 1, end: Instant::now() + self.within }
    }

    fn longest_pause(&self, made: u32) -> Duration {
        let doublings = made.saturating_sub(1).min(16);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }
}

/// The attempts made so far.
#[derive(Debug)]
pub struct Attempts {
    policy: Retry,
    made: u32,
    end: Instant,
}

impl Attempts {
    /// Waits until it is time for the next attempt; returns `false` at once if none is left.
    pub async fn again(&mut self) -> bool {
        if self.made >= self.policy.attempts {
            return false;
        }
        let pause = rand::random_range(Duration::ZERO..=self.policy.longest_pause(self.made));
        if Instant::now() + pause > self.end {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.made += 1;
        true
    }

    /// Returns how many attempts have begun.
    #[must_use]
    pub fn made(&self) -> u32 {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap() {
        let retry =
            Retry { base: Duration::from_millis(10), cap: Duration::from_millis(50), ..Retry::default() };
        let pauses = [1, 2, 3, 4, 40].map(|made| retry.longest_pause(made).as_millis());
        assert_eq!(pauses, [10, 20, 40, 50, 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_after_the_last_attempt() {
        let mut attempts = Retry { attempts: 4, ..Retry::default() }.start();
        while attempts.again().await {}
        assert_eq!(attempts.made(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_when_the_time_is_up() {
        let begun = Instant::now();
        let within = Duration::from_millis(300);
        let mut attempts = Retry { attempts: u32::MAX, within, ..Retry::default() }.start();
        while attempts.again().await {}
        assert!(begun.elapsed() <= within);
        assert!(attempts.made() > 1);
    }
}
