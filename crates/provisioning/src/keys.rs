//! Keys of KMS, which have no names: an alias finds each.

use aws_sdk_kms::Client;
use topology::KeyResource;

use crate::ProvisionError;
use crate::error::{absent, call, missing};

/// The waiting period of a key that is removed: the shortest that KMS allows.
const DELETION_DAYS: i32 = 7;

/// Creates the keys with their aliases.
pub(crate) async fn create(client: &Client, keys: &[KeyResource]) -> Result<(), ProvisionError> {
    for key in keys {
        if id(client, key).await?.is_none() {
            create_key(client, key).await?;
        }
    }
    Ok(())
}

/// Checks that each key exists.
pub(crate) async fn locate(client: &Client, keys: &[KeyResource]) -> Result<(), ProvisionError> {
    for key in keys {
        id(client, key).await?.ok_or_else(|| absent("key", &key.name))?;
    }
    Ok(())
}

/// Schedules the deletion of a key, if it exists, and removes its alias, so that another key may have it.
pub(crate) async fn remove(client: &Client, key: &KeyResource) -> Result<(), ProvisionError> {
    let Some(id) = id(client, key).await? else { return Ok(()) };
    let deleted = client.delete_alias().alias_name(key.alias()).send().await;
    deleted.map_err(|error| call("DeleteAlias", &key.name, error))?;
    let scheduled =
        client.schedule_key_deletion().key_id(id).pending_window_in_days(DELETION_DAYS).send().await;
    scheduled.map(drop).map_err(|error| call("ScheduleKeyDeletion", &key.name, error))
}

async fn id(client: &Client, key: &KeyResource) -> Result<Option<String>, ProvisionError> {
    match client.describe_key().key_id(key.alias()).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found_exception()) => Ok(None),
        other => {
            let described = other.map_err(|error| call("DescribeKey", &key.name, error))?;
            Ok(described.key_metadata.map(|metadata| metadata.key_id))
        }
    }
}

async fn create_key(client: &Client, key: &KeyResource) -> Result<(), ProvisionError> {
    let created = client.create_key().description(&key.name).send().await;
    let id = created
        .map_err(|error| call("CreateKey", &key.name, error))?
        .key_metadata
        .map(|metadata| metadata.key_id)
        .ok_or_else(|| missing("CreateKey", &key.name, "a KeyMetadata"))?;
    let aliased = client.create_alias().alias_name(key.alias()).target_key_id(&id).send().await;
    aliased.map(drop).map_err(|error| call("CreateAlias", &key.name, error))
}
