//! What the SDK alone costs: the fewest calls with which messages can be received and deleted, or events published. It is a
//! separate program, so that it has the default allocator.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use aws_clients::AwsSettings;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use aws_types::SdkConfig;
use benchmarks::{Calls, Progress, report};
use clap::Parser;
use service_runtime::Environment;
use tokio::task::JoinSet;

/// The most events of a PutEvents call.
const BATCH: usize = 10;

#[derive(Debug, Parser)]
enum Work {
    /// Receives messages of a queue and deletes them
    Receive,
    /// Puts events on a bus
    Publish,
}

#[tokio::main]
async fn main() -> ExitCode {
    let environment = Environment::from_process();
    let lookup = |name: &str| environment.get(name).map(str::to_owned);
    let config = aws_clients::sdk_config(&AwsSettings::read(lookup)).await;
    let done = match Work::parse() {
        Work::Receive => receive(&environment, &config).await,
        Work::Publish => publish(&environment, &config).await,
    };
    let Err(error) = done;
    report(&format!("{error:#}"));
    ExitCode::FAILURE
}

async fn receive(environment: &Environment, config: &SdkConfig) -> anyhow::Result<std::convert::Infallible> {
    let client = Client::new(config);
    let queue = environment.required("QUEUE_URL")?;
    let progress = Progress::read(environment);
    let mut loops = JoinSet::new();
    for _ in 0..environment.parse("CONSUMER_MAX_POLLERS", 4_usize)? {
        loops.spawn(receive_and_delete(client.clone(), queue.to_owned(), progress.clone()));
    }
    loops.join_next().await.context("no loops")??
}

async fn receive_and_delete(
    client: Client,
    queue: String,
    progress: Progress,
) -> anyhow::Result<std::convert::Infallible> {
    loop {
        let receive = client.receive_message().queue_url(&queue).max_number_of_messages(10);
        let messages = receive.wait_time_seconds(3).send().await?.messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let mut delete = client.delete_message_batch().queue_url(&queue);
        progress.add(messages.len());
        for (index, message) in messages.into_iter().enumerate() {
            let handle = message.receipt_handle.context("a message without a receipt handle")?;
            let entry =
                DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle);
            delete = delete.entries(entry.build()?);
        }
        delete.send().await?;
    }
}

/// Puts the same event again and again, whose text is ready.
async fn publish(environment: &Environment, config: &SdkConfig) -> anyhow::Result<std::convert::Infallible> {
    let client = aws_sdk_eventbridge::Client::new(config);
    let event = benchmarks::published(&benchmarks::renamed()?)?;
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(environment.required("EVENT_BUS_NAME")?)
        .detail(event.detail())
        .source(event.source)
        .detail_type(event.event_type)
        .build();
    let entries: Arc<[_]> = vec![entry; BATCH].into();
    let calls = Calls::read(environment)?;
    let made = calls.make(BATCH, move || put(client.clone(), Arc::clone(&entries))).await?;
    made.report()?;
    std::future::pending().await
}

async fn put(
    client: aws_sdk_eventbridge::Client,
    entries: Arc<[PutEventsRequestEntry]>,
) -> anyhow::Result<()> {
    let answer = client.put_events().set_entries(Some(entries.to_vec())).send().await?;
    anyhow::ensure!(answer.failed_entry_count == 0, "an event was refused");
    Ok(())
}
