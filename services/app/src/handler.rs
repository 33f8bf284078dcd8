//! Handles one notification: the claim it is pushed under, whether the customer is still to hear of it, and the push.

use bytes::Bytes;
use contracts::{Channel, NotificationRequested, Subject};
use envelope::{Event as _, Metadata};
use handlers::{AtLeastOnce, Claimed, Perform, Subscriber};
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::domain::Push;
use crate::endpoint::Endpoint;
use crate::members::FollowMembers;
use crate::recipient::{Occasion, Suppression};
use crate::recipients::Recipients;
use crate::schedule;
use crate::webhook::{PushError, Webhook};

/// The back end accepted the push.
const PUSHED: Done = Done::new("pushed");
/// The customer was erased or has opted out since the notification was requested.
const SUPPRESSED: Done = Done::without_effect("suppressed");
/// The back end wants no pushes.
const ENDPOINT_DISABLED: Done = Done::without_effect("endpoint-disabled");

/// Handles everything in the service's queue: notifications from the topic, and members' events from the bus.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) pushes: Claimed<PushNotification>,
    pub(crate) members: AtLeastOnce<FollowMembers>,
}

impl AtLeastOnceHandler for App {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        match delivery.envelope.event_type.as_str() {
            NotificationRequested::TYPE => self.pushes.handle(delivery).await,
            _ => self.members.handle(delivery).await,
        }
    }
}

/// Pushes a notification.
///
/// It is claimed under the notification's id before the request. An answer other than 2xx, and no answer, mean the same: the
/// push is repeated under the same id, by which the back end recognizes one that had arrived. Only `410 Gone` is final: it
/// disables the endpoint, for this notification and all that follow, until an operator enables it again.
///
/// Right before the request, the service's own record of the customer decides whether the push is still to be made: it may
/// have waited for days.
#[derive(Debug)]
pub(crate) struct PushNotification {
    webhook: Webhook,
    endpoint: Endpoint,
    recipients: Recipients,
}

impl PushNotification {
    pub(crate) fn new(webhook: Webhook, endpoint: Endpoint, recipients: Recipients) -> Self {
        Self { webhook, endpoint, recipients }
    }
}

impl Subscriber for PushNotification {
    type Events = (NotificationRequested,);
}

impl Perform<NotificationRequested> for PushNotification {
    fn claim(&self, request: &NotificationRequested, _: &Delivery) -> Result<String, Failure> {
        if request.channel != Channel::App {
            return Err(Failure::permanent("other-channel"));
        }
        Ok(format!("NOTIFICATION#{}", request.notification_id))
    }

    async fn perform(&self, request: NotificationRequested, delivery: &Delivery) -> Result<Done, Failure> {
        let metadata = &delivery.envelope.metadata;
        let (disabled, recipient) =
            tokio::join!(self.endpoint.is_disabled(), self.recipients.read(&request.customer_number));
        if disabled? {
            return Ok(ENDPOINT_DISABLED);
        }
        let occasion = occasion(&request, metadata);
        if let Some(why) = recipient?.suppression(occasion) {
            return Ok(SUPPRESSED.because(reason(why)));
        }
        if let Occasion::Farewell { erased_at } = occasion {
            // The event of the erasure may still be on its way, and nothing is to follow the farewell.
            self.recipients.erased(&request.customer_number, erased_at).await?;
        }
        match self.webhook.push(request.notification_id, body(&request, metadata)).await {
            Ok(()) => Ok(PUSHED),
            Err(PushError::Gone) => {
                self.endpoint.disable(request.notification_id).await?;
                tracing::error!(
                    host = self.webhook.host(),
                    "endpoint disabled: it answered 410, and gets no more pushes until it is enabled again"
                );
                Ok(ENDPOINT_DISABLED)
            }
            Err(error) => Err(error.into_failure(schedule::pause(tried(delivery), &mut rand::rng()))),
        }
    }
}

/// Returns how long after its first attempt a delivery began.
fn tried(delivery: &Delivery) -> std::time::Duration {
    delivery.received_at.duration_since(delivery.first_received_at).try_into().unwrap_or_default()
}

/// Requests of earlier releases lack what places them; then their own times stand in.
fn occasion(request: &NotificationRequested, metadata: &Metadata) -> Occasion {
    match request.subject {
        Subject::MemberErased => Occasion::Farewell { erased_at: metadata.occurred_at },
        _ => Occasion::Membership {
            enrolled_at: request.enrolled_at.unwrap_or(metadata.occurred_at),
            announced_at: request.announced_at.unwrap_or(metadata.published_at),
        },
    }
}

fn body(request: &NotificationRequested, metadata: &Metadata) -> Bytes {
    let push = Push {
        occurred_at: metadata.occurred_at,
        customer_number: &request.customer_number,
        notification_id: request.notification_id,
        event_id: metadata.causation_id,
        subject: &request.subject,
    };
    push.body().to_string().into()
}

fn reason(why: Suppression) -> &'static str {
    match why {
        Suppression::Erased => "erased",
        Suppression::OptedOut => "opted-out",
    }
}
