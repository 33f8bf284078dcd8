//! What a caller learns about its entry.

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
    QueueFull,
    /// The service refused the entry, and would refuse it again.
    #[error("the entry was refused with {code} on attempt {attempts}")]
    Refused {
        /// The service's error code.
        code: String,
        /// How many times the entry was sent.
        attempts: u32,
    },
    /// Every attempt failed for a passing reason, until attempts or time ran out.
    #[error("the entry was given up after {attempts} attempts, the last of which failed with {code}")]
    GaveUp {
        /// The last error code; `Deadline` if the entry was never sent.
        code: String,
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
    /// True if the same entry may be accepted when it is published again later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::Refused { .. })
    }

    /// A short, stable word for log lines and the `error.type` attribute.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::QueueFull => "queue-full",
            Self::Refused { code, .. } | Self::GaveUp { code, .. } => code,
            Self::Closed => "closed",
            Self::Interrupted => "interrupted",
        }
    }
}
