//! What a message in flight holds.

use tokio::sync::OwnedSemaphorePermit;

use crate::in_hand::Weight;
use crate::visibility::InFlight;

/// What a message holds from its receive until it is settled. Dropping it frees all of it.
pub(crate) struct Held {
    /// Keeps the message invisible, unless it is being returned to the queue.
    in_flight: Option<InFlight>,
    _weight: Weight,
    /// `None` for a message beyond those requested, of which there should be none.
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub(crate) fn new(
        in_flight: Option<InFlight>,
        weight: Weight,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { in_flight, _weight: weight, permit }
    }

    /// Frees what several messages hold, their permits together: freed one at a time, each would be taken for a
    /// separate receive.
    pub(crate) fn free_all(all: Vec<Self>) {
        let permits = all.into_iter().filter_map(|mut held| held.permit.take());
        drop(permits.reduce(|mut all, permit| {
            all.merge(permit);
            all
        }));
    }

    /// Ends the extensions of the message's visibility, before it is returned to the queue.
    pub(crate) async fn release(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.release().await;
        }
    }
}
