//! The API description says exactly what is accepted: an independent validator that reads the description alone comes
//! to the same verdict as the service, on events from the description, slightly wrong ones and arbitrary ones.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;

use super::*;
use crate::schema::parse_occurred_at;
use crate::validation::Defaults;
use contracts::{CurrencyCode, EmailAddress};
use uuid::Uuid;

/// The service's validator, and one that knows the description only.
struct Both {
    service: Validator,
    reader: jsonschema::Validator,
    description: Value,
}

fn both() -> &'static Both {
    static BOTH: OnceLock<Both> = OnceLock::new();
    BOTH.get_or_init(|| {
        let schemas = Schemas::of::<Emits>();
        let service = Validator::new(&schemas).unwrap();
        let description = openapi::document(&schemas, &service).unwrap();
        let schema =
            json!({"$ref": "#/components/schemas/Event", "components": description["components"].clone()});
        let reader = jsonschema::options()
            .should_validate_formats(true)
            // By the standard's word; that of other validators is looser or stricter.
            .with_format("idn-email", |text: &str| text.parse::<EmailAddress>().is_ok())
            .with_format("iso-4217", |text: &str| text.parse::<CurrencyCode>().is_ok())
            .build(&schema)
            .unwrap();
        Both { service, reader, description }
    })
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// The schemas of the description, without those of answers.
fn schemas() -> impl Iterator<Item = &'static Value> {
    let components = both().description["components"]["schemas"].as_object().unwrap();
    components.values().filter(|schema| schema["type"] == "string")
}

/// Texts as the description's patterns have them, and the words it lists.
fn described_texts() -> BoxedStrategy<String> {
    let patterns = schemas().filter_map(|schema| schema["pattern"].as_str());
    let mut strategies: Vec<BoxedStrategy<String>> = patterns
        .map(|pattern| string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).unwrap().boxed())
        .collect();
    let mut words = vec![
        "2026-03-01T12:00:00Z".to_owned(),
        "2024-02-29T23:59:59.123456789-11:30".to_owned(),
        "2026-02-29t00:00:00z".to_owned(),
        "1969-12-31T23:59:59Z".to_owned(),
        "1970-01-01T00:00:00+00:01".to_owned(),
        "2026-03-01T10:30:60Z".to_owned(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "0B5E4E0C-3F0D-4E0E-9A53-5F6F0D1C2B3A".to_owned(),
        "0b5e4e0c3f0d4e0e9a535f6f0d1c2b3a".to_owned(),
        String::new(),
        " \u{2003}".to_owned(),
        "x".repeat(101),
    ];
    words.extend(crate::topology().emitted().iter().map(|event_type| event_type.name.to_owned()));
    words.extend(
        schemas()
            .filter_map(|schema| schema["enum"].as_array())
            .flatten()
            .map(|word| word.as_str().unwrap().to_owned()),
    );
    strategies.push(select(words).boxed());
    proptest::strategy::Union::new(strategies).boxed()
}

/// A text of the description with one character put in, or as it is.
fn texts() -> impl Strategy<Value = String> {
    (described_texts(), any::<Option<(Index, char)>>()).prop_map(|(mut text, insertion)| {
        if let Some((index, character)) = insertion {
            let mut places: Vec<_> = text.char_indices().map(|(place, _)| place).collect();
            places.push(text.len());
            text.insert(*index.get(&places), character);
        }
        text
    })
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => texts().prop_map(Value::from),
        2 => proptest::collection::vec(texts().prop_map(Value::from), 0..5).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(json!({})),
        1 => Just(json!({"given": "Ada", "family": "King"})),
    ]
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    Add(&'static str, Value),
}

fn changes() -> impl Strategy<Value = Vec<(Index, Change)>> {
    let fields = ["type", "event_id", "occurred_at", "data", "name", "email", "channels", "locale", "other"];
    let change = prop_oneof![
        3 => values().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        2 => (select(fields.to_vec()), values()).prop_map(|(field, value)| Change::Add(field, value)),
    ];
    proptest::collection::vec((any::<Index>(), change), 0..3)
}

/// Every place in a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn apply(event: &mut Value, place: Index, change: Change) {
    let mut found = Vec::new();
    places(event, "", &mut found);
    let pointer = place.get(&found).clone();
    match change {
        Change::Replace(value) => *event.pointer_mut(&pointer).unwrap() = value,
        Change::Add(field, value) => {
            if let Some(Value::Object(fields)) = event.pointer_mut(&pointer) {
                fields.insert(field.to_owned(), value);
            }
        }
        Change::Remove => {
            let Some((parent, name)) = pointer.rsplit_once('/') else { return };
            if let Some(Value::Object(fields)) = event.pointer_mut(parent) {
                fields.remove(name);
            }
        }
    }
}

/// Events that start as the description's examples.
fn events() -> impl Strategy<Value = Value> {
    let content = &both().description["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    let examples: Vec<Value> = content["application/json"]["examples"]
        .as_object()
        .unwrap()
        .values()
        .map(|example| example["value"].clone())
        .filter(Value::is_object)
        .collect();
    (select(examples), changes()).prop_map(|(mut event, changes)| {
        for (place, change) in changes {
            apply(&mut event, place, change);
        }
        event
    })
}

/// The rule that a schema cannot state; the description's words do.
fn timely(event: &Value) -> bool {
    let occurred_at = event.get("occurred_at").and_then(Value::as_str).and_then(parse_occurred_at);
    occurred_at.is_none_or(|at| at.duration_since(now()) <= jiff::SignedDuration::from_mins(5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_description_and_the_service_agree(event in events()) {
        let Both { service, reader, .. } = both();
        let described = reader.is_valid(&event);
        let defaults = Defaults { event_id: Uuid::from_u128(7), occurred_at: now() };
        match service.read(&event.clone().into(), now(), defaults) {
            Ok(_) => prop_assert!(described && timely(&event), "accepted against the description: {event}"),
            Err(rejected) => {
                let errors = rejected.problem.errors();
                prop_assert!(!errors.is_empty(), "the type refuses what its schema takes: {event}");
                prop_assert!(!(described && timely(&event)), "refused against the description: {event} {errors:?}");
            }
        }
    }
}

#[test]
fn enough_of_the_events_tried_are_valid_and_invalid() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let events = events();
    let valid =
        (0..500).filter(|_| both().reader.is_valid(&events.new_tree(&mut runner).unwrap().current())).count();
    assert!((100..400).contains(&valid), "{valid} of 500 are valid");
}
