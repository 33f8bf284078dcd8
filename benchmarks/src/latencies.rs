//! Latencies of single calls.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
use histogram_log::Interval;

/// Latencies, recorded from now on.
#[derive(Clone, Debug)]
pub struct Latencies {
    began: SystemTime,
    histogram: Histogram<u64>,
}

impl Latencies {
    /// Begins without any.
    #[must_use]
    pub fn begin() -> Self {
        Self { began: SystemTime::now(), histogram: histogram_log::empty() }
    }

    /// Records the time that has passed since `start`.
    pub fn since(&mut self, start: Instant) {
        self.add(start.elapsed());
    }

    /// Records a latency. More than an hour counts as an hour.
    pub fn add(&mut self, latency: Duration) {
        self.histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// Ends the interval.
    #[must_use]
    pub fn end(self) -> Interval {
        let length = self.began.elapsed().unwrap_or_default();
        Interval { began: self.began, length, histogram: self.histogram }
    }

    /// Writes them to a log with one interval.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(self, path: &Path, what: &str) -> io::Result<()> {
        histogram_log::write(path, what, &[self.end()])
    }
}
