//! The outbox of a table, read from outside its service, and its announcements made once more.

use std::collections::HashMap;

use aws_clients::{AwsError, service};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use envelope::outbox;
use jiff::{SignedDuration, Timestamp};

/// How long a copy stays that is not removed because the command was killed.
const COPY_STAYS: SignedDuration = SignedDuration::from_hours(1);

/// The outbox of one table.
#[derive(Debug)]
pub(crate) struct Outbox {
    client: Client,
    table: String,
}

/// An event that the table's service has announced. It has no `Debug`, since its data may name a person.
pub(crate) struct Announcement {
    pub(crate) published_at: Timestamp,
    item: HashMap<String, AttributeValue>,
}

impl Outbox {
    /// The outbox of the table with this physical name.
    pub(crate) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The table's physical name.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Calls `each` with every announcement in the table, in no order, one page of the table in memory at a time.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached or refuses the call, and the first error of `each`.
    pub(crate) async fn for_each<E: From<AwsError>>(
        &self,
        mut each: impl AsyncFnMut(Announcement) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut items = self
            .client
            .scan()
            .table_name(&self.table)
            .filter_expression(
                "attribute_exists(#data) AND (begins_with(#key, :item) OR begins_with(#key, :marker))",
            )
            .expression_attribute_names("#data", outbox::DATA)
            .expression_attribute_names("#key", outbox::PARTITION_KEY)
            .expression_attribute_values(":item", AttributeValue::S(outbox::KEY_PREFIX.to_owned()))
            .expression_attribute_values(":marker", AttributeValue::S(outbox::MARKER_PREFIX.to_owned()))
            .into_paginator()
            .items()
            .send();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| AwsError::of(service::DYNAMODB, "Scan", error))?;
            if let Some(announcement) = Announcement::read(item) {
                each(announcement).await?;
            }
        }
        Ok(())
    }

    /// Has the table's Pipe announce an event once more, under the same id.
    ///
    /// A Pipe takes what is inserted, so a copy is inserted under another key, that of an item which is no marker. It is removed at once, because the table's
    /// stream keeps what was inserted, and an erasure knows nothing of copies. The item itself is not touched: to delete
    /// it and put it back would lose it if the command were killed in between.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached or refuses a call.
    pub(crate) async fn announce(&self, announcement: &Announcement) -> Result<(), AwsError> {
        let key = AttributeValue::S(format!("{}{}", outbox::KEY_PREFIX, uuid::Uuid::new_v4()));
        let expires_at = Timestamp::now().as_second().saturating_add(COPY_STAYS.as_secs());
        let mut copy = announcement.item.clone();
        copy.insert(outbox::PARTITION_KEY.to_owned(), key.clone());
        copy.insert(outbox::EXPIRES_AT.to_owned(), AttributeValue::N(expires_at.to_string()));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(copy)).send().await;
        put.map_err(|error| AwsError::of(service::DYNAMODB, "PutItem", error))?;
        let delete = self.client.delete_item().table_name(&self.table).key(outbox::PARTITION_KEY, key);
        let deleted = delete.send().await;
        deleted.map(drop).map_err(|error| AwsError::of(service::DYNAMODB, "DeleteItem", error))
    }
}

impl Announcement {
    /// Reads an item. Returns `None` for one that is not an announcement, and for a copy of one.
    fn read(item: HashMap<String, AttributeValue>) -> Option<Self> {
        let key = text(&item, outbox::PARTITION_KEY)?;
        let own = key.strip_prefix(outbox::KEY_PREFIX);
        if own.is_some() && own != text(&item, "event_id") {
            return None;
        }
        let published_at = text(&item, "published_at")?.parse().ok()?;
        Some(Self { published_at, item })
    }

    /// The event's type.
    #[cfg(feature = "local")]
    pub(crate) fn event_type(&self) -> &str {
        text(&self.item, outbox::EVENT_TYPE).unwrap_or_default()
    }

    /// The number of the customer it concerns, if its data names one.
    #[cfg(feature = "local")]
    pub(crate) fn customer_number(&self) -> Option<String> {
        let data: serde_json::Value = serde_json::from_str(text(&self.item, outbox::DATA)?).ok()?;
        Some(data["customer_number"].as_str()?.to_owned())
    }
}

fn text<'a>(item: &'a HashMap<String, AttributeValue>, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}
