//! A service that is killed in the middle of a message: the trace shows the attempt that began and the one that finished.

pub(crate) mod at_random;

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use crate::documents::{Documents, WAY};
use crate::tee::Tee;
use crate::world::{World, say, until};

/// Each consumer, and the call in which it hangs when it is killed: its second of a message.
pub(crate) const IN_MID_MESSAGE: [(&str, &str, &str); 3] = [
    ("membership", "dynamodb", "TransactWriteItems"),
    ("notifier", "sns", "PublishBatch"),
    ("email", "ses", "SendEmail"),
];

pub(crate) fn enrolment(customer: usize) -> Value {
    json!({
        "type": "CustomerEnrolled", "customer_number": format!("48{customer:010}"), "event_id": Uuid::new_v4(),
        "data": {
            "name": {"given": "Grace", "family": "Hopper"}, "email": format!("grace{customer}@mail.example"),
            "channels": ["email"]
        }
    })
}

/// Returns the segments of `service` that process the message on the way to the mail, by start.
fn attempts<'a>(documents: &'a Documents, service: &'a str) -> Vec<&'a Value> {
    let mut attempts: Vec<_> = documents.on_the_way(service).collect();
    attempts.sort_by(|one, other| {
        one["start_time"].as_f64().unwrap().total_cmp(&other["start_time"].as_f64().unwrap())
    });
    attempts
}

/// Kills `service` while it hangs in its message about an event, and returns the whole trace of that event.
pub(crate) async fn killed_in_mid_message(
    world: &World,
    number: usize,
    (service, dependency, operation): (&str, &str, &str),
) -> (String, Documents) {
    let hang = json!({"service": dependency, "operation": operation, "caller": service, "error": "timeout"});
    world.fault(&hang).await;
    let event = enrolment(number);
    let trace_id = world.send(&event, &[]).await;
    until(&format!("the copy of {service}'s span"), || async {
        let documents = Documents::get(world, &trace_id).await?;
        attempts(&documents, service).iter().any(|segment| segment["in_progress"] == true).then_some(())
    })
    .await;
    world.kill(service).await;
    world.clear_faults().await;
    let documents = until(&format!("the trace {trace_id} to be whole"), || async {
        let documents = Documents::get(world, &trace_id).await?;
        let last = attempts(&documents, service).last().copied().cloned()?;
        let sent = documents.find("SES", "SendEmail").is_some_and(|call| call["end_time"].is_number());
        (last["annotations"]["attempt"] == json!(2) && last["end_time"].is_number() && sent)
            .then_some(documents)
    })
    .await;
    documents.assert_one_tree(None);
    let [first, second] = attempts(&documents, service)[..] else {
        panic!("not two attempts of {service}: {documents:#?}")
    };
    assert_eq!(first["in_progress"], true, "{first:#}");
    assert_eq!((&first["end_time"], &first["annotations"]["attempt"]), (&Value::Null, &Value::Null));
    assert!(first["annotations"]["event_id"].is_string(), "{first:#}");
    assert_eq!(first["parent_id"], second["parent_id"], "both are deliveries of the same message");
    assert!(second["in_progress"].is_null() && second["annotations"]["outcome"].is_string(), "{second:#}");
    (trace_id, documents)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_the_attempt_that_never_finished_above_the_one_that_did() {
    let world = World::start().await;
    for (number, hanging) in IN_MID_MESSAGE.into_iter().enumerate() {
        let (trace_id, _) = killed_in_mid_message(&world, number, hanging).await;
        let output = Command::new(env!("CARGO_BIN_EXE_foostore"))
            .args(["trace", &trace_id])
            .env("AWS_ENDPOINT_URL", &world.endpoint)
            .output()
            .await
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let line = |ending: &str| shown.lines().position(|line| line.contains(ending));
        let (first, second) = (line("attempt 1, never finished"), line("attempt 2"));
        assert!(first.is_some() && first < second, "{shown}");
    }
    world.stop().await;
}

/// A short form of the kill matrix. `FOOSTORE_TEST_KILLED_EVENTS` makes it longer.
#[tokio::test(flavor = "multi_thread")]
async fn every_trace_of_a_burst_is_connected_when_services_are_killed_in_mid_message() {
    let burst: usize = service_runtime::Environment::from_process()
        .get("FOOSTORE_TEST_KILLED_EVENTS")
        .map_or(40, |events| events.parse().unwrap());
    let world = World::start().await;
    let mut traces = Vec::new();
    for (round, (service, dependency, operation)) in IN_MID_MESSAGE.into_iter().enumerate() {
        // No effect happens before the kill, so that no other service works on a span that is lost.
        let hang =
            json!({"service": dependency, "operation": operation, "caller": service, "error": "timeout"});
        world.fault(&hang).await;
        let events: Vec<_> = (0..burst).map(|number| enrolment(1_000 * (round + 1) + number)).collect();
        let (status, answer) = world.post(&json!(events), &[]).await;
        assert_eq!(status, 202, "{answer}");
        let ids = answer.as_array().unwrap().iter();
        traces.extend(ids.map(|item| item["trace_id"].as_str().unwrap().to_owned()));
        until(&format!("{service} to hang"), || async {
            (world.faults().await[0]["injected"].as_u64() > Some(0)).then_some(())
        })
        .await;
        world.kill(service).await;
        world.clear_faults().await;
        until("all mails", || async { (world.mails().await.len() >= traces.len()).then_some(()) }).await;
    }
    for trace_id in &traces {
        Documents::whole(&world, trace_id, None).await.assert_one_tree(None);
    }
    world.stop().await;
}

/// The cost while nothing dies: a second document only for work that outlasts the delay, and in ingest, which nobody would
/// repeat.
#[tokio::test(flavor = "multi_thread")]
async fn short_work_leaves_one_document_a_span() {
    const EVENTS: usize = 50;
    const DELAY: Duration = Duration::from_millis(200);
    let tee = Tee::start().await;
    let world = World::start_with(&["--otlp-endpoint", &tee.url], &[]).await;
    tee.forward_to(&world.otlp);
    let events: Vec<_> = (0..EVENTS).map(|number| enrolment(9_000 + number)).collect();
    let (status, answer) = world.post(&json!(events), &[]).await;
    assert_eq!(status, 202, "{answer}");
    for item in answer.as_array().unwrap() {
        Documents::connected(&world, item["trace_id"].as_str().unwrap(), None).await;
    }
    world.stop().await;

    let kept = tee.kept();
    let requests: Vec<_> =
        kept.iter().map(|request| ExportTraceServiceRequest::decode(request.as_slice()).unwrap()).collect();
    let (copies, spans): (Vec<_>, Vec<_>) = requests
        .iter()
        .flat_map(|request| &request.resource_spans)
        .flat_map(|resource| resource.scope_spans.iter().map(move |scope| (resource, scope)))
        .flat_map(|(resource, scope)| scope.spans.iter().map(move |span| (resource, span)))
        .partition(|(_, span)| {
            span.attributes.iter().any(|attribute| attribute.key == "aws.xray.inprogress")
        });
    for (resource, copy) in &copies {
        let same: Vec<_> = spans.iter().filter(|(_, span)| span.span_id == copy.span_id).collect();
        let [(_, span)] = same[..] else { panic!("{} has not one span beside its copy", copy.name) };
        let took = Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano);
        let announced = format!("{:?}", resource.resource).contains(r#"StringValue("ingest")"#);
        assert!(announced || took >= DELAY, "{} took {took:?} and left a copy", span.name);
    }
    say(&format!(
        "{EVENTS} events: {} spans and {} copies in {} requests",
        spans.len(),
        copies.len(),
        requests.len()
    ));
}

/// Whether each service on the way but the first is killed by a test here.
#[test]
fn every_consumer_is_killed() {
    let killed: Vec<_> = IN_MID_MESSAGE.iter().map(|(service, ..)| *service).collect();
    let consumers: Vec<_> =
        WAY.into_iter().filter(|(_, cause)| cause.is_some()).map(|(service, _)| service).collect();
    assert_eq!(killed, consumers);
}
