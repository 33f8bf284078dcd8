//! Handles one event of a member: remembers the contact, then requests the notifications.

use contracts::{
    MemberEnrolled, MemberErased, MemberPreferencesChanged, MemberRenamed, NotificationRequested,
};
use envelope::{Envelope, Event, Metadata};
use futures_util::future::join_all;
use handlers::{HandleAtLeastOnce, Subscriber};
use jiff::Timestamp;
use publisher::TopicPublisher;
use sqs_consumer::{Delivery, Done, Failure};

use crate::domain::Notice;
use crate::members::{Members, Remembered};

/// The message attribute that subscriptions filter on.
pub(crate) const CHANNEL: &str = "channel";

/// At least one notification was requested.
const NOTIFIED: &str = "notified";
/// The event has no contact, or the contact no channel.
const NOTHING_TO_SEND: &str = "nothing-to-send";
/// The membership that the event belongs to is over.
const ERASED: &str = "erased";

/// Handles the events of members.
///
/// Requests are published *at least once*: a redelivered event publishes the same requests under the same ids
/// ([`crate::domain::notification_id`]), and the delivering services make the effect happen once. They have to
/// recognize repetitions anyway, since SNS and SQS repeat messages too. A claim here would add two writes and two
/// round trips to every event, for repetitions that are rare and already harmless.
///
/// Every event is notified, even one that arrives too late to change what is remembered, unless its membership is known
/// to be over: nothing follows a farewell.
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

impl Subscriber for NotifyMember {
    type Events = (MemberEnrolled, MemberRenamed, MemberPreferencesChanged, MemberErased);
}

impl<E: Event + Into<Notice>> HandleAtLeastOnce<E> for NotifyMember {
    async fn handle(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        let cause = &delivery.envelope.metadata;
        let notice = event.into();
        // Before publishing: once an erasure's confirmation is on its way, the data is gone.
        let remembered = self.members.remember(cause, &notice).await?;
        if remembered == Remembered::Over {
            return Ok(Done::without_effect(ERASED));
        }
        let requests = notice.requests(cause.event_id, cause.published_at);
        if let Remembered::Before(attempt) = &remembered
            && delivery.attempt > 1
        {
            delivery.stand_in_for(Some(attempt));
            self.topic.stand_in_for(attempt, requests.iter().map(|request| caused_by(cause, request)));
        }
        if requests.is_empty() {
            return Ok(Done::without_effect(NOTHING_TO_SEND));
        }
        // Publishes all of them before it returns the first failure: a retry of the event publishes all of them again,
        // so the others need not wait for the one that failed.
        let published = join_all(requests.iter().map(|request| self.publish(cause, request))).await;
        published.into_iter().collect::<Result<(), Failure>>()?;
        Ok(Done::new(NOTIFIED))
    }
}

impl NotifyMember {
    async fn publish(&self, cause: &Metadata, request: &NotificationRequested) -> Result<(), Failure> {
        let message = Envelope::new(caused_by(cause, request), request)
            .map_err(|error| Failure::permanent("unwritable-notification").because(error))?;
        self.topic
            .publish(message, &[(CHANNEL, request.channel.as_str())])
            .await
            .map(|_| ())
            .map_err(Failure::from)
    }
}

fn caused_by(cause: &Metadata, request: &NotificationRequested) -> Metadata {
    Metadata::caused_by(cause, request.notification_id, cause.occurred_at, Timestamp::now())
}
