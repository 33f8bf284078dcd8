//! Handles one notification: the claim its mail is sent under, whether the customer is still to get it, and the mail.

use std::time::Duration;

use aws_clients::ErrorClass;
use contracts::{Channel, NotificationRequested, Subject, UndeliverableReason};
use envelope::{Event as _, Metadata, mail};
use handlers::{AtLeastOnce, Claimed, EffectivelyOnce, Lease, Perform, Subscriber};
use jiff::Timestamp;
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};
use tokio::time::{Instant, timeout};

use crate::address_digest::AddressDigest;
use crate::domain::Writer;
use crate::feedback::{self, MailReturned, MarkAddresses};
use crate::members::FollowMembers;
use crate::membership_time::MembershipTime;
use crate::recipient::{Mailing, Occasion, Suppression, Verdict};
use crate::recipients::{Recipients, Stored};
use crate::ses::{Ses, Tags};

/// SES accepted the mail.
const SENT: Done = Done::new("sent");
/// The customer was erased or has opted out since the notification was requested, or mail to the address came back.
const SUPPRESSED: Done = Done::without_effect("suppressed");
/// The reason for a farewell that waits for another mail's answer.
const EARLIER_MAIL_IN_FLIGHT: &str = "earlier-mail-in-flight";
/// The reason for a mail whose claim could end before SES's answer is recorded.
const DECISION_TOOK_TOO_LONG: &str = "decision-took-too-long";
/// The dependency that is named in that case.
const DYNAMODB: &str = "DynamoDB";

/// Handles everything in the service's queue: notifications from the topic, members' events from the bus, and what SES
/// reports.
#[derive(Debug)]
pub(crate) struct Email {
    pub(crate) mails: Claimed<SendMail>,
    pub(crate) members: AtLeastOnce<FollowMembers>,
    pub(crate) feedback: EffectivelyOnce<MarkAddresses>,
}

impl AtLeastOnceHandler for Email {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        match delivery.envelope.event_type.as_str() {
            NotificationRequested::TYPE => self.mails.handle(delivery).await,
            MailReturned::TYPE => self.feedback.handle(delivery).await,
            _ => self.members.handle(delivery).await,
        }
    }
}

/// Sends the mail of a notification.
///
/// It is claimed under the notification's id before SES is called. A failed call means one of two things:
///
/// - SES *refused* the mail, which was not sent. The message waits if the sender is throttled or may not send, and is
///   dead-lettered if the mail itself is wrong.
/// - The outcome is *unknown* (a timeout, a lost connection, a 5xx): SES may have sent the mail, and has no way to find
///   out. Better a duplicate mail than a lost one, so it is sent again.
///
/// Right before the call, the service's own record of the customer decides whether the mail is still to be sent: it may
/// have waited for days. What happens between that decision and SES's answer cannot be recalled; a farewell waits until
/// no such mail is left.
#[derive(Debug)]
pub(crate) struct SendMail {
    writer: Writer,
    ses: Ses,
    recipients: Recipients,
    lease: Lease,
}

impl SendMail {
    /// `lease` is that of the claim. A call to SES may be in flight for its whole duration, from before the decision to send.
    pub(crate) fn new(writer: Writer, ses: Ses, recipients: Recipients, lease: Lease) -> Self {
        Self { writer, ses, recipients, lease }
    }

    /// Returns how much of the lease the call to SES leaves for everything else.
    fn rest(&self) -> Duration {
        self.lease.duration.saturating_sub(self.lease.effect)
    }

    /// Records that the mail is no longer in flight although it was not sent. If that fails, or takes long, a farewell waits
    /// until the lease ends.
    async fn answered(&self, request: &NotificationRequested, stored: Stored) {
        let recorded = self.recipients.answered(&request.customer_number, stored, request.notification_id);
        let reason = match timeout(self.rest() / 8, recorded).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        tracing::debug!(reason, "mail stays recorded as in flight until its lease ends");
    }
}

impl Subscriber for SendMail {
    type Events = (NotificationRequested,);
}

impl Perform<NotificationRequested> for SendMail {
    fn claim(&self, request: &NotificationRequested, _: &Delivery) -> Result<String, Failure> {
        if request.channel != Channel::Email {
            return Err(Failure::permanent("other-channel"));
        }
        Ok(Recipients::claim_of(request.notification_id))
    }

    async fn perform(&self, request: NotificationRequested, delivery: &Delivery) -> Result<Done, Failure> {
        let began = Instant::now();
        let metadata = &delivery.envelope.metadata;
        let mail = self
            .writer
            .write(&request.subject, &request.contact)
            .map_err(|error| Failure::permanent("unwritable-mail").because(error))?;
        let mailing = mailing(&request, metadata);
        let (verdict, stored) =
            self.recipients.admit(&request.customer_number, &mailing, self.lease.duration).await?;
        match verdict {
            Verdict::Send => {}
            Verdict::Suppress(why) => return Ok(SUPPRESSED.because(reason(why))),
            Verdict::Wait { until } => {
                let left = until.duration_since(Timestamp::now()).try_into().unwrap_or(Duration::ZERO);
                return Err(Failure::transient(EARLIER_MAIL_IN_FLIGHT).retry_after(left));
            }
        }
        // The claim took a third of the rest at most. If the lease ended before the record, a mail that SES has accepted
        // would be sent again.
        if began.elapsed() > self.rest() / 2 {
            self.answered(&request, stored).await;
            return Err(Failure::transient(DECISION_TOOK_TOO_LONG).on(DYNAMODB));
        }
        let sent = self.ses.send(&request.contact.email, mail, tags(&request, &mailing, metadata)).await;
        // Of a mail that was sent, the record of the claim says so. Without an answer SES may still accept it, so it stays in
        // flight.
        if matches!(&sent, Err(error) if error.class() != ErrorClass::Unavailable) {
            self.answered(&request, stored).await;
        }
        let message_id = sent?;
        tracing::debug!(message_id, "mail accepted by SES");
        Ok(SENT)
    }
}

/// Requests of earlier releases lack what places them; then their own times stand in.
fn mailing(request: &NotificationRequested, metadata: &Metadata) -> Mailing {
    let occasion = match request.subject {
        Subject::MemberErased => Occasion::Farewell { erased_at: metadata.occurred_at },
        _ => Occasion::Membership {
            enrolled_at: request.enrolled_at.unwrap_or(metadata.occurred_at),
            announced_at: request.announced_at.unwrap_or(metadata.published_at),
        },
    };
    let address = AddressDigest::of(&request.customer_number, &request.contact.email);
    Mailing { notification_id: request.notification_id, occasion, address }
}

fn reason(why: Suppression) -> &'static str {
    match why {
        Suppression::Erased => "erased",
        Suppression::OptedOut => "opted-out",
        Suppression::Undeliverable(UndeliverableReason::Bounce) => "address-bounced",
        Suppression::Undeliverable(UndeliverableReason::Complaint) => "address-complained",
    }
}

/// A farewell has no `enrolled_at`: nothing is to follow it, so it does not matter whether it comes back.
fn tags(request: &NotificationRequested, mailing: &Mailing, metadata: &Metadata) -> Tags {
    let mut tags = vec![
        ("notification_id", request.notification_id.to_string()),
        (feedback::CUSTOMER_NUMBER, request.customer_number.to_string()),
        (feedback::ADDRESS_DIGEST, mailing.address.to_string()),
    ];
    if let Occasion::Membership { enrolled_at, .. } = mailing.occasion {
        tags.push((feedback::ENROLLED_AT, MembershipTime::from(enrolled_at).to_string()));
    }
    tags.extend(mail::tags(metadata, telemetry::context::current_header().as_deref()));
    tags
}
