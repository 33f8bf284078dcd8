//! Handles one event: remembers the contact or looks it up, then requests the notifications.

use std::time::Duration;

use contracts::{
    DiscountActivated, DiscountExpired, MemberEnrolled, MemberErased, MemberPreferencesChanged,
    MemberRenamed, NotificationRequested, TierAscended, TierDescended,
};
use envelope::{Envelope, Event, Metadata};
use futures_util::future::join_all;
use handlers::{HandleAtLeastOnce, Subscriber};
use jiff::Timestamp;
use publisher::TopicPublisher;
use sqs_consumer::{Delivery, Done, Failure};

use crate::attempts::Attempts;
use crate::domain::{News, Notice, Occurrence};
use crate::members::{Addressee, Members, Remembered};

/// The message attribute that subscriptions filter on.
pub(crate) const CHANNEL: &str = "channel";

/// At least one notification was requested.
const NOTIFIED: &str = "notified";
/// The event has no contact, or the contact no channel.
const NOTHING_TO_SEND: &str = "nothing-to-send";
/// The membership that the event belongs to is over.
const ERASED: &str = "erased";
/// The customer has not become a member in time.
const NOT_A_MEMBER: &str = "not-a-member";
/// Nobody is to be notified of the event.
const SILENT: &str = "silent";
/// The reason for an event without a contact that waits for the customer's enrolment.
const CONTACT_UNKNOWN: &str = "contact-unknown";

/// Handles what is worth a notification: the events of members, tiers and discounts.
///
/// Requests are published *at least once*: a redelivered event publishes the same requests under the same ids
/// ([`crate::domain::notification_id`]), and the delivering services make the effect happen once. They have to
/// recognize repetitions anyway, since SNS and SQS repeat messages too. A claim here would add two writes and two
/// round trips to every event, for repetitions that are rare and already harmless.
///
/// Every member's event is notified, even one that arrives too late to change what is remembered, unless its membership
/// is known to be over: nothing follows a farewell. An event without a contact is sent to the remembered contact. The bus
/// delivers in no order, so it may arrive before the enrolment, and waits for it for a while.
#[derive(Debug)]
pub(crate) struct Notify {
    members: Members,
    attempts: Attempts,
    topic: TopicPublisher,
    contact_grace: Duration,
}

impl Notify {
    /// An event without a contact waits for an unknown customer's enrolment until `contact_grace` after its publication.
    pub(crate) fn new(
        members: Members,
        attempts: Attempts,
        topic: TopicPublisher,
        contact_grace: Duration,
    ) -> Self {
        Self { members, attempts, topic, contact_grace }
    }
}

impl Subscriber for Notify {
    type Events = (
        MemberEnrolled,
        MemberRenamed,
        MemberPreferencesChanged,
        MemberErased,
        TierAscended,
        TierDescended,
        DiscountActivated,
        DiscountExpired,
    );
}

impl<E: Event + Into<Occurrence>> HandleAtLeastOnce<E> for Notify {
    async fn handle(&self, event: E, delivery: &Delivery) -> Result<Done, Failure> {
        let requests = match event.into() {
            Occurrence::Member(notice) => self.member(&notice, delivery).await?,
            Occurrence::Other(news) => self.other(&news, delivery).await?,
        };
        match requests {
            Requests::Publish(requests) => self.publish(&requests, delivery).await,
            Requests::None(outcome) => Ok(Done::without_effect(outcome)),
        }
    }
}

/// What an event leads to.
enum Requests {
    Publish(Vec<NotificationRequested>),
    /// Nothing, with this outcome.
    None(&'static str),
}

impl Requests {
    fn of(requests: Vec<NotificationRequested>) -> Self {
        if requests.is_empty() { Self::None(NOTHING_TO_SEND) } else { Self::Publish(requests) }
    }
}

impl Notify {
    /// Remembers the member before anything is published: once an erasure's confirmation is on its way, the data is gone.
    async fn member(&self, notice: &Notice, delivery: &Delivery) -> Result<Requests, Failure> {
        let cause = &delivery.envelope.metadata;
        Ok(match self.members.remember(cause, notice).await? {
            Remembered::Over => Requests::None(ERASED),
            Remembered::Now | Remembered::Stale if cause.silent => Requests::None(SILENT),
            Remembered::Now | Remembered::Stale => {
                Requests::of(notice.requests(cause.event_id, cause.published_at))
            }
        })
    }

    async fn other(&self, news: &News, delivery: &Delivery) -> Result<Requests, Failure> {
        let cause = &delivery.envelope.metadata;
        if cause.silent {
            return Ok(Requests::None(SILENT));
        }
        match self.members.addressee(&news.customer_number, cause.occurred_at).await? {
            Addressee::Member { contact, enrolled_at } => {
                Ok(Requests::of(news.requests(&contact, enrolled_at, cause.event_id, cause.published_at)))
            }
            Addressee::Erased => Ok(Requests::None(ERASED)),
            Addressee::Unknown => {
                let waited = delivery.received_at.duration_since(cause.published_at);
                if Duration::try_from(waited).unwrap_or(Duration::ZERO) < self.contact_grace {
                    Err(Failure::transient(CONTACT_UNKNOWN))
                } else {
                    Ok(Requests::None(NOT_A_MEMBER))
                }
            }
        }
    }

    /// Publishes all requests before it returns the first failure: a retry of the event publishes all of them again, so
    /// the others need not wait for the one that failed.
    async fn publish(
        &self,
        requests: &[NotificationRequested],
        delivery: &Delivery,
    ) -> Result<Done, Failure> {
        let cause = &delivery.envelope.metadata;
        let before = self.attempts.begin(cause.event_id).await?;
        if let Some(attempt) = before.filter(|_| delivery.attempt > 1) {
            delivery.stand_in_for(Some(&attempt));
            self.topic.stand_in_for(&attempt, requests.iter().map(|request| caused_by(cause, request)));
        }
        let published = join_all(requests.iter().map(|request| self.request(cause, request))).await;
        published.into_iter().collect::<Result<(), Failure>>()?;
        Ok(Done::new(NOTIFIED))
    }

    async fn request(&self, cause: &Metadata, request: &NotificationRequested) -> Result<(), Failure> {
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
