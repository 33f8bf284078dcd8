//! Whatever is sent is answered, and never with a failure of ours.

use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Keys and texts that lead far into the validator, besides any others.
fn words() -> impl Strategy<Value = String> {
    let known = [
        "type",
        "customer_number",
        "event_id",
        "occurred_at",
        "data",
        "name",
        "given",
        "family",
        "email",
        "channels",
        "locale",
        "CustomerEnrolled",
        "CustomerRenamed",
        "ContactPreferencesChanged",
        "CustomerErased",
        "123456789012",
        "ada@example.com",
        "app",
        "wallet",
        "de-AT",
        "2026-03-01T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a",
    ];
    prop_oneof![proptest::sample::select(known.to_vec()).prop_map(str::to_owned), any::<String>()]
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            btree_map(words(), inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Events that are right but for one place.
fn nearly_right() -> impl Strategy<Value = Value> {
    let places = [
        "/type",
        "/customer_number",
        "/event_id",
        "/occurred_at",
        "/data",
        "/data/name",
        "/data/email",
        "/data/channels",
        "/data/locale",
        "/data/name/given",
        "/data/name/family",
        "/data/other",
    ];
    (proptest::sample::select(places.to_vec()), json_values()).prop_map(|(place, value)| {
        let mut event = json!({
            "type": "CustomerEnrolled", "customer_number": "123456789012",
            "data": {
                "name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@example.com", "channels": ["email"],
            },
        });
        let (parent, name) = place.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value;
        event
    })
}

/// Posts the body and gives back status and answer; one runtime for each, as proptest is not asynchronous.
fn answer_to(body: impl Into<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(send(&Service::over(&Bus::accepting()).router(), post(body)))
}

fn check(sent: &Value, answer: &Answer) {
    let expected = [StatusCode::ACCEPTED, StatusCode::UNPROCESSABLE_ENTITY];
    assert!(expected.contains(&answer.status), "{sent} got {answer:?}");
    let pointers = answer.body["errors"].as_array().into_iter().flatten();
    for pointer in pointers.map(|error| error["pointer"].as_str().unwrap()) {
        let (parent, _) = pointer.rsplit_once('/').unwrap_or_default();
        assert!(sent.pointer(parent).is_some(), "{pointer} leads somewhere in {sent}");
    }
}

proptest! {
    #[test]
    fn any_json_is_answered(value in json_values()) {
        check(&value, &answer_to(value.to_string()));
    }

    #[test]
    fn any_nearly_right_event_is_answered(value in nearly_right()) {
        check(&value, &answer_to(value.to_string()));
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        let status = answer_to(bytes).status.as_u16();
        prop_assert!([202, 400, 422].contains(&status), "{status}");
    }
}
