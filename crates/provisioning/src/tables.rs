//! Tables with their streams and expiry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use topology::TableResource;

use crate::ProvisionError;
use crate::error::{absent, call, missing};

/// How long a table may take to become usable.
const READY_WITHIN: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Creates the tables and returns the stream ARN of each that has one, by physical name.
pub(crate) async fn create(
    client: &Client,
    tables: &[TableResource],
) -> Result<BTreeMap<String, String>, ProvisionError> {
    let mut streams = BTreeMap::new();
    for table in tables {
        create_table(client, table).await?;
        let description = active(client, &table.name).await?;
        if let Some(attribute) = &table.expires_at {
            expire(client, &table.name, attribute).await?;
        }
        if table.stream {
            let arn = description
                .latest_stream_arn
                .ok_or_else(|| missing("DescribeTable", &table.name, "a LatestStreamArn"))?;
            streams.insert(table.name.clone(), arn);
        }
    }
    Ok(streams)
}

/// Checks that each table exists.
pub(crate) async fn locate(client: &Client, tables: &[TableResource]) -> Result<(), ProvisionError> {
    let mut pages = client.list_tables().into_paginator().items().send();
    let mut names = BTreeSet::new();
    while let Some(name) = pages.next().await {
        names.insert(name.map_err(|error| call("ListTables", "all tables", error))?);
    }
    match tables.iter().find(|table| !names.contains(&table.name)) {
        Some(table) => Err(absent("table", &table.name)),
        None => Ok(()),
    }
}

async fn create_table(client: &Client, table: &TableResource) -> Result<(), ProvisionError> {
    let failed = |error| call("CreateTable", &table.name, error);
    let key =
        KeySchemaElement::builder().attribute_name(&table.partition_key).key_type(KeyType::Hash).build();
    let attribute = AttributeDefinition::builder()
        .attribute_name(&table.partition_key)
        .attribute_type(ScalarAttributeType::S)
        .build();
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::from(TableResource::STREAM_VIEW_TYPE))
        .build();
    let created = client
        .create_table()
        .table_name(&table.name)
        .key_schema(key.map_err(failed)?)
        .attribute_definitions(attribute.map_err(failed)?)
        .billing_mode(BillingMode::PayPerRequest)
        .set_stream_specification(if table.stream { Some(stream.map_err(failed)?) } else { None })
        .send()
        .await;
    match created {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) => Ok(()),
        Err(error) => Err(call("CreateTable", &table.name, error)),
        Ok(_) => Ok(()),
    }
}

async fn active(client: &Client, name: &str) -> Result<TableDescription, ProvisionError> {
    let mut state = String::from("unknown");
    let waiting = async {
        loop {
            let table = client
                .describe_table()
                .table_name(name)
                .send()
                .await
                .map_err(|error| call("DescribeTable", name, error))?
                .table
                .ok_or_else(|| missing("DescribeTable", name, "a Table"))?;
            match &table.table_status {
                Some(TableStatus::Active) => return Ok(table),
                Some(other) => other.as_str().clone_into(&mut state),
                None => {}
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    match tokio::time::timeout(READY_WITHIN, waiting).await {
        Ok(result) => result,
        Err(_) => Err(ProvisionError::NotReady { resource: name.to_owned(), state }),
    }
}

async fn expire(client: &Client, name: &str, attribute: &str) -> Result<(), ProvisionError> {
    // UpdateTimeToLive refuses to set what is already set.
    let current = client
        .describe_time_to_live()
        .table_name(name)
        .send()
        .await
        .map_err(|error| call("DescribeTimeToLive", name, error))?
        .time_to_live_description;
    if current.is_some_and(|ttl| {
        matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
            && ttl.attribute_name.as_deref() == Some(attribute)
    }) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(attribute)
        .build()
        .map_err(|error| call("UpdateTimeToLive", name, error))?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(|error| call("UpdateTimeToLive", name, error))?;
    Ok(())
}
