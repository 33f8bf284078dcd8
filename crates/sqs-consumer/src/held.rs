//! What a message in flight holds.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::in_hand::Weight;
use crate::visibility::InFlight;

/// What a message holds from its receive until it is settled. Dropping it frees all of it.
pub(crate) struct Held {
    /// Keeps the message invisible, unless it is being returned to the queue.
    in_flight: Option<InFlight>,
    _weight: Weight,
    /// `None` for a message beyond those requested, of which there should be none, and for one that is leaving.
    permit: Option<OwnedSemaphorePermit>,
    leaving: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub(crate) fn new(
        in_flight: Option<InFlight>,
        weight: Weight,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { in_flight, _weight: weight, permit, leaving: None }
    }

    /// Frees what several messages hold.
    pub(crate) fn free_all(mut all: Vec<Self>) {
        Self::free_permits(all.iter_mut());
    }

    /// Exchanges the permits of several messages for those of `leaving`, if there are enough.
    pub(crate) fn exchange_permits(all: &mut [(impl Sized, Self)], leaving: &Arc<Semaphore>) {
        let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let Ok(mut leaving) = Arc::clone(leaving).try_acquire_many_owned(number) else { return };
        for (_, held) in &mut *all {
            held.leaving = leaving.split(1);
        }
        Self::free_permits(all.iter_mut().map(|(_, held)| held));
    }

    /// Frees permits together: freed one at a time, each would be taken for a separate receive.
    fn free_permits<'a>(all: impl Iterator<Item = &'a mut Self>) {
        let permits = all.filter_map(|held| held.permit.take());
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
