//! Why a transaction was not committed.

use thiserror::Error;
use uuid::Uuid;

use crate::{Fault, FaultKind};

/// A transaction that was not committed: nothing of it was written.
///
/// (One exception: after a [`Fault`] without an answer the transaction may have been committed all the
/// same. The marker turns the next attempt into a duplicate.)
#[derive(Debug, Error)]
pub enum CommitError {
    /// The handler has handled another event under the same id.
    #[error("event {event_id} was handled before with another body")]
    EventIdReused {
        /// The id used twice.
        event_id: Uuid,
    },
    /// A condition of the change itself did not hold: the item is no longer what was read.
    #[error("a condition of the change did not hold")]
    Conflict,
    /// Other transactions were on the same items at every attempt.
    #[error("other transactions were on the same items at each of {attempts} attempts")]
    Contended {
        /// Attempts made.
        attempts: u32,
    },
    /// DynamoDB asked for fewer requests at every attempt.
    #[error("DynamoDB throttled each of {attempts} attempts")]
    Throttled {
        /// Attempts made.
        attempts: u32,
    },
    /// DynamoDB refuses one of the items, and would again.
    #[error("DynamoDB rejected an item of the transaction with {code}")]
    Rejected {
        /// The code of the cancellation reason.
        code: String,
    },
    /// A marker is in the way that says nothing about the event it stands for.
    #[error("the marker of event {event_id} is not readable")]
    MarkerUnreadable {
        /// The event's id.
        event_id: Uuid,
    },
    /// The call itself failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl CommitError {
    /// Whether another attempt, later, is bound to fail in the same way.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::EventIdReused { .. } | Self::Rejected { .. } | Self::MarkerUnreadable { .. } => true,
            Self::Conflict | Self::Contended { .. } | Self::Throttled { .. } => false,
            Self::Fault(fault) => fault.kind() == FaultKind::Rejected,
        }
    }

    /// Whether DynamoDB, rather than this event or its neighbours, stands in the way.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Throttled { .. } => true,
            Self::Fault(fault) => fault.kind() != FaultKind::Rejected,
            _ => false,
        }
    }

    /// A short name for it, for log lines and dead letters.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::EventIdReused { .. } => "event-id-reused",
            Self::Conflict | Self::Contended { .. } => "dynamodb-contended",
            Self::Throttled { .. } => "dynamodb-throttled",
            Self::Rejected { .. } => "dynamodb-rejected",
            Self::MarkerUnreadable { .. } => "marker-unreadable",
            Self::Fault(fault) => fault.reason(),
        }
    }
}
