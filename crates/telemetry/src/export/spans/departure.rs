//! Waiting for spans to leave.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::log_output::Lines;

/// How long to wait for a departure. Spans leave within milliseconds unless the machine is overloaded, or the collector hangs;
/// then work goes on without.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells when spans and log lines have left this process, so that what is to happen after that can wait for it: should the process be
/// killed then, they are not lost.
///
/// ```
/// # async fn example(departures: telemetry::Departures) {
/// let span = tracing::info_span!("process", otel.name = "process members", otel.kind = "consumer");
/// drop(span);
/// if let Some(departure) = departures.of_ended() {
///     departure.wait().await;
/// }
/// departures.write_lines();
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Departures {
    spans: Option<Arc<Shared>>,
    lines: Option<Arc<dyn Lines>>,
}

/// The departure of all spans that had ended at one moment.
#[derive(Clone, Debug)]
pub struct Departure {
    shared: Arc<Shared>,
    count: u64,
}

impl Departures {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self { spans: Some(Arc::clone(shared)), lines: None }
    }

    pub(crate) fn with_lines(self, lines: Arc<dyn Lines>) -> Self {
        Self { lines: Some(lines), ..self }
    }

    /// Writes the log lines that wait for others. Under load a line may wait for ten milliseconds.
    pub fn write_lines(&self) {
        if let Some(lines) = &self.lines {
            lines.flush();
        }
    }

    /// Returns the departure of the spans that have ended by now, except those below one that has not. `None` if this
    /// process exports no spans.
    #[must_use]
    pub fn of_ended(&self) -> Option<Departure> {
        let shared = Arc::clone(self.spans.as_ref()?);
        let count = shared.lock().ready();
        Some(Departure { shared, count })
    }
}

impl Departure {
    /// Waits until the collector has accepted the spans, for a second at most. Does not wait while the collector is
    /// unavailable.
    pub async fn wait(&self) {
        self.shared.departed(self.count, PATIENCE).await;
    }
}

impl fmt::Debug for Departures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spans, lines) = (self.spans.is_some(), self.lines.is_some());
        f.debug_struct("Departures").field("spans", &spans).field("lines", &lines).finish()
    }
}
