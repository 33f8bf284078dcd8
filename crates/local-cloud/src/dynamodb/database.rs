//! The tables with all that the engine leaves to this crate: names, streams, request tokens, expiry.

use std::path::Path;

use serde_json::{Value, json};

use super::engine::Engine;
use super::expiry;
use super::layouts::Layouts;
use super::names::Names;
use super::output::Output;
use super::refusal::{as_aws, invalid};
use super::request_tokens::{RequestTokens, fingerprint};
use super::streams::{Streams, View};
use super::{point_reads, point_writes, table_changes};
use crate::reply::AwsError;

/// The operations that may change items, and so the streams.
const WRITES: [&str; 8] = [
    "BatchExecuteStatement",
    "BatchWriteItem",
    "DeleteItem",
    "ExecuteStatement",
    "ExecuteTransaction",
    "PutItem",
    "TransactWriteItems",
    "UpdateItem",
];

/// The operations after which a table may have another key.
const CHANGE_TABLES: [&str; 3] = ["CreateTable", "DeleteTable", "UpdateTable"];

#[derive(Debug)]
pub(super) struct Database {
    engine: Engine,
    layouts: Layouts,
    tokens: RequestTokens,
    names: Names,
    streams: Streams,
}

impl Database {
    /// Opens an empty database in a directory, or in memory.
    pub(super) fn open(directory: Option<&Path>, names: Names, streams: Streams) -> Result<Self, AwsError> {
        let engine = Engine::open(directory).map_err(|error| as_aws("opening the database", error))?;
        let (layouts, tokens) = (Layouts::default(), RequestTokens::default());
        Ok(Self { engine, layouts, tokens, names, streams })
    }

    /// Answers an operation, or returns `None` for one that is not supported.
    pub(super) fn respond(&mut self, operation: &str, input: Value) -> Option<Result<Output, AwsError>> {
        if operation == "GetItem"
            && self.engine.recover().is_ok()
            && let Some(read) =
                point_reads::answer(&mut self.layouts, self.engine.storage(), &input).transpose()
        {
            return Some(read.map(Output::Text).map_err(|error| as_aws(operation, error)));
        }
        self.answer(operation, input).map(|answered| answered.map(Output::Value))
    }

    /// Has the engine answer an operation.
    pub(super) fn answer(&mut self, operation: &str, mut input: Value) -> Option<Result<Value, AwsError>> {
        if let Err(error) = self.engine.recover() {
            return Some(Err(as_aws(operation, error)));
        }
        let given = input.get("RequestItems").cloned().filter(|_| operation == "BatchGetItem");
        if let Err(error) = self.names.to_engine(operation, &mut input) {
            return Some(Err(error));
        }
        if CHANGE_TABLES.contains(&operation) {
            self.layouts.forget();
        }
        let mut result = match operation {
            "TransactWriteItems" => self.once(operation, "TransactItems", input),
            "ExecuteTransaction" => self.once(operation, "TransactStatements", input),
            "CreateTable" => self.create_table(input),
            "UpdateTable" => self.update_table(input),
            "DescribeTable" => self.run(operation, input).map(|output| self.described(output, "Table")),
            "DeleteTable" => self.delete_table(input),
            "UpdateTimeToLive" => self.update_time_to_live(input),
            _ => self.run(operation, input),
        };
        if let (Some(given), Ok(output)) = (given, &mut result) {
            self.names.as_given(&given, output);
        }
        match result {
            Err(error) if error.code == NOT_SUPPORTED => None,
            other => Some(other),
        }
    }

    /// Deletes up to `most` items that have expired. Returns how many it deleted.
    pub(super) fn expire(&mut self, now_s: i64, most: usize) -> Result<usize, AwsError> {
        const OPERATION: &str = "expiry";
        self.engine.recover().map_err(|error| as_aws(OPERATION, error))?;
        let expired =
            expiry::expired(self.engine.storage(), now_s, most).map_err(|error| as_aws(OPERATION, error))?;
        let count = expired.len();
        for item in expired {
            let input = json!({"TableName": item.table, "Key": item.key});
            let deleted = self.engine.run("DeleteItem", input);
            self.pass_on_changes(true);
            if let Some(Err(error)) = deleted {
                return Err(as_aws(OPERATION, error));
            }
        }
        Ok(count)
    }

    /// Leaves a transaction open, as an operation would that panics.
    #[cfg(test)]
    pub(super) fn begin_for_test(&self) {
        self.engine.storage().begin_transaction().unwrap();
    }

    fn run(&mut self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let written = point_writes::answer(&mut self.layouts, self.engine.storage(), operation, &input);
        if let Some(written) = written.map_err(|error| as_aws(operation, error))? {
            self.streams.append(written.changes);
            return Ok(written.output);
        }
        let result = self
            .engine
            .run(operation, input)
            .ok_or_else(|| AwsError::bad_request(NOT_SUPPORTED, String::new()))?;
        if WRITES.contains(&operation) {
            self.pass_on_changes(false);
        }
        result.map_err(|error| {
            let mut refused = as_aws(operation, error);
            self.names.in_message(&mut refused.message);
            refused
        })
    }

    fn pass_on_changes(&self, by_time_to_live: bool) {
        match self.engine.take_changes() {
            Ok(mut changes) => {
                for change in &mut changes {
                    change.by_time_to_live = by_time_to_live;
                }
                self.streams.append(changes);
            }
            Err(error) => {
                tracing::error!(%error, "changes did not reach the stream; the next write passes them on");
            }
        }
    }

    /// Runs a transaction, once for each `ClientRequestToken`.
    fn once(&mut self, operation: &str, actions: &str, mut input: Value) -> Result<Value, AwsError> {
        let token = input.as_object_mut().and_then(|members| members.remove("ClientRequestToken"));
        let Some(Value::String(token)) = token else { return self.run(operation, input) };
        let token = format!("{operation} {token}");
        let fingerprint = fingerprint(&input[actions]);
        if let Some(output) = self.tokens.committed(&token, fingerprint)? {
            return Ok(output);
        }
        let output = self.run(operation, input)?;
        self.tokens.remember(&token, fingerprint, output.clone());
        Ok(output)
    }

    fn create_table(&mut self, mut input: Value) -> Result<Value, AwsError> {
        table_changes::check_supported("CreateTable", &input)?;
        let stream = stream_switch(&mut input)?;
        let protected = input.get("DeletionProtectionEnabled").cloned().unwrap_or(Value::Bool(false));
        let mut output = self.run("CreateTable", input)?;
        let description = &mut output["TableDescription"];
        description["DeletionProtectionEnabled"] = protected;
        if let (Some(Switch::On(view)), Some(table)) = (stream, description["TableName"].as_str()) {
            self.streams.enable(table, view, description["KeySchema"].clone());
        }
        Ok(self.described(output, "TableDescription"))
    }

    fn update_table(&mut self, mut input: Value) -> Result<Value, AwsError> {
        table_changes::check_supported("UpdateTable", &input)?;
        table_changes::check_alone(&input)?;
        if input["SSESpecification"].is_object() {
            return self.update_encryption(&input);
        }
        let stream = stream_switch(&mut input)?;
        let table = input["TableName"].as_str().unwrap_or_default().to_owned();
        let enabled = self.streams.latest(&table).is_some_and(|latest| latest.enabled);
        match stream {
            Some(Switch::On(_)) if enabled => {
                return Err(invalid(format!("Table already has an enabled stream: TableName: {table}")));
            }
            Some(Switch::Off) if !enabled => {
                return Err(invalid(format!("Table has no stream to disable: TableName: {table}")));
            }
            _ => {}
        }
        let mut output = self.run("UpdateTable", input)?;
        match stream {
            Some(Switch::On(view)) => {
                let key_schema = output["TableDescription"]["KeySchema"].take();
                output["TableDescription"]["KeySchema"] = key_schema.clone();
                self.streams.enable(&table, view, key_schema);
            }
            Some(Switch::Off) => self.streams.disable(&table),
            None => {}
        }
        Ok(self.described(output, "TableDescription"))
    }

    fn update_encryption(&mut self, input: &Value) -> Result<Value, AwsError> {
        let table = input["TableName"].as_str().unwrap_or_default();
        let output = self.run("DescribeTable", json!({"TableName": table}))?;
        let mut description = self.described(output, "Table")["Table"].take();
        let current = &description["SSEDescription"];
        let (stored, answered) = table_changes::encryption(current, &input["SSESpecification"], &self.names)?;
        table_changes::store_encryption(self.engine.storage(), table, stored.as_ref())
            .map_err(|error| as_aws("UpdateTable", error))?;
        description["SSEDescription"] = answered;
        Ok(json!({"TableDescription": description}))
    }

    fn delete_table(&mut self, input: Value) -> Result<Value, AwsError> {
        let output = self.run("DeleteTable", input)?;
        let output = self.described(output, "TableDescription");
        if let Some(table) = output["TableDescription"]["TableName"].as_str() {
            self.streams.orphan(table);
        }
        Ok(output)
    }

    /// Corrects a description of a table: its ARNs, and its stream, of which the engine knows nothing but that it is on.
    fn described(&self, mut output: Value, member: &str) -> Value {
        let description = &mut output[member];
        self.names.localise(description);
        let latest = description["TableName"].as_str().and_then(|table| self.streams.latest(table));
        if let Some(members) = description.as_object_mut() {
            // A table whose encryption is left to AWS has no description of it.
            if members.get("SSEDescription").is_some_and(|encryption| encryption["Status"] == "DISABLED") {
                members.remove("SSEDescription");
            }
            for name in ["StreamSpecification", "LatestStreamArn", "LatestStreamLabel"] {
                members.remove(name);
            }
            if let Some(latest) = latest {
                if latest.enabled {
                    let specification = json!({"StreamEnabled": true, "StreamViewType": latest.view.name()});
                    members.insert("StreamSpecification".to_owned(), specification);
                }
                members.insert("LatestStreamArn".to_owned(), latest.arn.into());
                members.insert("LatestStreamLabel".to_owned(), latest.label.into());
            }
        }
        output
    }

    fn update_time_to_live(&mut self, input: Value) -> Result<Value, AwsError> {
        let table = input["TableName"].as_str().unwrap_or_default().to_owned();
        self.check_time_to_live(&table, &input["TimeToLiveSpecification"])?;
        let output = self.run("UpdateTimeToLive", input)?;
        expiry::index(self.engine.storage(), &table).map_err(|error| as_aws("UpdateTimeToLive", error))?;
        Ok(output)
    }

    /// A change that changes nothing is refused (API reference, `UpdateTimeToLive`).
    fn check_time_to_live(&self, table: &str, specification: &Value) -> Result<(), AwsError> {
        let metadata = self.engine.storage().get_table_metadata(table);
        let metadata = metadata.map_err(|error| as_aws("UpdateTimeToLive", error))?;
        let Some(metadata) = metadata else { return Ok(()) };
        let current = metadata.ttl_attribute.as_deref().filter(|_| metadata.ttl_enabled);
        let wanted = specification["AttributeName"].as_str();
        match (specification["Enabled"].as_bool(), current) {
            (Some(_), Some(current)) if wanted.is_some_and(|wanted| wanted != current) => {
                Err(invalid(format!(
                    "TimeToLive is active on a different AttributeName: current AttributeName is {current}"
                )))
            }
            (Some(true), Some(_)) => Err(invalid("TimeToLive is already enabled")),
            (Some(false), None) => Err(invalid("TimeToLive is already disabled")),
            _ => Ok(()),
        }
    }
}

/// Marks, within this file, the refusal of an operation that the engine does not have.
const NOT_SUPPORTED: &str = "not supported";

/// What a request does to the stream of a table.
#[derive(Clone, Copy, Debug)]
enum Switch {
    On(View),
    Off,
}

/// Returns what a request does to the stream. The engine is made to record both images, since fewer do not show whether
/// a write changed anything.
fn stream_switch(input: &mut Value) -> Result<Option<Switch>, AwsError> {
    let Some(specification) = input.get_mut("StreamSpecification").filter(|given| given.is_object()) else {
        return Ok(None);
    };
    let view = specification["StreamViewType"].as_str();
    if specification["StreamEnabled"] != true {
        return match view {
            None => Ok(Some(Switch::Off)),
            Some(_) => Err(invalid(
                "One or more parameter values were invalid: If stream is being disabled, then UpdateViewType must not be \
                 specified",
            )),
        };
    }
    let view = view.and_then(View::read).ok_or_else(|| {
        invalid(
            "One or more parameter values were invalid: If stream is being enabled then UpdateViewType is required",
        )
    })?;
    specification["StreamViewType"] = View::NewAndOldImages.name().into();
    Ok(Some(Switch::On(view)))
}
