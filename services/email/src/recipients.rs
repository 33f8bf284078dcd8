//! The customers the service knows of, in its own table: one item each, under the key `RECIPIENT#<customer number>`, beside
//! the claims of their mails.

use std::collections::HashMap;
use std::time::Duration;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put};
use contracts::CustomerNumber;
use idempotency::{ClaimError, Claims, Retry};
use jiff::{SignedDuration, Timestamp};
use sqs_consumer::Failure;
use thiserror::Error;
use uuid::Uuid;

use crate::address_digest::AddressDigest;
use crate::recipient::{Channels, Mailing, Mark, Recipient, Verdict};

const PARTITION_KEY: &str = "pk";
/// The recipient as JSON.
const RECIPIENT: &str = "recipient";
/// Counts the writes of an item; a write succeeds only if nothing was written since the read.
const REVISION: &str = "revision";
/// As for any item that several events of one customer change at once.
const ATTEMPTS: u32 = 20;

/// The table of recipients.
#[derive(Clone, Debug)]
pub(crate) struct Recipients {
    client: DynamoDb,
    table: String,
    claims: Claims,
}

/// A recipient as read or written last, with the revision that a write depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    recipient: Recipient,
    /// Zero if there was no item.
    revision: u64,
}

/// Why a recipient could not be read or changed.
#[derive(Debug, Error)]
pub(crate) enum RecipientError {
    /// DynamoDB did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The claim of another mail could not be read.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The item is not a recipient.
    #[error("item of recipient {customer_number} cannot be read")]
    Unreadable { customer_number: CustomerNumber },
    /// The recipient cannot be written as JSON.
    #[error("recipient {customer_number} cannot be written")]
    Unwritable { customer_number: CustomerNumber },
    /// Other events of the customer kept changing the item.
    #[error("item of recipient {customer_number} changed {ATTEMPTS} times")]
    Contended { customer_number: CustomerNumber },
}

impl From<RecipientError> for Failure {
    fn from(error: RecipientError) -> Self {
        match error {
            RecipientError::Aws(error) => error.into(),
            RecipientError::Claim(error) => error.into(),
            RecipientError::Contended { .. } => Self::transient("contended").because(error),
            RecipientError::Unreadable { .. } | RecipientError::Unwritable { .. } => {
                Self::permanent("recipient-unreadable").because(error)
            }
        }
    }
}

impl Recipients {
    pub(crate) fn new(client: DynamoDb, table: impl Into<String>) -> Self {
        let table = table.into();
        Self { client, claims: Claims::new(table.clone()), table }
    }

    /// Returns the id under which a notification's mail is claimed.
    pub(crate) fn claim_of(notification_id: Uuid) -> String {
        format!("NOTIFICATION#{notification_id}")
    }

    /// Records an erasure that occurred then. Returns whether that is news.
    pub(crate) async fn erased(
        &self,
        customer_number: &CustomerNumber,
        at: Timestamp,
        farewell_follows: bool,
    ) -> Result<bool, RecipientError> {
        let stored = self.read(customer_number).await?;
        let change = |recipient: &mut Recipient| recipient.erased(at, farewell_follows);
        Ok(self.change(customer_number, stored, change).await?.0)
    }

    /// Returns the write of the recipient with the mark, for a transaction; `None` if the mark is no news. The write fails
    /// if somebody else changes the recipient before.
    pub(crate) async fn marked(
        &self,
        customer_number: &CustomerNumber,
        address: AddressDigest,
        mark: Mark,
    ) -> Result<Option<PutBuilder>, RecipientError> {
        let Stored { mut recipient, revision } = self.read(customer_number).await?;
        if !recipient.returned(address, mark) {
            return Ok(None);
        }
        let write = Write::new(customer_number, &recipient, revision)?;
        Ok(Some(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(write.item))
                .condition_expression(write.condition)
                .set_expression_attribute_names(Some(write.names))
                .set_expression_attribute_values(write.values),
        ))
    }

    /// Records the customer's channels. Returns whether that is news.
    pub(crate) async fn reached_by(
        &self,
        customer_number: &CustomerNumber,
        channels: Channels,
    ) -> Result<bool, RecipientError> {
        let stored = self.read(customer_number).await?;
        Ok(self.change(customer_number, stored, |recipient| recipient.reached_by(channels)).await?.0)
    }

    /// Decides about a mail, and records it as in flight for `lease` if it is to be sent. Returns the recipient as well,
    /// for [`answered`](Self::answered).
    ///
    /// The record of its claim says that a mail is no longer in flight, which saves a write of the recipient for each mail:
    /// only a farewell, and a mail in a burst, reads the claims.
    pub(crate) async fn admit(
        &self,
        customer_number: &CustomerNumber,
        mailing: &Mailing,
        lease: Duration,
    ) -> Result<(Verdict, Stored), RecipientError> {
        let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
        let stored = self.read(customer_number).await?;
        let mut accepted = Vec::new();
        for notification_id in stored.recipient.in_question(mailing, Timestamp::now()) {
            if self.claims.is_done(&self.client, &Self::claim_of(notification_id)).await? {
                accepted.push(notification_id);
            }
        }
        self.change(customer_number, stored, |recipient| {
            let now = Timestamp::now();
            for notification_id in &accepted {
                recipient.answered(*notification_id);
            }
            recipient.admit(mailing, now, now.saturating_add(lease).unwrap_or(Timestamp::MAX))
        })
        .await
    }

    /// Records that a mail is no longer in flight although its claim is not to be completed. `stored` is the recipient when the mail was admitted.
    pub(crate) async fn answered(
        &self,
        customer_number: &CustomerNumber,
        stored: Stored,
        notification_id: Uuid,
    ) -> Result<(), RecipientError> {
        let change = |recipient: &mut Recipient| recipient.answered(notification_id);
        self.change(customer_number, stored, change).await.map(|_| ())
    }

    /// Applies `change` to the recipient and writes it if it differs; reads it and does so again if somebody else wrote
    /// it in between. A response that is lost is harmless, since every change is idempotent.
    async fn change<T>(
        &self,
        customer_number: &CustomerNumber,
        mut stored: Stored,
        mut change: impl FnMut(&mut Recipient) -> T,
    ) -> Result<(T, Stored), RecipientError> {
        let mut attempts = Retry { attempts: ATTEMPTS, ..Retry::default() }.start();
        loop {
            let mut after = stored.recipient.clone();
            let result = change(&mut after);
            if after == stored.recipient {
                return Ok((result, stored));
            }
            if self.write(customer_number, &after, stored.revision).await? {
                return Ok((result, Stored { recipient: after, revision: stored.revision + 1 }));
            }
            if !attempts.again().await {
                return Err(RecipientError::Contended { customer_number: customer_number.clone() });
            }
            stored = self.read(customer_number).await?;
        }
    }

    async fn read(&self, customer_number: &CustomerNumber) -> Result<Stored, RecipientError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(customer_number))
            .consistent_read(true);
        let answer = Box::pin(self.client.call(request))
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        let Some(item) = answer.item else { return Ok(Stored::default()) };
        let read = || {
            let revision = item.get(REVISION)?.as_n().ok()?.parse().ok()?;
            let recipient = serde_json::from_str(item.get(RECIPIENT)?.as_s().ok()?).ok()?;
            Some(Stored { recipient, revision })
        };
        read().ok_or_else(|| RecipientError::Unreadable { customer_number: customer_number.clone() })
    }

    /// Writes the recipient if its revision is still `read`. Returns whether it was.
    async fn write(
        &self,
        customer_number: &CustomerNumber,
        recipient: &Recipient,
        read: u64,
    ) -> Result<bool, RecipientError> {
        let write = Write::new(customer_number, recipient, read)?;
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(write.item))
            .condition_expression(write.condition)
            .set_expression_attribute_names(Some(write.names))
            .set_expression_attribute_values(write.values);
        match Box::pin(self.client.call(put)).await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(AwsError::of(service::DYNAMODB, "PutItem", error).into()),
        }
    }
}

/// A write of a recipient on the condition that nothing was written since the read.
struct Write {
    item: HashMap<String, AttributeValue>,
    condition: &'static str,
    names: HashMap<String, String>,
    values: Option<HashMap<String, AttributeValue>>,
}

impl Write {
    /// `read` is the revision that was read, zero if there was no item.
    fn new(
        customer_number: &CustomerNumber,
        recipient: &Recipient,
        read: u64,
    ) -> Result<Self, RecipientError> {
        let json = serde_json::to_string(recipient)
            .map_err(|_| RecipientError::Unwritable { customer_number: customer_number.clone() })?;
        let item = HashMap::from([
            (PARTITION_KEY.to_owned(), key(customer_number)),
            (RECIPIENT.to_owned(), AttributeValue::S(json)),
            (REVISION.to_owned(), AttributeValue::N((read + 1).to_string())),
        ]);
        if read == 0 {
            let names = HashMap::from([("#pk".to_owned(), PARTITION_KEY.to_owned())]);
            return Ok(Self { item, condition: "attribute_not_exists(#pk)", names, values: None });
        }
        let names = HashMap::from([("#revision".to_owned(), REVISION.to_owned())]);
        let values = HashMap::from([(":read".to_owned(), AttributeValue::N(read.to_string()))]);
        Ok(Self { item, condition: "#revision = :read", names, values: Some(values) })
    }
}

fn key(customer_number: &CustomerNumber) -> AttributeValue {
    AttributeValue::S(format!("RECIPIENT#{customer_number}"))
}
