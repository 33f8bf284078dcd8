//! `foostore dead-letters` on the queues of a running layer.

use std::process::{Output, Stdio};

use aws_sdk_sqs::types::MessageAttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::faults::depth;
use crate::world::{World, until};

/// Runs the command and returns its exit code, standard output and standard error.
async fn dead_letters(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .arg("dead-letters")
        .args(arguments)
        .env("AWS_ENDPOINT_URL", &world.endpoint)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

async fn listed(world: &World, arguments: &[&str]) -> Vec<Value> {
    let (code, out, _) = dead_letters(world, &[&["list", "--json"], arguments].concat()).await;
    assert_eq!(code, Some(0));
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An event on the bus that enrols a customer, as it arrives on membership's queue.
fn enrolment(number: u32) -> (String, Value) {
    let id = format!("0190b7c4-0000-4000-8000-{number:012}");
    let customer_number = format!("{:012}", 770_000_000_000_u64 + u64::from(number));
    let now = Timestamp::now().to_string();
    let metadata = json!({
        "event_id": id, "correlation_id": id, "causation_id": null, "schema_version": 1,
        "occurred_at": now, "published_at": now, "trace": null
    });
    let data = json!({
        "customer_number": customer_number, "name": {"given": "Grace", "family": "Hopper"},
        "email": format!("grace{number}@mail.example"), "channels": ["email"]
    });
    let body = json!({
        "source": "foostore.crm", "detail-type": "CustomerEnrolled", "detail": {"metadata": metadata, "data": data}
    });
    (id, body)
}

async fn put(world: &World, queue: &str, body: &Value, attributes: &[(&str, &str)]) {
    let url = world.queue_url(queue).await;
    let mut call = world.sqs().send_message().queue_url(url).message_body(body.to_string());
    for (name, value) in attributes {
        let value =
            MessageAttributeValue::builder().data_type("String").string_value(*value).build().unwrap();
        call = call.message_attributes(*name, value);
    }
    call.send().await.unwrap();
}

fn explanation(reason: &str, permanent: bool) -> String {
    json!({
        "reason": reason, "permanent": permanent, "dependency": null, "detail": "of a test", "service": "membership",
        "attempts": 7, "trace": null, "queue": "foostore-local-membership", "failed_at": Timestamp::now().to_string()
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_listed_redriven_exported_and_dropped() {
    let world = World::start().await;
    let (throttled, by_consumer) = enrolment(1);
    put(
        &world,
        "membership-dead-letter",
        &by_consumer,
        &[("dead_letter", &explanation("throttled", false)), ("kept", "by the redrive")],
    )
    .await;
    let (reused, contradicting) = enrolment(2);
    put(
        &world,
        "membership-dead-letter",
        &contradicting,
        &[("dead_letter", &explanation("event-id-reused", true))],
    )
    .await;
    let (moved, by_sqs) = enrolment(3);
    put(&world, "membership-dead-letter", &by_sqs, &[]).await;
    let (undelivered, by_eventbridge) = enrolment(4);
    put(
        &world,
        "membership-undelivered",
        &by_eventbridge,
        &[
            ("ERROR_CODE", "NO_PERMISSIONS"),
            (
                "RULE_ARN",
                "arn:aws:events:eu-central-1:000000000000:rule/foostore-local/foostore-local-membership",
            ),
        ],
    )
    .await;

    // Listing leaves the messages where they are, visible.
    for _ in 0..2 {
        let all = listed(&world, &[]).await;
        let reasons: std::collections::BTreeMap<_, _> = all
            .iter()
            .map(|letter| (letter["event_id"].as_str().unwrap(), letter["reason"].as_str().unwrap()))
            .collect();
        let expected = [
            (throttled.as_str(), "throttled"),
            (&reused, "event-id-reused"),
            (&moved, "max-receive-count"),
            (&undelivered, "NO_PERMISSIONS"),
        ];
        assert_eq!(reasons, expected.into_iter().collect());
        assert!(all.iter().all(|letter| letter["service"] == "membership"), "{all:?}");
    }
    assert_eq!(listed(&world, &["--reason", "throttled"]).await[0]["customer_number"], "770000000001");
    assert_eq!(listed(&world, &["--limit", "2"]).await.len(), 2);
    assert!(listed(&world, &["--service", "email"]).await.is_empty());

    // A listing and a dry run name no personal data; an export is whole.
    let (_, listing, _) = dead_letters(&world, &["list"]).await;
    let (_, dry, _) = dead_letters(&world, &["redrive", "--dry-run"]).await;
    let (_, shown, _) = dead_letters(&world, &["show", &moved]).await;
    for text in [&listing, &dry, &shown] {
        assert!(text.contains(&moved) && !text.contains("Grace") && !text.contains("mail.example"), "{text}");
    }
    assert!(!dry.contains(&reused), "{dry}");
    let (_, exported, _) = dead_letters(&world, &["export", &throttled]).await;
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(serde_json::from_str::<Value>(exported["body"].as_str().unwrap()).unwrap(), by_consumer);
    assert_eq!(exported["attributes"]["kept"]["StringValue"], "by the redrive");
    assert_eq!(depth(&world, true).await, 4);

    // What the service refused for good stays; the others take effect.
    let (code, redriven, refusal) = dead_letters(&world, &["redrive", "--wait", "60"]).await;
    assert_eq!(code, Some(1), "{refusal}");
    assert!(refusal.contains(&reused) && refusal.contains("--force"), "{refusal}");
    for id in [&throttled, &moved, &undelivered] {
        assert!(redriven.contains(&format!("{id}  sent to membership")), "{redriven}");
        assert!(redriven.contains(&format!("{id}  applied")), "{redriven}");
    }
    until("three mails", || async { (world.mails().await.len() == 3).then_some(()) }).await;
    assert_eq!(depth(&world, true).await, 1);

    // Deletion names what it deletes.
    let (code, _, error) = dead_letters(&world, &["drop"]).await;
    assert_eq!(code, Some(64), "{error}");
    let (code, dropped, _) = dead_letters(&world, &["drop", "--reason", "event-id-reused"]).await;
    assert_eq!((code, dropped.trim()), (Some(0), format!("{reused}  dropped").as_str()));
    assert_eq!(depth(&world, true).await, 0);

    // A message that fails again is reported, although nothing ties it to a trace.
    let malformed = explanation("malformed-event", true);
    put(&world, "membership-dead-letter", &json!({"not": "an event"}), &[("dead_letter", &malformed)]).await;
    let (code, redriven, error) = dead_letters(&world, &["redrive", "--force", "--wait", "3"]).await;
    assert_eq!(code, Some(0), "{error}");
    assert!(redriven.contains("dead-letter  malformed-event"), "{redriven}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pipe_could_not_put_on_the_bus_is_announced_again() {
    let world = World::start().await;
    let (_, enrolment) = enrolment(5);
    put(&world, "membership", &enrolment, &[]).await;
    until("the mail", || async { (!world.mails().await.is_empty()).then_some(()) }).await;
    // The letter that the Pipe would have written had it failed.
    let arrived = Timestamp::now();
    let letter = json!({
        "context": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 101},
        "version": "1.0",
        "timestamp": arrived.to_string(),
        "DDBStreamBatchInfo": {
            "shardId": "shardId-0", "startSequenceNumber": "1", "endSequenceNumber": "1", "batchSize": 1,
            "approximateArrivalOfFirstRecord": (arrived - SignedDuration::from_secs(30)).to_string(),
            "approximateArrivalOfLastRecord": arrived.to_string(),
            "streamArn": "arn:aws:dynamodb:eu-central-1:000000000000:table/foostore-local-members/stream/1"
        }
    });
    put(&world, "members-outbox-dead-letter", &letter, &[]).await;

    assert_eq!(listed(&world, &[]).await[0]["reason"], "RetryAttemptsExhausted");
    let (code, out, error) = dead_letters(&world, &["redrive"]).await;
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("1 event of table foostore-local-members announced again"), "{out}");
    assert_eq!(depth(&world, true).await, 0);
    // It arrives, and its effect is there already.
    until("the event to arrive a second time", || async {
        let lines = world.log_files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
        let arrived = lines
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .filter(|line| line["service"] == "notifier" && line["outcome"].is_string())
            .count();
        (arrived >= 2).then_some(())
    })
    .await;
    assert_eq!(world.mails().await.len(), 1);
    world.stop().await;
}
