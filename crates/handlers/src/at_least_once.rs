//! Handlers without a guard against redelivery.

use std::future::Future;

use envelope::Event;
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::{Dispatch, Route, Subscriber};

/// Handles events of type `E` without any guard against redelivery.
///
/// **The price:** the same event may be handled twice, even on two hosts at the same time, so the effect must be
/// idempotent by itself, such as a message published under an id that is a function of the event. If it is not,
/// implement [`Handle`](crate::Handle) or [`Perform`](crate::Perform) instead.
pub trait HandleAtLeastOnce<E: Event>: Subscriber {
    /// Handles one delivery of `event`.
    ///
    /// # Errors
    /// [`Failure`] if the event is to be retried or dead-lettered.
    fn handle(&self, event: E, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// Runs the handlers of `H`, at least once for each event.
#[derive(Clone, Debug)]
pub struct AtLeastOnce<H>(H);

impl<H: Subscriber> AtLeastOnce<H> {
    /// Creates a runner for the handlers of `handler`.
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self(handler)
    }
}

impl<E: Event, H: HandleAtLeastOnce<E>> Route<E> for AtLeastOnce<H> {
    async fn route(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        self.0.handle(event, delivery).await
    }
}

impl<H: Subscriber<Events: Dispatch<Self>>> AtLeastOnceHandler for AtLeastOnce<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        H::Events::dispatch(self, delivery).await
    }
}
