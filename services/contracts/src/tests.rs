//! Every event type has a fixture that matches its schema, reads, writes back the same JSON, and is still read with an
//! additional field: the wire format is a promise to other teams.

use serde_json::Value;

use crate::Contract;

/// Checks an event type against its fixture; called by the test that `event!` declares for each type.
pub(crate) fn keeps_its_wire_format<E: Contract>() {
    let mut json: Value = serde_json::from_str(E::EXAMPLE).unwrap();
    let schema = schemars::schema_for!(E);
    if let Err(error) = jsonschema::validate(schema.as_value(), &json) {
        panic!("{} does not match its schema: {error}", E::TYPE);
    }
    let event: E = serde_json::from_value(json.clone()).unwrap();
    let mut written = serde_json::to_value(&event).unwrap();
    sort_channels(&mut written);
    sort_channels(&mut json);
    assert_eq!(written, json, "{}", E::TYPE);
    json["added_later"] = Value::Bool(true);
    assert!(serde_json::from_value::<E>(json).is_ok(), "{} refuses a field it does not know", E::TYPE);
    assert_eq!(event.customer_number(), "123456789012");
}

/// Channels are a set: their order on the wire means nothing.
fn sort_channels(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(sort_channels),
        Value::Array(items) => items.sort_by_key(ToString::to_string),
        _ => {}
    }
}

/// The compiler holds that every type has a fixture; this holds the reverse.
#[test]
fn every_fixture_belongs_to_an_event_type() {
    let directory = |name: &str| {
        let path = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())
    };
    let sources: String = directory("src").map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for path in directory("fixtures") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(sources.contains(&format!("event!({name}, ")), "a fixture without an event type: {name}");
    }
}
