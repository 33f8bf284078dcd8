//! Notifications of the app, from the CRM's event to the webhook.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::documents::Documents;
use crate::faults::depth;
use crate::mails::{erased, event, logged, renamed};
use crate::world::{World, until};

/// An enrolment of somebody who hears of it in the app.
fn enrolled(customer: &str) -> Value {
    let name = json!({"given": "Ada", "family": "Byron"});
    let data = json!({"name": name, "email": "ada@mail.example", "channels": ["email", "app"]});
    event("CustomerEnrolled", customer, &data)
}

/// Returns what the receiver got.
async fn pushes(world: &World) -> Vec<Value> {
    let url = format!("{}/_local/webhook", world.endpoint);
    world.http.get(url).send().await.unwrap().json().await.unwrap()
}

/// Waits for this number of pushes.
async fn received(world: &World, count: usize) -> Vec<Value> {
    until(&format!("{count} pushes"), || async {
        let pushes = pushes(world).await;
        (pushes.len() >= count).then_some(pushes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_reaches_the_webhook_signed_and_in_its_events_trace() {
    const CUSTOMER: &str = "510000000001";
    let world = World::start().await;
    let trace_id = world.send(&enrolled(CUSTOMER), &[]).await;
    let pushes = received(&world, 1).await;
    let push = &pushes[0];
    assert_eq!(push["status"], 204, "{push}");
    assert_eq!(push["body"]["type"], "notification.member-enrolled");
    assert_eq!(push["body"]["data"]["customer_number"], CUSTOMER);
    assert_eq!(push["body"]["data"]["notification_id"], push["id"]);
    let text = push["body"].to_string();
    assert!(!text.contains("Ada") && !text.contains('@'), "{text}");

    // The trace goes on to the webhook, natively and as W3C has it.
    Documents::connected(&world, &trace_id, None).await;
    let span = until("the push in X-Ray", || async {
        let documents = Documents::get(&world, &trace_id).await?;
        documents.all().iter().find(|document| document["name"] == "webhook").cloned()
    })
    .await;
    assert_eq!(span["namespace"], "remote");
    assert_eq!(span["http"]["request"]["method"], "POST");
    assert_eq!(span["http"]["response"]["status"], 204);
    assert!(!span.to_string().contains("/_local"), "{span}");
    let id = span["id"].as_str().unwrap();
    let header = push["trace"].as_str().unwrap();
    assert!(header.starts_with(&format!("Root={trace_id};Parent={id};Sampled=1")), "{header}");
    let hex = trace_id.trim_start_matches("1-").replace('-', "");
    assert_eq!(push["traceparent"], format!("00-{hex}-{id}-01"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_repeated_under_one_id_until_it_is_accepted() {
    let world = World::start().await;
    let error = json!({"answer": {"code": "Busy", "status": 503, "retry_after": "1"}});
    world.fault(&json!({"service": "webhook", "error": error, "times": 1})).await;
    world.send(&enrolled("510000000002"), &[]).await;
    received(&world, 1).await;
    world.fault(&json!({"service": "webhook", "error": "drop-response", "times": 1})).await;
    // The second attempt is due after five seconds, and the third after five minutes, for which nobody waits here.
    let pushes = received(&world, 2).await;
    let ids: BTreeSet<_> = pushes.iter().map(|push| push["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{pushes:?}");
    assert_eq!((&pushes[0]["status"], &pushes[1]["status"]), (&json!(503), &json!(204)));
    assert_eq!(pushes[1]["lost"], true, "{pushes:?}");
    logged(&world, "app", "NotificationRequested", "retry", 2).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_gone_gets_no_more_pushes() {
    const CUSTOMER: &str = "510000000003";
    let world = World::start().await;
    let error = json!({"answer": {"code": "Gone", "status": 410}});
    world.fault(&json!({"service": "webhook", "error": error, "times": 1})).await;
    world.send(&enrolled(CUSTOMER), &[]).await;
    logged(&world, "app", "NotificationRequested", "endpoint-disabled", 1).await;
    world.send(&renamed(CUSTOMER, "Augusta"), &[]).await;
    logged(&world, "app", "NotificationRequested", "endpoint-disabled", 2).await;
    assert_eq!(pushes(&world).await.len(), 1);
    assert_eq!(depth(&world, true).await, 0, "nothing is dead-lettered");

    let key = aws_sdk_dynamodb::types::AttributeValue::S("ENDPOINT".to_owned());
    let delete = world.dynamodb().delete_item().table_name("foostore-local-app-deliveries").key("pk", key);
    delete.send().await.unwrap();
    world.send(&erased(CUSTOMER), &[]).await;
    let pushes = received(&world, 2).await;
    assert_eq!(pushes[1]["body"]["type"], "notification.member-erased");
    world.stop().await;
}
