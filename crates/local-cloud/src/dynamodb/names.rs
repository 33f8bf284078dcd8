//! Names and ARNs. The engine knows tables by name, in its own region; clients may name a table by its ARN wherever
//! they may by its name (API reference, `TableName` of each operation), and see this cloud's region and account.

use serde_json::{Map, Value};

use crate::reply::AwsError;
use crate::settings::Settings;

/// How the engine's own ARNs start.
const ENGINE_PREFIX: &str = "arn:aws:dynamodb:dynoxide:000000000000:";

#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(super) region: String,
    prefix: String,
    account_id: String,
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { region, account_id, .. } = settings;
        Self {
            region: region.clone(),
            prefix: format!("arn:aws:dynamodb:{region}:{account_id}:"),
            account_id: account_id.clone(),
        }
    }

    pub(super) fn stream_arn(&self, table: &str, label: &str) -> String {
        format!("{}table/{table}/stream/{label}", self.prefix)
    }

    /// Returns the ARN of a KMS key that was named by its id or its ARN.
    pub(super) fn kms_key_arn(&self, key: &str) -> String {
        if key.starts_with("arn:") {
            return key.to_owned();
        }
        format!("arn:aws:kms:{}:{}:key/{key}", self.region, self.account_id)
    }

    /// Replaces ARNs of tables in an operation's input by what the engine knows.
    pub(super) fn to_engine(&self, operation: &str, input: &mut Value) -> Result<(), AwsError> {
        let Some(members) = input.as_object_mut() else { return Ok(()) };
        if let Some(name) = members.get_mut("TableName") {
            self.resolve(operation, name)?;
        }
        if let Some(Value::String(arn)) = members.get_mut("ResourceArn")
            && let Some(rest) = arn.strip_prefix(&self.prefix)
        {
            *arn = format!("{ENGINE_PREFIX}{rest}");
        }
        for item in members.get_mut("TransactItems").and_then(Value::as_array_mut).into_iter().flatten() {
            for action in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
                if let Some(name) = action.get_mut("TableName") {
                    self.resolve(operation, name)?;
                }
            }
        }
        if let Some(Value::Object(tables)) = members.get_mut("RequestItems")
            && tables.keys().any(|name| name.starts_with("arn:"))
        {
            let mut by_name = Map::new();
            for (name, requests) in std::mem::take(tables) {
                let mut name = Value::String(name);
                self.resolve(operation, &mut name)?;
                let Value::String(name) = name else { continue };
                if by_name.insert(name, requests).is_some() {
                    return Err(AwsError::bad_request(
                        "ValidationException",
                        "One or more parameter values were invalid: a table is named twice in RequestItems",
                    ));
                }
            }
            *tables = by_name;
        }
        Ok(())
    }

    fn resolve(&self, operation: &str, name: &mut Value) -> Result<(), AwsError> {
        let Value::String(text) = name else { return Ok(()) };
        if !text.starts_with("arn:") {
            return Ok(());
        }
        if let Some(table) = text.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix("table/"))
            && !table.contains('/')
        {
            *text = table.to_owned();
            return Ok(());
        }
        let account = text.split(':').nth(4).unwrap_or_default();
        if account == self.account_id {
            return Err(AwsError::bad_request(
                "ResourceNotFoundException",
                format!("Requested resource not found: Table: {text} not found"),
            ));
        }
        // Another account would have to have a policy for the table, and this cloud has only one account.
        Err(AwsError::bad_request(
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::{}:root is not authorized to perform: dynamodb:{operation} on resource: {text} \
                 because no resource-based policy allows the dynamodb:{operation} action",
                self.account_id
            ),
        ))
    }

    /// Names the tables in the output of `BatchGetItem` as the request did.
    pub(super) fn as_given(&self, given: &Value, output: &mut Value) {
        let given = given.as_object().into_iter().flat_map(Map::keys);
        for arn in given.filter(|name| name.starts_with("arn:")) {
            let Some(name) = arn.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix("table/"))
            else {
                continue;
            };
            for member in ["Responses", "UnprocessedKeys"] {
                if let Some(tables) = output.get_mut(member).and_then(Value::as_object_mut)
                    && let Some(of_table) = tables.remove(name)
                {
                    tables.insert(arn.clone(), of_table);
                }
            }
        }
    }

    /// Replaces the engine's ARNs in the description of a table by this cloud's.
    pub(super) fn localise(&self, description: &mut Value) {
        match description {
            Value::String(text) => {
                if let Some(localised) = self.localised(text) {
                    *text = localised;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.localise(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.localise(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Replaces the engine's ARNs in a sentence by this cloud's.
    pub(super) fn in_message(&self, message: &mut String) {
        if message.contains(ENGINE_PREFIX) {
            *message = message.replace(ENGINE_PREFIX, &self.prefix);
        }
    }

    fn localised(&self, text: &str) -> Option<String> {
        if let Some(rest) = text.strip_prefix(ENGINE_PREFIX) {
            return Some(format!("{}{rest}", self.prefix));
        }
        let key = text.strip_prefix("arn:aws:kms:dynoxide:000000000000:")?;
        Some(format!("arn:aws:kms:{}:{}:{key}", self.region, self.account_id))
    }
}
