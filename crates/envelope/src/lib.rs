//! The event envelope: what an event looks like on every hop of the layer, and how it is read back.
//!
//! An event travels as the `detail` of an EventBridge event, `{"metadata": {…}, "data": {…}}`. Its
//! name is the `detail-type`, its producer the `source`. Over SNS the same three travel as one JSON
//! message. [`Envelope::read`] takes the body of an SQS message in each of the forms it can arrive
//! in: an EventBridge event, an SNS envelope around a message, or the message itself (raw delivery).
//!
//! The crate is pure: it knows neither AWS clients nor telemetry.
//!
//! ```
//! use envelope::{Envelope, Event, Metadata};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct PointsEarned { customer_number: String, points: u32 }
//!
//! impl Event for PointsEarned {
//!     const TYPE: &'static str = "PointsEarned";
//!     const SOURCE: &'static str = "foostore.crm";
//!     fn customer_number(&self) -> &str { &self.customer_number }
//! }
//!
//! let event = PointsEarned { customer_number: "123456789012".into(), points: 20 };
//! let now = "2026-03-01T12:00:00Z".parse()?;
//! let sent = Envelope::new(Metadata::first(uuid::Uuid::new_v4(), now, now), &event)?;
//!
//! let received = Envelope::read(&sent.message())?.envelope;
//! assert_eq!(received.decode::<PointsEarned>()?, event);
//! assert_eq!(received.customer_number.as_deref(), Some("123456789012"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod data;
mod event;
pub mod mail;
mod metadata;
pub mod outbox;
mod read;

pub use data::{DecodeError, EncodeError};
pub use event::{Envelope, Event, EventSet, EventType, events};
pub use metadata::{Metadata, REPLAYED};
pub use read::{ReadError, Received};
