//! Event handlers whose effects happen once, although queues deliver at least once.
//!
//! A service declares the events it subscribes to in one place, [`Subscriber::Events`]; its topology and the dispatch
//! both follow from it, and an event type without a handler does not compile. Three traits handle events; the choice
//! depends on where the effect takes place:
//!
//! | the effect | implement | run by | guarantee |
//! |---|---|---|---|
//! | is in DynamoDB | [`Handle`], which returns an [`Effect`] | [`EffectivelyOnce`] | once: changes, announcements and the marker of the event are one transaction |
//! | is a call to something else | [`Perform`] | [`Claimed`] | once, unless the process dies or a response is lost between the call and its record |
//! | is idempotent by itself | [`HandleAtLeastOnce`] | [`AtLeastOnce`] | at least once; a redelivery repeats it |
//!
//! ```
//! use aws_sdk_dynamodb::types::{AttributeValue, Update};
//! use envelope::Event;
//! use handlers::{Effect, EffectivelyOnce, Handle, Subscriber, subscriptions};
//! use serde::{Deserialize, Serialize};
//! use sqs_consumer::{Delivery, Failure};
//!
//! #[derive(Serialize, Deserialize)]
//! struct PointsEarned { customer_number: String, points: u32 }
//!
//! impl Event for PointsEarned {
//!     const TYPE: &'static str = "PointsEarned";
//!     const SOURCE: &'static str = "foostore.crm";
//!     fn customer_number(&self) -> &str { &self.customer_number }
//! }
//!
//! struct Rewards;
//!
//! impl Subscriber for Rewards {
//!     type Events = (PointsEarned,);
//! }
//!
//! impl Handle<PointsEarned> for Rewards {
//!     async fn handle(&self, event: &PointsEarned, _: &Delivery) -> Result<Effect, Failure> {
//!         // Not idempotent by itself, but need not be: it is written together with the event's marker, or not at all.
//!         Ok(Effect::applied().update(
//!             Update::builder()
//!                 .key("pk", AttributeValue::S(format!("BALANCE#{}", event.customer_number)))
//!                 .update_expression("ADD points :points")
//!                 .expression_attribute_values(":points", AttributeValue::N(event.points.to_string())),
//!         ))
//!     }
//! }
//!
//! assert_eq!(subscriptions::<Rewards>()[0].name, "PointsEarned");
//!
//! fn handler(dynamodb: aws_clients::DynamoDb, table: String) -> impl sqs_consumer::AtLeastOnceHandler {
//!     EffectivelyOnce::new(dynamodb, table, "rewards", Rewards)
//! }
//! ```
//!
//! Without `impl Handle<PointsRedeemed>`, a subscription to that event does not compile:
//!
//! ```compile_fail,E0277
//! # use envelope::Event;
//! # use handlers::{Effect, EffectivelyOnce, Handle, Subscriber};
//! # use serde::{Deserialize, Serialize};
//! # use sqs_consumer::{Delivery, Failure};
//! # #[derive(Serialize, Deserialize)] struct PointsEarned { customer_number: String }
//! # impl Event for PointsEarned {
//! #     const TYPE: &'static str = "PointsEarned"; const SOURCE: &'static str = "foostore.crm";
//! #     fn customer_number(&self) -> &str { &self.customer_number }
//! # }
//! # #[derive(Serialize, Deserialize)] struct PointsRedeemed { customer_number: String }
//! # impl Event for PointsRedeemed {
//! #     const TYPE: &'static str = "PointsRedeemed"; const SOURCE: &'static str = "foostore.crm";
//! #     fn customer_number(&self) -> &str { &self.customer_number }
//! # }
//! # struct Rewards;
//! # impl Handle<PointsEarned> for Rewards {
//! #     async fn handle(&self, _: &PointsEarned, _: &Delivery) -> Result<Effect, Failure> { Ok(Effect::applied()) }
//! # }
//! impl Subscriber for Rewards {
//!     type Events = (PointsEarned, PointsRedeemed);
//! }
//!
//! fn handler(dynamodb: aws_clients::DynamoDb) -> impl sqs_consumer::AtLeastOnceHandler {
//!     EffectivelyOnce::new(dynamodb, "rewards", "rewards", Rewards)
//! }
//! ```

mod at_least_once;
mod claimed;
mod committer;
mod dispatch;
mod effect;
mod effectively_once;
mod subscriber;
mod turns;

pub use at_least_once::{AtLeastOnce, HandleAtLeastOnce};
pub use claimed::{Claimed, Lease, Perform};
pub use committer::{CONTENDED_WITHIN, Committed, Committer, Refused};
pub use dispatch::{Dispatch, Route};
pub use effect::{Effect, announcement_id};
pub use effectively_once::{EffectivelyOnce, Handle};
pub use idempotency::outbox::Announcing;
pub use subscriber::{Subscriber, subscriptions};
