//! Services that are killed at any moment of a burst, in the middle of whatever they do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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

/// Each service is killed several times in the middle of a burst. `FOOSTORE_TEST_KILLED_EVENTS` sets the size of a burst, and
/// `FOOSTORE_TEST_KILLED_SEED` repeats the moments of another run.
#[tokio::test(flavor = "multi_thread")]
async fn every_trace_of_a_burst_is_connected_when_services_are_killed_at_any_moment() {
    let world = World::start().await;
    let (mut random, size) = from_environment();
    let began = Timestamp::now();
    for (round, (service, _)) in WAY.into_iter().enumerate() {
        burst(&world, round, size, &mut random, &[service; KILLS]).await;
    }
    all_connected(&world, began, WAY.len() * size).await;
    world.stop().await;
}

/// Returns the source of the moments, and the size of a burst.
pub(crate) fn from_environment() -> (StdRng, usize) {
    let environment = service_runtime::Environment::from_process();
    let number = |name| environment.get(name).map(|number| number.parse::<u64>().unwrap());
    let seed = number("FOOSTORE_TEST_KILLED_SEED").unwrap_or_else(rand::random);
    say(&format!("seed {seed}"));
    let size = number("FOOSTORE_TEST_KILLED_EVENTS").unwrap_or(40);
    (StdRng::seed_from_u64(seed), usize::try_from(size).unwrap())
}

/// Sends the events of one round and kills each of `services` meanwhile. Waits for the mails of all rounds so far.
pub(crate) async fn burst(world: &World, round: usize, size: usize, random: &mut StdRng, services: &[&str]) {
    let events: Vec<_> = (0..size).map(|number| enrolment(1_000_000 * (round + 1) + number)).collect();
    let mut moments: Vec<_> = services.iter().map(|_| random.random_range(1..size)).collect();
    moments.sort_unstable();
    let accepted = AtomicUsize::new(0);
    let kills = async {
        for (moment, service) in moments.into_iter().zip(services) {
            let what = format!("event {moment} to be accepted before {service} is killed");
            until(&what, || async { (accepted.load(Ordering::Relaxed) >= moment).then_some(()) }).await;
            world.kill(service).await;
        }
    };
    tokio::join!(send_all(world, &events, &accepted), kills);
    let sent = (round + 1) * size;
    until("all mails", || async { (world.mails().await.len() >= sent).then_some(()) }).await;
}

/// Asserts that each trace since `began` becomes one tree, and that there are as many as events.
pub(crate) async fn all_connected(world: &World, began: Timestamp, events: usize) {
    // A message that a killed consumer had handled is delivered again.
    until("empty queues", || async { (depth(world, false).await == 0).then_some(()) }).await;
    let traces = traces_since(world, began).await;
    assert!(traces.len() >= events, "{} traces of {events} events", traces.len());
    let give_up = Instant::now() + Duration::from_secs(20);
    let mut broken = Vec::new();
    for trace_id in &traces {
        loop {
            let documents = Documents::get(world, trace_id).await.unwrap();
            if documents.is_one_tree(None) {
                break;
            }
            if Instant::now() > give_up {
                broken.push(format!("{trace_id}: {}", documents.missing(None)));
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(broken.is_empty(), "{} of {} traces are broken: {broken:#?}", broken.len(), traces.len());
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
