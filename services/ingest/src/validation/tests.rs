use contracts::{CustomerEnrolled, CustomerRenamed};

use super::*;
use crate::Emits;
use crate::problem::Kind;
use serde_json::json;

const NUMBER: &str = "123456789012";

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn read(value: &Value) -> Result<Envelope, Box<Rejected>> {
    let defaults = Defaults { event_id: Uuid::from_u128(7), occurred_at: now() };
    Validator::new(&Schemas::of::<Emits>()).unwrap().read(&value.clone().into(), now(), defaults)
}

/// `code:pointer` of every wrong field, sorted.
fn wrong(value: &Value) -> Vec<String> {
    let rejected = read(value).unwrap_err();
    assert_eq!(rejected.problem.kind(), Kind::InvalidEvent);
    let errors = rejected.problem.errors();
    let mut found: Vec<_> = errors.iter().map(|error| format!("{}:{}", error.code, error.pointer)).collect();
    found.sort();
    found
}

fn renamed() -> Value {
    json!({
        "type": "CustomerRenamed", "customer_number": NUMBER,
        "data": {"name": {"given": "Ada", "family": "King"}},
    })
}

fn enrolled() -> Value {
    json!({
        "type": "CustomerEnrolled", "customer_number": NUMBER,
        "data": {
            "name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@example.com", "channels": ["email"],
        },
    })
}

fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

fn without(mut event: Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    event
}

#[test]
fn what_may_be_missing_is_made() {
    let envelope = read(&renamed()).unwrap();
    assert_eq!((envelope.source.as_str(), envelope.event_type.as_str()), ("foostore.crm", "CustomerRenamed"));
    assert_eq!(envelope.customer_number.as_deref(), Some(NUMBER));
    let metadata = &envelope.metadata;
    assert_eq!((metadata.occurred_at, metadata.published_at), (now(), now()));
    assert_eq!(metadata.event_id, metadata.correlation_id);
    assert_eq!(metadata.event_id, Uuid::from_u128(7));
    let event: CustomerRenamed = envelope.decode().unwrap();
    assert_eq!(event.name.family.as_str(), "King");
}

#[test]
fn what_is_given_is_kept() {
    let id = "0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a";
    let event = with(with(enrolled(), "/event_id", json!(id)), "/data/locale", json!("de-AT"));
    let event = with(event, "/occurred_at", json!("2026-03-01T13:00:00.25+02:00"));
    let envelope = read(&event).unwrap();
    assert_eq!(envelope.metadata.event_id.to_string(), id);
    assert_eq!(envelope.metadata.occurred_at.to_string(), "2026-03-01T11:00:00.25Z");
    let event: CustomerEnrolled = envelope.decode().unwrap();
    assert_eq!(event.locale.unwrap().as_str(), "de-AT");
}

#[test]
fn every_type_is_read() {
    let preferences = json!({
        "type": "ContactPreferencesChanged", "customer_number": NUMBER, "data": {"channels": []},
    });
    let erased = json!({"type": "CustomerErased", "customer_number": NUMBER});
    let erased_with_data = with(erased.clone(), "/data", json!({}));
    let about = |kind: &str, data: Value| json!({"type": kind, "customer_number": NUMBER, "data": data});
    let gift = |value: Value| json!({"discount_id": "SUMMER", "value": value, "valid_until": "2026-09-01T00:00:00Z"});
    let events = [
        enrolled(),
        renamed(),
        preferences,
        erased,
        erased_with_data,
        about("PointsEarned", json!({"points": 250})),
        about("PointsRedeemed", json!({"points": 10_000_000})),
        about("DiscountGifted", gift(json!({"percentage": 15}))),
        about("DiscountGifted", gift(json!({"amount": {"minor_units": 500, "currency": "EUR"}}))),
        about("DiscountRedeemed", json!({"discount_id": "SUMMER"})),
    ];
    for event in &events {
        assert_eq!(read(event).unwrap().event_type, event["type"].as_str().unwrap());
    }
    for event_type in crate::topology().emitted() {
        assert!(events.iter().any(|event| event["type"] == event_type.name), "{}", event_type.name);
    }
}

#[test]
fn all_wrong_fields_are_named_at_once() {
    let event = json!({
        "type": "CustomerEnrolled", "customer_number": "12", "event_id": "1", "occurred_at": 5, "sent": true,
        "data": {
            "name": {"given": "", "middle": "x"}, "email": "ada", "channels": ["email", "fax", 3], "locale": "EN",
        },
    });
    let expected = [
        "missing:/data/name/family",
        "unknown-field:/data/name/middle",
        "unknown-field:/sent",
        "wrong-type:/data/channels/2",
        "wrong-type:/occurred_at",
        "wrong-value:/customer_number",
        "wrong-value:/data/channels/1",
        "wrong-value:/data/email",
        "wrong-value:/data/locale",
        "wrong-value:/data/name/given",
        "wrong-value:/event_id",
    ];
    assert_eq!(wrong(&event), expected);
}

#[test]
fn what_is_wrong_with_points_and_discounts_is_named() {
    let points = |points: Value| json!({"type": "PointsEarned", "customer_number": NUMBER, "data": {"points": points}});
    for wrong_points in [json!(0), json!(-1), json!(10_000_001), json!(1.5)] {
        assert_eq!(wrong(&points(wrong_points)), ["wrong-value:/data/points"]);
    }
    assert_eq!(wrong(&points(json!("5"))), ["wrong-type:/data/points"]);
    let gift = |value: Value| {
        json!({"type": "DiscountGifted", "customer_number": NUMBER, "data": {
            "discount_id": "SUMMER", "value": value, "valid_until": "2026-09-01T00:00:00Z",
        }})
    };
    let amount = |currency: &str| json!({"minor_units": 500, "currency": currency});
    assert_eq!(wrong(&gift(json!({}))), ["missing:/data/value"]);
    assert_eq!(wrong(&gift(json!({"percentage": 101}))), ["wrong-value:/data/value/percentage"]);
    assert_eq!(wrong(&gift(json!({"amount": amount("XXX")}))), ["wrong-value:/data/value/amount/currency"]);
    assert_eq!(wrong(&gift(json!({"amount": amount("EUR"), "percentage": 15}))), ["too-many:/data/value"]);
    assert_eq!(wrong(&gift(json!({"euros": 5}))), ["missing:/data/value", "unknown-field:/data/value/euros"]);
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    for written in ["250", "250.0", "2.5e2"] {
        let points: Value = serde_json::from_str(written).unwrap();
        let event = json!({"type": "PointsEarned", "customer_number": NUMBER, "data": {"points": points}});
        let read: contracts::PointsEarned = read(&event).unwrap().decode().unwrap();
        assert_eq!(read.points.get(), 250, "{written}");
    }
}

#[test]
fn missing_and_mistyped_fields_are_named() {
    assert_eq!(wrong(&json!({})), ["missing:/customer_number", "missing:/type"]);
    assert_eq!(wrong(&json!("event")), ["wrong-type:"]);
    assert_eq!(wrong(&json!(null)), ["wrong-type:"]);
    assert_eq!(wrong(&without(renamed(), "/data")), ["missing:/data"]);
    assert_eq!(wrong(&with(renamed(), "/data", json!([]))), ["wrong-type:/data"]);
    assert_eq!(wrong(&with(renamed(), "/data/name", json!("Ada"))), ["wrong-type:/data/name"]);
    assert_eq!(
        wrong(&with(renamed(), "/customer_number", json!(123_456_789_012_u64))),
        ["wrong-type:/customer_number"]
    );
    assert_eq!(wrong(&with(enrolled(), "/data/channels", json!("email"))), ["wrong-type:/data/channels"]);
    assert_eq!(wrong(&with(enrolled(), "/data/locale", json!(null))), ["wrong-type:/data/locale"]);
    let empty = json!({"type": "ContactPreferencesChanged", "customer_number": NUMBER, "data": {}});
    assert_eq!(wrong(&empty), ["missing:/data"]);
    let erased = json!({"type": "CustomerErased", "customer_number": NUMBER, "data": {"reason": "x"}});
    assert_eq!(wrong(&erased), ["unknown-field:/data/reason"]);
}

#[test]
fn an_unknown_type_is_told_the_known_ones_and_the_rest_is_checked_too() {
    let event = with(with(renamed(), "/type", json!("CustomerMoved")), "/customer_number", json!("1"));
    assert_eq!(wrong(&event), ["unknown-type:/type", "wrong-value:/customer_number"]);
    let rejected = read(&event).unwrap_err();
    let detail = &rejected.problem.errors()[0].detail;
    for event_type in crate::topology().emitted() {
        assert!(detail.contains(event_type.name), "{detail}");
    }
    assert!(!detail.contains("CustomerMoved"));
}

#[test]
fn pointers_are_escaped() {
    assert_eq!(
        wrong(&with(renamed(), "/data", json!({"name": {"given": "a", "family": "b"}, "a/b~c": 1}))),
        ["unknown-field:/data/a~1b~0c"]
    );
}

#[test]
fn event_ids_have_one_spelling() {
    for right in ["0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a", "0B5E4E0C-3F0D-4E0E-9A53-5F6F0D1C2B3A"] {
        assert!(read(&with(renamed(), "/event_id", json!(right))).is_ok(), "{right}");
    }
    for wrong_id in [
        "0b5e4e0c3f0d4e0e9a535f6f0d1c2b3a",
        "{0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a}",
        "urn:uuid:0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a",
        "00000000-0000-0000-0000-000000000000",
        "",
    ] {
        assert_eq!(
            wrong(&with(renamed(), "/event_id", json!(wrong_id))),
            ["wrong-value:/event_id"],
            "{wrong_id}"
        );
    }
}

#[test]
fn occurrence_is_an_rfc_3339_timestamp_and_not_in_the_future() {
    for right in [
        "2026-03-01T12:00:00Z",
        "2026-03-01t12:00:00z",
        "2026-03-01T12:05:00Z",
        "2026-03-01T12:00:00.123456789+00:30",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00-01:00",
        "1970-01-02T00:00:00+23:59",
    ] {
        assert!(read(&with(renamed(), "/occurred_at", json!(right))).is_ok(), "{right}");
    }
    for wrong_time in [
        "",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00Z",
        "20260301T120000Z",
        "2026-03-01T12:00:00+01",
        "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00.1234567890Z",
        "2026-03-01T12:00:00+01:00[Europe/Berlin]",
        "2026-02-30T12:00:00Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T10:30:60Z",
        "2026-03-01T12:00:00+25:59",
        "1970-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "２026-03-01T12:00:00Z",
    ] {
        let event = with(renamed(), "/occurred_at", json!(wrong_time));
        assert_eq!(wrong(&event), ["wrong-value:/occurred_at"], "{wrong_time}");
    }
}

#[test]
fn an_event_in_the_future_is_right_but_for_its_time() {
    for future in ["2026-03-01T12:05:01Z", "2026-03-01T12:00:00-00:06", "2099-12-31T23:59:59Z"] {
        let event = with(renamed(), "/occurred_at", json!(future));
        let rejected = read(&event).unwrap_err();
        assert_eq!(rejected.problem.kind(), Kind::FutureEvent, "{future}");
        assert_eq!(rejected.problem.errors()[0].pointer, "/occurred_at");
        let event = with(event, "/data/name/given", json!(""));
        assert_eq!(wrong(&event), ["future:/occurred_at", "wrong-value:/data/name/given"]);
    }
}

#[test]
fn what_is_right_is_known_of_a_rejected_event() {
    let id = "0b5e4e0c-3f0d-4e0e-9a53-5f6f0d1c2b3a";
    let event = with(without(renamed(), "/data/name"), "/event_id", json!(id));
    let rejected = read(&event).unwrap_err();
    assert_eq!(rejected.event_type, Some("CustomerRenamed"));
    assert_eq!(rejected.event_id.unwrap().to_string(), id);
    assert_eq!(rejected.customer_number.unwrap().as_str(), NUMBER);
    let rejected = read(&json!({"type": "CustomerRenamed"})).unwrap_err();
    assert_eq!(rejected.event_id, None, "an id that was only made up is not told");
}

#[test]
fn no_message_repeats_a_value() {
    let event = json!({
        "type": "LOVELACE", "customer_number": "LOVELACE", "event_id": "LOVELACE", "occurred_at": "LOVELACE",
        "data": {"name": "LOVELACE"},
    });
    let enrolled = json!({
        "type": "CustomerEnrolled", "customer_number": "LOVELACE",
        "data": {
            "name": {"given": "LOVELACE\n", "family": ["LOVELACE"]}, "email": "LOVELACE", "channels": ["LOVELACE"],
            "locale": "LOVELACE",
        },
    });
    for event in [event, enrolled] {
        let problem = serde_json::to_string(&read(&event).unwrap_err().problem).unwrap();
        assert!(!problem.contains("LOVELACE"), "{problem}");
    }
}

#[test]
fn the_number_of_errors_is_bounded() {
    let mut event = renamed();
    for number in 0..1_000 {
        event[format!("field{number}")] = json!(1);
    }
    let rejected = read(&event).unwrap_err();
    assert_eq!(rejected.problem.errors().len(), 50);
    let problem = serde_json::to_value(&rejected.problem).unwrap();
    assert_eq!(problem["detail"], "1000 fields are wrong; see errors, without the last 950");
}

#[test]
fn a_list_has_at_most_as_many_items_as_there_are_channels() {
    let channels = |count: usize| with(enrolled(), "/data/channels", json!(vec!["email"; count]));
    assert_eq!(wrong(&channels(3)), ["repeated:/data/channels/1", "repeated:/data/channels/2"]);
    assert_eq!(wrong(&channels(100_000)), ["wrong-value:/data/channels"]);
}

#[test]
fn a_long_name_of_an_unknown_field_is_not_repeated_in_full() {
    let name = "x".repeat(900_000);
    let rejected = read(&with(renamed(), &format!("/data/{name}"), json!(1))).unwrap_err();
    assert!(serde_json::to_string(&rejected.problem).unwrap().len() < 1_000);
}
