//! What a handler can answer.

use std::error::Error;
use std::time::Duration;

use crate::BoxError;

/// A message was handled: it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// What came of it, for the hop log line, the annotation and the metrics. One word of a fixed set.
    pub outcome: &'static str,
}

impl Done {
    /// The event's effect was applied.
    pub const APPLIED: Self = Self::new("applied");
    /// The event had been handled before; nothing was changed.
    pub const DUPLICATE: Self = Self::new("duplicate");
    /// The event asks nothing of this service.
    pub const IGNORED: Self = Self::new("ignored");

    /// Handled, with this outcome.
    #[must_use]
    pub const fn new(outcome: &'static str) -> Self {
        Self { outcome }
    }
}

/// A message was not handled.
///
/// `reason` is one of a fixed set of words (it is a metric attribute). The cause is written with its sources into the
/// hop log line, the span and the dead letter: **its `Display` must hold no personal data.**
///
/// ```
/// use std::time::Duration;
/// use sqs_consumer::Failure;
///
/// let failure = Failure::transient("throttled").on("DynamoDB").retry_after(Duration::from_secs(30));
/// assert_eq!(failure.reason(), "throttled");
/// let failure = Failure::permanent("event-id-reused").because("another body under the same id");
/// assert!(failure.is_permanent());
/// ```
#[derive(Debug)]
pub enum Failure {
    /// Trying again later may help. The message is retried with growing delays until it is too old.
    Transient {
        /// What went wrong.
        reason: &'static str,
        /// What was not available. When most messages fail for the same dependency, receiving pauses.
        dependency: Option<&'static str>,
        /// The cause.
        source: Option<BoxError>,
        /// The earliest time worth trying again, when the dependency said so.
        retry_after: Option<Duration>,
    },
    /// Trying again cannot help. The message goes to the dead-letter queue at once.
    Permanent {
        /// What is wrong with the message.
        reason: &'static str,
        /// The cause.
        source: Option<BoxError>,
    },
}

impl Failure {
    /// Trying again later may help.
    #[must_use]
    pub const fn transient(reason: &'static str) -> Self {
        Self::Transient { reason, dependency: None, source: None, retry_after: None }
    }

    /// Trying again cannot help.
    #[must_use]
    pub const fn permanent(reason: &'static str) -> Self {
        Self::Permanent { reason, source: None }
    }

    /// Names the dependency that was not available. A permanent failure is nobody's but the message's own, and stays
    /// as it is.
    #[must_use]
    pub fn on(mut self, name: &'static str) -> Self {
        if let Self::Transient { dependency, .. } = &mut self {
            *dependency = Some(name);
        }
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<BoxError>) -> Self {
        match &mut self {
            Self::Transient { source, .. } | Self::Permanent { source, .. } => *source = Some(cause.into()),
        }
        self
    }

    /// Sets the earliest time worth trying again. A permanent failure is not retried and stays as it is.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let Self::Transient { retry_after, .. } = &mut self {
            *retry_after = Some(delay);
        }
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Transient { reason, .. } | Self::Permanent { reason, .. } => reason,
        }
    }

    /// Whether trying again cannot help.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Permanent { .. })
    }
}

/// Data that has not the shape of its type will not have it at the next attempt either.
impl From<envelope::DecodeError> for Failure {
    fn from(error: envelope::DecodeError) -> Self {
        Self::permanent(MALFORMED_EVENT).because(error)
    }
}

/// Reason of a message whose body or data is no event.
pub(crate) const MALFORMED_EVENT: &str = "malformed-event";
/// Reason of a handler that panicked.
pub(crate) const PANIC: &str = "panic";
/// Reason of a handler that did not finish in time.
pub(crate) const TIMEOUT: &str = "timeout";
/// Reason of a message that could not be moved to the dead-letter queue and is tried again for that.
pub(crate) const DEAD_LETTER_UNAVAILABLE: &str = "dead-letter-queue-unavailable";

/// The longest description of a cause that is kept.
const MAX_DESCRIPTION: usize = 500;

/// An error with its sources on one line, `outer: inner: innermost`, for log lines, spans and dead letters.
///
/// An error of `serde_json` can quote the value it stumbled over, so of it only the kind and the place are written.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = if let Some(json) = error.downcast_ref::<serde_json::Error>() {
            next = None;
            format!("{:?} error at line {}, column {}", json.classify(), json.line(), json.column())
        } else {
            next = error.source();
            error.to_string()
        };
        // Many errors repeat their source in their own text.
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    if let Some((end, _)) = text.char_indices().nth(MAX_DESCRIPTION) {
        text.truncate(end);
        text.push('…');
    }
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] BoxError);

    #[test]
    fn describes_an_error_with_its_sources_once() {
        let error = Outer(Box::new(Outer("inner\nline".into())));
        assert_eq!(describe(&error), "outer: inner line");
    }

    #[test]
    fn never_quotes_what_json_held() {
        let json = serde_json::from_str::<bool>("\"Mustermann\"").unwrap_err();
        assert!(json.to_string().contains("Mustermann"), "or the test proves nothing");
        let text = describe(&Outer(Box::new(json)));
        assert_eq!(text, "outer: Data error at line 1, column 12");
    }

    #[test]
    fn keeps_long_causes_short() {
        let text = describe(&Outer("ä".repeat(2_000).into()));
        assert_eq!(text.chars().count(), MAX_DESCRIPTION + 1);
    }

    #[test]
    fn builds_failures() {
        let failure = Failure::transient("throttled")
            .on("DynamoDB")
            .because("slow down")
            .retry_after(Duration::from_secs(3));
        assert!(!failure.is_permanent());
        let Failure::Transient { reason, dependency, source, retry_after } = failure else { unreachable!() };
        assert_eq!((reason, dependency), ("throttled", Some("DynamoDB")));
        assert_eq!(source.unwrap().to_string(), "slow down");
        assert_eq!(retry_after, Some(Duration::from_secs(3)));

        let permanent = Failure::permanent("no").on("DynamoDB").retry_after(Duration::from_secs(3));
        assert!(matches!(permanent, Failure::Permanent { reason: "no", source: None }));
    }
}
