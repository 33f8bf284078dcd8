//! The single declaration of the events that a service consumes.

use envelope::{EventSet, EventType};

/// A service's handler, with the events it subscribes to.
///
/// The declaration serves both the topology (through [`subscriptions`]) and the dispatch, so the two cannot drift
/// apart: every event in the tuple has a rule that delivers it and a handler that handles it.
pub trait Subscriber: Send + Sync + 'static {
    /// The event types, as a tuple.
    type Events: EventSet;
}

/// Returns the types of the events that `S` subscribes to, for `topology::Service::consumes`.
#[must_use]
pub fn subscriptions<S: Subscriber>() -> Vec<EventType> {
    envelope::events::<S::Events>()
}
