//! Handles what is announced about members: who was erased, and who gets pushes.

use contracts::{Channel, Contact, CustomerNumber, MemberEnrolled, MemberErased, MemberPreferencesChanged};
use envelope::Metadata;
use handlers::{HandleAtLeastOnce, Subscriber};
use sqs_consumer::{Delivery, Done, Failure};

use crate::recipient::Channels;
use crate::recipients::Recipients;

/// A later event came first.
const STALE: Done = Done::without_effect("stale");

/// Keeps the service's own record of its recipients, so that a push can be stopped right before it is made. Repeating an
/// event changes nothing, so it needs no guard.
#[derive(Debug)]
pub(crate) struct FollowMembers {
    recipients: Recipients,
}

impl FollowMembers {
    pub(crate) fn new(recipients: Recipients) -> Self {
        Self { recipients }
    }

    async fn reached_by(
        &self,
        customer_number: &CustomerNumber,
        contact: &Contact,
        metadata: &Metadata,
    ) -> Result<Done, Failure> {
        let channels = Channels {
            announced_at: metadata.published_at,
            by_app: contact.channels.contains(&Channel::App),
        };
        Ok(news(self.recipients.reached_by(customer_number, channels, metadata.event_id).await?))
    }
}

impl Subscriber for FollowMembers {
    type Events = (MemberEnrolled, MemberPreferencesChanged, MemberErased);
}

impl HandleAtLeastOnce<MemberEnrolled> for FollowMembers {
    async fn handle(&self, event: MemberEnrolled, delivery: &Delivery) -> Result<Done, Failure> {
        self.reached_by(&event.customer_number, &event.contact, &delivery.envelope.metadata).await
    }
}

impl HandleAtLeastOnce<MemberPreferencesChanged> for FollowMembers {
    async fn handle(&self, event: MemberPreferencesChanged, delivery: &Delivery) -> Result<Done, Failure> {
        self.reached_by(&event.customer_number, &event.contact, &delivery.envelope.metadata).await
    }
}

impl HandleAtLeastOnce<MemberErased> for FollowMembers {
    async fn handle(&self, event: MemberErased, delivery: &Delivery) -> Result<Done, Failure> {
        let erased_at = delivery.envelope.metadata.occurred_at;
        Ok(news(self.recipients.erased(&event.customer_number, erased_at).await?))
    }
}

fn news(new: bool) -> Done {
    if new { Done::APPLIED } else { STALE }
}
