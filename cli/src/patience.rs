//! Pauses between polls, up to a limit.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause, short because an emulator is ready at once.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest pause, long enough that minutes of polling are not throttled.
const LONGEST: Duration = Duration::from_secs(3);

/// A limit, and the pauses until then, each longer than the previous one by half.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    next: Duration,
}

impl Patience {
    pub(crate) fn of(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, next: SHORTEST }
    }

    /// Pauses; returns false at once if the limit has been reached.
    pub(crate) async fn pause(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.deadline {
            return false;
        }
        tokio::time::sleep_until(self.deadline.min(now + self.next)).await;
        self.next = LONGEST.min(self.next * 3 / 2);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_poll_is_at_the_limit() {
        let started = Instant::now();
        let mut patience = Patience::of(Duration::from_millis(250));
        assert!(patience.pause().await);
        assert!(patience.pause().await);
        assert!(!patience.pause().await);
        assert!(started.elapsed() >= Duration::from_millis(250));
    }
}
