//! Many events at once, and what one costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use contracts::{CustomerNumber, MemberErased};
use envelope::{Envelope, Event as _};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use service_runtime::Environment;
use sqs_consumer::{Done, Failure};
use tokio::task::JoinSet;

use super::cloud::{Cloud, at, customer, earned, erased, redeemed};
use super::{NOW, ada};

/// How many events are in flight at once, as in a few tasks of the service.
const IN_FLIGHT: usize = 40;

/// Events that got in each other's way take turns: each is decided about twice at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_events_of_one_customer_at_once_are_all_applied_at_the_first_delivery() {
    let cloud = Arc::new(Cloud::start(NOW).await);
    cloud.forget_calls().await;
    let mut handled = JoinSet::new();
    for _ in 0..50 {
        let cloud = Arc::clone(&cloud);
        handled.spawn(async move { cloud.handle(&earned(&ada(), 30, at(NOW))).await });
    }
    let ends = handled.join_all().await;
    let failed: Vec<_> = ends.iter().filter(|end| !matches!(end, Ok(Done::APPLIED))).collect();
    assert!(failed.is_empty(), "{} of 50: {failed:?}", failed.len());
    assert_eq!(cloud.points(ada().as_str()).await, (1_500, 1_500, "silver".into()));
    let announced = cloud.announced().await;
    let ascended = announced.iter().filter(|(name, _)| name == "TierAscended").count();
    assert_eq!((announced.len(), ascended), (51, 1));
    let reads = cloud.calls().await.into_iter().filter(|(call, _)| call.starts_with("GetItem"));
    let reads: u64 = reads.map(|(_, count)| count).sum();
    // One for what is asserted above.
    assert!((50..=101).contains(&reads), "{reads} reads");
    Arc::into_inner(cloud).unwrap().test.shutdown().await;
}

/// Counts the requests of an event after `entries` others of its customer, by operation and resource.
async fn requests_after(entries: usize) -> BTreeMap<String, u64> {
    let cloud = Cloud::start(NOW).await;
    cloud.handle(&earned(&ada(), 5, at(NOW))).await.unwrap();
    more_entries(&cloud, entries).await;
    cloud.forget_calls().await;
    cloud.handle(&earned(&ada(), 5, at(NOW))).await.unwrap();
    cloud.handle(&redeemed(&ada(), 5, at(NOW))).await.unwrap();
    let requests = cloud.calls().await;
    cloud.test.shutdown().await;
    requests
}

/// Writes further entries of the customer's ledger, without events.
async fn more_entries(cloud: &Cloud, entries: usize) {
    let table = cloud.test.variable(crate::NAME, "REWARDS_TABLE_NAME");
    let template = cloud.items("LEDGER#").await.pop().unwrap();
    let puts: Vec<_> = (0..entries)
        .map(|number| {
            let mut item = template.clone();
            item.insert("pk".to_owned(), AttributeValue::S(format!("LEDGER#{number}")));
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        })
        .collect();
    for puts in puts.chunks(25) {
        let write = cloud.test.dynamodb().batch_write_item().request_items(&table, puts.to_vec());
        write.send().await.unwrap();
    }
}

/// 5,000 entries, or as many as `FOOSTORE_TEST_LEDGER_ENTRIES` says.
#[tokio::test]
async fn an_event_costs_the_same_however_many_entries_the_customer_has() {
    let many = Environment::from_process().parse("FOOSTORE_TEST_LEDGER_ENTRIES", 5_000).unwrap();
    let few = requests_after(9).await;
    assert!(few.values().sum::<u64>() > 0, "{few:?}");
    assert_eq!(few.keys().filter(|key| key.contains("GetItem")).count(), 1, "{few:?}");
    assert!(!few.keys().any(|key| key.contains("Query") || key.contains("Scan")), "{few:?}");
    assert_eq!(few, requests_after(many).await);
}

const CUSTOMERS: u64 = 50;
const DELIVERIES: usize = 2_000;

/// A customer's sums, by the events in their order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    balance: i64,
    tier_points: u64,
}

/// Returns a valid history of a customer, one event an hour, and what it ends in.
fn history(random: &mut StdRng, customer: &CustomerNumber, now: Timestamp) -> (Vec<Envelope>, Sums) {
    const EVENTS: i64 = 20;
    let mut sums = Sums::default();
    let mut events = Vec::new();
    for hour in 0..EVENTS {
        let occurred_at = now - SignedDuration::from_hours(EVENTS - hour);
        match random.random_range(0..10) {
            0..=2 if sums.balance > 0 => {
                let points = random.random_range(1..=sums.balance);
                sums.balance -= points;
                events.push(redeemed(customer, u32::try_from(points).unwrap(), occurred_at));
            }
            3 if random.random_bool(0.3) => {
                sums = Sums::default();
                events.push(erased(customer, occurred_at));
            }
            _ => {
                let points = random.random_range(1..500);
                sums.balance += i64::from(points);
                sums.tier_points += u64::from(points);
                events.push(earned(customer, points, occurred_at));
            }
        }
    }
    (events, sums)
}

/// The seed of a failed run is printed; `FOOSTORE_TEST_SEED` sets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_in_any_order_with_duplicates_and_at_once_end_in_the_right_points() {
    let seed = Environment::from_process().parse("FOOSTORE_TEST_SEED", rand::random::<u64>()).unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    let now = at(NOW);
    let cloud = Arc::new(Cloud::start(NOW).await);
    let (mut deliveries, mut expected) = (Vec::new(), BTreeMap::new());
    for number in 1..=CUSTOMERS {
        let customer = customer(number);
        let (events, sums) = history(&mut random, &customer, now);
        deliveries.extend(events);
        expected.insert(customer.to_string(), sums);
    }
    let once = deliveries.len();
    let entries = deliveries.iter().filter(|event| event.event_type != MemberErased::TYPE).count();
    while deliveries.len() < DELIVERIES {
        deliveries.push(deliveries[random.random_range(0..once)].clone());
    }
    deliveries.shuffle(&mut random);

    let mut rounds = 0;
    let mut left = deliveries;
    while !left.is_empty() {
        rounds += 1;
        assert!(rounds < 100, "seed {seed}: {} events wait for ever", left.len());
        left = deliver(&cloud, left, now, seed).await;
        // Erasures that came late change what is left of the balance.
        cloud.set_clock(now + SignedDuration::from_secs(rounds));
        cloud.sweep().await;
    }
    for (customer, sums) in &expected {
        let (balance, tier_points, _) = cloud.points(customer).await;
        assert_eq!((balance, tier_points), (sums.balance, sums.tier_points), "seed {seed}: {customer}");
    }
    assert_eq!(cloud.items("LEDGER#").await.len(), entries, "seed {seed}");
    Arc::into_inner(cloud).unwrap().test.shutdown().await;
}

/// Delivers all, many at once, and returns those that are to be delivered again.
async fn deliver(cloud: &Arc<Cloud>, all: Vec<Envelope>, now: Timestamp, seed: u64) -> Vec<Envelope> {
    let mut left = Vec::new();
    let mut handled = JoinSet::new();
    let mut all = all.into_iter();
    loop {
        while handled.len() < IN_FLIGHT
            && let Some(event) = all.next()
        {
            let cloud = Arc::clone(cloud);
            handled.spawn(async move { (cloud.handle_received(&event, now).await, event) });
        }
        let Some(end) = handled.join_next().await else { return left };
        match end.unwrap() {
            (Ok(_), _) => {}
            (Err(Failure::Transient { reason: "points-under-way" | "contended", .. }), event) => {
                left.push(event);
            }
            (Err(failure), _) => panic!("seed {seed}: {failure:?}"),
        }
    }
}
