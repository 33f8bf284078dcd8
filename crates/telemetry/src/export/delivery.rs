//! Delivery of one request: attempts with backoff until the collector has accepted it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt as _;

use super::collector::{Collector, ExportError};
use super::ending::Ending;
use super::report::{Lost, Report, Signal};

/// The pause after the first failed attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause, and so about the time until the return of the collector is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Delivers the requests of one signal, one at a time. What cannot be delivered now is the caller's to keep or to count;
/// nothing but the end of telemetry ends the attempts for a request that the collector may still accept.
#[derive(Debug)]
pub(crate) struct Delivery {
    collector: Collector,
    ending: Arc<Ending>,
    lost: Arc<Lost>,
    report: Mutex<Report>,
    /// The share of the last period that a request may use which was already waiting when that began.
    share_of_waiting: f32,
}

impl Delivery {
    /// Delivers batches of spans: each may use the whole of the last period, since any other would fail as well.
    pub(crate) fn of_spans(collector: Collector, ending: Arc<Ending>, lost: Arc<Lost>) -> Self {
        Self {
            collector,
            ending,
            lost,
            report: Mutex::new(Report::new(Signal::Traces)),
            share_of_waiting: 1.0,
        }
    }

    /// Delivers metrics: half of the last period is left for those that are collected at the end.
    pub(crate) fn of_metrics(collector: Collector, ending: Arc<Ending>, lost: Arc<Lost>) -> Self {
        Self {
            collector,
            ending,
            lost,
            report: Mutex::new(Report::new(Signal::Metrics)),
            share_of_waiting: 0.5,
        }
    }

    /// Counts what was lost.
    pub(crate) fn lose(&self, lost: u64) {
        self.lost.add(lost);
    }

    /// Whether the last period has begun.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.period().is_some()
    }

    /// Sends a request until it is accepted, and returns the response. An error means that it is lost: the collector has
    /// rejected it, or the last period is over. `lose` then counts what was in it, before the log says so. `unavailable` is
    /// called after each attempt that is to be repeated.
    ///
    /// If an answer is lost, the collector gets the request twice. A span that arrives twice is one document, because it
    /// has the same id.
    pub(crate) fn deliver(
        &self,
        request: &Bytes,
        lose: impl FnOnce(),
        unavailable: impl Fn(),
    ) -> Result<Vec<u8>, ExportError> {
        let share = if self.is_ending() { 1.0 } else { self.share_of_waiting };
        let mut pause = FIRST_PAUSE;
        loop {
            let left = || self.ending.period().map_or(Duration::MAX, |period| period.left(share));
            let error = match self.collector.post(request, left()) {
                Ok(response) => {
                    self.with_report(|report| report.succeeded(Instant::now(), &self.lost));
                    return Ok(response);
                }
                Err(error) => error,
            };
            let retry_after = match &error {
                ExportError::Unavailable { retry_after, .. } if !left().is_zero() => *retry_after,
                _ => {
                    lose();
                    // What is lost at the end, whoever ends telemetry reports.
                    if !self.is_ending() {
                        self.with_report(|report| report.failed(Instant::now(), &error, &self.lost));
                    }
                    return Err(error);
                }
            };
            unavailable();
            self.with_report(|report| report.failed(Instant::now(), &error, &self.lost));
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..=1.0));
            self.ending.pause(jittered.max(retry_after.unwrap_or_default()).min(left()));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn with_report(&self, note: impl FnOnce(&mut Report)) {
        note(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
