//! `GetItem` of a whole item by a key of strings, which is the most frequent request.
//!
//! The engine prepares a statement for each read, reads the table's description and decodes the item. Here the statement is
//! prepared once, and the item is what is stored. Every request that the engine might refuse, or answer in another form,
//! is left to it.

use std::collections::HashMap;

use dynoxide::storage::{Storage, TableMetadata};
use dynoxide::storage_backend::sql_builders::escape_table_name;
use dynoxide::types::AttributeValue;
use dynoxide::{DynoxideError, Result};
use serde_json::{Map, Value};

/// The longest partition key and the longest sort key, in bytes (developer guide, "Quotas").
const MOST_BYTES: [usize; 2] = [2048, 1024];
/// The kinds of sets, whose members the engine sorts when it returns them.
const SETS: [&str; 3] = ["\"SS\":", "\"NS\":", "\"BS\":"];

/// How to read an item of a table.
#[derive(Debug)]
struct Table {
    /// The attributes of its key, the partition key first.
    key: Vec<String>,
    statement: String,
}

/// What is known of tables: nothing yet, or `None` if this file cannot read them.
#[derive(Debug, Default)]
pub(super) struct PointReads {
    tables: HashMap<String, Option<Table>>,
}

impl PointReads {
    /// Answers a request in JSON, or returns `None` if the engine has to.
    pub(super) fn answer(&mut self, storage: &Storage, input: &Value) -> Result<Option<String>> {
        let Some((name, key)) = of_whole_item(input) else { return Ok(None) };
        if !self.tables.contains_key(name) {
            let Some(metadata) = storage.get_table_metadata(name)? else { return Ok(None) };
            self.tables.insert(name.to_owned(), Table::new(&metadata));
        }
        let Some(Some(table)) = self.tables.get(name) else { return Ok(None) };
        let Some([partition, sort]) = table.key_of(key) else { return Ok(None) };
        let mut select = storage.conn().prepare_cached(&table.statement)?;
        let mut rows = select.query([partition, sort])?;
        let Some(row) = rows.next()? else { return Ok(Some("{}".to_owned())) };
        let json = row.get_ref(0)?.as_str().map_err(dynoxide_error)?;
        let as_stored = !SETS.iter().any(|set| json.contains(set));
        Ok(as_stored.then(|| format!("{{\"Item\":{json}}}")))
    }

    /// Forgets all tables, one of which may have changed.
    pub(super) fn forget(&mut self) {
        self.tables.clear();
    }
}

/// Returns the table's name and the key, if the request asks for the whole item and nothing more.
fn of_whole_item(input: &Value) -> Option<(&str, &Map<String, Value>)> {
    let members = input.as_object()?;
    let usual = members.iter().all(|(name, value)| match name.as_str() {
        "TableName" | "Key" => true,
        "ConsistentRead" => value.is_boolean(),
        _ => false,
    });
    let key = members.get("Key")?.as_object()?;
    usual.then_some((members.get("TableName")?.as_str()?, key))
}

impl Table {
    /// Returns `None` if the engine has to read the items of the table.
    fn new(metadata: &TableMetadata) -> Option<Self> {
        let texts = |json: &str, name: &str, kind: &str| -> Vec<(String, String)> {
            let elements: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
            let text = |element: &Value, member: &str| element[member].as_str().map(str::to_owned);
            elements.iter().filter_map(|element| text(element, name).zip(text(element, kind))).collect()
        };
        let mut key = texts(&metadata.key_schema, "AttributeName", "KeyType");
        let types = texts(&metadata.attribute_definitions, "AttributeName", "AttributeType");
        key.sort_by_key(|(_, kind)| kind == "RANGE");
        let of_strings = key.iter().all(|(name, _)| types.contains(&(name.clone(), "S".to_owned())));
        let known = matches!(key.len(), 1 | 2) && of_strings && metadata.vector_index_definitions.is_none();
        known.then(|| Self {
            key: key.into_iter().map(|(name, _)| name).collect(),
            statement: format!(
                "SELECT item_json FROM \"{}\" WHERE pk = ?1 AND sk = ?2",
                escape_table_name(&metadata.table_name)
            ),
        })
    }

    /// Returns partition and sort key as the engine stores them, if the key is exactly one of this table.
    fn key_of(&self, given: &Map<String, Value>) -> Option<[String; 2]> {
        if given.len() != self.key.len() {
            return None;
        }
        let mut stored = [String::new(), String::new()];
        for ((name, most), stored) in self.key.iter().zip(MOST_BYTES).zip(&mut stored) {
            let value = given.get(name)?.as_object().filter(|value| value.len() == 1)?;
            let text = value.get("S")?.as_str().filter(|text| !text.is_empty() && text.len() <= most)?;
            *stored = AttributeValue::S(text.to_owned()).to_key_string()?;
        }
        Some(stored)
    }
}

fn dynoxide_error(error: impl std::fmt::Display) -> DynoxideError {
    DynoxideError::InternalServerError(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::engine::Engine;
    use super::*;

    fn engine() -> Engine {
        let engine = Engine::open(None).unwrap();
        for (name, sort) in [("one", None), ("two", Some("sk"))] {
            let keys = || std::iter::once(("pk", "HASH")).chain(sort.map(|name| (name, "RANGE")));
            let schema: Vec<_> =
                keys().map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind})).collect();
            let types: Vec<_> =
                keys().map(|(name, _)| json!({"AttributeName": name, "AttributeType": "S"})).collect();
            let table = json!({"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema,
                "AttributeDefinitions": types});
            engine.run("CreateTable", table).unwrap().unwrap();
        }
        let items = [
            json!({"pk": {"S": "a"}, "n": {"N": "1.50"}, "m": {"M": {"l": {"L": [{"BOOL": true}, {"NULL": true}]}}}}),
            json!({"pk": {"S": "sets"}, "n": {"NS": ["10", "9"]}}),
            json!({"pk": {"S": "ä\"'"}, "b": {"B": "AAE="}}),
        ];
        for item in items {
            engine.run("PutItem", json!({"TableName": "one", "Item": item})).unwrap().unwrap();
        }
        let item = json!({"pk": {"S": "a"}, "sk": {"S": "b"}, "text": {"S": "x"}});
        engine.run("PutItem", json!({"TableName": "two", "Item": item})).unwrap().unwrap();
        engine
    }

    #[test]
    fn an_item_is_read_as_the_engine_reads_it() {
        let engine = engine();
        let mut reads = PointReads::default();
        for (table, key) in [
            ("one", json!({"pk": {"S": "a"}})),
            ("one", json!({"pk": {"S": "ä\"'"}})),
            ("one", json!({"pk": {"S": "none"}})),
            ("two", json!({"sk": {"S": "b"}, "pk": {"S": "a"}})),
            ("two", json!({"sk": {"S": "a"}, "pk": {"S": "b"}})),
        ] {
            let input = json!({"TableName": table, "Key": key, "ConsistentRead": true});
            let read = reads.answer(engine.storage(), &input).unwrap();
            let read: Value = serde_json::from_str(&read.unwrap()).unwrap();
            assert_eq!(read, engine.run("GetItem", input).unwrap().unwrap(), "{key}");
        }
    }

    #[test]
    fn what_the_engine_may_refuse_or_answer_otherwise_is_left_to_it() {
        let engine = engine();
        let mut reads = PointReads::default();
        let key = json!({"pk": {"S": "a"}});
        for input in [
            json!({"TableName": "one", "Key": {"pk": {"S": "sets"}}}),
            json!({"TableName": "one", "Key": key, "ProjectionExpression": "n"}),
            json!({"TableName": "one", "Key": key, "ReturnConsumedCapacity": "TOTAL"}),
            json!({"TableName": "one", "Key": key, "ConsistentRead": "true"}),
            json!({"TableName": "one", "Key": {"pk": {"N": "1"}}}),
            json!({"TableName": "one", "Key": {"pk": {"S": ""}}}),
            json!({"TableName": "one", "Key": {"pk": {"S": "x".repeat(2049)}}}),
            json!({"TableName": "one", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}),
            json!({"TableName": "one", "Key": {"pk": {"S": "a", "N": "1"}}}),
            json!({"TableName": "two", "Key": key}),
            json!({"TableName": "none", "Key": key}),
            json!({"TableName": "one"}),
        ] {
            assert_eq!(reads.answer(engine.storage(), &input).unwrap(), None, "{input}");
        }
    }

    #[test]
    fn a_table_that_was_created_again_is_read_by_its_new_key() {
        let engine = engine();
        let mut reads = PointReads::default();
        let input = json!({"TableName": "two", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}});
        assert!(reads.answer(engine.storage(), &input).unwrap().is_some());
        engine.run("DeleteTable", json!({"TableName": "two"})).unwrap().unwrap();
        reads.forget();
        assert_eq!(reads.answer(engine.storage(), &input).unwrap(), None);
    }
}
