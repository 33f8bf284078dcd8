//! One event, one unbroken trace, whatever trace context the caller sends.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use crate::documents::{Documents, WAY};
use crate::world::{World, until};

const CUSTOMER: &str = "420000000001";
const CALLERS_PARENT: &str = "53995c3f42cd8ad8";

/// Renames the customer to something new each time: a rename to the same name makes no mail.
fn renamed(given: &str) -> Value {
    let given = format!("{given} {}", Uuid::new_v4().simple());
    json!({
        "type": "CustomerRenamed", "customer_number": CUSTOMER,
        "data": {"name": {"given": given, "family": "Lovelace"}}
    })
}

fn new_root() -> String {
    let hex = Uuid::new_v4().simple().to_string();
    format!("1-6921a3b0-{}", &hex[..24])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_leaves_one_connected_trace() {
    let world = World::start().await;
    let enrolled = world
        .send(
            &json!({
                "type": "CustomerEnrolled", "customer_number": CUSTOMER,
                "data": {
                    "name": {"given": "Ada", "family": "Byron"}, "email": "ada@mail.example", "channels": ["email"]
                }
            }),
            &[],
        )
        .await;
    Documents::connected(&world, &enrolled, None).await;

    without_context(&world).await;
    with_callers_context(&world).await;
    not_sampled(&world).await;
    a_list_is_as_many_traces(&world).await;
    world.stop().await;
}

async fn without_context(world: &World) {
    let event_id = Uuid::new_v4().to_string();
    let mut event = renamed("Augusta");
    event["event_id"] = json!(event_id);
    let started = Instant::now();
    let trace_id = world.send(&event, &[]).await;
    let documents = Documents::whole(world, &trace_id, None).await;
    assert!(started.elapsed() < Duration::from_secs(5), "the trace took {:?}", started.elapsed());

    documents.assert_connected(None);
    let first = documents.annotations("ingest");
    let expected = json!({
        "application": "foostore", "environment": "local", "customer_number": CUSTOMER,
        "event_id": event_id, "event_type": "CustomerRenamed"
    });
    assert_eq!(first, &expected);
    assert_eq!(documents.annotations("membership")["event_id"], json!(event_id));
    assert_eq!(documents.annotations("notifier")["event_type"], "MemberRenamed");
    assert!(documents.annotations("email")["outcome"].is_string());
    let put = documents.find("EventBridge", "PutEvents").unwrap();
    assert!(put["aws"]["request_id"].is_string(), "{put:#}");
    let write = documents.find("DynamoDB", "TransactWriteItems").unwrap();
    assert_eq!(write["aws"]["table_name"], "foostore-local-members", "{write:#}");

    // The annotation finds it, as an engineer on call would search for it.
    let found = world
        .xray()
        .get_trace_summaries()
        .start_time(aws_sdk_xray::primitives::DateTime::from_secs(0))
        .end_time(aws_sdk_xray::primitives::DateTime::from_secs(4_000_000_000))
        .filter_expression(format!("annotation.event_id = \"{event_id}\""))
        .send()
        .await
        .unwrap();
    let ids: Vec<_> = found.trace_summaries().iter().filter_map(|summary| summary.id()).collect();
    assert_eq!(ids, [trace_id]);
}

async fn with_callers_context(world: &World) {
    let root = new_root();
    let other = new_root();
    let traceparent = new_root();
    let w3c = format!("00-{}-{CALLERS_PARENT}-01", traceparent.replace("1-", "").replacen('-', "", 1));
    let kept: &[(&str, String, &str, Option<&str>)] = &[
        (
            "x-amzn-trace-id",
            format!("Root={root};Parent={CALLERS_PARENT};Sampled=1"),
            &root,
            Some(CALLERS_PARENT),
        ),
        ("x-amzn-trace-id", format!("Self=1-67891234-12456789abcdef012345678;Root={other}"), &other, None),
        ("traceparent", w3c, &traceparent, Some(CALLERS_PARENT)),
    ];
    for (name, header, root, parent) in kept {
        let trace_id = world.send(&renamed("Caller"), &[(name, header)]).await;
        assert_eq!(&trace_id, root, "{header}");
        Documents::connected(world, &trace_id, *parent).await;
    }
    for sampled in ["", ";Sampled=?"] {
        let root = new_root();
        let trace_id =
            world.send(&renamed("Undecided"), &[("x-amzn-trace-id", &format!("Root={root}{sampled}"))]).await;
        assert_eq!(trace_id, root, "Root{sampled}");
        Documents::connected(world, &trace_id, None).await;
    }
    let root = new_root();
    let header = format!("Root={root};Parent={CALLERS_PARENT};Sampled=?");
    let trace_id = world.send(&renamed("Deferred"), &[("x-amzn-trace-id", &header)]).await;
    assert_eq!(trace_id, root);
    Documents::connected(world, &trace_id, Some(CALLERS_PARENT)).await;

    for rubbish in [
        "rubbish",
        "Root=1-zz-zz;Parent=1;Sampled=1",
        "Root=;Parent=;Sampled=",
        ";;;===",
        "Root=1-00000000-000000000000000000000000",
    ] {
        let trace_id = world.send(&renamed("Rubbish"), &[("x-amzn-trace-id", rubbish)]).await;
        Documents::connected(world, &trace_id, None).await;
    }
}

async fn not_sampled(world: &World) {
    let root = new_root();
    let header = format!("Root={root};Parent={CALLERS_PARENT};Sampled=0");
    let before = world.mails().await.len();
    let trace_id = world.send(&renamed("Unseen"), &[("x-amzn-trace-id", &header)]).await;
    assert_eq!(trace_id, root);
    until("the mail of the unsampled event", || async { (world.mails().await.len() > before).then_some(()) })
        .await;
    // Once a later event's trace is whole, everything before it has been exported.
    let later = world.send(&renamed("Seen"), &[]).await;
    Documents::whole(world, &later, None).await;
    assert!(Documents::get(world, &root).await.is_none(), "an unsampled trace was recorded");

    // Every service has logged it all the same, with its trace id.
    let lines: Vec<_> = world
        .log_files()
        .iter()
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            text.lines().filter(|line| line.contains(&root)).map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .collect();
    for (service, _) in WAY {
        assert!(
            lines.iter().any(|line| line["service"] == service
                && line["message"] == "event"
                && line["outcome"].is_string()),
            "no log line of {service}"
        );
    }
}

async fn a_list_is_as_many_traces(world: &World) {
    let events: Vec<_> = (0..500)
        .map(|number| {
            json!({
                "type": "CustomerEnrolled", "customer_number": format!("43{number:010}"),
                "data": {
                    "name": {"given": "One", "family": "OfMany"},
                    "email": format!("many{number}@mail.example"), "channels": ["email"]
                }
            })
        })
        .collect();
    let (status, answer) =
        world.post(&json!(events), &[("x-amzn-trace-id", &format!("Root={}", new_root()))]).await;
    assert_eq!(status, 202, "{answer}");
    let ids: std::collections::BTreeSet<_> =
        answer.as_array().unwrap().iter().map(|item| item["trace_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 500, "each event has a separate trace");
    for id in &ids {
        Documents::connected(world, id, None).await;
    }
}

/// Returns what `foostore trace` draws, once it contains `text`.
async fn drawn(world: &World, trace_id: &str, text: &str) -> String {
    until(&format!("{text:?} in the drawing of {trace_id}"), || async {
        let arguments = ["trace", trace_id, "--endpoint-url", &world.xray_endpoint];
        let output = Command::new(env!("CARGO_BIN_EXE_foostore")).args(arguments).output().await.unwrap();
        let drawn = String::from_utf8(output.stdout).unwrap();
        drawn.contains(text).then_some(drawn)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_tells_what_happens_next() {
    let world = World::start().await;
    let enrolled = json!({
        "type": "CustomerEnrolled", "customer_number": CUSTOMER,
        "data": {"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@mail.example", "channels": ["email"]}
    });
    world.fault(&json!({"service": "ses", "operation": "SendEmail", "error": "throttle", "times": 3})).await;
    let trace_id = world.send(&enrolled, &[]).await;
    let waiting = drawn(&world, &trace_id, ", due in ").await;
    assert!(waiting.contains("  retry"), "{waiting}");
    let sent = drawn(&world, &trace_id, "sent, attempt ").await;
    assert!(!sent.contains(", due "), "the retry has happened: {sent}");

    let root = new_root();
    let header = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(format!("Root={root};Parent={CALLERS_PARENT};Sampled=1"))
        .build()
        .unwrap();
    let queue = world.queue_url("membership").await;
    let malformed = world.sqs().send_message().queue_url(queue).message_body("{\"detail\":");
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    malformed.message_system_attributes(name, header).send().await.unwrap();
    let dead = drawn(&world, &root, "dead-letter, on foostore-local-membership-dead-letter").await;
    assert!(dead.contains("fault: malformed-event: "), "{dead}");
    world.stop().await;
}
