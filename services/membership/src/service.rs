//! One event: read the member, let the domain decide, return what to write and what to announce.

use contracts::{
    ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed, MemberEnrolled,
    MemberErased, MemberPreferencesChanged, MemberRenamed,
};
use envelope::{Event, Metadata};
use handlers::{Effect, Handle, Subscriber, announcement_id};
use jiff::SignedDuration;
use sqs_consumer::{Delivery, Failure};
use uuid::Uuid;

use crate::domain::{Announced, Announcement, Change, UpdatesMember, Version};
use crate::members::Members;

#[cfg(test)]
mod tests;

/// How far in the future an event may have occurred: no later event could replace it until then. Twice what ingest
/// tolerates, so that nothing ingest has accepted is refused because of the difference between two of our own clocks.
const FUTURE_TOLERANCE: SignedDuration = SignedDuration::from_secs(2 * contracts::CLOCK_TOLERANCE.as_secs());

/// Handles the CRM's events about customers, and the service's own announcement of an erasure.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    members: Members,
    announces_unchanged: bool,
}

impl Membership {
    /// Announces an event that only confirms what is known if `announces_unchanged`.
    pub(crate) fn new(members: Members, announces_unchanged: bool) -> Self {
        Self { members, announces_unchanged }
    }

    fn announces(&self, announced: &Announced) -> bool {
        self.announces_unchanged || !announced.unchanged
    }
}

impl Subscriber for Membership {
    type Events =
        (CustomerEnrolled, CustomerRenamed, ContactPreferencesChanged, CustomerErased, MemberErased);
}

impl<E: Event + UpdatesMember + Clone> Handle<E> for Membership {
    async fn handle(&self, event: &E, delivery: &Delivery) -> Result<Effect, Failure> {
        let metadata = &delivery.envelope.metadata;
        if metadata.occurred_at.duration_since(delivery.received_at) > FUTURE_TOLERANCE {
            return Err(Failure::permanent("occurred-in-the-future"));
        }
        let version = Version { occurred_at: metadata.occurred_at, event_id: metadata.event_id };
        let read = self.members.read(UpdatesMember::customer_number(event)).await?;
        match event.clone().apply(read.member.clone(), version) {
            Change::Applied { member, announcement } => {
                let announcement = announcement.filter(|announced| self.announces(announced));
                let event_id = announcement.as_ref().map(|announced| id_of(&announced.event, metadata));
                let effect = self.members.replace(&read, &member, metadata, event_id).await?;
                Ok(match announcement {
                    Some(announced) => announce(effect, &announced.event),
                    None => effect,
                })
            }
            Change::Stale => Ok(Effect::new("stale")),
            Change::Erased => Ok(Effect::new("erased")),
        }
    }
}

/// Removes the farewell from the outbox: its contact is the last of the customer's data in the table.
///
/// An announcement that comes back from the bus has certainly left the outbox, so it need not wait there for 14 days to
/// expire.
impl Handle<MemberErased> for Membership {
    async fn handle(&self, _: &MemberErased, delivery: &Delivery) -> Result<Effect, Failure> {
        Ok(self.members.returned(&delivery.envelope.metadata).await?)
    }
}

/// Returns the id under which `announcement` will be announced.
fn id_of(announcement: &Announcement, cause: &Metadata) -> Uuid {
    match announcement {
        Announcement::Enrolled(_) => announcement_id::<MemberEnrolled>(cause),
        Announcement::Renamed(_) => announcement_id::<MemberRenamed>(cause),
        Announcement::PreferencesChanged(_) => announcement_id::<MemberPreferencesChanged>(cause),
        Announcement::Erased(_) => announcement_id::<MemberErased>(cause),
    }
}

fn announce(effect: Effect, announcement: &Announcement) -> Effect {
    match announcement {
        Announcement::Enrolled(event) => effect.announce(event),
        Announcement::Renamed(event) => effect.announce(event),
        Announcement::PreferencesChanged(event) => effect.announce(event),
        Announcement::Erased(event) => effect.announce(event),
    }
}
