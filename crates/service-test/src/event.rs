//! Events and deliveries as a consumer passes them to a handler.

use envelope::{Envelope, Event, Metadata};
use jiff::Timestamp;
use sqs_consumer::{Delivery, Place};
use uuid::Uuid;

/// Wraps an event that occurs now and has no cause, under a new id.
///
/// # Panics
/// If the event cannot be written as JSON.
#[must_use]
pub fn envelope<E: Event>(event: &E) -> Envelope {
    envelope_at(Timestamp::now(), event)
}

/// Wraps an event that occurred at `occurred_at`, is published now and has no cause, under a new id.
///
/// # Panics
/// If the event cannot be written as JSON.
#[must_use]
pub fn envelope_at<E: Event>(occurred_at: Timestamp, event: &E) -> Envelope {
    let metadata = Metadata::first(Uuid::new_v4(), occurred_at, Timestamp::now());
    Envelope::new(metadata, event).unwrap()
}

/// Returns the first delivery of `envelope`, received now. A redelivery is the same with a higher `attempt`.
#[must_use]
pub fn delivery(envelope: &Envelope) -> Delivery {
    let now = Timestamp::now();
    Delivery {
        envelope: envelope.clone(),
        attempt: 1,
        message_id: "message".to_owned(),
        sent_at: now,
        first_received_at: now,
        received_at: now,
        replay_name: None,
        place: Place::default(),
    }
}
