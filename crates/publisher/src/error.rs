//! What a caller learns about its entry.

use aws_clients::AwsError;
use outcome::Failure;

/// The entry was accepted by the bus or topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The id that EventBridge or SNS gave to the entry. Not the event id of the envelope.
    pub id: String,
}

/// Why an entry was not, or is not known to have been, accepted.
///
/// After every variant but [`TooLarge`](Self::TooLarge) and [`Refused`](Self::Refused) the same event may be
/// published again under the same event id; consumers drop the duplicate if it had arrived after all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The entry alone exceeds what one call may carry; nothing was sent.
    #[error("the entry has {size} bytes, more than the {limit} allowed in one call")]
    TooLarge {
        /// Size of the entry in bytes, counted as the service counts it.
        size: usize,
        /// The most that one call may carry.
        limit: usize,
    },
    /// The queue in front of the batches stayed full until the entry's deadline; nothing was sent.
    #[error("the publisher's queue stayed full until the entry's deadline")]
    QueueFull {
        /// The service that did not take entries fast enough.
        service: &'static str,
    },
    /// The service rejected the entry.
    #[error("the entry was refused on attempt {attempts}")]
    Refused {
        /// What the service answered.
        #[source]
        error: AwsError,
        /// How many times the entry was sent.
        attempts: u32,
    },
    /// Every attempt failed for a reason that is not the entry's: attempts or time ran out, or the service cannot be used
    /// until its configuration is mended.
    #[error("the entry was given up after {attempts} attempts")]
    GaveUp {
        /// The last failure; a timeout if the entry was never sent.
        #[source]
        error: AwsError,
        /// How many times the entry was sent.
        attempts: u32,
    },
    /// The publisher is closed; nothing was sent.
    #[error("the publisher is closed")]
    Closed,
    /// The publisher's task ended before the entry's fate was known.
    #[error("the publisher was interrupted before the entry's fate was known")]
    Interrupted,
}

impl PublishError {
    /// Returns whether the same entry may be accepted when it is published again later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::Refused { .. })
    }

    /// A short, stable word for log lines and the `error.type` attribute.
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

/// An entry that is too large stays so. Everything else goes by what the service answered.
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
