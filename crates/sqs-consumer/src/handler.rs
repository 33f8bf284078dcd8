//! The service's part: what is done with one event.

use std::future::Future;
use std::sync::Arc;

use envelope::Envelope;
use jiff::Timestamp;

use crate::{Done, Failure};

/// Handles events at least once, and leaves everything beyond that to its implementation.
///
/// What it gives up: the consumer doesn't know the effect, so it can't keep a repeated delivery from repeating it.
/// Deliveries do repeat: SQS delivers a message again after a crash, a timeout, a lost answer or a failed delete. An
/// effect that adds up (`ADD points`, a mail, a charge) happens once for each delivery unless the handler prevents it,
/// with a marker in the same transaction or with a claim (crate `idempotency`). Implement this trait directly only for
/// effects that come to the same thing when repeated.
///
/// The future may be dropped at any await point: when the handler's time is up, and at the end of a shutdown's grace
/// period. A panic counts as a transient failure of this message alone.
///
/// It runs inside the message's `process` span, so spans made in it and headers injected in it belong to the event's
/// trace.
pub trait AtLeastOnceHandler: Send + Sync + 'static {
    /// Handles one delivery of an event.
    ///
    /// # Errors
    /// [`Failure::Transient`] to try again later, [`Failure::Permanent`] to put the message aside at once.
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
