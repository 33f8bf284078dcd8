//! The notifier's own table of members.

use std::collections::HashMap;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use contracts::{Channel, Contact, CustomerNumber, Name};
use envelope::Metadata;
use jiff::Timestamp;
use sqs_consumer::Failure;
use thiserror::Error;

use crate::domain::{Notice, View};

pub(crate) const PARTITION_KEY: &str = "pk";
const ERASED_AT: &str = "erased_at";
const VERSION: &str = "version";
const ENROLLED_AT: &str = "enrolled_at";
const GIVEN_NAME: &str = "given_name";
const FAMILY_NAME: &str = "family_name";
const EMAIL: &str = "email";
const LOCALE: &str = "locale";
const CHANNELS: &str = "channels";

/// Members as their latest events left them: one item each, `MEMBER#<customer number>`.
///
/// Events that carry no contact (a tier, a discount) get their addressees from here.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    client: DynamoDb,
    table: String,
}

/// Whether a view was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// The table holds it now.
    Now,
    /// The table holds it already, or something later, and is unchanged.
    Stale,
    /// The membership that the view belongs to is over.
    Over,
}

/// What is known of a customer at an event without a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// A member.
    Member {
        contact: Contact,
        /// When the membership began.
        enrolled_at: Timestamp,
    },
    /// Nothing yet.
    Unknown,
    /// The customer was erased after the event occurred.
    Erased,
}

/// Why an addressee could not be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// DynamoDB did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The item is not what this service writes.
    #[error("item of member {0} cannot be read as a contact")]
    Unreadable(CustomerNumber),
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Aws(error) => error.into(),
            ReadError::Unreadable(_) => Self::permanent("member-unreadable").because(error),
        }
    }
}

impl Members {
    pub(crate) fn new(client: DynamoDb, table: String) -> Self {
        Self { client, table }
    }

    /// Stores the view of `notice`, unless something later is known.
    ///
    /// Any order of arrival leads to the same item: the contact announced last (by time of publishing, then by id) in
    /// the latest membership, and the time of the latest erasure. An erasure wins over every membership that began no
    /// later, and removes its data.
    pub(crate) async fn remember(
        &self,
        metadata: &Metadata,
        notice: &Notice,
    ) -> Result<Remembered, AwsError> {
        let number = notice.customer_number();
        match notice.view() {
            View::Contact { contact, enrolled_at } => {
                let began = time(enrolled_at.unwrap_or(metadata.occurred_at));
                self.contact(number, contact, began, version(metadata)).await
            }
            View::Erased { enrolled_again_at: None } => self.end(number, time(metadata.occurred_at)).await,
            View::Erased { enrolled_again_at: Some(began) } => {
                self.bury(number, time(metadata.occurred_at), Some(time(began))).await
            }
        }
    }

    /// Returns the addressee of an event that carries no contact, by what is remembered of the customer.
    pub(crate) async fn addressee(
        &self,
        customer_number: &CustomerNumber,
        occurred_at: Timestamp,
    ) -> Result<Addressee, ReadError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(customer_number))
            .consistent_read(true);
        let answer = Box::pin(self.client.call(request)).await;
        let answer = answer.map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        let item = answer.item.unwrap_or_default();
        if string(&item, ERASED_AT).is_some_and(|erased| *erased >= time(occurred_at)) {
            return Ok(Addressee::Erased);
        }
        if !item.contains_key(VERSION) {
            return Ok(Addressee::Unknown);
        }
        let (contact, enrolled_at) =
            contact_of(&item).ok_or_else(|| ReadError::Unreadable(customer_number.clone()))?;
        Ok(Addressee::Member { contact, enrolled_at })
    }

    /// Stores a contact of the membership that `began` then.
    async fn contact(
        &self,
        customer_number: &CustomerNumber,
        contact: &Contact,
        began: String,
        version: String,
    ) -> Result<Remembered, AwsError> {
        let update = self
            .update_contact(customer_number)
            .update_expression(
                "SET #version = :version, #began = :began, #given = :given, \
                 #family = :family, #email = :email, #locale = :locale, #channels = :channels",
            )
            .condition_expression(
                "(attribute_not_exists(#erased) OR #erased < :began) AND \
                 (attribute_not_exists(#version) OR #version < :version)",
            )
            .expression_attribute_values(":version", text(version))
            .expression_attribute_values(":given", text(contact.name.given.as_str()))
            .expression_attribute_values(":family", text(contact.name.family.as_str()))
            .expression_attribute_values(":email", text(contact.email.as_str()))
            .expression_attribute_values(":locale", text(contact.locale.as_str()))
            .expression_attribute_values(
                ":channels",
                AttributeValue::L(contact.channels.iter().copied().map(Channel::as_str).map(text).collect()),
            )
            .expression_attribute_values(":began", text(began.clone()));
        Ok(match self.write(update).await? {
            Ok(()) => Remembered::Now,
            Err(found) if string(&found, ERASED_AT).is_some_and(|erased| *erased >= began) => {
                Remembered::Over
            }
            Err(_) => Remembered::Stale,
        })
    }

    /// Ends the membership that began no later than `erased_at`: removes its data and leaves the tombstone.
    async fn end(&self, customer_number: &CustomerNumber, erased_at: String) -> Result<Remembered, AwsError> {
        let update = self
            .update_contact(customer_number)
            .update_expression(
                "SET #erased = :erased REMOVE #version, #began, #given, #family, #email, #locale, #channels",
            )
            .condition_expression(
                "(attribute_not_exists(#erased) OR #erased < :erased) AND \
                 (attribute_not_exists(#began) OR #began <= :erased)",
            )
            .expression_attribute_values(":erased", text(erased_at.clone()));
        match self.write(update).await? {
            Ok(()) => Ok(Remembered::Now),
            // A later membership, whose data stays, or a later erasure.
            Err(_) => self.bury(customer_number, erased_at, None).await,
        }
    }

    /// Leaves the tombstone beside the data of the membership that began later.
    async fn bury(
        &self,
        customer_number: &CustomerNumber,
        erased_at: String,
        began: Option<String>,
    ) -> Result<Remembered, AwsError> {
        let update = self
            .update(customer_number)
            .condition_expression("attribute_not_exists(#erased) OR #erased < :erased")
            .expression_attribute_values(":erased", text(erased_at));
        let update = match began {
            None => update.update_expression("SET #erased = :erased"),
            Some(began) => update
                .update_expression("SET #erased = :erased, #began = :began")
                .expression_attribute_names("#began", ENROLLED_AT)
                .expression_attribute_values(":began", text(began)),
        };
        Ok(match self.write(update).await? {
            Ok(()) => Remembered::Now,
            Err(_) => Remembered::Stale,
        })
    }

    fn update(&self, customer_number: &CustomerNumber) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, key(customer_number))
            .expression_attribute_names("#erased", ERASED_AT)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// Does the same with names for the data of a membership.
    fn update_contact(&self, customer_number: &CustomerNumber) -> UpdateItemFluentBuilder {
        self.update(customer_number)
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#began", ENROLLED_AT)
            .expression_attribute_names("#given", GIVEN_NAME)
            .expression_attribute_names("#family", FAMILY_NAME)
            .expression_attribute_names("#email", EMAIL)
            .expression_attribute_names("#locale", LOCALE)
            .expression_attribute_names("#channels", CHANNELS)
    }

    /// Returns the item that was found, as `Err`, if the condition did not hold.
    async fn write(&self, update: UpdateItemFluentBuilder) -> Result<Result<(), Item>, AwsError> {
        match Box::pin(self.client.call(update)).await {
            Ok(_) => Ok(Ok(())),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                match answer.into_err() {
                    UpdateItemError::ConditionalCheckFailedException(found) => {
                        Ok(Err(found.item.unwrap_or_default()))
                    }
                    _ => Ok(Err(Item::new())),
                }
            }
            Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
        }
    }
}

type Item = HashMap<String, AttributeValue>;

fn string<'a>(item: &'a Item, attribute: &str) -> Option<&'a String> {
    item.get(attribute)?.as_s().ok()
}

fn key(customer_number: &CustomerNumber) -> AttributeValue {
    text(format!("MEMBER#{customer_number}"))
}

/// Returns the contact in an item, and when the membership began.
fn contact_of(item: &Item) -> Option<(Contact, Timestamp)> {
    let name = Name {
        given: string(item, GIVEN_NAME)?.parse().ok()?,
        family: string(item, FAMILY_NAME)?.parse().ok()?,
    };
    let channels = item.get(CHANNELS)?.as_l().ok()?.iter();
    let contact = Contact {
        name,
        email: string(item, EMAIL)?.parse().ok()?,
        channels: channels.map(|channel| channel.as_s().ok()?.parse().ok()).collect::<Option<_>>()?,
        locale: string(item, LOCALE)?.parse().ok()?,
    };
    Some((contact, string(item, ENROLLED_AT)?.parse().ok()?))
}

/// Returns a time as text that sorts the same way, with all nine digits of its fraction: without them, `12:00:00.5Z`
/// would sort before `12:00:00Z`.
fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Returns the event's place among the member's events, as text that sorts the same way: the time, then the id.
///
/// The time is that of publishing, not of occurrence. Each event carries the member's whole contact as
/// membership committed it, so the contact committed last is right, even if its event occurred earlier: when
/// a change of channels reaches membership after a later change of address, it is announced with the new
/// address *and* the new channels, but with its own, older time of occurrence.
fn version(metadata: &Metadata) -> String {
    format!("{}#{}", time(metadata.published_at), metadata.event_id)
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(time: &str, id: u128) -> String {
        let time = time.parse().unwrap();
        version(&Metadata::first(Uuid::from_u128(id), time, time))
    }

    #[test]
    fn versions_sort_by_time_and_then_by_id() {
        let sorted = [
            at("2026-03-01T11:59:59.999999999Z", 9),
            at("2026-03-01T12:00:00Z", 1),
            at("2026-03-01T12:00:00Z", 2),
            at("2026-03-01T12:00:00.5Z", 1),
            at("2026-03-01T12:00:00.50001Z", 0),
            at("2026-03-01T12:00:01Z", 0),
        ];
        assert!(sorted.is_sorted(), "{sorted:#?}");
    }
}
