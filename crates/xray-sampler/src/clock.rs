//! The two clocks that sampling needs.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

/// A clock for limits and expiry, and a clock for dates.
///
/// Durations are measured on the monotonic clock, so that adjusting the system clock affects no limit. The wall clock
/// is used only for dates on the wire.
pub(crate) trait Clock: Debug + Send + Sync {
    /// Returns the time since this clock was created, which never goes backwards. Every `now` in this crate is such a
    /// time.
    fn now(&self) -> Duration;

    /// Returns the date, in seconds since the Unix epoch.
    fn date(&self) -> f64;
}

/// The system's clocks.
#[derive(Debug)]
pub(crate) struct SystemClock {
    created: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { created: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.created.elapsed()
    }

    fn date(&self) -> f64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
    }
}
