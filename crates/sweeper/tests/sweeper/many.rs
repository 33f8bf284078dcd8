//! Very many due items: memory stays flat, and others that use the table hardly notice.
//!
//! The local cloud runs in another process, so that the memory measured is the sweeper's.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use aws_clients::{AwsSettings, DynamoDb};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, Select, TransactWriteItem, Update, WriteRequest};
use aws_types::SdkConfig;
use service_runtime::Environment;
use sweeper::{Due, Sweeper, SweeperSettings};
use topology::{Service, Table, Topology};

use crate::vouchers::{Expiry, Running, SERVICE, TABLE, VoucherExpired, meter, s};

/// How many pages may have no answer in time.
const MOST_LATE: u32 = 100;
/// The most by which memory may grow, whatever is due. The page of each bucket and the connections are in it.
const GROWTH_BYTES: u64 = 32 * 1_024 * 1_024;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_due_items_are_swept_in_flat_memory() {
    sweep(1_000, hurried()).await;
}

/// A million, or as many as `FOOSTORE_TEST_DUE_ITEMS` says. Takes long:
/// `cargo test --release --package sweeper a_million -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long"]
async fn a_million_due_items_are_swept_in_flat_memory() {
    let count = Environment::from_process().parse("FOOSTORE_TEST_DUE_ITEMS", 1_000_000).unwrap();
    sweep(count, hurried()).await;
}

/// Prints how long a handler beside a sweeper takes, which depends on the sweeper's places and their duty.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn others_hardly_notice() {
    for (concurrency, duty_percent) in [(1, 10), (1, 20), (2, 20), (4, 100)] {
        say(&format!("{concurrency} places at {duty_percent} %:"));
        let settings = SweeperSettings { concurrency, duty_percent, ..SweeperSettings::new(SERVICE) };
        sweep(u64::from(duty_percent) * concurrency as u64 * 12, settings).await;
    }
}

fn hurried() -> SweeperSettings {
    SweeperSettings { concurrency: 4, duty_percent: 100, ..SweeperSettings::new(SERVICE) }
}

/// The other process: a local cloud until its standard input ends.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other tests of this file start it"]
async fn cloud() {
    let directory = tempfile::tempdir().unwrap();
    let any_port = "127.0.0.1:0".parse().unwrap();
    let settings = local_cloud::Settings {
        address: any_port,
        otlp_address: any_port,
        data_dir: Some(directory.path().to_owned()),
        ..local_cloud::Settings::default()
    };
    let cloud = local_cloud::start(settings).await.unwrap();
    say(&format!("\nendpoint {}", cloud.endpoint_url()));
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    ended.await.unwrap().unwrap();
    cloud.shutdown().await;
}

#[expect(clippy::print_stdout, reason = "the test runner captures it")]
fn say(line: &str) {
    println!("{line}");
}

struct Cloud(Child);

impl Cloud {
    async fn start() -> (Self, SdkConfig) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "many::cloud", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let endpoint = lines.find_map(|line| line.strip_prefix("endpoint ").map(str::to_owned));
        // The test runner there ends if it cannot write.
        std::thread::spawn(move || lines.for_each(drop));
        let aws = aws_clients::sdk_config(&AwsSettings {
            region: Some("eu-central-1".to_owned()),
            endpoint_url: Some(endpoint.unwrap()),
            credentials: Some(Credentials::new("local", "local", None, None, "test")),
        })
        .await;
        let table = sweeper::swept(Table::new("vouchers").markers().outbox());
        let service = Service::new(SERVICE).publishes_to_bus().emits::<(VoucherExpired,)>().owns(table);
        let topology = Topology::new("shop", "test").service(service).resources().unwrap();
        provisioning::provision(&topology, &aws).await.unwrap();
        (Self(child), aws)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

async fn sweep(count: u64, settings: SweeperSettings) {
    let (cloud, aws) = Cloud::start().await;
    let client = aws_clients::untraced_dynamodb(&aws);
    fill(&client, count).await;
    let undisturbed = latencies(&client, Duration::from_secs(2)).await;

    let before = memory_bytes();
    let started = Instant::now();
    let expiry = Expiry::default();
    let handled = Arc::clone(&expiry.calls);
    let running = Running::start(Sweeper::new(&aws, TABLE, expiry, settings, &meter()));
    let (mut highest, mut beside) = (before, Vec::new());
    while u64::from(handled.load(Ordering::Relaxed)) < count {
        beside.extend(latencies(&client, Duration::from_secs(2)).await);
        highest = highest.max(memory_bytes());
        assert!(started.elapsed() < Duration::from_hours(3), "takes too long");
    }
    // A decision that was not committed is made again.
    while announced(&client).await < count {
        beside.extend(latencies(&client, Duration::from_secs(2)).await);
    }
    let took = started.elapsed();
    running.stop().await;
    let grown = highest.saturating_sub(before);
    say(&format!(
        "{count} items in {took:.1?}; memory {} KiB and {} KiB more at most; a handler beside it took {:?}, and {:?} alone \
         (median and 95th percentile)",
        before / 1_024,
        grown / 1_024,
        percentiles(beside),
        percentiles(undisturbed),
    ));
    assert!(grown < GROWTH_BYTES, "memory grew by {grown} bytes");
    assert_eq!(announced(&client).await, count, "each once");
    drop(cloud);
}

async fn fill(client: &DynamoDb, count: u64) {
    let due = Due::at("2026-01-01T00:00:00Z".parse().unwrap());
    let items: Vec<_> = (0..count).collect();
    for batch in items.chunks(25) {
        let requests = batch.iter().map(|number| {
            let key = format!("VOUCHER#{number}");
            let mut item = due.attributes(&key);
            item.insert("pk".to_owned(), s(&key));
            item.insert("revision".to_owned(), AttributeValue::N("1".to_owned()));
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        });
        let batch = client.batch_write_item().request_items(TABLE, requests.collect());
        assert!(batch.send().await.unwrap().unprocessed_items.unwrap_or_default().is_empty());
    }
}

/// Counts the announcements.
async fn announced(client: &DynamoDb) -> u64 {
    let (mut count, mut start, mut late) = (0, None, 0);
    loop {
        // The local cloud reads a page without a limit from the whole of the table.
        let scan = client.scan().table_name(TABLE).select(Select::Count).limit(5_000);
        let scan = scan
            .filter_expression("begins_with(pk, :prefix) AND attribute_exists(#data)")
            .expression_attribute_names("#data", "data")
            .expression_attribute_values(":prefix", s("EVENT#"))
            .set_exclusive_start_key(start.clone());
        let page = match scan.send().await {
            Ok(page) => page,
            // Without an answer in time, the page is read again.
            Err(_) if late < MOST_LATE => {
                late += 1;
                continue;
            }
            Err(error) => panic!("{error:?}"),
        };
        count += u64::try_from(page.count()).unwrap();
        start = page.last_evaluated_key;
        if start.is_none() {
            return count;
        }
    }
}

/// Does for some time what a handler does, 20 times a second, and returns how long each took.
async fn latencies(client: &DynamoDb, during: Duration) -> Vec<Duration> {
    let end = Instant::now() + during;
    let mut took = Vec::new();
    while Instant::now() < end {
        let started = Instant::now();
        let key = s("OTHER#1");
        let read = client.get_item().table_name(TABLE).key("pk", key.clone()).send().await;
        let update = Update::builder()
            .table_name(TABLE)
            .key("pk", key)
            .update_expression("ADD handled :one")
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
        let update = TransactWriteItem::builder().update(update.build().unwrap()).build();
        let written = client.transact_write_items().transact_items(update).send().await;
        // On a busy machine a call may find no answer in time. It has taken that long.
        drop((read, written));
        took.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    took
}

fn percentiles(mut latencies: Vec<Duration>) -> (Duration, Duration) {
    latencies.sort_unstable();
    (latencies[latencies.len() / 2], latencies[latencies.len() * 95 / 100])
}

/// Returns the resident memory of this process.
fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
