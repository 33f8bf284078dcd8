//! The service's part: what is done with one event.

use std::future::Future;
use std::sync::Arc;

use envelope::Envelope;
use jiff::Timestamp;

use crate::{Done, Failure};

/// What a service does with one event.
///
/// Delivery is at least once, so the effect must be idempotent. The future may be dropped at any await point: when
/// the handler's time is up, and at the end of a shutdown's grace period. A panic counts as a transient failure of
/// this message alone.
///
/// It runs inside the message's `process` span, so spans made in it and headers injected in it belong to the event's
/// trace.
pub trait Handler: Send + Sync + 'static {
    /// Handles one delivery of an event.
    ///
    /// # Errors
    /// [`Failure::Transient`] to try again later, [`Failure::Permanent`] to put the message aside at once.
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send;
}

impl<H: Handler> Handler for Arc<H> {
    fn handle(&self, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send {
        (**self).handle(delivery)
    }
}

/// One delivery of an event.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event.
    pub envelope: Envelope,
    /// How many times the message was received, this one included. Give-backs and killed processes count as well, so
    /// it is no measure of how often handling failed.
    pub attempt: u32,
    /// The id of the SQS message; the same at every delivery.
    pub message_id: String,
    /// When the message was put on the queue.
    pub sent_at: Timestamp,
    /// When the message was received for the first time.
    pub first_received_at: Timestamp,
    /// When it was received this time.
    pub received_at: Timestamp,
    /// The name of the EventBridge replay that sent the event again, if one did.
    pub replay_name: Option<String>,
}
