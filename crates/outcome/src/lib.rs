//! How handling a message ended: done, or failed, and whose fault it is.
//!
//! It is below the consumer, so that crates whose errors become a [`Failure`] (`publisher`, `idempotency`) need not know
//! of a queue.

use std::time::Duration;

use aws_clients::{AwsError, ErrorClass};

/// A cause of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reason of a message whose body or data is no event.
pub const MALFORMED_EVENT: &str = "malformed-event";

/// A message was handled: it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The outcome, for the hop log line, the annotation and the metrics. One word of a fixed set.
    pub outcome: &'static str,
}

impl Done {
    /// The event's effect was applied.
    pub const APPLIED: Self = Self::new("applied");
    /// The event had been handled before; nothing was changed.
    pub const DUPLICATE: Self = Self::new("duplicate");
    /// The event requires nothing of this service.
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
/// An [`AwsError`] converts by its class, so a handler passes it on with `?`:
///
/// | class | becomes |
/// |---|---|
/// | throttled, unavailable, misconfigured | [`Transient`](Self::Transient) on the service; the message waits until it is mended |
/// | rejected | [`Rejected`](Self::Rejected); the message is dead-lettered once it is proven to be at fault itself |
///
/// ```
/// use std::time::Duration;
/// use outcome::Failure;
///
/// let failure = Failure::transient("throttled").on("DynamoDB").retry_after(Duration::from_secs(30));
/// assert_eq!((failure.reason(), failure.dependency()), ("throttled", Some("DynamoDB")));
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
        /// Nobody's message would pass until the dependency's configuration is mended.
        misconfigured: bool,
        /// The dependency's error code, where it gave one.
        code: Option<String>,
        /// The cause.
        source: Option<BoxError>,
        /// The earliest time worth trying again, when the dependency said so.
        retry_after: Option<Duration>,
    },
    /// A dependency refuses the request that this message led to. Either the message is at fault, or many are refused
    /// because a deployment broke something: the consumer finds out which before it gives the message up.
    Rejected {
        /// What went wrong.
        reason: &'static str,
        /// What refused the request.
        dependency: &'static str,
        /// The dependency's error code.
        code: String,
        /// The cause.
        source: Option<BoxError>,
    },
    /// Trying again cannot help: the message itself is at fault. It goes to the dead-letter queue at once.
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
        Self::Transient {
            reason,
            dependency: None,
            misconfigured: false,
            code: None,
            source: None,
            retry_after: None,
        }
    }

    /// `dependency` refuses what this message leads to, with `code`.
    #[must_use]
    pub fn rejected(dependency: &'static str, code: impl Into<String>) -> Self {
        Self::Rejected { reason: ErrorClass::Rejected.as_str(), dependency, code: code.into(), source: None }
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
        match &mut self {
            Self::Transient { dependency, .. } => *dependency = Some(name),
            Self::Rejected { dependency, .. } => *dependency = name,
            Self::Permanent { .. } => {}
        }
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<BoxError>) -> Self {
        match &mut self {
            Self::Transient { source, .. }
            | Self::Rejected { source, .. }
            | Self::Permanent { source, .. } => {
                *source = Some(cause.into());
            }
        }
        self
    }

    /// Sets the earliest time worth trying again. Only a transient failure has one; others stay as they are.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let Self::Transient { retry_after, .. } = &mut self {
            *retry_after = Some(delay);
        }
        self
    }

    /// Returns what went wrong.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Transient { reason, .. }
            | Self::Rejected { reason, .. }
            | Self::Permanent { reason, .. } => reason,
        }
    }

    /// Returns the dependency the message failed on, if it was one.
    #[must_use]
    pub const fn dependency(&self) -> Option<&'static str> {
        match self {
            Self::Transient { dependency, .. } => *dependency,
            Self::Rejected { dependency, .. } => Some(dependency),
            Self::Permanent { .. } => None,
        }
    }

    /// Returns whether the message itself is known to be at fault.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::Permanent { .. })
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        let (reason, code) = (error.class().as_str(), error.code().to_owned());
        match error.class() {
            ErrorClass::Rejected => Self::rejected(error.service(), code).because(error),
            class => Self::Transient {
                reason,
                dependency: Some(error.service()),
                misconfigured: class == ErrorClass::Misconfigured,
                code: Some(code),
                retry_after: error.retry_after(),
                source: Some(Box::new(error)),
            },
        }
    }
}

/// Data that has not the shape of its type will not have it at the next attempt either.
impl From<envelope::DecodeError> for Failure {
    fn from(error: envelope::DecodeError) -> Self {
        Self::permanent(MALFORMED_EVENT).because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_failures() {
        let failure = Failure::transient("throttled")
            .on("DynamoDB")
            .because("slow down")
            .retry_after(Duration::from_secs(3));
        assert!(!failure.is_permanent());
        let Failure::Transient { reason, dependency, source, retry_after, .. } = failure else {
            unreachable!()
        };
        assert_eq!((reason, dependency), ("throttled", Some("DynamoDB")));
        assert_eq!(source.unwrap().to_string(), "slow down");
        assert_eq!(retry_after, Some(Duration::from_secs(3)));

        let permanent = Failure::permanent("no").on("DynamoDB").retry_after(Duration::from_secs(3));
        assert!(matches!(permanent, Failure::Permanent { reason: "no", source: None }));
    }

    #[test]
    fn an_error_of_aws_becomes_a_failure_by_its_class() {
        let of = |code| Failure::from(AwsError::of_entry("SNS", "PublishBatch", code, None));
        for (code, expected) in
            [("Throttling", "throttled"), ("InternalError", "unavailable"), ("NotFound", "misconfigured")]
        {
            let failure = of(code);
            assert_eq!((failure.reason(), failure.dependency()), (expected, Some("SNS")));
            let Failure::Transient { misconfigured, code: kept, .. } = failure else { unreachable!() };
            assert_eq!((misconfigured, kept.as_deref()), (expected == "misconfigured", Some(code)));
        }
        let Failure::Rejected { reason, dependency, code, .. } = of("InvalidParameter") else {
            unreachable!()
        };
        assert_eq!((reason, dependency, code.as_str()), ("rejected", "SNS", "InvalidParameter"));
    }
}
