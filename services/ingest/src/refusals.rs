//! Requests and connections that are refused before they are looked at: counted, not logged one by one.
//!
//! Anybody can cause a refusal, so each is neither a log line nor a span: somebody who floods the service would fill the
//! log, and could write into a trace that they name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use service_runtime::Check;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// The shortest time between two log lines.
const SUMMARY: Duration = Duration::from_mins(1);
/// For how long the service is not ready after it had to refuse for lack of room.
const EXHAUSTED: Duration = Duration::from_secs(5);
/// How often check and log are brought up to date.
const PERIOD: Duration = Duration::from_secs(1);

/// Counts refusals. Clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Refusals {
    metrics: Metrics,
    check: Check,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Since the last log line, by reason.
    counts: BTreeMap<&'static str, u64>,
    logged: Option<Instant>,
    exhausted: Option<Instant>,
}

impl Refusals {
    /// Starts with the check up: there is room.
    pub(crate) fn new(metrics: Metrics, check: Check) -> Self {
        check.up();
        Self { metrics, check, state: Arc::default() }
    }

    /// Counts a refusal.
    pub(crate) fn count(&self, reason: &'static str) {
        self.metrics.refused(reason);
        self.update(|state| *state.counts.entry(reason).or_default() += 1);
    }

    /// Counts a refusal for lack of room: others might have more.
    pub(crate) fn exhausted(&self, reason: &'static str) {
        self.count(reason);
        self.update(|state| state.exhausted = Some(Instant::now()));
        self.check.down("requests are refused: too many at a time");
    }

    /// Keeps check and log up to date until `shutdown`.
    pub(crate) async fn watch(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(PERIOD);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return self.summarize(),
                now = ticks.tick() => self.tick(now),
            }
        }
    }

    fn tick(&self, now: Instant) {
        let (room, due) = self.update(|state| {
            let room = state.exhausted.is_none_or(|last| now.duration_since(last) >= EXHAUSTED);
            (room, state.logged.is_none_or(|logged| now.duration_since(logged) >= SUMMARY))
        });
        if room {
            self.check.up();
        }
        if due {
            self.summarize();
        }
    }

    fn summarize(&self) {
        let counts = self.update(|state| {
            if !state.counts.is_empty() {
                state.logged = Some(Instant::now());
            }
            std::mem::take(&mut state.counts)
        });
        if !counts.is_empty() {
            let reasons: Vec<_> = counts.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
            tracing::warn!(
                count = counts.values().sum::<u64>(),
                reasons = reasons.join(", "),
                "requests or connections refused"
            );
        }
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        use opentelemetry::metrics::MeterProvider as _;
        let meter = opentelemetry::metrics::noop::NoopMeterProvider::new().meter("test");
        Self::new(Metrics::new(&meter), service_runtime::Health::new().register("admission"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry::metrics::noop::NoopMeterProvider;
    use service_runtime::Health;
    use telemetry::testing::Recorder;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_a_line_a_minute() {
        let recorder = Recorder::new();
        let _installed = recorder.install();
        let refusals = Refusals::for_tests();
        let shutdown = CancellationToken::new();
        let watching = tokio::spawn(refusals.clone().watch(shutdown.clone()));
        for _ in 0..90 {
            refusals.count("invalid-signature");
            refusals.count("overloaded");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        shutdown.cancel();
        watching.await.unwrap();
        let lines: Vec<_> = recorder.logs();
        assert_eq!(lines.len(), 3, "at once, after a minute, and the rest: {lines:?}");
        let total: u64 = lines.iter().map(|line| line["count"].as_u64().unwrap()).sum();
        assert_eq!(total, 180);
        assert!(lines[1]["reasons"].as_str().unwrap().starts_with("invalid-signature: "), "{lines:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn lack_of_room_is_not_ready_until_it_is_over() {
        let health = Health::new();
        health.ready();
        let meter = NoopMeterProvider::new().meter("test");
        let refusals = Refusals::new(Metrics::new(&meter), health.register("admission"));
        let shutdown = CancellationToken::new();
        let watching = tokio::spawn(refusals.clone().watch(shutdown.clone()));
        refusals.count("invalid-signature");
        assert!(health.is_ready(), "there is room");
        refusals.exhausted("overloaded");
        assert!(!health.is_ready());
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(!health.is_ready());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(health.is_ready());
        shutdown.cancel();
        watching.await.unwrap();
    }
}
