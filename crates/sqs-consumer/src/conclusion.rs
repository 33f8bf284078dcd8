//! How a message ended: the record behind its span, metrics, log line and settlement.

use std::time::Duration;

use crate::circuit::Signal;

/// The outcome of a message that is to be retried.
pub(crate) const RETRY: &str = "retry";
/// The outcome of a message that was moved to the dead-letter queue.
pub(crate) const DEAD_LETTER: &str = "dead-letter";
/// The outcome of a message that was released unhandled because the consumer stops or receiving pauses.
pub(crate) const RELEASED: &str = "released";

/// How a message ended.
pub(crate) struct Conclusion {
    pub(crate) outcome: &'static str,
    /// Why a handled message ended so, if its handler said.
    pub(crate) reason: Option<&'static str>,
    pub(crate) problem: Option<Problem>,
    pub(crate) settlement: Settlement,
    pub(crate) signal: Signal,
}

/// Why a message was not handled.
pub(crate) struct Problem {
    pub(crate) reason: &'static str,
    /// The dependency that failed, unless the problem names none.
    pub(crate) dependency: Option<&'static str>,
    /// The cause, with its sources.
    pub(crate) detail: Option<String>,
}

/// The way a message leaves the consumer.
pub(crate) enum Settlement {
    /// The message is deleted.
    Delete,
    /// The message becomes visible again after this delay.
    ReturnToQueue(Duration),
}
