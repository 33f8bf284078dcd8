//! One event of a member: remember what it says, then request its notifications.

use contracts::{
    MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed, NotificationRequested,
};
use envelope::{Envelope, Event, Metadata};
use futures_util::future::join_all;
use idempotency::{Fault, FaultKind};
use jiff::Timestamp;
use publisher::{PublishError, TopicPublisher};
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::domain::Notice;
use crate::members::Members;

/// The message attribute that subscriptions filter by.
pub(crate) const CHANNEL: &str = "channel";

/// At least one notification was requested.
const NOTIFIED: &str = "notified";
/// The event has no contact, or its contact no channel.
const NOTHING_TO_SEND: &str = "nothing-to-send";

/// Handles the events of members.
///
/// Requests are published *at least once*, without a marker of what was already handled: a redelivered
/// event publishes the same requests under the same ids ([`crate::domain::notification_id`]), and the
/// services that deliver, which have to tell repetitions apart anyway (SNS and SQS repeat messages too),
/// let the effect happen once. A marker here would cost a write for each event and could not be in one
/// transaction with a publish.
///
/// Every event is told, also one that arrives late and changes nothing of what is remembered: the
/// notification belongs to the event.
#[derive(Debug)]
pub(crate) struct NotifyMember {
    members: Members,
    topic: TopicPublisher,
}

impl NotifyMember {
    pub(crate) fn new(members: Members, topic: TopicPublisher) -> Self {
        Self { members, topic }
    }
}

impl AtLeastOnceHandler for NotifyMember {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        let cause = &delivery.envelope.metadata;
        let notice = notice(&delivery.envelope)?;
        // First what is remembered: once an erasure's confirmation is on its way, the data is gone.
        self.members.remember(cause, &notice).await.map_err(dynamodb_failure)?;

        let requests = notice.requests(cause.event_id);
        if requests.is_empty() {
            return Ok(Done::new(NOTHING_TO_SEND));
        }
        // All of them, and only then the first failure: what is published of a failed event is published
        // again by its retry, so the others need not wait for it.
        let published = join_all(requests.iter().map(|request| self.publish(cause, request))).await;
        published.into_iter().collect::<Result<(), Failure>>()?;
        Ok(Done::new(NOTIFIED))
    }
}

impl NotifyMember {
    async fn publish(&self, cause: &Metadata, request: &NotificationRequested) -> Result<(), Failure> {
        let metadata =
            Metadata::caused_by(cause, request.notification_id, cause.occurred_at, Timestamp::now());
        let message = Envelope::new(metadata, request)
            .map_err(|error| Failure::permanent("unwritable-notification").because(error))?;
        self.topic
            .publish(message, &[(CHANNEL, request.channel.as_str())])
            .await
            .map(|_| ())
            .map_err(publish_failure)
    }
}

/// Reads the event, whichever of the member's events it is.
fn notice(envelope: &Envelope) -> Result<Notice, Failure> {
    fn read<E: Event + Into<Notice>>(envelope: &Envelope) -> Result<Notice, Failure> {
        Ok(envelope.decode::<E>()?.into())
    }
    match envelope.event_type.as_str() {
        MemberEnrolled::TYPE => read::<MemberEnrolled>(envelope),
        MemberRenamed::TYPE => read::<MemberRenamed>(envelope),
        MemberPreferencesChanged::TYPE => read::<MemberPreferencesChanged>(envelope),
        MemberErased::TYPE => read::<MemberErased>(envelope),
        _ => Err(Failure::permanent("unknown-event-type")),
    }
}

fn publish_failure(error: PublishError) -> Failure {
    if error.is_transient() {
        Failure::transient("notification-not-published").on("SNS").because(error)
    } else {
        Failure::permanent("notification-refused").because(error)
    }
}

fn dynamodb_failure(fault: Fault) -> Failure {
    match fault.kind() {
        FaultKind::Throttled | FaultKind::Unavailable => Failure::transient(fault.reason()).on("DynamoDB"),
        FaultKind::Rejected => Failure::permanent(fault.reason()),
    }
    .because(fault)
}
