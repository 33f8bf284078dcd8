//! Asking again until there is an answer, with a limit.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause; an emulator is ready at once.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest, so that minutes of waiting make no throttled calls.
const LONGEST: Duration = Duration::from_secs(3);

/// A limit and the pauses until then, each half as long again as the one before.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Instant,
    next: Duration,
}

impl Patience {
    pub(super) fn of(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, next: SHORTEST }
    }

    /// Pauses; false, at once, when the limit is reached.
    pub(super) async fn pause(&mut self) -> bool {
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
    async fn it_asks_once_more_at_the_limit_and_ends() {
        let started = Instant::now();
        let mut patience = Patience::of(Duration::from_millis(250));
        assert!(patience.pause().await);
        assert!(patience.pause().await);
        assert!(!patience.pause().await);
        assert!(started.elapsed() >= Duration::from_millis(250));
    }
}
