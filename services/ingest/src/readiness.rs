//! The readiness check of publishing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use service_runtime::Check;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long publishing must do nothing but fail before the service becomes unready, counted from the first call of
/// `publish` that failed. Shorter than the publisher's deadline, so that a bus that never responds is reported with the
/// first request.
const LASTING: Duration = Duration::from_secs(5);
/// How long after the last failure the service becomes ready again.
const WINDOW: Duration = Duration::from_secs(30);
/// How often the check is updated.
const PERIOD: Duration = Duration::from_secs(1);

/// Watches the results of publishing.
///
/// The bus is never probed: a probe would need a permission that publishing does not, and would test something else.
/// The check goes down when publishing has failed for five seconds without a success in between. Requests are then sent
/// elsewhere, so nothing can succeed here any more; the check therefore comes up again when half a minute has passed
/// since the last failure, and real requests decide again.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    check: Check,
    failing: Arc<Mutex<Option<Failing>>>,
}

/// The failures since the last success.
#[derive(Debug, Clone, Copy)]
struct Failing {
    /// When the first of them began.
    since: Instant,
    last: Instant,
}

impl Readiness {
    /// Starts with the check up: nothing has failed.
    pub(crate) fn new(check: Check) -> Self {
        check.up();
        Self { check, failing: Arc::default() }
    }

    /// Records that an event was published.
    pub(crate) fn succeeded(&self) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Records that an event, on which work began `since` then, could not be published.
    pub(crate) fn failed(&self, since: Instant) {
        let now = Instant::now();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match failing.as_mut().filter(|failing| now - failing.last < WINDOW) {
            Some(failing) => failing.last = now,
            None => *failing = Some(Failing { since, last: now }),
        }
    }

    /// Keeps the check up to date until `shutdown`.
    pub(crate) async fn watch(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                now = ticks.tick() => self.update(now),
            }
        }
    }

    fn update(&self, now: Instant) {
        let failing = *self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let down = failing.is_some_and(|failing| {
            let lasting = failing.last.saturating_duration_since(failing.since) >= LASTING;
            lasting && now.saturating_duration_since(failing.last) < WINDOW
        });
        if down {
            self.check.down("nothing could be published for 5 seconds");
        } else {
            self.check.up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_runtime::Health;

    #[tokio::test(start_paused = true)]
    async fn lasting_failure_is_down_until_it_is_over() {
        let health = Health::new();
        health.ready();
        let readiness = Readiness::new(health.register("bus"));
        let shutdown = CancellationToken::new();
        let watching = tokio::spawn(readiness.clone().watch(shutdown.clone()));
        let pass = |seconds| tokio::time::sleep(Duration::from_secs(seconds));

        for _ in 0..4 {
            readiness.failed(Instant::now());
            pass(1).await;
        }
        assert!(health.is_ready(), "not yet for long enough");
        for _ in 0..3 {
            readiness.failed(Instant::now());
            pass(1).await;
        }
        assert!(!health.is_ready());
        pass(31).await;
        assert!(health.is_ready(), "without requests the check comes up again");

        readiness.failed(Instant::now());
        pass(4).await;
        readiness.succeeded();
        for _ in 0..4 {
            readiness.failed(Instant::now());
            pass(1).await;
        }
        assert!(health.is_ready(), "a success starts the count anew");

        readiness.succeeded();
        readiness.failed(Instant::now() - Duration::from_secs(8));
        pass(2).await;
        assert!(!health.is_ready(), "one request that waited for the bus for eight seconds");
        shutdown.cancel();
        watching.await.unwrap();
    }
}
