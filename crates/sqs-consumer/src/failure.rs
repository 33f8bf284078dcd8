//! The consumer's own failure reasons.

/// The reason when a handler panics.
pub(crate) const PANIC: &str = "panic";
/// The reason when a handler does not finish in time.
pub(crate) const TIMEOUT: &str = "timeout";
/// The reason when a message could not be moved to the dead-letter queue and is therefore retried.
pub(crate) const DEAD_LETTER_UNAVAILABLE: &str = "dead-letter-queue-unavailable";
/// The reason when a message was received as often as SQS allows, and no attempt before came to an end.
pub(crate) const NEVER_FINISHED: &str = "never-finished";
/// The reason when no form of a message's dead letter is accepted, so that only SQS's own redrive can move it.
pub(crate) const DEAD_LETTER_REFUSED: &str = "dead-letter-refused";
