//! The dispatch from an envelope, whose event type is a string, to the handler of that type.

use std::future::Future;

use envelope::{Event, EventSet};
use sqs_consumer::{Delivery, Done, Failure};

/// The reason for an event whose type has no subscription.
const UNKNOWN_EVENT_TYPE: &str = "unknown-event-type";

/// Handles one event type. Implemented by [`EffectivelyOnce`](crate::EffectivelyOnce), [`Claimed`](crate::Claimed) and
/// [`AtLeastOnce`](crate::AtLeastOnce) for the types that their handler handles.
pub trait Route<E: Event>: Sync {
    /// Handles one delivery of `event`.
    ///
    /// # Errors
    /// [`Failure`] if the effect did not happen, or is not known to have happened.
    fn route(&self, event: E, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// A tuple of event types, each of which `H` handles.
pub trait Dispatch<H>: EventSet {
    /// Decodes the delivery's event by its type and passes it to the handler of that type.
    ///
    /// # Errors
    /// The handler's [`Failure`]; a permanent one, `malformed-event` or `unknown-event-type`, if the event does not
    /// match the tuple.
    fn dispatch(handler: &H, delivery: &Delivery) -> impl Future<Output = Result<Done, Failure>> + Send;
}

macro_rules! dispatch {
    ($($event:ident)+) => {
        impl<H, $($event),+> Dispatch<H> for ($($event,)+)
        where
            $($event: Event, H: Route<$event>,)+
        {
            async fn dispatch(handler: &H, delivery: &Delivery) -> Result<Done, Failure> {
                let envelope = &delivery.envelope;
                $(if envelope.event_type == $event::TYPE {
                    return handler.route(envelope.decode::<$event>()?, delivery).await;
                })+
                Err(Failure::permanent(UNKNOWN_EVENT_TYPE))
            }
        }
    };
}
dispatch!(A);
dispatch!(A B);
dispatch!(A B C);
dispatch!(A B C D);
dispatch!(A B C D E);
dispatch!(A B C D E F);
dispatch!(A B C D E F G);
dispatch!(A B C D E F G H1);
dispatch!(A B C D E F G H1 I);
dispatch!(A B C D E F G H1 I J);
dispatch!(A B C D E F G H1 I J K);
dispatch!(A B C D E F G H1 I J K L);
