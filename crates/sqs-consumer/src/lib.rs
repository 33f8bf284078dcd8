//! A long-running consumer of an SQS queue: it receives messages, passes each event to an [`AtLeastOnceHandler`], and
//! settles the message according to the handler's result.
//!
//! - A permit is taken before a message is received, so no message waits in memory while its visibility timeout runs.
//! - Each message is handled independently, in its own `process` span, which continues the event's trace.
//! - [`Done`] deletes the message. [`Failure::Transient`] retries it after a random, growing delay.
//!   [`Failure::Permanent`] moves it to the dead-letter queue at once, with the reason.
//! - A panic or a timeout is a transient failure of that message alone.
//! - [`Failure::Rejected`] dead-letters the message once the message itself is shown to be at fault.
//! - When a dependency is unavailable or misconfigured, or rejects most messages, receiving pauses and probes.
//! - On shutdown, messages in flight are finished or released.
//!
//! `DESIGN.md`, next to this crate's manifest, gives the reasons.
//!
//! ```no_run
//! use envelope::Event;
//! use serde::{Deserialize, Serialize};
//! use sqs_consumer::{Consumer, Delivery, Done, Failure, AtLeastOnceHandler, Readiness, ConsumerSettings, SqsQueue};
//! use tokio_util::sync::CancellationToken;
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
//! impl AtLeastOnceHandler for Rewards {
//!     async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
//!         match delivery.envelope.event_type.as_str() {
//!             PointsEarned::TYPE => {
//!                 let earned: PointsEarned = delivery.envelope.decode()?; // a permanent failure: "malformed-event"
//!                 self.credit(&earned).await?; // the error's class decides which failure
//!                 Ok(Done::APPLIED)
//!             }
//!             _ => Ok(Done::IGNORED),
//!         }
//!     }
//! }
//! # impl Rewards { async fn credit(&self, _: &PointsEarned) -> Result<(), aws_clients::AwsError> { Ok(()) } }
//!
//! # async fn example(config: aws_sdk_sqs::Config, meter: opentelemetry::metrics::Meter, shutdown: CancellationToken)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let client = aws_sdk_sqs::Client::from_conf(config); // without a tracing interceptor
//! let queue = SqsQueue::new(client, "https://…/rewards", "https://…/rewards-dead-letter");
//! Consumer::new(queue, Rewards, ConsumerSettings::new("rewards"), &meter)
//!     .on_health(|readiness| match readiness {
//!         Readiness::Up => { /* ready */ }
//!         Readiness::Down { reason } => { /* not ready, for this reason */ drop(reason) }
//!     })
//!     .run(shutdown)
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod backoff;
mod batcher;
mod circuit;
mod clock;
mod conclusion;
mod consumer;
mod dead_letter;
mod failed;
mod failure;
mod handler;
mod held;
mod hop;
mod in_hand;
mod intake;
mod metrics;
mod pollers;
mod process;
mod protection;
pub mod queue;
mod readiness;
mod received;
mod rejections;
mod reported;
mod running;
mod service;
mod settings;
mod shared;
mod sqs;
mod trace;
mod visibility;

pub use backoff::Backoff;
pub use clock::{Clock, SystemClock};
pub use consumer::{Consumer, ConsumerError};
pub use dead_letter::DEAD_LETTER_ATTRIBUTE;
pub use handler::{AtLeastOnceHandler, Delivery};
pub use outcome::{BoxError, Done, Failure};
pub use queue::Queue;
pub use readiness::Readiness;
pub use service::{QueueSettings, serve};
pub use settings::{
    BrakeSettings, CircuitSettings, ConsumerSettings, MAX_LEAVING, SettingsError, SettleSettings,
};
pub use sqs::SqsQueue;
pub use trace::Place;
