//! Effectively-once effects and the outbox, in DynamoDB.
//!
//! Queues deliver at least once, so a handler may see the same event again. A [`Transaction`] atomically writes a
//! handler's change, a marker that says "this handler has handled this event", and the events that the change
//! announces: a redelivery finds the marker and changes nothing. The announced events leave the table through its
//! stream (see [`outbox`]); the first of them is written into the marker, so that marker and announcement are one item.
//!
//! An effect outside DynamoDB, such as a mail, cannot be part of a transaction. [`Claims`] lets one worker at a time
//! attempt it, for the duration of a lease.
//!
//! ```no_run
//! use aws_clients::DynamoDb;
//! use aws_sdk_dynamodb::types::TransactWriteItem;
//! use envelope::Envelope;
//! use idempotency::{Commit, CommitError, Transaction};
//!
//! # async fn handle(client: DynamoDb, event: Envelope, change: TransactWriteItem, announcement: Envelope) {
//! let committed = Transaction::new("members", &event, "membership")
//!     .change(change)
//!     .announce(&announcement)
//!     .commit(&client)
//!     .await;
//! match committed {
//!     Ok(Commit::Applied) => println!("done"),
//!     Ok(Commit::Duplicate { .. }) => println!("already done"),
//!     Err(CommitError::Conflict) => println!("the item has changed since it was read: read it again"),
//!     Err(error) => drop(outcome::Failure::from(error)), // in a handler: `?`
//! }
//! # }
//! ```

mod cancellation;
mod claim;
mod commit_error;
mod fingerprint;
pub mod outbox;
mod retry;
mod transaction;

pub use claim::{Claim, ClaimError, Claims, Token};
pub use commit_error::CommitError;
pub use retry::{Attempts, Retry};
pub use transaction::{Commit, Transaction};

/// The attribute of a marker, and of a claim, for the trace header of the attempt that wrote it.
pub(crate) const ATTEMPT: &str = "attempt";
/// The attribute of a marker, and of an event's record, for the reason why the event was refused.
pub(crate) const REFUSAL: &str = "refusal";
