//! A message that no retry can fix goes to the dead-letter queue at once, with the reason.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde_json::{Value, json};

use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_message_is_dead_lettered_and_blocks_nothing() {
    let world = World::start().await;
    let queue = world.queue_url("membership").await;
    let secret = "Mustermann";
    for body in ["{\"detail\": Mustermann", "{\"detail\": {\"metadata\": \"Mustermann\"}}"] {
        world.sqs().send_message().queue_url(&queue).message_body(body).send().await.unwrap();
    }
    let trace_id = world
        .send(
            &json!({
                "type": "CustomerEnrolled", "customer_number": "440000000001",
                "data": {
                    "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"]
                }
            }),
            &[],
        )
        .await;
    crate::documents::Documents::connected(&world, &trace_id, None).await;

    let mut dead = Vec::new();
    while dead.len() < 2 {
        dead.extend(received(&world, "membership-dead-letter").await);
    }
    for message in &dead {
        let attribute = message.message_attributes().unwrap()["dead_letter"].string_value().unwrap();
        assert!(!attribute.contains(secret), "{attribute}");
        let reason: Value = serde_json::from_str(attribute).unwrap();
        assert_eq!(reason["reason"], "malformed-event");
        assert_eq!(reason["service"], "membership");
        assert_eq!(reason["attempts"], 1);
    }
    let bodies: Vec<_> = dead.iter().map(|message| message.body().unwrap()).collect();
    assert!(bodies.iter().all(|body| body.contains(secret)), "the body is unchanged: {bodies:?}");
    for file in world.log_files() {
        assert!(
            !std::fs::read_to_string(&file).unwrap().contains(secret),
            "{} quotes the body",
            file.display()
        );
    }
    world.stop().await;
}

/// SQS's limit of a message with its attributes.
const LIMIT: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn messages_too_large_for_a_dead_letter_hinder_no_good_ones() {
    const GOOD: usize = 30;
    let world = World::start().await;
    let queue = world.queue_url("membership").await;
    // The first six have room for the reason, the others for nothing.
    for room in [100, 10] {
        for _ in 0..6 {
            let body = "x".repeat(LIMIT - room);
            world.sqs().send_message().queue_url(&queue).message_body(body).send().await.unwrap();
        }
    }
    let started = std::time::Instant::now();
    for number in 0..GOOD {
        let data = json!({
            "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"]
        });
        let customer = format!("4400000001{number:02}");
        let event = json!({"type": "CustomerEnrolled", "customer_number": customer, "data": data});
        world.send(&event, &[]).await;
    }
    until("every mail", || async { (world.mails().await.len() >= GOOD).then_some(()) }).await;
    assert!(started.elapsed().as_secs() < 30, "good messages waited for {:?}", started.elapsed());

    let mut dead = Vec::new();
    while dead.len() < 6 {
        dead.extend(received(&world, "membership-dead-letter").await);
    }
    for message in &dead {
        let attribute = message.message_attributes().unwrap()["dead_letter"].string_value().unwrap();
        let reason: Value = serde_json::from_str(attribute).unwrap();
        assert_eq!(
            (&reason["reason"], &reason["service"]),
            (&json!("malformed-event"), &json!("membership"))
        );
    }
    let lines = |message: &str| {
        let texts = world.log_files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
        texts.map(|text| text.matches(&format!("\"message\":\"{message}")).count()).sum::<usize>()
    };
    until("a line for each message left", || async { (lines("dead letter refused") == 6).then_some(()) })
        .await;
    assert_eq!(lines("circuit opened"), 0);
    assert!(world.readiness("membership").await.0);
    world.stop().await;
}

/// Waits for messages of a queue, and receives them.
pub(crate) async fn received(world: &World, name: &str) -> Vec<Message> {
    let queue = world.queue_url(name).await;
    until(&format!("a message on {name}"), || async {
        let output = world
            .sqs()
            .receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10)
            .wait_time_seconds(1)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        output.messages.filter(|messages| !messages.is_empty())
    })
    .await
}
