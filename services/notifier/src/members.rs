//! The notifier's own table of members.

use aws_clients::{AwsError, service};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use contracts::{Channel, Contact};
use envelope::Metadata;

use crate::domain::{Notice, View};

const PARTITION_KEY: &str = "pk";
const VERSION: &str = "version";
const ERASED_AT: &str = "erased_at";

/// Members as their latest events left them: one item each, `MEMBER#<customer number>`.
///
/// Events that carry no contact (a tier, a discount) get their addressees from here.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    client: Client,
    table: String,
}

/// Whether a view was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// The table holds it now.
    Now,
    /// The table holds something later, or an erasure, and is unchanged.
    Stale,
}

impl Members {
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Stores the view of `notice`, unless something later is known.
    ///
    /// Any order of arrival leads to the same item: the contact announced last (by time of publishing, then
    /// by id), or the tombstone. An erasure wins over everything: it replaces the item with one that holds no
    /// personal data, and only another tombstone replaces a tombstone.
    pub(crate) async fn remember(
        &self,
        metadata: &Metadata,
        notice: &Notice,
    ) -> Result<Remembered, AwsError> {
        let version = version(metadata);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(PARTITION_KEY, text(format!("MEMBER#{}", notice.customer_number())))
            .item(VERSION, text(version.clone()));
        let put = match notice.view() {
            View::Erased => put.item(ERASED_AT, text(metadata.occurred_at.to_string())),
            View::Contact(contact) => with_contact(put, contact)
                .condition_expression(
                    "attribute_not_exists(#pk) OR (attribute_not_exists(#erased_at) AND #version < :version)",
                )
                .expression_attribute_names("#pk", PARTITION_KEY)
                .expression_attribute_names("#erased_at", ERASED_AT)
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":version", text(version)),
        };
        match put.send().await {
            Ok(_) => Ok(Remembered::Now),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(Remembered::Stale)
            }
            Err(error) => Err(AwsError::of(service::DYNAMODB, "PutItem", error)),
        }
    }
}

fn with_contact(put: PutItemFluentBuilder, contact: &Contact) -> PutItemFluentBuilder {
    let channels = contact.channels.iter().copied().map(Channel::as_str).map(text).collect();
    put.item("given_name", text(contact.name.given.as_str()))
        .item("family_name", text(contact.name.family.as_str()))
        .item("email", text(contact.email.as_str()))
        .item("locale", text(contact.locale.as_str()))
        .item("channels", AttributeValue::L(channels))
}

/// Returns the event's place among the member's events, as text that sorts the same way: the time with all
/// nine digits of its fraction (without them, `12:00:00.5Z` would sort before `12:00:00Z`), then the id.
///
/// The time is that of publishing, not of occurrence. Each event carries the member's whole contact as
/// membership committed it, so the contact committed last is right, even if its event occurred earlier: when
/// a change of channels reaches membership after a later change of address, it is announced with the new
/// address *and* the new channels, but with its own, older time of occurrence.
fn version(metadata: &Metadata) -> String {
    format!("{:.9}#{}", metadata.published_at, metadata.event_id)
}

fn text(value: impl Into<String>) -> AttributeValue {
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
