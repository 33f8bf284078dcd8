//! Points, from a purchase to a tier, and redemptions that are not covered.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::bounces::{announcement, crm};
use crate::documents::Documents;
use crate::faults::{depth, table};
use crate::mails::{enrolled, event, quiet};
use crate::poison::received;
use crate::world::{World, until};

const ADA: &str = "510000000001";

fn earned(customer: &str, points: u32) -> Value {
    event("PointsEarned", customer, &json!({"points": points}))
}

fn redeemed(customer: &str, points: u32) -> Value {
    event("PointsRedeemed", customer, &json!({"points": points}))
}

/// Returns the data of an event that came through a Pipe.
fn data(detail: &Value) -> Value {
    serde_json::from_str(detail["data"].as_str().unwrap()).unwrap()
}

/// Receives `count` announcements. Returns the details of each, by type.
async fn announcements(world: &World, crm: &str, count: usize) -> BTreeMap<String, Value> {
    let mut announced = BTreeMap::new();
    while announced.len() < count {
        let event = announcement(world, crm).await;
        announced.insert(event["detail-type"].as_str().unwrap().to_owned(), event["detail"].clone());
    }
    announced
}

#[tokio::test(flavor = "multi_thread")]
async fn points_earned_change_balance_and_tier_in_one_trace() {
    let world = World::start().await;
    let crm = crm(&world, &["PointsBalanceChanged", "TierAscended"]).await;
    // notifier waits for the enrolment of a customer who has reached a tier.
    world.send(&enrolled(ADA, "Ada", "ada@mail.example"), &[]).await;
    let event_id = Uuid::new_v4();
    let mut event = earned(ADA, 1_200);
    event["event_id"] = json!(event_id);
    let trace_id = world.send(&event, &[]).await;

    let announced = announcements(&world, &crm, 2).await;
    let changed = data(&announced["PointsBalanceChanged"]);
    assert_eq!(
        (&changed["balance"], &changed["tier_points"], &changed["revision"]),
        (&json!(1_200), &json!(1_200), &json!(1))
    );
    let ascended = data(&announced["TierAscended"]);
    assert_eq!((&ascended["tier"], &ascended["previous_tier"]), (&json!("silver"), &json!("bronze")));
    assert_eq!(ascended["customer_number"], ADA);

    let documents = until("the segment of rewards", || async {
        let documents = Documents::get(&world, &trace_id).await?;
        (documents.has_segment("rewards") && documents.is_one_tree(None)).then_some(documents)
    })
    .await;
    documents.assert_one_tree(None);
    let segment = documents.segments().find(|segment| segment["name"] == "rewards").unwrap();
    assert_eq!(segment["annotations"]["outcome"], "applied", "{segment:#}");
    // What follows from the announcements is a child of that segment.
    for detail in announced.values() {
        let metadata = &detail["metadata"];
        assert_eq!(metadata["causation_id"], json!(event_id));
        assert_eq!(metadata["correlation_id"], json!(event_id));
        let expected = format!("Root={trace_id};Parent={};Sampled=1", segment["id"].as_str().unwrap());
        assert_eq!(metadata["trace"], expected, "{detail:#}");
    }
    quiet(&world).await;
    world.stop().await;
}

/// Returns the reason of each dead letter, with its message.
async fn dead_letters(world: &World, count: usize) -> Vec<(String, String)> {
    let mut letters = Vec::new();
    while letters.len() < count {
        for message in received(world, "rewards-dead-letter").await {
            let attribute = message.message_attributes().unwrap()["dead_letter"].string_value().unwrap();
            let attribute: Value = serde_json::from_str(attribute).unwrap();
            letters
                .push((attribute["reason"].as_str().unwrap().to_owned(), message.body().unwrap().to_owned()));
            let url = world.queue_url("rewards-dead-letter").await;
            let handle = message.receipt_handle().unwrap();
            world.sqs().delete_message().queue_url(url).receipt_handle(handle).send().await.unwrap();
        }
    }
    letters
}

fn logged(world: &World, text: &str) -> usize {
    let texts = world.log_files().into_iter().map(|file| std::fs::read_to_string(file).unwrap());
    texts.map(|log| log.matches(text).count()).sum()
}

/// More redemptions than it takes to open the circuit wait, and hinder nobody.
#[tokio::test(flavor = "multi_thread")]
async fn redemptions_beyond_the_balance_wait_and_are_refused_for_good() {
    const WAITING: u32 = 30;
    let settings = [("REDEMPTION_GRACE_S", "8"), ("CONSUMER_BACKOFF_CAP_S", "2")];
    let world = World::start_with(&[], &settings).await;
    let refusals = crm(&world, &["RedemptionRefused"]).await;
    for number in 0..WAITING {
        world.send(&redeemed(&format!("5200{number:08}"), 80), &[]).await;
    }
    until("every redemption to wait", || async {
        (logged(&world, "\"points-under-way\"") >= usize::try_from(WAITING).unwrap()).then_some(())
    })
    .await;
    // The points of one of them are under way.
    let lucky = "520000000000";
    world.send(&earned(lucky, 100), &[]).await;

    let mut refused = Vec::new();
    for _ in 1..WAITING {
        refused.push(data(&announcement(&world, &refusals).await["detail"]));
    }
    refused.sort_by_key(|refusal| refusal["customer_number"].to_string());
    refused.dedup();
    assert_eq!(refused.len(), usize::try_from(WAITING).unwrap() - 1, "each once");
    assert!(refused.iter().all(|refusal| refusal["customer_number"] != lucky), "{refused:?}");
    assert_eq!(logged(&world, "circuit opened"), 0);

    let letters = dead_letters(&world, refused.len()).await;
    assert!(letters.iter().all(|(reason, _)| reason == "balance-insufficient"), "{letters:?}");

    // The points come after all, and somebody redrives the dead letter.
    let (_, body) = letters.iter().find(|(_, body)| body.contains("520000000001")).unwrap();
    world.send(&earned("520000000001", 500), &[]).await;
    let balance = |customer: &'static str, expected: &'static str| {
        let world = &world;
        until("the balance", move || async move {
            let items = table(world, "rewards").await;
            let key = format!("REWARDS#{customer}");
            let account = items.into_iter().find(|item| *item["pk"].as_s().unwrap() == key)?;
            (account["balance"].as_n().unwrap() == expected).then_some(())
        })
    };
    balance("520000000001", "500").await;
    let queue = world.queue_url("rewards").await;
    world.sqs().send_message().queue_url(queue).message_body(body).send().await.unwrap();
    let letters = dead_letters(&world, 1).await;
    assert_eq!(letters[0].0, "refused-before");
    balance("520000000001", "500").await;
    balance(lucky, "20").await;
    until("empty queues", || async { (depth(&world, false).await == 0).then_some(()) }).await;
    world.stop().await;
}
