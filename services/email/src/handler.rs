//! One notification: claim it, send the mail, record that it was sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use contracts::{Channel, NotificationRequested};
use envelope::{Event, Metadata};
use idempotency::{Claim, ClaimError, Claims, FaultKind, Retry, Token};
use jiff::Timestamp;
use sqs_consumer::{AtLeastOnceHandler, Clock, Delivery, Done, Failure, SystemClock};
use tokio::time::Instant;

use crate::domain;
use crate::ses::{SendError, SendErrorKind, Ses, Tags};
use crate::settings::Times;

/// The mail was handed to SES.
const SENT: Done = Done::new("sent");
/// The dependency named when SES is at fault.
const SES: &str = "SES";
/// The dependency named when the deliveries table is at fault.
const DYNAMODB: &str = "DynamoDB";

/// Sends the mail of a notification. Never none, and one unless an answer of SES is lost.
///
/// A notification is claimed under its id before SES is called, and recorded as sent after. Who claims it
/// while another has the claim is told to come back when the lease ends; who comes after the record has
/// nothing to do. What a failed call of SES means for the claim:
///
/// * SES *refused* the mail (it was not sent): the claim is released. The message is retried if the sender
///   is throttled or may not send, and put aside if the mail itself is wrong.
/// * SES's answer is *unknown* (a timeout, a lost connection, a 5xx): SES may have sent the mail, and cannot
///   be asked. Keeping the mail from being lost comes first, so it is sent again, and the customer may get it
///   twice. Waiting for the lease to end would double it just as much, only later; so the claim is released
///   here too, and the queue's backoff sets the pace.
/// * The process dies: the claim ends with its lease, and the next delivery sends.
///
/// If a release fails, the lease does its work. If the record fails after SES has accepted the mail, it is
/// tried again for some seconds; after that the message is acknowledged all the same, because a retry would
/// be certain to send the mail twice, while an acknowledged one doubles it only if the message comes again.
pub(crate) struct SendMail {
    deliveries: Client,
    claims: Claims,
    ses: Ses,
    times: Times,
    clock: Arc<dyn Clock>,
}

impl SendMail {
    pub(crate) fn new(deliveries: Client, table: String, ses: Ses, times: Times) -> Self {
        Self { deliveries, claims: Claims::new(table), ses, times, clock: Arc::new(SystemClock) }
    }

    /// Takes the time from `clock`.
    #[cfg(test)]
    pub(crate) fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn claim(&self, request: &NotificationRequested) -> Result<Claim, Failure> {
        let id = format!("NOTIFICATION#{}", request.notification_id);
        self.claims.claim(&self.deliveries, &id, self.times.lease, self.now()).await.map_err(claim_failure)
    }

    /// Gives the claim back, so that the next delivery need not wait for its end.
    async fn release(&self, token: &Token) {
        if let Err(error) = self.claims.release(&self.deliveries, token).await {
            // The failure that led here is reported by the consumer; this one only delays the retry.
            tracing::warn!(reason = %error, "claim was not released and stays until its lease ends");
        }
    }

    /// Records that the mail was sent.
    async fn complete(&self, token: &Token, message_id: Option<&str>) {
        let mut attempts = Retry::default().start();
        loop {
            let Err(error) = self.claims.complete(&self.deliveries, token, self.now()).await else {
                tracing::debug!(message_id, "mail accepted by SES");
                return;
            };
            let lost = matches!(error, ClaimError::Lost { .. });
            if lost || !attempts.again().await {
                tracing::error!(reason = %error, message_id, "mail was sent but not recorded as sent");
                return;
            }
        }
    }
}

impl AtLeastOnceHandler for SendMail {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        if delivery.envelope.event_type != NotificationRequested::TYPE {
            return Err(Failure::permanent("unknown-event-type"));
        }
        let request: NotificationRequested = delivery.envelope.decode()?;
        if request.channel != Channel::Email {
            return Err(Failure::permanent("other-channel"));
        }
        let mail = domain::write(request.template, &request.contact);
        let tags = tags(&request, &delivery.envelope.metadata);

        // Before the claim is asked for: the lease begins when DynamoDB is told, not when it answers.
        let begun = Instant::now();
        let token = match self.claim(&request).await? {
            Claim::Claimed(token) => token,
            Claim::Done => return Ok(Done::DUPLICATE),
            Claim::InProgress { until } => {
                let left = until.duration_since(self.now()).try_into().unwrap_or(Duration::ZERO);
                return Err(Failure::transient("claimed-by-another").retry_after(left));
            }
        };
        if begun.elapsed() + self.times.send_timeout >= self.times.lease {
            // Another could claim it while SES is being called.
            self.release(&token).await;
            return Err(Failure::transient("claim-took-too-long").on(DYNAMODB));
        }
        match self.ses.send(&request.contact.email, mail, tags).await {
            Ok(message_id) => {
                self.complete(&token, message_id.as_deref()).await;
                Ok(SENT)
            }
            Err(error) => {
                self.release(&token).await;
                Err(send_failure(error))
            }
        }
    }
}

impl fmt::Debug for SendMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMail")
            .field("claims", &self.claims)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// `event_id` is the event that is told, the one that caused the notification.
fn tags(request: &NotificationRequested, metadata: &Metadata) -> Tags {
    let event_id = metadata.causation_id.unwrap_or(metadata.event_id);
    [
        ("notification_id", request.notification_id.to_string()),
        ("customer_number", request.customer_number.to_string()),
        ("event_id", event_id.to_string()),
        ("correlation_id", metadata.correlation_id.to_string()),
    ]
}

fn send_failure(error: SendError) -> Failure {
    match error.kind {
        SendErrorKind::Rejected => Failure::permanent("mail-rejected"),
        SendErrorKind::Throttled => Failure::transient("ses-throttled").on(SES),
        SendErrorKind::Withheld => Failure::transient("ses-withheld").on(SES),
        SendErrorKind::Unknown => Failure::transient("ses-unavailable").on(SES),
    }
    .because(error)
}

fn claim_failure(error: ClaimError) -> Failure {
    let failure = match &error {
        ClaimError::Fault(fault) if fault.kind() == FaultKind::Rejected => Failure::permanent(fault.reason()),
        ClaimError::Fault(fault) => Failure::transient(fault.reason()).on(DYNAMODB),
        ClaimError::Unreadable { .. } => Failure::permanent("delivery-unreadable"),
        ClaimError::Lost { .. } => Failure::transient("claimed-by-another"),
    };
    failure.because(error)
}
