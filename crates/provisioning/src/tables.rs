//! Tables with their indexes, streams and expiry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};
use topology::{IndexResource, TableResource};

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
        let description = with_indexes(client, table, active(client, &table.name).await?).await?;
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
    let indexes: Result<Vec<_>, _> = table.indexes.iter().map(index).collect();
    let indexes = indexes.map_err(failed)?;
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::from(TableResource::STREAM_VIEW_TYPE))
        .build();
    let created = client
        .create_table()
        .table_name(&table.name)
        .key_schema(key(&table.partition_key, KeyType::Hash).map_err(failed)?)
        .set_attribute_definitions(Some(types(table.key_attributes()).map_err(failed)?))
        .set_global_secondary_indexes(if indexes.is_empty() { None } else { Some(indexes) })
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

/// Adds to an existing table the indexes that it lacks, one after the other: DynamoDB creates one at a time. An index with
/// the name of a declared one is left as it is, and so is one that is not declared.
async fn with_indexes(
    client: &Client,
    table: &TableResource,
    mut description: TableDescription,
) -> Result<TableDescription, ProvisionError> {
    let failed = |error| call("UpdateTable", &table.name, error);
    for declared in &table.indexes {
        let existing = description.global_secondary_indexes();
        if existing.iter().any(|index| index.index_name() == Some(&declared.name)) {
            continue;
        }
        let parts = index(declared).map_err(failed)?;
        let action = CreateGlobalSecondaryIndexAction::builder()
            .index_name(parts.index_name)
            .set_key_schema(Some(parts.key_schema))
            .set_projection(parts.projection)
            .build()
            .map_err(failed)?;
        client
            .update_table()
            .table_name(&table.name)
            .set_attribute_definitions(Some(types(table.key_attributes()).map_err(failed)?))
            .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(action).build())
            .send()
            .await
            .map_err(|error| call("UpdateTable", &table.name, error))?;
        description = active(client, &table.name).await?;
    }
    Ok(description)
}

fn index(index: &IndexResource) -> Result<GlobalSecondaryIndex, BuildError> {
    let projection = match index.attributes.as_slice() {
        [] => Projection::builder().projection_type(ProjectionType::KeysOnly),
        attributes => Projection::builder()
            .projection_type(ProjectionType::Include)
            .set_non_key_attributes(Some(attributes.to_vec())),
    };
    let sort_key = index.sort_key.iter().map(|sort| key(sort, KeyType::Range));
    let keys = std::iter::once(key(&index.partition_key, KeyType::Hash)).chain(sort_key);
    GlobalSecondaryIndex::builder()
        .index_name(&index.name)
        .set_key_schema(Some(keys.collect::<Result<_, _>>()?))
        .projection(projection.build())
        .build()
}

fn key(attribute: &str, kind: KeyType) -> Result<KeySchemaElement, BuildError> {
    KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build()
}

/// Returns the types of these attributes: strings.
fn types<'a>(attributes: impl IntoIterator<Item = &'a str>) -> Result<Vec<AttributeDefinition>, BuildError> {
    let of = |attribute| {
        AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()
    };
    attributes.into_iter().map(of).collect()
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
                Some(TableStatus::Active) => match unfinished_index(&table) {
                    None => return Ok(table),
                    Some(status) => status.as_str().clone_into(&mut state),
                },
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

/// Returns the status of an index that cannot be read yet.
fn unfinished_index(table: &TableDescription) -> Option<&IndexStatus> {
    let statuses = table.global_secondary_indexes().iter().filter_map(|index| index.index_status());
    statuses.into_iter().find(|status| **status != IndexStatus::Active)
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
