//! Every event type has a fixture that reads, writes back the same JSON, and is still read with a field
//! more: the wire format is a promise to other teams.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use envelope::Event;
use serde_json::Value;

fn check<E: Event>(seen: &mut Vec<&'static str>) {
    let path = format!("{}/fixtures/{}.json", env!("CARGO_MANIFEST_DIR"), E::TYPE);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut json: Value = serde_json::from_str(&text).unwrap();
    let event: E = serde_json::from_value(json.clone()).unwrap();
    let mut written = serde_json::to_value(&event).unwrap();
    sort_channels(&mut written);
    sort_channels(&mut json);
    assert_eq!(written, json, "{}", E::TYPE);
    json["added_later"] = Value::Bool(true);
    assert!(serde_json::from_value::<E>(json).is_ok(), "{} refuses a field it does not know", E::TYPE);
    assert_eq!(event.customer_number(), "123456789012");
    seen.push(E::TYPE);
}

/// Channels are a set: their order on the wire means nothing.
fn sort_channels(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(sort_channels),
        Value::Array(items) => items.sort_by_key(ToString::to_string),
        _ => {}
    }
}

#[test]
fn every_event_type_keeps_its_wire_format() {
    let mut seen = Vec::new();
    check::<contracts::CustomerEnrolled>(&mut seen);
    check::<contracts::CustomerRenamed>(&mut seen);
    check::<contracts::ContactPreferencesChanged>(&mut seen);
    check::<contracts::CustomerErased>(&mut seen);
    check::<contracts::MemberEnrolled>(&mut seen);
    check::<contracts::MemberRenamed>(&mut seen);
    check::<contracts::MemberPreferencesChanged>(&mut seen);
    check::<contracts::MemberErased>(&mut seen);
    check::<contracts::NotificationRequested>(&mut seen);
    let fixtures = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")).unwrap().count();
    // A type without a fixture does not compile, so every type is among the fixtures.
    assert_eq!(fixtures, seen.len(), "a fixture that is not checked here");
}
