//! How a message ended: one record, from which span, metrics, log line and settlement are made.

use std::time::Duration;

use crate::circuit::Signal;

/// Outcome of a message that is to be retried.
pub(crate) const RETRY: &str = "retry";
/// Outcome of a message that was moved to the dead-letter queue.
pub(crate) const DEAD_LETTER: &str = "dead-letter";
/// Outcome of a message that was released unhandled, because the consumer stops or receiving pauses.
pub(crate) const RELEASED: &str = "released";

/// How a message ended.
pub(crate) struct Conclusion {
    pub(crate) outcome: &'static str,
    pub(crate) problem: Option<Problem>,
    pub(crate) settlement: Settlement,
    pub(crate) signal: Signal,
}

/// Why a message was not handled.
pub(crate) struct Problem {
    pub(crate) reason: &'static str,
    /// What it failed on, unless on the message itself.
    pub(crate) dependency: Option<&'static str>,
    /// The cause with its sources.
    pub(crate) detail: Option<String>,
}

/// How a message leaves the consumer.
pub(crate) enum Settlement {
    Delete,
    /// Becomes visible again after this delay.
    ReturnToQueue(Duration),
}
