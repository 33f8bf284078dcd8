//! A signed request that is sent again, by its sender or by somebody who captured it, changes nothing.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::{World, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const CUSTOMER: &str = "480000000001";

/// Posts a request as it was signed.
async fn post(world: &World, request: &Signed) -> Value {
    let answer = world
        .http
        .post(format!("{}/v1/events", world.ingest))
        .header("content-type", "application/json")
        .header("webhook-id", &request.id)
        .header("webhook-timestamp", request.timestamp)
        .header("webhook-signature", &request.signature)
        .body(request.body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    answer.json().await.unwrap()
}

struct Signed {
    id: String,
    timestamp: i64,
    signature: String,
    body: String,
}

fn signed(id: &str, event: &str, data: &Value) -> Signed {
    let body = json!({"type": event, "customer_number": CUSTOMER, "data": data}).to_string();
    let timestamp = Timestamp::now().as_second();
    let secrets: webhook_signature::Secrets = SECRET.parse().unwrap();
    let signature = secrets.sign(id, timestamp, body.as_bytes());
    Signed { id: id.to_owned(), timestamp, signature, body }
}

fn renamed(id: &str, given: &str) -> Signed {
    signed(id, "CustomerRenamed", &json!({"name": {"given": given, "family": "Hopper"}}))
}

/// Waits for the mail that announces a change.
async fn mails(world: &World, count: usize) {
    until(&format!("{count} mails"), || async {
        let mails = world.mails().await;
        assert!(mails.len() <= count, "{mails:?}");
        (mails.len() == count).then_some(())
    })
    .await;
}

/// Waits until membership has recognized so many events as duplicates.
async fn duplicates(world: &World, count: usize) {
    let log = world.log_files().into_iter().find(|file| file.ends_with("membership.jsonl")).unwrap();
    until(&format!("{count} duplicates"), || async {
        let lines = std::fs::read_to_string(&log).unwrap();
        (lines.matches(r#""outcome":"duplicate""#).count() == count).then_some(())
    })
    .await;
}

async fn member(world: &World) -> String {
    let key = AttributeValue::S(format!("MEMBER#{CUSTOMER}"));
    let get = world.dynamodb().get_item().table_name("foostore-local-members").consistent_read(true);
    format!("{:?}", get.key("pk", key).send().await.unwrap().item.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_request_leaves_the_member_as_it_was() {
    let world = World::start_with(&["--signature-secret", SECRET], &[]).await;
    let contact = json!({
        "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"],
    });
    post(&world, &signed("msg_1", "CustomerEnrolled", &contact)).await;
    mails(&world, 1).await;
    let captured = renamed("msg_2", "Amazing");
    let first = post(&world, &captured).await;
    mails(&world, 2).await;
    post(&world, &renamed("msg_3", "Admiral")).await;
    mails(&world, 3).await;

    for _ in 0..20 {
        assert_eq!(post(&world, &captured).await["event_id"], first["event_id"]);
    }
    // An honest retry, signed again.
    assert_eq!(post(&world, &renamed("msg_2", "Amazing")).await["event_id"], first["event_id"]);
    duplicates(&world, 21).await;
    let member = member(&world).await;
    assert!(member.contains("Admiral") && !member.contains("Amazing"), "{member}");
    mails(&world, 3).await;
    world.stop().await;
}
