//! The API description against the service.

use super::*;
use crate::problem::Kind;

fn document() -> Value {
    let schemas = Schemas::of::<Emits>();
    openapi::document(&schemas, &Validator::new(&schemas).unwrap()).unwrap()
}

fn operation() -> Value {
    document()["paths"]["/v1/events"]["post"].clone()
}

fn examples() -> serde_json::Map<String, Value> {
    operation()["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn it_is_served() {
    let router = Service::over(&Bus::accepting()).router();
    let answer = send(&router, Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, document());
    assert_eq!(answer.body["openapi"], "3.1.0");
}

#[tokio::test(start_paused = true)]
async fn every_example_is_accepted() {
    let bus = Bus::accepting();
    let router = Service::over(&bus).router();
    let mut sent = 0;
    for (name, example) in examples() {
        let answer = post_json(&router, &example["value"]).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{name}: {answer:?}");
        match answer.body {
            Value::Array(answers) => {
                assert!(answers.iter().all(|answer| answer["status"] == 202), "{name}: {answers:?}");
                sent += answers.len();
            }
            _ => sent += 1,
        }
    }
    assert_eq!(bus.published().len(), sent);
}

#[test]
fn every_event_type_is_described_and_no_other() {
    let document = document();
    let mapping = document["components"]["schemas"]["Event"]["discriminator"]["mapping"].as_object().unwrap();
    let mut described: Vec<_> = mapping.keys().map(String::as_str).collect();
    let topology = crate::topology();
    let mut known: Vec<_> = topology.emitted().iter().map(|event_type| event_type.name).collect();
    described.sort_unstable();
    known.sort_unstable();
    assert_eq!(described, known);
    for (name, reference) in mapping {
        let schema = document.pointer(reference.as_str().unwrap().trim_start_matches('#')).unwrap();
        assert_eq!(schema["properties"]["type"]["const"], *name);
        assert!(schema["description"].is_string(), "{name} is described");
        assert!(examples().values().any(|example| example["value"]["type"] == *name), "an example of {name}");
    }
}

/// What a schema calls required is missed, what it does not know is refused, what is optional may be left out.
#[tokio::test(start_paused = true)]
async fn the_fields_described_are_the_fields_taken() {
    let router = Service::over(&Bus::accepting()).router();
    let document = document();
    for example in examples().values().map(|example| &example["value"]).filter(|event| event.is_object()) {
        let name = example["type"].as_str().unwrap();
        let schema = &document["components"]["schemas"][name];
        let data = &schema["properties"]["data"];
        for (schema, at) in [(schema, ""), (data, "/data")] {
            let Some(object) = example.pointer(at).and_then(Value::as_object) else { continue };
            let required: Vec<_> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for field in object.keys().map(String::as_str) {
                assert!(schema["properties"].get(field).is_some(), "{name}{at}/{field} is described");
                let mut event = example.clone();
                event.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(field);
                let answer = post_json(&router, &event).await;
                let only = schema["minProperties"] == 1 && object.len() == 1;
                let missed = required.contains(&field) || only;
                assert_eq!(answer.status == 422, missed, "{name} without {at}/{field}: {answer:?}");
            }
            assert_eq!(schema["additionalProperties"], false);
            let mut event = example.clone();
            event.pointer_mut(at).unwrap()["unheard_of"] = json!(1);
            let answer = post_json(&router, &event).await;
            assert_eq!(answer.body["errors"][0]["pointer"], format!("{at}/unheard_of"), "{name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    let found = document.pointer(reference.trim_start_matches('#'));
                    assert!(found.is_some(), "{reference}");
                }
                object.values().for_each(|value| check(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    check(&document(), &document());
}

#[test]
fn every_problem_is_described_with_its_status_and_title() {
    let operation = operation();
    let responses = operation["responses"].as_object().unwrap();
    for kind in [
        Kind::MalformedJson,
        Kind::InvalidSignature,
        Kind::MethodNotAllowed,
        Kind::RequestTimeout,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::InvalidEvent,
        Kind::InvalidList,
        Kind::FutureEvent,
        Kind::NotPublished,
        Kind::Overloaded,
        Kind::Internal,
    ] {
        let response = &responses[kind.status().as_str()];
        let example = &response["content"]["application/problem+json"]["examples"][kind.name()]["value"];
        let problem = serde_json::to_value(crate::problem::Problem::new(kind, "")).unwrap();
        for key in ["type", "title", "status"] {
            assert_eq!(example[key], problem[key], "{} of {}", key, kind.name());
        }
    }
    assert!(responses.keys().all(|status| status == "202" || status.as_str() >= "400"));
}
