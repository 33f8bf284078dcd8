//! What the log says about exports: at a limited rate, and with the exact number of what was lost.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::metrics::Counter;

/// The minimum time between two reports of a failing export.
const QUIET: Duration = Duration::from_mins(1);

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// How many spans or data points were lost, and how many of them the log has not named yet.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    unreported: AtomicU64,
    counter: OnceLock<Counter<u64>>,
}

impl Lost {
    pub(crate) fn add(&self, lost: u64) {
        if lost > 0 {
            self.unreported.fetch_add(lost, Ordering::Relaxed);
            if let Some(counter) = self.counter.get() {
                counter.add(lost, &[]);
            }
        }
    }

    /// Sets the metric that counts the losses. Begins with zero, so that the metric exists before the first loss.
    pub(crate) fn count_in(&self, counter: Counter<u64>) {
        self.counter.get_or_init(|| counter).add(0, &[]);
    }

    /// Returns the number lost since the last call, so that the numbers reported add up to all that was lost.
    pub(crate) fn take(&self) -> u64 {
        self.unreported.swap(0, Ordering::Relaxed)
    }

    fn any(&self) -> bool {
        self.unreported.load(Ordering::Relaxed) > 0
    }
}

/// Reports failing exports once a minute, that they work again, and what was lost.
#[derive(Debug)]
pub(crate) struct Report {
    signal: Signal,
    failing: Option<Failing>,
    reported_at: Option<Instant>,
    unreported: u64,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    exports: u64,
}

impl Report {
    pub(crate) fn new(signal: Signal) -> Self {
        Self { signal, failing: None, reported_at: None, unreported: 0 }
    }

    /// Counts a failed attempt, and reports it if a report is due.
    pub(crate) fn failed(&mut self, now: Instant, error: &(dyn std::error::Error + 'static), lost: &Lost) {
        self.unreported += 1;
        self.failing.get_or_insert(Failing { since: now, exports: 0 }).exports += 1;
        if self.due(now) {
            let failed_exports = std::mem::take(&mut self.unreported);
            let [lost_spans, lost_data_points] = self.lost(lost);
            tracing::warn!(
                signal = self.signal.name(),
                failed_exports,
                lost_spans,
                lost_data_points,
                error,
                "telemetry export failed"
            );
        }
    }

    /// Notes a successful attempt, and reports it if the one before had failed.
    pub(crate) fn succeeded(&mut self, now: Instant, lost: &Lost) {
        self.unreported = 0;
        if let Some(Failing { since, exports }) = self.failing.take() {
            let [lost_spans, lost_data_points] = self.lost(lost);
            tracing::info!(
                signal = self.signal.name(),
                failed_exports = exports,
                outage_s = now.duration_since(since).as_secs_f64(),
                lost_spans,
                lost_data_points,
                "telemetry export works again"
            );
            self.reported_at = None;
        }
        // Exports work, but spans end faster than they leave.
        if lost.any() && self.due(now) {
            let [lost_spans, lost_data_points] = self.lost(lost);
            tracing::warn!(signal = self.signal.name(), lost_spans, lost_data_points, "telemetry lost");
        }
    }

    fn due(&mut self, now: Instant) -> bool {
        let due = self.reported_at.is_none_or(|at| now.duration_since(at) >= QUIET);
        if due {
            self.reported_at = Some(now);
        }
        due
    }

    fn lost(&self, lost: &Lost) -> [Option<u64>; 2] {
        let lost = Some(lost.take());
        match self.signal {
            Signal::Traces => [lost, None],
            Signal::Metrics => [None, lost],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Recorder;

    #[test]
    fn an_outage_is_reported_once_a_minute_and_at_its_end_and_the_losses_add_up() {
        let recorder = Recorder::new();
        let (mut report, lost) = (Report::new(Signal::Traces), Lost::default());
        let start = Instant::now();
        let error = std::io::Error::other("connection refused");
        recorder.run(|| {
            report.failed(start, &error, &lost);
            lost.add(5);
            report.failed(start + Duration::from_secs(5), &error, &lost);
            report.failed(start + Duration::from_secs(59), &error, &lost);
            report.failed(start + Duration::from_mins(1), &error, &lost);
            lost.add(2);
            report.succeeded(start + Duration::from_secs(61), &lost);
            report.succeeded(start + Duration::from_secs(62), &lost);
        });
        let lines: Vec<_> = recorder
            .logs()
            .into_iter()
            .map(|line| (line["message"].clone(), line["failed_exports"].clone(), line["lost_spans"].clone()))
            .collect();
        assert_eq!(
            lines,
            [
                (json!("telemetry export failed"), json!(1), json!(0)),
                (json!("telemetry export failed"), json!(3), json!(5)),
                (json!("telemetry export works again"), json!(4), json!(2)),
            ]
        );
        assert_eq!(recorder.logs()[2]["outage_s"], 61.0);
    }

    #[test]
    fn losses_while_exports_work_are_reported_too() {
        let recorder = Recorder::new();
        let (mut report, lost) = (Report::new(Signal::Metrics), Lost::default());
        let start = Instant::now();
        recorder.run(|| {
            lost.add(1);
            report.succeeded(start, &lost);
            lost.add(2);
            report.succeeded(start + Duration::from_secs(30), &lost);
            report.succeeded(start + Duration::from_mins(1), &lost);
        });
        let lost: Vec<_> = recorder.logs().iter().map(|line| line["lost_data_points"].clone()).collect();
        assert_eq!(lost, [json!(1), json!(2)]);
    }
}
