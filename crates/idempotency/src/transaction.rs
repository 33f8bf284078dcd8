//! A change, its marker and its announcements, written atomically.

use std::collections::HashMap;

use aws_clients::{AwsError, DynamoDb, ErrorClass, service};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::RequestId as _;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use envelope::Envelope;
use jiff::Timestamp;
use uuid::Uuid;

use crate::cancellation::{self, Cancellation};
use crate::fingerprint::{FINGERPRINT, fingerprint};
use crate::outbox::{self, Announcing};
use crate::{ATTEMPT, CommitError, REFUSAL, Retry};

#[cfg(test)]
mod tests;

const HANDLER: &str = "handler";
const OPERATION: &str = "TransactWriteItems";

/// The outcome of a [`Transaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Everything was written.
    Applied,
    /// The same event had already been handled; nothing was written.
    Duplicate {
        /// The trace header that the attempt which handled it kept with the marker ([`Transaction::attempt`]).
        attempt: Option<String>,
        /// Why that attempt refused the event, if it did ([`Transaction::refusal`]).
        refusal: Option<String>,
    },
}

/// What one handler does about one event, as a single DynamoDB transaction.
///
/// The marker and the outbox share a table, whose partition key is the string `pk` and whose TTL attribute is
/// `expires_at`; changes may be in that table or in others. The marker is written even if nothing else is, so that a
/// reused event id with another body is detected. It also carries the first announcement ([`Announcing`]): a marker that
/// exists was inserted once, by the transaction that made the change, so that is what the stream has and the Pipe announces.
#[derive(Debug)]
#[must_use = "nothing is written before commit"]
pub struct Transaction {
    table: String,
    event_id: Uuid,
    handler: String,
    fingerprint: String,
    record: Option<Put>,
    refusal: Option<&'static str>,
    changes: Vec<TransactWriteItem>,
    announcements: Vec<Envelope>,
    announcing: Announcing,
    attempt: Option<String>,
    retry: Retry,
    waits_out_contention: bool,
}

impl Transaction {
    /// Creates a transaction for `handler`'s handling of `event`, with the marker and the outbox in `table`.
    ///
    /// `handler` names what must happen once per event, usually the service; two handlers that share a table do not see
    /// each other's markers.
    pub fn new(table: &str, event: &Envelope, handler: &str) -> Self {
        Self {
            table: table.to_owned(),
            event_id: event.metadata.event_id,
            handler: handler.to_owned(),
            fingerprint: fingerprint(event),
            record: None,
            refusal: None,
            changes: Vec::new(),
            announcements: Vec::new(),
            announcing: Announcing::default(),
            attempt: None,
            retry: Retry::default(),
            waits_out_contention: true,
        }
    }

    /// Adds an item to be written, in any table. If its condition fails, the commit fails with
    /// [`CommitError::Conflict`].
    pub fn change(mut self, item: TransactWriteItem) -> Self {
        self.changes.push(item);
        self
    }

    /// Adds the event's record: an item, in any table, that must not exist yet and outlasts the marker, such as an entry
    /// of a ledger under the event's id. If there is one under its key (`pk`), the event was handled before: the commit is
    /// [`Commit::Duplicate`], even after the marker has expired.
    ///
    /// The condition is added here, in place of one that `put` has.
    pub fn record(mut self, put: Put) -> Self {
        self.record = Some(put);
        self
    }

    /// Keeps with the marker and the record that the event is refused, and why. Whoever finds it a duplicate learns that.
    pub fn refusal(mut self, reason: &'static str) -> Self {
        self.refusal = Some(reason);
        self
    }

    /// Adds an event to be announced through the outbox.
    pub fn announce(mut self, event: &Envelope) -> Self {
        self.announcements.push(event.clone());
        self
    }

    /// Sets where announcements are written; by default, the first is a part of the marker.
    pub fn announcing(mut self, announcing: Announcing) -> Self {
        self.announcing = announcing;
        self
    }

    /// Keeps `header` with the marker: the trace header of the span in which the event is being handled. If this process is
    /// killed before the span leaves it, the next one learns from the marker what the span's id was.
    pub fn attempt(mut self, header: Option<String>) -> Self {
        self.attempt = header;
        self
    }

    /// Bounds the attempts made while other transactions use the same items or DynamoDB throttles.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Leaves it to the caller to try again while other transactions use the same items. If the change depends on what was
    /// read, those transactions make it outdated: then it is better to read again than to repeat the write.
    pub fn without_waiting_out_contention(mut self) -> Self {
        self.waits_out_contention = false;
        self
    }

    /// Writes everything, or nothing.
    ///
    /// Transactions on the same items, throttling, and a transaction still in progress under the same token are waited
    /// out within the bounds of [`Transaction::retry`]. Every attempt carries the same client request token, so
    /// DynamoDB recognizes the retry of an attempt whose response was lost.
    ///
    /// # Errors
    /// [`CommitError`] says why the transaction was not committed.
    pub async fn commit(self, client: &DynamoDb) -> Result<Commit, CommitError> {
        let items = self
            .items(Timestamp::now())
            .map_err(|error| AwsError::unbuildable(service::DYNAMODB, OPERATION, error))?;
        let token = Uuid::new_v4().to_string();
        let mut attempts = self.retry.start();
        loop {
            let request = client
                .transact_write_items()
                .client_request_token(&token)
                .set_transact_items(Some(items.clone()));
            let Err(error) = Box::pin(client.call(request)).await else { return Ok(Commit::Applied) };
            let passing = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let reasons = cancelled.cancellation_reasons();
                    match cancellation::read(reasons, &self.fingerprint, self.record.is_some()) {
                        Cancellation::Duplicate { attempt, refusal } => {
                            return Ok(Commit::Duplicate { attempt, refusal });
                        }
                        Cancellation::EventIdReused => {
                            return Err(CommitError::EventIdReused { event_id: self.event_id });
                        }
                        Cancellation::MarkerUnreadable => {
                            return Err(CommitError::MarkerUnreadable { event_id: self.event_id });
                        }
                        Cancellation::Conflict => return Err(CommitError::Conflict),
                        Cancellation::Contended if !self.waits_out_contention => {
                            return Err(CommitError::Contended { attempts: attempts.made() });
                        }
                        Cancellation::Contended => Passing::Contended,
                        Cancellation::Failed(code) => {
                            let failed = AwsError::of_entry(service::DYNAMODB, OPERATION, &code, None);
                            Passing::of(failed.with_request_id(error.request_id().map(str::to_owned)))?
                        }
                    }
                }
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => Passing::Contended,
                _ => Passing::of(AwsError::of(service::DYNAMODB, OPERATION, error))?,
            };
            if !attempts.again().await {
                return Err(match passing {
                    Passing::Throttled(error) => error.into(),
                    Passing::Contended => CommitError::Contended { attempts: attempts.made() },
                });
            }
        }
    }

    /// Returns the items to write, first the marker and then the record: the reasons of a cancellation are in the same
    /// order.
    fn items(&self, now: Timestamp) -> Result<Vec<TransactWriteItem>, BuildError> {
        let mut marker = self.marker(now);
        let mut announcements = self.announcements.iter();
        if self.announcing == Announcing::WithMarker {
            marker.extend(announcements.next().map(outbox::attributes).into_iter().flatten());
        }
        let mut items = vec![if_new(&self.table, marker)?];
        if let Some(record) = &self.record {
            let refusal = self.refusal.map(|reason| (REFUSAL.to_owned(), text(reason)));
            let item = record.item().clone().into_iter().chain(refusal);
            items.push(if_new(record.table_name(), item.collect())?);
        }
        items.extend(self.changes.iter().cloned());
        for event in announcements {
            let put =
                Put::builder().table_name(&self.table).set_item(Some(outbox::item(event, now))).build()?;
            items.push(TransactWriteItem::builder().put(put).build());
        }
        Ok(items)
    }

    fn marker(&self, now: Timestamp) -> HashMap<String, AttributeValue> {
        let key = outbox::marker_key(&self.handler, self.event_id);
        let attempt = self.attempt.as_deref().map(|header| (ATTEMPT.to_owned(), text(header)));
        let refusal = self.refusal.map(|reason| (REFUSAL.to_owned(), text(reason)));
        let marker = [
            (envelope::outbox::PARTITION_KEY.to_owned(), AttributeValue::S(key)),
            (FINGERPRINT.to_owned(), AttributeValue::S(self.fingerprint.clone())),
            (HANDLER.to_owned(), AttributeValue::S(self.handler.clone())),
            (envelope::outbox::EXPIRES_AT.to_owned(), AttributeValue::N(outbox::expiry(now).to_string())),
        ];
        marker.into_iter().chain(attempt).chain(refusal).collect()
    }
}

/// Returns the write of an item that must not exist yet. If it does, the cancellation shows it.
fn if_new(table: &str, item: HashMap<String, AttributeValue>) -> Result<TransactWriteItem, BuildError> {
    let put = Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#pk)")
        .expression_attribute_names("#pk", envelope::outbox::PARTITION_KEY)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A failure that a short wait may clear.
enum Passing {
    Throttled(AwsError),
    Contended,
}

impl Passing {
    /// Accepts throttling, which is waited out; every other failure of the call goes to the caller.
    fn of(error: AwsError) -> Result<Self, AwsError> {
        if error.class() == ErrorClass::Throttled { Ok(Self::Throttled(error)) } else { Err(error) }
    }
}
