//! `GetItem` of a whole item by a key of strings, which is the most frequent request.
//!
//! The engine prepares a statement for each read, reads the table's description and decodes the item. Here the statement is
//! prepared once, and the item is what is stored. Every request that the engine might refuse, or answer in another form,
//! is left to it.

use dynoxide::storage::Storage;
use dynoxide::{DynoxideError, Result};
use serde_json::{Map, Value};

use super::layouts::Layouts;

/// The kinds of sets, whose members the engine sorts when it returns them.
const SETS: [&str; 3] = ["\"SS\":", "\"NS\":", "\"BS\":"];

/// Answers a request in JSON, or returns `None` if the engine has to.
pub(super) fn answer(layouts: &mut Layouts, storage: &Storage, input: &Value) -> Result<Option<String>> {
    let Some((name, key)) = of_whole_item(input) else { return Ok(None) };
    layouts.load(storage, name)?;
    let Some(layout) = layouts.get(name) else { return Ok(None) };
    let Some([partition, sort]) = layout.stored_key(key) else { return Ok(None) };
    let mut select = storage.conn().prepare_cached(&layout.select)?;
    let mut rows = select.query([partition, sort])?;
    let Some(row) = rows.next()? else { return Ok(Some("{}".to_owned())) };
    let json = row.get_ref(0)?.as_str().map_err(dynoxide_error)?;
    Ok((!has_sets(json)).then(|| format!("{{\"Item\":{json}}}")))
}

/// Returns whether an item may contain sets, as the engine does not return it as it is stored.
pub(super) fn has_sets(json: &str) -> bool {
    SETS.iter().any(|set| json.contains(set))
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
        let mut layouts = Layouts::default();
        for (table, key) in [
            ("one", json!({"pk": {"S": "a"}})),
            ("one", json!({"pk": {"S": "ä\"'"}})),
            ("one", json!({"pk": {"S": "none"}})),
            ("two", json!({"sk": {"S": "b"}, "pk": {"S": "a"}})),
            ("two", json!({"sk": {"S": "a"}, "pk": {"S": "b"}})),
        ] {
            let input = json!({"TableName": table, "Key": key, "ConsistentRead": true});
            let read = answer(&mut layouts, engine.storage(), &input).unwrap();
            let read: Value = serde_json::from_str(&read.unwrap()).unwrap();
            assert_eq!(read, engine.run("GetItem", input).unwrap().unwrap(), "{key}");
        }
    }

    #[test]
    fn what_the_engine_may_refuse_or_answer_otherwise_is_left_to_it() {
        let engine = engine();
        let mut layouts = Layouts::default();
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
            assert_eq!(answer(&mut layouts, engine.storage(), &input).unwrap(), None, "{input}");
        }
    }

    #[test]
    fn a_table_that_was_created_again_is_read_by_its_new_key() {
        let engine = engine();
        let mut layouts = Layouts::default();
        let input = json!({"TableName": "two", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}});
        assert!(answer(&mut layouts, engine.storage(), &input).unwrap().is_some());
        engine.run("DeleteTable", json!({"TableName": "two"})).unwrap().unwrap();
        layouts.forget();
        assert_eq!(answer(&mut layouts, engine.storage(), &input).unwrap(), None);
    }
}
