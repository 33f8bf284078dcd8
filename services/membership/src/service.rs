//! One event: read the member, let the domain decide, return what to write and what to announce.

use contracts::{ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
use envelope::Event;
use handlers::{Effect, Handle, Subscriber};
use sqs_consumer::{Delivery, Failure};

use crate::domain::{Announcement, Change, UpdatesMember, Version};
use crate::members::Members;

#[cfg(test)]
mod tests;

/// Handles the CRM's events about customers.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    members: Members,
}

impl Membership {
    pub(crate) fn new(members: Members) -> Self {
        Self { members }
    }
}

impl Subscriber for Membership {
    type Events = (CustomerEnrolled, CustomerRenamed, ContactPreferencesChanged, CustomerErased);
}

impl<E: Event + UpdatesMember + Clone> Handle<E> for Membership {
    async fn handle(&self, event: &E, delivery: &Delivery) -> Result<Effect, Failure> {
        let metadata = &delivery.envelope.metadata;
        let version = Version { occurred_at: metadata.occurred_at, event_id: metadata.event_id };
        let read = self.members.read(UpdatesMember::customer_number(event)).await?;
        match event.clone().apply(read.member.clone(), version) {
            Change::Applied { member, announcement } => {
                let write =
                    self.members.replace(&read, &member).ok_or(Failure::permanent("member-unwritable"))?;
                let effect = Effect::applied().put(write);
                Ok(match announcement {
                    Some(announcement) => announce(effect, &announcement),
                    None => effect,
                })
            }
            Change::Stale => Ok(Effect::new("stale")),
            Change::Erased => Ok(Effect::new("erased")),
        }
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
