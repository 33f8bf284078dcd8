//! Handles one notification: the claim its mail is sent under, and the mail.

use contracts::{Channel, NotificationRequested};
use envelope::Metadata;
use handlers::{Perform, Subscriber};
use sqs_consumer::{Delivery, Done, Failure};

use crate::domain;
use crate::ses::{Ses, Tags};

/// SES accepted the mail.
const SENT: Done = Done::new("sent");

/// Sends the mail of a notification.
///
/// It is claimed under the notification's id before SES is called. A failed call means one of two things:
///
/// - SES *refused* the mail, which was not sent. The message waits if the sender is throttled or may not send, and is
///   dead-lettered if the mail itself is wrong.
/// - The outcome is *unknown* (a timeout, a lost connection, a 5xx): SES may have sent the mail, and has no way to find
///   out. Better a duplicate mail than a lost one, so it is sent again.
#[derive(Debug)]
pub(crate) struct SendMail {
    ses: Ses,
}

impl SendMail {
    pub(crate) fn new(ses: Ses) -> Self {
        Self { ses }
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
        Ok(format!("NOTIFICATION#{}", request.notification_id))
    }

    async fn perform(&self, request: NotificationRequested, delivery: &Delivery) -> Result<Done, Failure> {
        let mail = domain::write(request.template, &request.contact);
        let tags = tags(&request, &delivery.envelope.metadata);
        let message_id = self.ses.send(&request.contact.email, mail, tags).await?;
        tracing::debug!(message_id, "mail accepted by SES");
        Ok(SENT)
    }
}

/// `event_id` is that of the event the mail is about, which caused the notification.
fn tags(request: &NotificationRequested, metadata: &Metadata) -> Tags {
    let event_id = metadata.causation_id.unwrap_or(metadata.event_id);
    [
        ("notification_id", request.notification_id.to_string()),
        ("customer_number", request.customer_number.to_string()),
        ("event_id", event_id.to_string()),
        ("correlation_id", metadata.correlation_id.to_string()),
    ]
}
