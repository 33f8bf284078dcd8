//! `UpdateTable`: what a request may change at once, and what the engine ignores of it.

use dynoxide::Result as EngineResult;
use dynoxide::storage::Storage;
use serde_json::{Value, json};
use uuid::Uuid;

use super::names::Names;
use super::refusal::invalid;
use crate::reply::AwsError;

/// What must be the only change of a request, in the order in which AWS looks (developer guide, "Updating a table"; the
/// words are AWS's).
const ALONE: [(&str, &str); 3] = [
    ("SSESpecification", "Server-Side Encryption"),
    ("TableClass", "TableClass"),
    ("DeletionProtectionEnabled", "DeletionProtection"),
];

/// What is neither a change nor one of [`ALONE`].
const NO_CHANGE: [&str; 2] = ["TableName", "AttributeDefinitions"];

/// Members that this cloud could only ignore.
const NOT_SUPPORTED: [&str; 7] = [
    "GlobalTableSettingsReplicationMode",
    "GlobalTableSourceArn",
    "GlobalTableWitnessUpdates",
    "MultiRegionConsistency",
    "ReplicaUpdates",
    "ResourcePolicy",
    "WarmThroughput",
];

/// Refuses what would be accepted and then not happen.
pub(super) fn check_supported(operation: &str, input: &Value) -> Result<(), AwsError> {
    match NOT_SUPPORTED.iter().find(|name| input.get(**name).is_some_and(|value| !value.is_null())) {
        None => Ok(()),
        Some(name) => Err(AwsError::bad_request(
            "UnknownOperationException",
            format!("The local cloud does not support {name} of {operation}"),
        )),
    }
}

/// Refuses a request that changes too much at once.
pub(super) fn check_alone(input: &Value) -> Result<(), AwsError> {
    let given = |name: &str| input.get(name).is_some_and(|value| !value.is_null());
    let changes = input.as_object().into_iter().flatten();
    let count =
        changes.filter(|(name, value)| !value.is_null() && !NO_CHANGE.contains(&name.as_str())).count();
    for (member, words) in ALONE {
        if given(member) && count > 1 {
            return Err(invalid(format!(
                "One or more parameter values were invalid: {words} modification must be the only operation in the \
                 request"
            )));
        }
    }
    if given("StreamSpecification") && given("ProvisionedThroughput") {
        return Err(invalid(
            "One or more parameter values were invalid: You cannot modify stream status while updating table IOPS",
        ));
    }
    Ok(())
}

/// Returns what is stored and what is answered when a table's encryption changes. `current` is the table's
/// `SSEDescription`, null for a table that is encrypted by default.
pub(super) fn encryption(
    current: &Value,
    specification: &Value,
    names: &Names,
) -> Result<(Option<Value>, Value), AwsError> {
    let mut answered = current.clone();
    if specification["Enabled"] == false {
        if current.is_null() {
            return Err(invalid(
                "One or more parameter values were invalid: Table is already encrypted by default",
            ));
        }
        answered["Status"] = "UPDATING".into();
        return Ok((None, answered));
    }
    let key = match specification["KMSMasterKeyId"].as_str() {
        Some(key) if !current.is_null() && current["KMSMasterKeyArn"] == key => {
            return Err(invalid(
                "One or more parameter values were invalid: Table is already encrypted with given KMSMasterKeyId. Use \
                 KMSMasterKeyId parameter if you want to change Master Key",
            ));
        }
        Some(key) => names.kms_key_arn(key),
        None => match current["KMSMasterKeyArn"].as_str() {
            Some(current) => current.to_owned(),
            None => names.kms_key_arn(&Uuid::new_v4().to_string()),
        },
    };
    if current.is_null() {
        answered = json!({"SSEType": "KMS", "KMSMasterKeyArn": key});
    }
    answered["Status"] = "UPDATING".into();
    Ok((Some(json!({"Enabled": true, "SSEType": "KMS", "KMSMasterKeyId": key})), answered))
}

/// Stores how a table is encrypted, which the engine can only do when it creates a table.
pub(super) fn store_encryption(storage: &Storage, table: &str, stored: Option<&Value>) -> EngineResult<()> {
    let protected = storage.get_table_metadata(table)?.is_some_and(|table| table.deletion_protection_enabled);
    storage.conn().execute(
        "UPDATE _tables SET sse_specification = ?1 WHERE table_name = ?2",
        (stored.map(Value::to_string), table),
    )?;
    // For its side effect: the engine forgets what it has cached of the table.
    storage.update_deletion_protection(table, protected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_changes_must_come_alone() {
        let refused = |input: Value| check_alone(&input).unwrap_err().message;
        assert!(
            refused(
                json!({"TableName": "t", "TableClass": "STANDARD", "SSESpecification": {"Enabled": true}})
            )
            .contains("Server-Side Encryption modification must be the only operation")
        );
        assert!(
            refused(json!({"StreamSpecification": {}, "DeletionProtectionEnabled": true}))
                .contains("DeletionProtection modification must be the only operation")
        );
        check_alone(&json!({"TableName": "t", "TableClass": "STANDARD"})).unwrap();
        check_alone(&json!({"BillingMode": "PAY_PER_REQUEST", "StreamSpecification": {}})).unwrap();
    }
}
