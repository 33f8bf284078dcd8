//! One event: read the member, let the domain decide, write all of it at once.

use contracts::{ContactPreferencesChanged, CustomerEnrolled, CustomerErased, CustomerRenamed};
use envelope::{Envelope, Event};
use idempotency::{Commit, CommitError, Fault, FaultKind, Retry, Transaction};
use jiff::Timestamp;
use sqs_consumer::{AtLeastOnceHandler, Delivery, Done, Failure};

use crate::announce;
use crate::domain::{Cause, Change, Version};
use crate::members::{Members, ReadError, Stored};

#[cfg(test)]
mod tests;

const DYNAMODB: &str = "DynamoDB";

/// Handles the CRM's events about customers.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    members: Members,
    /// How often a member is read again because somebody else has written it in between.
    again: Retry,
}

impl AtLeastOnceHandler for Membership {
    async fn handle(&self, delivery: &Delivery) -> Result<Done, Failure> {
        let event = &delivery.envelope;
        match event.event_type.as_str() {
            CustomerEnrolled::TYPE => self.apply::<CustomerEnrolled>(event).await,
            CustomerRenamed::TYPE => self.apply::<CustomerRenamed>(event).await,
            ContactPreferencesChanged::TYPE => self.apply::<ContactPreferencesChanged>(event).await,
            CustomerErased::TYPE => self.apply::<CustomerErased>(event).await,
            _ => Err(Failure::permanent("unknown-event-type")),
        }
    }
}

impl Membership {
    pub(crate) fn new(members: Members) -> Self {
        Self { members, again: Retry { attempts: 20, ..Retry::default() } }
    }

    async fn apply<E: Event + Cause + Clone>(&self, envelope: &Envelope) -> Result<Done, Failure> {
        let event: E = envelope.decode()?;
        let version =
            Version { occurred_at: envelope.metadata.occurred_at, event_id: envelope.metadata.event_id };
        let mut attempts = self.again.start();
        loop {
            let read = self.members.read(Cause::customer_number(&event)).await.map_err(unread)?;
            let change = event.clone().apply(read.member.clone(), version);
            let outcome = match &change {
                Change::Applied { .. } => Done::APPLIED,
                Change::Stale => Done::new("stale"),
                Change::Erased => Done::new("erased"),
            };
            match self.transaction(envelope, &read, change)?.commit(self.members.client()).await {
                Ok(Commit::Applied) => return Ok(outcome),
                Ok(Commit::Duplicate) => return Ok(Done::DUPLICATE),
                Err(CommitError::Conflict) if attempts.again().await => {}
                Err(error) => return Err(uncommitted(error)),
            }
        }
    }

    /// The marker, also if nothing changes: an event id that comes back with another body must be found out.
    fn transaction(
        &self,
        envelope: &Envelope,
        read: &Stored,
        change: Change,
    ) -> Result<Transaction, Failure> {
        let transaction = Transaction::new(self.members.table(), envelope, crate::NAME);
        let Change::Applied { member, announcement } = change else { return Ok(transaction) };
        let write = self.members.replace(read, &member).ok_or(Failure::permanent("member-unwritable"))?;
        let transaction = transaction.change(write);
        let Some(announcement) = announcement else { return Ok(transaction) };
        let announcement = announce::envelope(&announcement, &envelope.metadata, Timestamp::now())
            .map_err(|error| Failure::permanent("announcement-unwritable").because(error))?;
        Ok(transaction.announce(&announcement))
    }
}

fn unread(error: ReadError) -> Failure {
    match error {
        ReadError::Fault(fault) => failed(fault),
        ReadError::Unreadable { .. } => Failure::permanent("member-unreadable").because(error),
    }
}

fn uncommitted(error: CommitError) -> Failure {
    if let CommitError::Fault(fault) = error {
        return failed(fault);
    }
    let failure = if error.is_permanent() {
        Failure::permanent(error.reason())
    } else {
        Failure::transient(error.reason())
    };
    // Contention is this customer's affair. The others need not wait for it.
    let failure = if error.is_outage() { failure.on(DYNAMODB) } else { failure };
    failure.because(error)
}

fn failed(fault: Fault) -> Failure {
    let failure = match fault.kind() {
        FaultKind::Throttled | FaultKind::Unavailable => Failure::transient(fault.reason()).on(DYNAMODB),
        FaultKind::Rejected => Failure::permanent(fault.reason()),
    };
    failure.because(fault)
}
