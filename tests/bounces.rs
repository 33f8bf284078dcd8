//! Mails that come back: whose address is no longer used, and who hears of it.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::documents::Documents;
use crate::faults::table;
use crate::mails::{enrolled, erased, event, everything, logged, quiet, renamed};
use crate::world::{World, sdk_config, until};

const BOUNCES: &str = "500000000001";
const COMPLAINS: &str = "500000000002";
const AWAY: &str = "500000000003";

/// Makes a queue that gets what the CRM would: every announcement of these types. Returns its URL.
pub(crate) async fn crm(world: &World, event_types: &[&str]) -> String {
    let created = world.sqs().create_queue().queue_name("crm").send().await.unwrap();
    let url = created.queue_url.unwrap();
    let asked =
        world.sqs().get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let arn = asked.send().await.unwrap().attributes.unwrap()[&QueueAttributeName::QueueArn].clone();
    let events = aws_sdk_eventbridge::Client::new(&sdk_config(&world.endpoint));
    let pattern = json!({"detail-type": event_types}).to_string();
    let rule = events.put_rule().name("crm").event_bus_name("foostore-local").event_pattern(pattern);
    rule.send().await.unwrap();
    let target = Target::builder().id("crm").arn(arn).build().unwrap();
    let target = events.put_targets().rule("crm").event_bus_name("foostore-local").targets(target);
    assert_eq!(target.send().await.unwrap().failed_entry_count, 0);
    url
}

/// Waits for an announcement.
pub(crate) async fn announcement(world: &World, crm: &str) -> Value {
    until("an announcement to the CRM", || async {
        let received =
            world.sqs().receive_message().queue_url(crm).wait_time_seconds(1).send().await.unwrap();
        let message = received.messages.unwrap_or_default().pop()?;
        let handle = message.receipt_handle().unwrap();
        world.sqs().delete_message().queue_url(crm).receipt_handle(handle).send().await.unwrap();
        Some(serde_json::from_str(message.body().unwrap()).unwrap())
    })
    .await
}

/// Returns the mails to each address.
async fn by_address(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut mails = BTreeMap::<_, Vec<_>>::new();
    for mail in world.mails().await {
        let address = mail["to"][0].as_str().unwrap().to_owned();
        mails.entry(address).or_default().push(mail["subject"].as_str().unwrap().to_owned());
    }
    mails
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_from_which_mail_comes_back_gets_no_more_and_the_crm_hears_of_it() {
    let world = World::start().await;
    let crm = crm(&world, &["AddressUndeliverable"]).await;
    let address = |mailbox: &str| format!("{mailbox}+e2e@simulator.amazonses.com");
    let (bounce, complaint, away) = (address("bounce"), address("complaint"), address("ooto"));
    let trace = world.send(&enrolled(BOUNCES, "Ada", &bounce), &[]).await;
    world.send(&enrolled(COMPLAINS, "Ada", &complaint), &[]).await;
    world.send(&enrolled(AWAY, "Ada", &away), &[]).await;

    until("a mail to each", || async { (world.mails().await.len() == 3).then_some(()) }).await;

    let mut announced = BTreeMap::new();
    for _ in 0..2 {
        let event = announcement(&world, &crm).await;
        assert_eq!(event["source"], "foostore.loyalty");
        assert!(!event.to_string().contains('@'), "{event}");
        // The outbox's data arrives as a string.
        let data: Value = serde_json::from_str(event["detail"]["data"].as_str().unwrap()).unwrap();
        assert!(data["mailed_at"].as_str().unwrap().starts_with("20"), "{data}");
        announced.insert(data["customer_number"].as_str().unwrap().to_owned(), data["reason"].clone());
    }
    let expected = [(BOUNCES.to_owned(), json!("bounce")), (COMPLAINS.to_owned(), json!("complaint"))];
    assert_eq!(announced, BTreeMap::from(expected));

    // What came back is in the trace of what was mailed.
    until("the bounce in the trace of the mail", || async {
        let documents = Documents::get(&world, &trace).await?;
        let of_bounce = |segment: &&Value| segment["annotations"]["event_type"] == "MailReturned";
        documents.segments().find(of_bounce).map(drop)
    })
    .await;
    Documents::connected(&world, &trace, None).await;

    for customer in [BOUNCES, COMPLAINS, AWAY] {
        world.send(&renamed(customer, "Augusta"), &[]).await;
    }
    logged(&world, "email", "NotificationRequested", "suppressed", 2).await;
    until("a mail to who was away", || async {
        (by_address(&world).await.get(&away)?.len() == 2).then_some(())
    })
    .await;
    quiet(&world).await;
    let mails = by_address(&world).await;
    assert_eq!((mails[&bounce].len(), mails[&complaint].len()), (1, 1), "{mails:?}");

    // Another address gets mail, and the former one no notice of it.
    let elsewhere = json!({"email": "ada@mail.example"});
    world.send(&event("ContactPreferencesChanged", BOUNCES, &elsewhere), &[]).await;
    until("a mail to the new address", || async {
        by_address(&world).await.contains_key("ada@mail.example").then_some(())
    })
    .await;
    quiet(&world).await;
    assert_eq!(by_address(&world).await[&bounce].len(), 1);

    // An erasure leaves neither the address nor its digest, and the farewell does not go where it is not wanted.
    let mark = format!("{:?}", table(&world, "email-deliveries").await);
    assert!(mark.contains("undeliverable"), "{mark}");
    for customer in [BOUNCES, COMPLAINS, AWAY] {
        world.send(&erased(customer), &[]).await;
    }
    logged(&world, "email", "NotificationRequested", "suppressed", 4).await;
    until("every farewell that may be sent", || async { (world.mails().await.len() == 7).then_some(()) })
        .await;
    quiet(&world).await;
    assert_eq!(by_address(&world).await[&complaint].len(), 1);
    let left = everything(&world).await;
    for word in ["undeliverable", "simulator", "ada@mail.example"] {
        assert!(!left.contains(word), "{word} is left in {left}");
    }
    let received = world.sqs().receive_message().queue_url(&crm).send().await.unwrap();
    assert!(received.messages.unwrap_or_default().is_empty(), "an address was announced twice");
    world.stop().await;
}
