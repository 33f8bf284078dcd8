//! The service's part: handling one event.

use std::future::Future;
use std::sync::Arc;

use envelope::Envelope;
use jiff::Timestamp;

use crate::trace::Place;
use crate::{Done, Failure};

/// A handler of events that are delivered at least once.
///
/// The consumer doesn't know the effect, so it can't stop a redelivery from repeating it. Redeliveries do happen: after
/// a crash, a timeout, a lost response or a failed delete. An effect that accumulates (`ADD points`, a mail, a charge)
/// is repeated with each delivery unless the handler prevents it, with a marker in the same transaction or with a claim
/// (crate `idempotency`). Implement this trait directly only for idempotent effects.
///
/// The handler's future may be dropped at any await point: when its time is up, and at the end of a shutdown's grace
/// period. A panic counts as a transient failure of this message alone.
///
/// The future runs inside the message's `process` span, so the spans it creates and the headers it injects belong to
/// the event's trace.
pub trait AtLeastOnceHandler: Send + Sync + 'static {
    /// Handles one delivery of an event.
    ///
    /// # Errors
    /// Returns [`Failure::Transient`] to have the message retried later, [`Failure::Permanent`] to have it
    /// dead-lettered at once, and [`Failure::Rejected`] to let the consumer determine whether the message or the
    /// dependency is at fault.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send;
}

impl<H: AtLeastOnceHandler> AtLeastOnceHandler for Arc<H> {
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send {
        (**self).handle(delivery)
    }
}

/// One delivery of an event.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event.
    pub envelope: Envelope,
    /// How many times the message has been received, including this time. Releases and killed processes count as well,
    /// so this does not measure how often handling failed.
    pub attempt: u32,
    /// The id of the SQS message; the same for every delivery.
    pub message_id: String,
    /// When the message was put on the queue.
    pub sent_at: Timestamp,
    /// When the message was received for the first time.
    pub first_received_at: Timestamp,
    /// When it was received this time.
    pub received_at: Timestamp,
    /// The name of the EventBridge replay that sent the event again, if one did.
    pub replay_name: Option<String>,
    /// The place of the delivery in its trace.
    pub place: Place,
}

impl Delivery {
    /// Sends a span, marked as in progress, in place of an earlier attempt's. What followed from that attempt's effect has
    /// its span as the parent, but if its process was killed, the span never left.
    ///
    /// `attempt` is the [`recorded_header`](telemetry::context::recorded_header) that the attempt kept with its effect.
    /// Call this within the message's span. Does nothing at the first delivery of the message, or if `attempt` names no
    /// recorded span or the current one.
    pub fn stand_in_for(&self, attempt: Option<&str>) {
        if let Some(attempt) = attempt.filter(|_| self.attempt > 1) {
            self.place.stand_in(attempt, &self.message_id, self.first_received_at, &self.envelope);
        }
    }
}
