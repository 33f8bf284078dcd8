//! Publishing events to EventBridge and SNS: batched on the wire, one at a time for the caller.
//!
//! Callers publish one event at a time and await its outcome. Behind the scenes, the entries of concurrent callers are
//! coalesced into full calls (ten entries, 256 KB) within a few milliseconds, the number of calls in flight is bounded,
//! and a full queue makes callers wait. Entries throttled in a successful call are batched anew, and those that failed
//! otherwise are resent together; a call that failed temporarily is resent unchanged; whatever would be refused again
//! fails at once. After a throttle all calls pause, and then one tries whether the service accepts again. Each caller
//! receives the outcome of *its* entry, and a caller that leaves early affects neither its own entry nor the others.
//!
//! A call has no span, because it belongs to the traces of all its entries. Each **entry** has a PRODUCER span under
//! its caller's, and its own trace header.
//!
//! Delivery is at least once: a lost response causes a retry under the same event id.
//!
//! ```
//! use envelope::{Envelope, Event};
//! use publisher::{EventPublisher, PublishError, PublisherSettings};
//!
//! async fn announce<E: Event>(publisher: &EventPublisher, event: &E) -> Result<(), Box<dyn std::error::Error>> {
//!     # let now = "2026-03-01T12:00:00Z".parse()?;
//!     # let id = "0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a".parse()?;
//!     let envelope = Envelope::new(envelope::Metadata::first(id, now, now), event)?;
//!     match publisher.publish(envelope).await {
//!         Ok(published) => println!("EventBridge calls it {}", published.id),
//!         Err(error) if error.is_transient() => println!("later, perhaps: {error}"),
//!         Err(error) => return Err(error.into()),
//!     }
//!     Ok(())
//! }
//!
//! fn publisher(client: aws_sdk_eventbridge::Client, meter: &opentelemetry::metrics::Meter) -> EventPublisher {
//!     EventPublisher::new(client, "foostore-local".to_owned(), PublisherSettings::default(), meter)
//! }
//! ```

mod batcher;
mod call;
mod delivery;
mod error;
mod eventbridge;
mod job;
mod metrics;
mod pace;
mod settings;
mod sns;
mod span;
#[cfg(test)]
mod tests;
mod waiting;

pub use error::{PublishError, Published};
pub use eventbridge::EventPublisher;
pub use settings::PublisherSettings;
pub use sns::TopicPublisher;
