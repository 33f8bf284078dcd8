//! Every write must leave what the engine leaves, and what is done here must be what was meant to be.

use serde_json::{Value, json};

use super::super::engine::Engine;
use super::super::layouts::Layouts;
use super::*;

/// A database whose tables have a stream, and one of which has an index.
fn engine() -> Engine {
    let engine = Engine::open(None).unwrap();
    for (name, sort) in [("one", None), ("two", Some("sk")), ("indexed", None)] {
        let keys = || std::iter::once(("pk", "HASH")).chain(sort.map(|name| (name, "RANGE")));
        let schema: Vec<_> =
            keys().map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind})).collect();
        let types: Vec<_> =
            keys().map(|(name, _)| json!({"AttributeName": name, "AttributeType": "S"})).collect();
        let mut table = json!({"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": schema,
            "AttributeDefinitions": types,
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"}});
        if name == "indexed" {
            table["GlobalSecondaryIndexes"] = json!([{"IndexName": "by-pk", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}]);
        }
        engine.run("CreateTable", table).unwrap().unwrap();
    }
    for item in [
        json!({"pk": {"S": "a"}, "n": {"N": "5"}, "s": {"S": "m"}, "ä": {"L": [{"M": {"x": {"NULL": true}}}]}}),
        json!({"pk": {"S": "sets"}, "n": {"NS": ["10", "9"]}, "s": {"B": "AAE="}}),
        json!({"pk": {"S": "fraction"}, "n": {"N": "1.5"}}),
    ] {
        engine.run("PutItem", json!({"TableName": "one", "Item": item})).unwrap().unwrap();
    }
    engine.take_changes().unwrap();
    engine
}

/// All rows of a table, with what the engine keeps beside the items.
fn rows(engine: &Engine, table: &str) -> Vec<(String, String, Value, i64, String)> {
    let select = format!("SELECT pk, sk, item_json, item_size, hash_prefix FROM \"{table}\" ORDER BY pk, sk");
    let mut select = engine.storage().conn().prepare(&select).unwrap();
    let rows = select.query_map([], |row| {
        let json: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, serde_json::from_str(&json).unwrap(), row.get(3)?, row.get(4)?))
    });
    rows.unwrap().map(|row| row.unwrap()).collect()
}

fn shown(changes: &[Change]) -> Vec<Value> {
    let read = |text: &Option<String>| text.as_deref().map(|text| serde_json::from_str(text).unwrap());
    let shown = |change: &Change| {
        let keys: Value = serde_json::from_str(&change.keys).unwrap();
        let (new, old): (Option<Value>, Option<Value>) = (read(&change.new_image), read(&change.old_image));
        json!({"table": change.table, "event": change.event_name, "keys": keys, "new": new, "old": old})
    };
    changes.iter().map(shown).collect()
}

/// Carries out a request here and by the engine, and compares what both leave. Returns whether it was done here.
fn is_done_here(operation: &str, input: &Value) -> bool {
    let (here, there) = (engine(), engine());
    let written = answer(&mut Layouts::default(), here.storage(), operation, input).unwrap();
    let by_engine = there.run(operation, input.clone()).unwrap();
    let Some(written) = written else {
        for table in ["one", "two", "indexed"] {
            assert_eq!(rows(&here, table), rows(&engine(), table), "something was written: {input}");
        }
        return false;
    };
    assert_eq!(written.output, by_engine.unwrap_or_else(|error| panic!("{input}: {error}")), "{input}");
    assert_eq!(shown(&written.changes), shown(&there.take_changes().unwrap()), "{input}");
    for table in ["one", "two", "indexed"] {
        assert_eq!(rows(&here, table), rows(&there, table), "{input}");
    }
    true
}

fn put(item: &Value) -> Value {
    json!({"TableName": "one", "Item": item})
}

/// A `PutItem` with names and values for those of them that the condition uses.
fn conditional(mut input: Value, expression: &str) -> Value {
    let names = json!({"#pk": "pk", "#n": "n", "#s": "s", "#x": "x"});
    let values = json!({":n": {"N": "5"}, ":m": {"N": "-3"}, ":s": {"S": "m"}, ":e": {"S": ""}, ":l": {"L": [{"S": "y"}]}});
    let used = |defined: Value| -> Map<String, Value> {
        let members = defined.as_object().unwrap().clone();
        members.into_iter().filter(|(name, _)| expression.contains(name.as_str())).collect()
    };
    for (member, defined) in [("ExpressionAttributeNames", names), ("ExpressionAttributeValues", values)] {
        let defined = used(defined);
        if !defined.is_empty() {
            input[member] = defined.into();
        }
    }
    input
}

#[test]
fn an_item_is_put_as_the_engine_puts_it() {
    let long = "x".repeat(1000);
    for item in [
        json!({"pk": {"S": "new"}}),
        json!({"pk": {"S": "new"}, "empty": {"S": ""}}),
        json!({"pk": {"S": "a"}, "n": {"N": "0"}, "m": {"N": "-1200"}, "big": {"N": "123456789012345678"}}),
        json!({"pk": {"S": "ä\"'\u{1F600}"}, "b": {"BOOL": false}, "z": {"NULL": true}, "long": {"S": long}}),
        json!({"pk": {"S": "a"}, "m": {"M": {"l": {"L": [{"S": "x"}, {"L": []}, {"M": {}}]}}}}),
    ] {
        assert!(is_done_here("PutItem", &put(&item)), "{item}");
        let mut returning = put(&item);
        returning["ReturnValues"] = json!("ALL_OLD");
        assert!(is_done_here("PutItem", &returning), "{item}");
    }
    let item = json!({"pk": {"S": "a"}, "sk": {"S": "b"}, "v": {"S": "c"}});
    assert!(is_done_here("PutItem", &json!({"TableName": "two", "Item": item})));
}

#[test]
fn a_condition_holds_when_the_engine_says_so() {
    let comparisons = ["=", "<>", "<", "<=", ">", ">="];
    let compared = comparisons.iter().flat_map(|operator| {
        [("#n", ":n"), ("#n", ":m"), ("#s", ":s"), ("#s", ":n"), ("#x", ":n"), ("#pk", ":s"), ("#s", ":e")]
            .map(|(name, value)| format!("{name} {operator} {value}"))
    });
    let others = [
        "attribute_exists(#pk)",
        "attribute_not_exists(#pk)",
        "attribute_not_exists( #x )",
        "attribute_not_exists(#pk) OR (#s = :s AND (#n <= :m OR #n = :n))",
        "attribute_exists(#x) OR attribute_exists(#n) AND #s=:s",
        "(attribute_not_exists(#x) OR #x < :n) AND (attribute_not_exists(#n) OR #n < :n)",
    ];
    for condition in compared.chain(others.map(str::to_owned)) {
        for partition in ["a", "new"] {
            let mut input = conditional(put(&json!({"pk": {"S": partition}, "v": {"S": "w"}})), &condition);
            input["ConditionExpression"] = json!(condition);
            let here = is_done_here("PutItem", &input);
            let holds = engine().run("PutItem", input).unwrap().is_ok();
            assert_eq!(here, holds, "{partition}: {condition}");
        }
    }
}

#[test]
fn an_item_is_updated_as_the_engine_updates_it() {
    for expression in
        ["SET #n = :m", "SET #x = :l, #s = :e REMOVE #n", "REMOVE #x,#n SET #s = :s", "REMOVE #n"]
    {
        for partition in ["a", "new", "sets", "fraction"] {
            let input = json!({"TableName": "one", "Key": {"pk": {"S": partition}},
                "UpdateExpression": expression});
            assert!(is_done_here("UpdateItem", &conditional(input, expression)), "{partition}: {expression}");
        }
    }
}

#[test]
fn a_transaction_writes_all_or_is_left_to_the_engine() {
    let condition = "attribute_not_exists(#pk)";
    let guarded = |partition: &str| {
        let mut action = conditional(put(&json!({"pk": {"S": partition}})), condition);
        action["ConditionExpression"] = json!(condition);
        json!({"Put": action})
    };
    let update = |partition: &str| {
        let action =
            json!({"TableName": "one", "Key": {"pk": {"S": partition}}, "UpdateExpression": "SET #n = :m"});
        json!({"Update": conditional(action, "SET #n = :m")})
    };
    let transaction = |actions: [Value; 2]| json!({"TransactItems": actions});
    assert!(is_done_here("TransactWriteItems", &transaction([guarded("new"), update("a")])));
    for actions in [
        [update("new"), guarded("a")],
        [update("a"), update("a")],
        [update("a"), json!({"Delete": {"TableName": "one", "Key": {"pk": {"S": "sets"}}}})],
    ] {
        assert!(!is_done_here("TransactWriteItems", &transaction(actions)));
    }
}

#[test]
fn what_the_engine_may_refuse_or_do_otherwise_is_left_to_it() {
    let key = json!({"pk": {"S": "a"}});
    let deep = (0..20).fold(json!({"S": "x"}), |inner, _| json!({"L": [inner]}));
    let items = [
        json!({"pk": {"S": ""}}),
        json!({"pk": {"N": "1"}}),
        json!({"n": {"N": "1"}}),
        json!({"pk": {"S": "a"}, "": {"S": "x"}}),
        json!({"pk": {"S": "a"}, "n": {"N": "1.0"}}),
        json!({"pk": {"S": "a"}, "n": {"N": "-0"}}),
        json!({"pk": {"S": "a"}, "n": {"N": "01"}}),
        json!({"pk": {"S": "a"}, "n": {"SS": ["b", "a"]}}),
        json!({"pk": {"S": "a"}, "n": {"S": "x", "N": "1"}}),
        json!({"pk": {"S": "a"}, "n": {"NULL": false}}),
        json!({"pk": {"S": "a"}, "n": deep}),
        json!({"pk": {"S": "a"}, "n": {"S": "x".repeat(LARGEST)}}),
    ];
    for item in &items {
        assert!(!is_done_here("PutItem", &put(item)), "{item}");
    }
    let mut indexed = put(&key);
    indexed["TableName"] = json!("indexed");
    assert!(!is_done_here("PutItem", &indexed));
    for (member, value) in [
        ("ReturnConsumedCapacity", json!("TOTAL")),
        ("ConditionExpression", json!("attribute_exists(pk)")),
        ("ConditionExpression", json!("attribute_exists(#undefined)")),
        ("ExpressionAttributeNames", json!({"#unused": "n"})),
        ("ExpressionAttributeNames", json!({})),
        ("ConditionalOperator", json!("AND")),
    ] {
        let mut input = put(&key);
        input[member] = value;
        assert!(!is_done_here("PutItem", &input), "{input}");
    }
    for condition in [
        "((attribute_exists(#n)))",
        "NOT #n = :n",
        "#n = #s",
        ":n = #n",
        "#n = :n AND",
        "#n = :n)",
        "size(#s) = :n",
    ] {
        let mut input = conditional(put(&key), condition);
        input["ConditionExpression"] = json!(condition);
        assert!(!is_done_here("PutItem", &input), "{condition}");
    }
    for expression in [
        "SET #pk = :s",
        "SET #n = #n + :n",
        "SET n = :n",
        "ADD #n :n",
        "SET #n = :n, #n = :n",
        "SET #n = :n SET #s = :s",
    ] {
        let input = json!({"TableName": "one", "Key": key, "UpdateExpression": expression});
        assert!(!is_done_here("UpdateItem", &conditional(input, expression)), "{expression}");
    }
}
