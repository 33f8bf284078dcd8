//! While services are killed, or messages arrive twice and out of order, no event is lost and no effect is doubled.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::documents::Documents;
use crate::world::{World, until};

const CUSTOMERS: usize = 50;
const EVENTS_EACH: usize = 20;
const KILLS: usize = 3;
/// The subject of the mail that confirms an erasure.
pub(crate) const FAREWELL: &str = "Your membership has ended";

/// The final state that a customer's member must have.
#[derive(Debug, Default)]
struct Expected {
    given: String,
    locale: String,
    erased: bool,
}

/// Returns valid histories: an enrolment, then renames and new preferences, and for every tenth customer an erasure at
/// the end. Every name and address contains the word `secret`, so that a search finds leaks.
fn histories(random: &mut StdRng, customers: usize) -> (Vec<Value>, BTreeMap<String, Expected>) {
    let mut events = Vec::new();
    let mut expected = BTreeMap::new();
    let start = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    for customer in 0..customers {
        let number = format!("45{customer:010}");
        let mut end = Expected { locale: "en".to_owned(), ..Expected::default() };
        for step in 0..EVENTS_EACH {
            let given = format!("Secret{customer}x{step}x");
            let name = json!({"given": given, "family": "Secretive"});
            let (kind, data) = match step {
                0 => {
                    end.given = given;
                    let email = format!("secret{customer}@mail.example");
                    ("CustomerEnrolled", json!({"name": name, "email": email, "channels": ["email", "app"]}))
                }
                _ if step == EVENTS_EACH - 1 && customer % 10 == 0 => {
                    end.erased = true;
                    ("CustomerErased", json!({}))
                }
                _ if random.random_bool(0.7) => {
                    end.given = given;
                    ("CustomerRenamed", json!({"name": name}))
                }
                _ => {
                    let locale = ["en", "de", "fr-CH"][step % 3];
                    locale.clone_into(&mut end.locale);
                    ("ContactPreferencesChanged", json!({"locale": locale}))
                }
            };
            let occurred_at = start + jiff::SignedDuration::from_secs(i64::try_from(step).unwrap());
            events.push(json!({
                "type": kind, "customer_number": number, "event_id": Uuid::new_v4(),
                "occurred_at": occurred_at.to_string(), "data": data
            }));
        }
        expected.insert(number, end);
    }
    (events, expected)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_twice_while_services_are_killed() {
    let world = World::start().await;
    let mut random = StdRng::seed_from_u64(7);
    let (events, expected) = histories(&mut random, CUSTOMERS);
    let mut posted: Vec<_> = events.iter().chain(&events).collect();
    posted.shuffle(&mut random);

    let chunks: Vec<_> = posted.chunks(100).collect();
    let kill_after = chunks.len() / (KILLS + 1);
    for (number, chunk) in chunks.iter().enumerate() {
        let (status, answer) = world.post(&json!(chunk), &[]).await;
        assert_eq!(status, 202, "{answer}");
        assert!(answer.as_array().unwrap().iter().all(|item| item["event_id"].is_string()), "{answer}");
        if number % kill_after == kill_after - 1 && number / kill_after < KILLS {
            tokio::join!(world.kill("membership"), world.kill("notifier"));
        }
    }
    settled(&world).await;

    let items = table(&world, "members").await;
    assert_members(&items, &expected);
    assert_one_mail_for_each_announcement(&world, &items, CUSTOMERS).await;
    assert_nothing_personal(&world).await;
    world.stop().await;
}

/// What a standard queue may do at any time: most messages come twice, also after their deletion, and the order is lost.
#[tokio::test(flavor = "multi_thread")]
async fn messages_delivered_twice_and_out_of_order_have_each_effect_once() {
    const FEW: usize = 10;
    let world = World::start().await;
    for (error, probability) in [("duplicate", 0.7), ("reorder", 0.5)] {
        world.fault(&json!({"service": "sqs", "error": error, "probability": probability})).await;
    }
    let mut random = StdRng::seed_from_u64(11);
    let (mut events, expected) = histories(&mut random, FEW);
    events.shuffle(&mut random);
    for chunk in events.chunks(100) {
        let (status, answer) = world.post(&json!(chunk), &[]).await;
        assert_eq!(status, 202, "{answer}");
    }
    settled(&world).await;
    let armed = world.faults().await;
    assert!(armed.iter().all(|fault| fault["injected"].as_u64().unwrap() > 10), "{armed:?}");

    let items = table(&world, "members").await;
    assert_members(&items, &expected);
    assert_one_mail_for_each_announcement(&world, &items, FEW).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_throttles_every_entry_gets_whole_batches() {
    let world = World::start().await;
    let throttle = json!({"entries": {"code": "ThrottlingException"}});
    // A slow machine has one call in flight where another has 16, and each that tries again alone waits longer.
    let fault = json!({
        "service": "events", "operation": "PutEvents", "caller": "ingest", "error": throttle, "times": 5
    });
    world.fault(&fault).await;
    let data = json!({
        "name": {"given": "Grace", "family": "Hopper"}, "email": "grace@mail.example", "channels": ["email"]
    });
    let event = |number: usize| {
        let customer = format!("480000000{number:03}");
        json!({"type": "CustomerEnrolled", "customer_number": customer, "data": data})
    };
    let (status, answer) = world.post(&json!((0..200).map(event).collect::<Vec<_>>()), &[]).await;
    assert_eq!(status, 202, "{answer}");
    let calls = world.faults().await[0]["matched"].as_u64().unwrap();
    assert!((25..60).contains(&calls), "{calls} calls for 200 events, 50 of them twice");
    world.stop().await;
}

/// Waits until every queue is empty, and asserts that the dead-letter queues are empty too.
async fn settled(world: &World) {
    // The messages of a killed consumer become visible again after up to a minute.
    for round in 0..3 {
        until(&format!("empty queues (round {round})"), || async {
            (depth(world, false).await == 0).then_some(())
        })
        .await;
        until("empty outbox stream", || async {
            let items = table(world, "members").await;
            // An erasure removes a customer's announcements from the outbox.
            let announced = items.iter().filter(|item| item.contains_key("event_id")).count();
            let mails = world.mails().await;
            (mails.iter().filter(|mail| !is_to_erased(mail)).count() >= announced).then_some(())
        })
        .await;
    }
    assert_eq!(depth(world, true).await, 0, "messages on dead-letter queues");
}

/// Counts the messages on the services' queues, or on the queues for messages that could not be handled or delivered.
pub(crate) async fn depth(world: &World, dead: bool) -> u64 {
    let urls = world.sqs().list_queues().send().await.unwrap().queue_urls.unwrap_or_default();
    let mut messages = 0;
    for url in urls {
        if (url.ends_with("-dead-letter") || url.ends_with("-undelivered")) != dead {
            continue;
        }
        let attributes = world
            .sqs()
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .unwrap()
            .attributes
            .unwrap_or_default();
        for name in [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ] {
            messages += attributes[&name].parse::<u64>().unwrap();
        }
    }
    messages
}

pub(crate) type Item = std::collections::HashMap<String, AttributeValue>;

pub(crate) async fn table(world: &World, name: &str) -> Vec<Item> {
    let mut pages = world
        .dynamodb()
        .scan()
        .table_name(format!("foostore-local-{name}"))
        .consistent_read(true)
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.unwrap());
    }
    items
}

fn key(item: &Item) -> &str {
    item["pk"].as_s().unwrap()
}

fn assert_members(items: &[Item], expected: &BTreeMap<String, Expected>) {
    let members: BTreeMap<_, _> = items
        .iter()
        .filter_map(|item| Some((key(item).strip_prefix("MEMBER#")?.to_owned(), format!("{item:?}"))))
        .collect();
    assert_eq!(members.len(), expected.len());
    for (number, end) in expected {
        let member = &members[number];
        if end.erased {
            assert!(!member.contains("Secret") && !member.contains("secret"), "erased, but {member}");
        } else {
            assert!(member.contains(&end.given), "{number} should be {end:?}, but is {member}");
            assert_eq!(member.matches("Secret").count(), 2, "one given and one family name: {member}");
            assert!(
                end.locale == "en" || member.contains(&format!("\"{}", end.locale)),
                "{end:?}, but {member}"
            );
        }
    }
}

async fn assert_one_mail_for_each_announcement(world: &World, items: &[Item], customers: usize) {
    let announced: BTreeSet<_> =
        items.iter().filter_map(|item| Some(item.get("event_id")?.as_s().unwrap().clone())).collect();
    assert!(announced.len() > customers, "only {} events left the outbox", announced.len());
    let (to_erased, mails): (Vec<_>, Vec<_>) = world.mails().await.into_iter().partition(is_to_erased);
    assert_eq!(mails.len(), announced.len(), "mails and announcements");
    let delivered = table(world, "email-deliveries").await;
    let delivered: Vec<_> = delivered.iter().filter(|item| key(item).starts_with("NOTIFICATION#")).collect();
    assert!(
        delivered.iter().all(|item| item["state"].as_s().unwrap() == "done"),
        "a delivery without an end"
    );
    assert!(delivered.len() >= mails.len() + to_erased.len(), "mails without a delivery");
    if world.leaves_out(
        "each announcement's own mail, by the mail's tag event_id",
        "ministack keeps no tags of a mail",
    ) {
        return;
    }
    let mut mailed = BTreeMap::<_, usize>::new();
    for mail in mails {
        *mailed.entry(mail["tags"]["event_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let doubled: Vec<_> = mailed.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "mails sent more than once: {doubled:?}");
    let mailed: BTreeSet<_> = mailed.into_keys().collect();
    assert_eq!(mailed, announced, "events that left the outbox and events that were mailed");
    assert_farewells_come_last(&to_erased);
}

/// Whether a mail went to a customer whose history ends with an erasure.
fn is_to_erased(mail: &Value) -> bool {
    // Another emulator writes it differently.
    let address = mail["to"][0].as_str().or_else(|| mail["To"][0].as_str()).unwrap();
    address.starts_with("secret") && address.contains("0@")
}

/// Asserts that nothing follows a farewell. Which mails precede it depends on what overtook what.
fn assert_farewells_come_last(mails: &[Value]) {
    let mut last = BTreeMap::new();
    for mail in mails {
        let customer = mail["tags"]["customer_number"].as_str().unwrap();
        let before = last.insert(customer, mail["subject"].as_str().unwrap());
        assert_ne!(before, Some(FAREWELL), "a mail to {customer} after the farewell");
    }
}

/// Asserts that no log line or span of the run contains a name or an address.
async fn assert_nothing_personal(world: &World) {
    for file in world.log_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let leak = text.lines().find(|line| line.contains("Secret") || line.contains("secret"));
        assert_eq!(leak, None, "in {}", file.display());
        assert!(!text.is_empty(), "{} is empty", file.display());
    }
    let mut pages = world
        .xray()
        .get_trace_summaries()
        .start_time(aws_sdk_xray::primitives::DateTime::from_secs(0))
        .end_time(aws_sdk_xray::primitives::DateTime::from_secs(4_000_000_000))
        .into_paginator()
        .send();
    let mut traces = 0;
    while let Some(page) = pages.next().await {
        for summary in page.unwrap().trace_summaries() {
            let trace = Documents::get(world, summary.id().unwrap()).await.unwrap().as_text();
            assert!(!trace.contains("Secret") && !trace.contains("secret"), "{trace}");
            traces += 1;
        }
    }
    assert!(traces >= CUSTOMERS * EVENTS_EACH, "only {traces} traces were searched");
}
