//! Discounts: what is given is announced, and so is what time causes.

use std::time::Duration;

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_sdk_xray::primitives::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::documents::Documents;
use crate::mails::event;
use crate::world::{World, sdk_config, until};

const CUSTOMER: &str = "490000000001";

/// Makes a queue that gets every announcement about discounts. Returns its URL.
async fn listener(world: &World) -> String {
    let created = world.sqs().create_queue().queue_name("listener").send().await.unwrap();
    let url = created.queue_url.unwrap();
    let asked =
        world.sqs().get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let arn = asked.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let events = aws_sdk_eventbridge::Client::new(&sdk_config(&world.endpoint));
    let pattern =
        json!({"detail-type": ["DiscountActivated", "DiscountExpired", "DiscountUsed"]}).to_string();
    let rule = events.put_rule().name("listener").event_bus_name("foostore-local").event_pattern(pattern);
    rule.send().await.unwrap();
    let target = Target::builder().id("listener").arn(arn).build().unwrap();
    let target = events.put_targets().rule("listener").event_bus_name("foostore-local").targets(target);
    assert_eq!(target.send().await.unwrap().failed_entry_count, 0);
    url
}

/// Waits for the next announcement.
async fn announcement(world: &World, listener: &str) -> Value {
    until("an announcement", || async {
        let received =
            world.sqs().receive_message().queue_url(listener).wait_time_seconds(1).send().await.unwrap();
        let message = received.messages.unwrap_or_default().pop()?;
        let handle = message.receipt_handle().unwrap();
        world.sqs().delete_message().queue_url(listener).receipt_handle(handle).send().await.unwrap();
        Some(serde_json::from_str(message.body().unwrap()).unwrap())
    })
    .await
}

fn data(event: &Value) -> Value {
    // The outbox's data arrives as a string.
    serde_json::from_str(event["detail"]["data"].as_str().unwrap()).unwrap()
}

/// Returns the only trace that an annotation leads to.
async fn trace_with(world: &World, annotation: &str) -> String {
    until(&format!("a trace with {annotation}"), || async {
        let found = world
            .xray()
            .get_trace_summaries()
            .start_time(DateTime::from_secs(0))
            .end_time(DateTime::from_secs(4_000_000_000))
            .filter_expression(annotation)
            .send()
            .await
            .unwrap();
        let mut summaries = found.trace_summaries.unwrap_or_default();
        assert!(summaries.len() < 2, "{summaries:?}");
        summaries.pop()?.id
    })
    .await
}

fn revision(event: &Value) -> u64 {
    data(event)["revision"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_is_activated_and_expires_in_a_trace_of_its_own_that_names_the_gifts() {
    let world = World::start().await;
    let listener = listener(&world).await;
    let valid_until = Timestamp::now() + SignedDuration::from_secs(2);
    let gift = |discount: &str, valid_until: Timestamp| {
        let data = json!({"discount_id": discount, "value": {"percentage": 15}, "valid_until": valid_until});
        event("DiscountGifted", CUSTOMER, &data)
    };
    let given = world.send(&gift("SHORT", valid_until), &[]).await;
    let activated = announcement(&world, &listener).await;
    assert_eq!(activated["detail-type"], "DiscountActivated");
    assert_eq!(data(&activated)["discount_id"], "SHORT");
    let metadata = &activated["detail"]["metadata"];
    assert!(metadata["trace"].as_str().unwrap().contains(&given), "the gift's own trace goes on");
    let origin = metadata["causation_id"].as_str().unwrap().to_owned();

    let expired = announcement(&world, &listener).await;
    assert_eq!(expired["detail-type"], "DiscountExpired");
    assert_eq!(revision(&expired), revision(&activated) + 1);
    assert_eq!(expired["detail"]["metadata"]["correlation_id"], metadata["correlation_id"], "one chain");
    let occurred_at: Timestamp =
        expired["detail"]["metadata"]["occurred_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(occurred_at, valid_until);
    let late = Timestamp::now().duration_since(valid_until);
    assert!(
        !late.is_negative() && late < SignedDuration::try_from(Duration::from_mins(1)).unwrap(),
        "{late}"
    );

    let swept = trace_with(&world, &format!("annotation.origin_event_id = \"{origin}\"")).await;
    assert_ne!(swept, given);
    assert!(expired["detail"]["metadata"]["trace"].as_str().unwrap().contains(&swept));
    until("the whole trace of the expiry", || async {
        let documents = Documents::get(&world, &swept).await?;
        let segment = documents.segments().find(|segment| segment["name"] == "discounts")?.clone();
        // Until it has ended, a copy stands in for it.
        segment["annotations"]["outcome"].as_str()?;
        assert_eq!(segment["annotations"]["origin_trace_id"], given.as_str());
        assert_eq!(segment["annotations"]["customer_number"], CUSTOMER);
        assert_eq!(segment["annotations"]["event_type"], "DiscountDue");
        assert_eq!(segment["annotations"]["outcome"], "expired");
        assert!(segment.get("parent_id").is_none(), "{segment}");
        documents.is_one_tree(None).then_some(())
    })
    .await;

    // Used before its time, a discount never expires.
    world.send(&gift("LONG", Timestamp::now() + SignedDuration::from_hours(1)), &[]).await;
    let activated = announcement(&world, &listener).await;
    assert_eq!(activated["detail-type"], "DiscountActivated");
    world.send(&event("DiscountRedeemed", CUSTOMER, &json!({"discount_id": "LONG"})), &[]).await;
    let used = announcement(&world, &listener).await;
    assert_eq!(used["detail-type"], "DiscountUsed");
    assert_eq!(revision(&used), revision(&activated) + 1);
    let (ready, report) = world.readiness("discounts").await;
    assert!(ready && report.contains("sweeper"), "{report}");
    world.stop().await;
}
