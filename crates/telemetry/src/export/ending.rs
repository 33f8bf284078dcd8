//! The end of telemetry, as those see it who wait for the collector.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Ends every wait for the collector. Created running; [`Ending::begin`] is called once, at the shutdown.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    period: Mutex<Option<Period>>,
    begun: Condvar,
}

/// The time in which the last telemetry may still be delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    began: Instant,
    length: Duration,
}

impl Period {
    /// Returns what is left of this share of the period.
    pub(crate) fn left(self, share: f32) -> Duration {
        self.length.mul_f32(share).saturating_sub(self.began.elapsed())
    }
}

impl Ending {
    /// Begins the end: whoever waits has this long for a last attempt.
    pub(crate) fn begin(&self, length: Duration) {
        self.lock().get_or_insert(Period { began: Instant::now(), length });
        self.begun.notify_all();
    }

    /// Returns the last period, if it has begun.
    pub(crate) fn period(&self) -> Option<Period> {
        *self.lock()
    }

    /// Waits. Returns early when the end begins during the wait.
    pub(crate) fn pause(&self, pause: Duration) {
        let period = self.lock();
        let running = period.is_none();
        drop(self.begun.wait_timeout_while(period, pause, |period| period.is_none() == running));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Period>> {
        self.period.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
