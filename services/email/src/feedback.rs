//! Handles what SES reports of the service's mails: the address of one that came back is no longer mailed.

use contracts::{AddressUndeliverable, CustomerNumber, UndeliverableReason};
use handlers::{Effect, Handle, Subscriber};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqs_consumer::{Delivery, Failure};

use crate::address_digest::AddressDigest;
use crate::membership_time::MembershipTime;
use crate::recipient::Mark;
use crate::recipients::Recipients;

/// The address was marked before, or the membership is over.
const STALE: &str = "stale";

/// A mail came back for good: it bounced, or its recipient complained. The rules of the topology make it of SES's events, out
/// of the mail's tags and without its address.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MailReturned {
    pub(crate) customer_number: CustomerNumber,
    pub(crate) reason: UndeliverableReason,
    /// When the mail was sent.
    pub(crate) mailed_at: Timestamp,
    /// When the membership began that the mail was about.
    pub(crate) enrolled_at: MembershipTime,
    /// The address it was sent to.
    pub(crate) address_digest: AddressDigest,
}

impl envelope::Event for MailReturned {
    const TYPE: &'static str = "MailReturned";
    const SOURCE: &'static str = "aws.ses";

    fn customer_number(&self) -> &str {
        self.customer_number.as_str()
    }
}

/// The tags of a mail that [`MailReturned`] consists of.
pub(crate) const CUSTOMER_NUMBER: &str = "customer_number";
pub(crate) const ENROLLED_AT: &str = "enrolled_at";
pub(crate) const ADDRESS_DIGEST: &str = "address_digest";

/// Marks addresses, and announces each once.
///
/// SES reports at least once and in any order; whatever is known already has no effect. The mark is part of the customer's
/// record, by which email decides about each mail, and is written together with the announcement.
#[derive(Debug)]
pub(crate) struct MarkAddresses {
    recipients: Recipients,
}

impl MarkAddresses {
    pub(crate) fn new(recipients: Recipients) -> Self {
        Self { recipients }
    }
}

impl Subscriber for MarkAddresses {
    type Events = (MailReturned,);
}

impl Handle<MailReturned> for MarkAddresses {
    async fn handle(&self, event: &MailReturned, _: &Delivery) -> Result<Effect, Failure> {
        let mark =
            Mark { reason: event.reason, mailed_at: event.mailed_at, enrolled_at: event.enrolled_at.into() };
        let customer_number = &event.customer_number;
        let marked = self.recipients.marked(customer_number, event.address_digest, mark).await?;
        let Some(marked) = marked else { return Ok(Effect::new(STALE)) };
        Ok(Effect::applied().put(marked).announce(&AddressUndeliverable {
            customer_number: customer_number.clone(),
            reason: event.reason,
            mailed_at: event.mailed_at,
        }))
    }
}
