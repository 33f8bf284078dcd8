//! Services that are killed at any moment of a burst, in the middle of whatever they do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_xray::primitives::DateTime;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

use super::enrolment;
use crate::documents::{Documents, WAY};
use crate::faults::depth;
use crate::world::{World, say, until};

/// Requests in flight at a time.
const CONCURRENCY: usize = 20;
/// How often each service is killed.
const KILLS: usize = 3;

/// Each service is killed several times in the middle of one burst. `FOOSTORE_TEST_KILLED_EVENTS` sets the size of a burst, and
/// `FOOSTORE_TEST_KILLED_SEED` repeats the moments of another run.
#[tokio::test(flavor = "multi_thread")]
async fn every_trace_of_a_burst_is_connected_when_services_are_killed_at_any_moment() {
    let environment = service_runtime::Environment::from_process();
    let burst: usize = environment.get("FOOSTORE_TEST_KILLED_EVENTS").map_or(40, |n| n.parse().unwrap());
    let seed: u64 =
        environment.get("FOOSTORE_TEST_KILLED_SEED").map_or_else(rand::random, |n| n.parse().unwrap());
    say(&format!("seed {seed}"));
    let mut random = StdRng::seed_from_u64(seed);
    let world = World::start().await;
    let began = Timestamp::now();
    let mut sent = 0;
    for (round, (service, _)) in WAY.into_iter().enumerate() {
        let events: Vec<_> = (0..burst).map(|number| enrolment(1_000_000 * (round + 1) + number)).collect();
        sent += burst;
        let mut moments: Vec<_> = (0..KILLS).map(|_| random.random_range(1..burst)).collect();
        moments.sort_unstable();
        let accepted = AtomicUsize::new(0);
        let kill = async {
            for moment in moments {
                let what = format!("event {moment} to be accepted before {service} is killed");
                until(&what, || async { (accepted.load(Ordering::Relaxed) >= moment).then_some(()) }).await;
                world.kill(service).await;
            }
        };
        tokio::join!(send_all(&world, &events, &accepted), kill);
        until("all mails", || async { (world.mails().await.len() >= sent).then_some(()) }).await;
    }
    // A message that a killed consumer had handled is delivered again.
    until("empty queues", || async { (depth(&world, false).await == 0).then_some(()) }).await;

    let traces = traces_since(&world, began).await;
    assert!(traces.len() >= sent, "{} traces of {sent} events", traces.len());
    let mut broken = Vec::new();
    for trace_id in &traces {
        let whole = tokio::time::timeout(Duration::from_secs(2), async {
            loop {
                let documents = Documents::get(&world, trace_id).await.unwrap();
                if documents.is_one_tree(None) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if whole.await.is_err() {
            let documents = Documents::get(&world, trace_id).await.unwrap();
            say(&format!("{trace_id}: {}", documents.missing(None)));
            broken.push(trace_id);
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {} traces are broken (seed {seed}): {broken:?}",
        broken.len(),
        traces.len()
    );
    world.stop().await;
}

/// Sends events, each until it is accepted, as a sender does whose connection breaks.
async fn send_all(world: &World, events: &[Value], accepted: &AtomicUsize) {
    futures_util::stream::iter(events)
        .for_each_concurrent(CONCURRENCY, |event| async move {
            until("ingest to accept", || async { world.try_post(event).await }).await;
            accepted.fetch_add(1, Ordering::Relaxed);
        })
        .await;
}

/// Returns the ids of all traces since `began`.
async fn traces_since(world: &World, began: Timestamp) -> Vec<String> {
    let from = DateTime::from_secs(began.as_second() - 1);
    let to = DateTime::from_secs(Timestamp::now().as_second() + 1);
    let client = world.xray();
    let mut pages =
        client.get_trace_summaries().start_time(from).end_time(to).into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(summary) = pages.next().await {
        ids.push(summary.unwrap().id.unwrap());
    }
    ids
}
