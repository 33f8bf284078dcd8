//! Events that time causes: a sweeper finds the items of a service's table that have fallen due, and has the service's handler
//! decide what follows, once for each.
//!
//! An item that falls due has the attributes of a [`Due`]: a bucket and a time, the keys of a sparse index ([`swept`]). Beside
//! the service's consumer, in the same process, the sweeper takes a lease on each [bucket](BUCKETS) that is free, queries the
//! index for what is due, page by page, and calls the handler ([`HandleDue`]) for each item. The returned
//! [`Effect`](handlers::Effect) is committed like that of an event: in one transaction with its announcements and a marker.
//! The effect itself ends the item's being due, so nothing is lost by a crash: what was not committed is still due.
//!
//! ```
//! use aws_sdk_dynamodb::types::{AttributeValue, Update};
//! use handlers::Effect;
//! use sqs_consumer::Failure;
//! use sweeper::{DueItem, HandleDue};
//!
//! struct Expiry;
//!
//! impl HandleDue for Expiry {
//!     fn kind(&self, _: &str) -> &'static str {
//!         "VoucherDue"
//!     }
//!
//!     async fn handle(&self, due: &DueItem) -> Result<Effect, Failure> {
//!         let Some(revision) = due.item.get("revision") else {
//!             return Err(Failure::permanent("voucher-unreadable"));
//!         };
//!         Ok(Effect::new("expired").update(
//!             Update::builder()
//!                 .key("pk", AttributeValue::S(due.key.clone()))
//!                 .update_expression(format!("SET expired = :true REMOVE {}", sweeper::ATTRIBUTES.join(", ")))
//!                 .condition_expression("revision = :read")
//!                 .expression_attribute_values(":true", AttributeValue::Bool(true))
//!                 .expression_attribute_values(":read", revision.clone()),
//!         )) // .announce(&VoucherExpired { … })
//!     }
//! }
//! ```
//!
//! # What happens to an item
//!
//! | | |
//! |---|---|
//! | the effect is committed | its outcome, on a log line `event`, in a trace that begins here and names the trace and the event that set the time |
//! | a condition does not hold | it is read again: if it is still due, the handler decides again, else it is `no-longer-due` |
//! | another sweeper was faster, or an answer was lost | the marker says so: `duplicate` |
//! | a transient failure, a panic, a rejection by DynamoDB | `retry`: it stays due, and is tried again with growing delays; if a dependency failed, the bucket waits too |
//! | a permanent failure | `parked`: it moves to the bucket [`PARKED`], with `parked_reason`, so that others go on |
//!
//! Parked items are found by a query, and returned once the cause is fixed:
//!
//! ```text
//! aws dynamodb query --table-name TABLE --index-name due \
//!   --key-condition-expression 'due_bucket = :p' --expression-attribute-values '{":p": {"S": "parked"}}'
//! aws dynamodb update-item --table-name TABLE --key '{"pk": {"S": "KEY"}}' \
//!   --update-expression 'SET due_bucket = parked_bucket REMOVE parked_bucket, parked_reason, parked_at' \
//!   --condition-expression 'due_bucket = :p' --expression-attribute-values '{":p": {"S": "parked"}}'
//! ```
//!
//! TTL never makes an event: DynamoDB removes an expired item within days, and announces nothing by itself. It only cleans up.

mod bucket;
mod conclusion;
mod declare;
mod due;
mod handler;
mod item;
mod lease;
mod metrics;
mod retries;
mod service;
mod settings;
mod shared;
mod state;
mod sweeper;
mod table;
mod trace;

pub use declare::{INDEX, swept};
pub use due::{ATTRIBUTES, BUCKETS, DUE_AT, DUE_BUCKET, Due, DueItem, Item, PARKED};
pub use handler::HandleDue;
pub use lease::LEASE_PREFIX;
pub use service::start;
pub use settings::SweeperSettings;
pub use sweeper::Sweeper;
