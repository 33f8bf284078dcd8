//! Many events through the layer: the memory of the local cloud stays bounded.
//!
//! Run by hand or by `.ci/run soak`, not with the other tests: many events take minutes.

use std::fmt::Write as _;

use serde_json::{Value, json};
use service_runtime::Environment;

use crate::cloud::Cloud;
use crate::faults::depth;
use crate::reserved::Reserved;
use crate::world::{World, say, until};

/// Events unless `FOOSTORE_TEST_SOAK_EVENTS` is set.
const EVENTS: usize = 20_000;
/// Customers, among whom the events are distributed.
const CUSTOMERS: usize = 200;
/// Events in one request.
const BATCH: usize = 100;
/// How often memory is measured.
const MEASUREMENTS: usize = 10;
/// The limit of the cloud's container in docker compose, in KiB.
const CONTAINER_KIB: usize = 384 * 1024;
/// What an event may leave in memory, in bytes: its tokens, for ten minutes. Tables are on disk.
const BYTES_PER_EVENT: usize = 1_024;

fn event(number: usize) -> Value {
    let customer = format!("49{:010}", number % CUSTOMERS);
    let name = json!({"given": format!("Ada{number}x"), "family": "Lovelace"});
    if number < CUSTOMERS {
        let data = json!({"name": name, "email": "ada@mail.example", "channels": ["email"]});
        json!({"type": "CustomerEnrolled", "customer_number": customer, "data": data})
    } else {
        json!({"type": "CustomerRenamed", "customer_number": customer, "data": {"name": name}})
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; .ci/run soak runs it"]
async fn the_clouds_memory_stays_bounded() {
    let asked = Environment::from_process().get("FOOSTORE_TEST_SOAK_EVENTS").map(str::to_owned);
    let events = asked.map_or(EVENTS, |number| number.parse().expect("a number of events"));
    // So little that mails and traces reach their limit at once, and what else grows is seen.
    let data = tempfile::tempdir().unwrap();
    let options = ["--memory-mib", "8", "--data-dir", data.path().to_str().unwrap()];
    let address = Reserved::new();
    let cloud = Cloud::start(&address.to_string(), &options).await;
    let world = World::start_with(&cloud.options(), &[]).await;

    let mut measured = Vec::new();
    let step = (events / MEASUREMENTS).max(BATCH);
    let numbers: Vec<usize> = (0..events).collect();
    for chunk in numbers.chunks(step) {
        for batch in chunk.chunks(BATCH) {
            let batch: Value = batch.iter().map(|number| event(*number)).collect();
            until("ingest to take a batch", || async {
                (world.post(&batch, &[]).await.0 == 202).then_some(())
            })
            .await;
        }
        until("empty queues", || async { (depth(&world, false).await == 0).then_some(()) }).await;
        let sent = chunk[chunk.len() - 1] + 1;
        measured.push((sent, cloud.resident_kib(), cloud.processor_ticks() * 10_000 / sent));
    }
    assert_eq!(depth(&world, true).await, 0, "messages on dead-letter queues");

    let mut table = String::from("events  resident KiB  processor µs an event");
    for (events, kib, micros) in &measured {
        write!(table, "\n{events:6}  {kib:12}  {micros:21}").unwrap();
    }
    say(&table);
    // What the first measurement has includes the start and buffers that are reused.
    let ((warm_events, warm, _), (all, last, _)) = (measured[0], measured[measured.len() - 1]);
    let growth = last.saturating_sub(warm) * 1024 / (all - warm_events).max(1);
    say(&format!("{growth} bytes for each event after the first {warm_events}"));
    assert!(growth <= BYTES_PER_EVENT, "{table}");
    assert!(last <= CONTAINER_KIB, "{table}");
    world.stop().await;
    cloud.kill().await;
}
