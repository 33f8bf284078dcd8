//! The outcome of handling a message: done, or failed and for whose fault.
//!
//! This crate sits below the consumer, so that crates whose errors become a [`Failure`] (`publisher`, `idempotency`)
//! need not depend on a queue.

mod describe;

use std::time::Duration;

use aws_clients::{AwsError, ErrorClass};

pub use describe::describe;

/// The cause of a failure, of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason for a message whose body or data is not a valid event.
pub const MALFORMED_EVENT: &str = "malformed-event";

/// The success of a message, which is then deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The outcome, for the hop log line, the annotation and the metrics: one of a fixed set of words.
    pub outcome: &'static str,
    /// Whether the handler did what it does for such an event. Only then does the success show that the dependencies
    /// accept what such events lead to.
    pub took_effect: bool,
    /// Why the outcome is this one, for the hop log line: one of a fixed set of words.
    pub reason: Option<&'static str>,
}

impl Done {
    /// The event's effect was applied.
    pub const APPLIED: Self = Self::new("applied");
    /// The event had been handled before; nothing was changed.
    pub const DUPLICATE: Self = Self::without_effect("duplicate");
    /// The event requires nothing of this service.
    pub const IGNORED: Self = Self::without_effect("ignored");

    /// Creates a success with this outcome.
    #[must_use]
    pub const fn new(outcome: &'static str) -> Self {
        Self { outcome, took_effect: true, reason: None }
    }

    /// Creates a success with this outcome for an event that left nothing to do.
    #[must_use]
    pub const fn without_effect(outcome: &'static str) -> Self {
        Self { outcome, took_effect: false, reason: None }
    }

    /// Adds the reason for the outcome.
    ///
    /// ```
    /// const SUPPRESSED: outcome::Done = outcome::Done::without_effect("suppressed").because("opted-out");
    /// assert_eq!(SUPPRESSED.reason, Some("opted-out"));
    /// ```
    #[must_use]
    pub const fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

/// The failure to handle a message.
///
/// `reason` is one of a fixed set of words (it is a metric attribute). The cause and its sources are written to the hop
/// log line, the span and the dead letter: **its `Display` must not contain personal data.**
///
/// An [`AwsError`] converts by its class, so a handler propagates it with `?`:
///
/// | class | becomes |
/// |---|---|
/// | throttled, unavailable, misconfigured | [`Transient`](Self::Transient) on the service; the message waits until it works again |
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
    /// A retry may succeed. The message is retried with growing delays until it is too old.
    Transient {
        /// What went wrong.
        reason: &'static str,
        /// What was unavailable. When most messages fail because of the same dependency, receiving pauses.
        dependency: Option<&'static str>,
        /// Whether no message can succeed until the dependency's configuration is fixed.
        misconfigured: bool,
        /// The dependency's error code, if it returned one.
        code: Option<String>,
        /// The cause.
        source: Option<BoxError>,
        /// How long to wait before a retry is worthwhile, if the dependency said so.
        retry_after: Option<Duration>,
    },
    /// A dependency refuses the request that this message led to. Either the message is at fault, or many are refused
    /// because a deployment broke something: the consumer determines which before it dead-letters the message.
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
    /// A retry cannot succeed, because the message itself is at fault. It is dead-lettered at once.
    Permanent {
        /// What is wrong with the message.
        reason: &'static str,
        /// The cause.
        source: Option<BoxError>,
    },
}

impl Failure {
    /// Creates a failure that a later retry may clear.
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

    /// Creates the failure of a message whose request `dependency` refuses with `code`.
    #[must_use]
    pub fn rejected(dependency: &'static str, code: impl Into<String>) -> Self {
        Self::Rejected { reason: ErrorClass::Rejected.as_str(), dependency, code: code.into(), source: None }
    }

    /// Creates a failure that no retry can clear.
    #[must_use]
    pub const fn permanent(reason: &'static str) -> Self {
        Self::Permanent { reason, source: None }
    }

    /// Names the dependency at fault. A permanent failure is the message's own fault, so it stays unchanged.
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

    /// Sets how long to wait before the retry. Only transient failures are affected.
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

    /// Returns the dependency that caused the failure, if one did.
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

/// Data that does not match its type will not match on a retry either, so the failure is permanent.
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
    fn an_aws_error_becomes_a_failure_by_its_class() {
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
