//! Why a transaction was not committed.

use aws_clients::AwsError;
use outcome::Failure;
use thiserror::Error;
use uuid::Uuid;

/// A transaction that was not committed: none of it was written.
///
/// (One exception: after a failure without a response the transaction may have been committed nevertheless. The marker
/// turns the next attempt into a duplicate.)
#[derive(Debug, Error)]
pub enum CommitError {
    /// The handler has already handled another event with the same id.
    #[error("event {event_id} was handled before with another body")]
    EventIdReused {
        /// The id used twice.
        event_id: Uuid,
    },
    /// A condition of the change itself did not hold: the item has changed since it was read.
    #[error("a condition of the change did not hold")]
    Conflict,
    /// Other transactions were using the same items at every attempt.
    #[error("other transactions were using the same items at each of {attempts} attempts")]
    Contended {
        /// Attempts made.
        attempts: u32,
    },
    /// An existing marker does not identify its event.
    #[error("the marker of event {event_id} is unreadable")]
    MarkerUnreadable {
        /// The event's id.
        event_id: Uuid,
    },
    /// The call or one of its items failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Contention concerns one customer's items, so it names no dependency: other messages need not wait.
impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Aws(error) => error.into(),
            CommitError::EventIdReused { .. } => Self::permanent("event-id-reused").because(error),
            CommitError::MarkerUnreadable { .. } => Self::permanent("marker-unreadable").because(error),
            CommitError::Conflict | CommitError::Contended { .. } => {
                Self::transient("contended").because(error)
            }
        }
    }
}
