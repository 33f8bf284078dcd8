//! How long a connection may take, by what it is doing.

use std::time::Duration;

use tokio::time::Instant;

use crate::admission::{Phase, Progress};

/// How long a caller may leave its answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// During shutdown: how long a connection may make no progress with a request that is not complete, or with an answer.
const STALL: Duration = Duration::from_millis(500);
/// During shutdown: how long an idle connection stays, so that its last answer is written.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The limits that settings decide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimits {
    /// Between two requests.
    pub(crate) idle: Duration,
    /// From the first byte of a request to the end of its head.
    pub(crate) head: Duration,
}

impl TimeLimits {
    /// Returns when a connection is ended unless it makes progress. `draining` is when the shutdown began.
    pub(super) fn due(&self, progress: Progress, draining: Option<Instant>) -> Option<Instant> {
        let Progress { phase, since, last_read, blocked_since } = progress;
        let Some(draining) = draining else {
            return match (phase, blocked_since) {
                (_, Some(blocked)) => Some(blocked + WRITE_TIMEOUT),
                (Phase::Idle, None) => Some(since + self.idle),
                (Phase::Head, None) => Some(since + self.head),
                // Reading a body has separate limits.
                (Phase::Body | Phase::Answering, None) => None,
            };
        };
        match (phase, blocked_since) {
            // However often it reads a little: an answer has this long from its beginning.
            (_, Some(_)) => Some(since.max(draining) + STALL),
            (Phase::Idle, None) => Some(since.max(draining) + LAST_WORDS),
            (Phase::Head | Phase::Body, None) => Some(last_read + STALL),
            (Phase::Answering, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_ended_by_what_it_is_doing() {
        let limits = TimeLimits { idle: Duration::from_secs(75), head: Duration::from_secs(10) };
        let start = Instant::now();
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let progress = |phase, blocked: Option<f64>| Progress {
            phase,
            since: after(1.0),
            last_read: after(2.0),
            blocked_since: blocked.map(after),
        };
        for (phase, blocked, working, draining) in [
            (Phase::Idle, None, Some(76.0), Some(20.1)),
            (Phase::Head, None, Some(11.0), Some(2.5)),
            (Phase::Body, None, None, Some(2.5)),
            (Phase::Answering, None, None, None),
            (Phase::Idle, Some(3.0), Some(13.0), Some(20.5)),
        ] {
            let progress = progress(phase, blocked);
            assert_eq!(limits.due(progress, None), working.map(after), "{phase:?}");
            assert_eq!(limits.due(progress, Some(after(20.0))), draining.map(after), "{phase:?}");
        }
    }
}
