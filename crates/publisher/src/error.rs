//! The outcome of an entry, as its caller sees it.

use aws_clients::AwsError;
use outcome::Failure;

/// An entry that the bus or topic accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The id that EventBridge or SNS assigned to the entry; not the event id of the envelope.
    pub id: String,
}

/// Why an entry was not, or is not known to have been, accepted.
///
/// After every variant except [`TooLarge`](Self::TooLarge) and [`Refused`](Self::Refused), the same event may be
/// republished under the same event id; consumers drop the duplicate if the first one arrived after all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The entry alone exceeds what one call may carry; nothing was sent.
    #[error("the entry has {size} bytes, more than the {limit} allowed in one call")]
    TooLarge {
        /// The size of the entry in bytes, as the service counts it.
        size: usize,
        /// The most bytes that one call may carry.
        limit: usize,
    },
    /// The queue in front of the batches stayed full until the entry's deadline; nothing was sent.
    #[error("the publisher's queue stayed full until the entry's deadline")]
    QueueFull {
        /// The service that did not accept entries fast enough.
        service: &'static str,
    },
    /// The service rejected the entry.
    #[error("the entry was refused on attempt {attempts}")]
    Refused {
        /// The service's response.
        #[source]
        error: AwsError,
        /// How many times the entry was sent.
        attempts: u32,
    },
    /// Every attempt failed through no fault of the entry: attempts or time ran out, or the service cannot be used
    /// until its configuration is fixed.
    #[error("the entry was abandoned after {attempts} attempts")]
    GaveUp {
        /// The last failure; for an entry that was never sent, the throttle that held it up, or a timeout.
        #[source]
        error: AwsError,
        /// How many times the entry was sent.
        attempts: u32,
    },
    /// The publisher is closed; nothing was sent.
    #[error("the publisher is closed")]
    Closed,
    /// The publisher's task ended before the entry's outcome was known.
    #[error("the publisher was interrupted before the entry's outcome was known")]
    Interrupted,
}

impl PublishError {
    /// Returns whether the same entry may be accepted if it is republished later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::Refused { .. })
    }

    /// Returns a short, stable word for log lines and the `error.type` attribute.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::QueueFull { .. } => "queue-full",
            Self::Refused { error, .. } | Self::GaveUp { error, .. } => error.code(),
            Self::Closed => "closed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An entry that is too large is a permanent failure. Refusals and exhausted retries are classified by the service's
/// error, and the publisher's own failures are transient.
impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::TooLarge { .. } => Self::permanent("too-large").because(error),
            PublishError::QueueFull { service } => Self::transient("queue-full").on(service).because(error),
            PublishError::Refused { error, .. } | PublishError::GaveUp { error, .. } => error.into(),
            PublishError::Closed | PublishError::Interrupted => {
                Self::transient("publisher-closed").because(error)
            }
        }
    }
}
