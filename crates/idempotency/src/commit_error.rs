//! Why a transaction was not committed.

use aws_clients::AwsError;
use outcome::Failure;
use thiserror::Error;
use uuid::Uuid;

/// A transaction that was not committed: nothing of it was written.
///
/// (One exception: after a failure without an answer the transaction may have been committed all the same. The marker
/// turns the next attempt into a duplicate.)
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
    /// A marker is in the way that doesn't say which event it stands for.
    #[error("the marker of event {event_id} is not readable")]
    MarkerUnreadable {
        /// The event's id.
        event_id: Uuid,
    },
    /// The call failed, or one of its items did.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Contention concerns one customer's items, so it names no dependency: other messages need not wait for it.
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
