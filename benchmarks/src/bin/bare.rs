//! What the SDK alone costs: the fewest calls with which messages can be received and deleted. It is a separate program, so
//! that it has the default allocator.

use std::process::ExitCode;

use anyhow::Context as _;
use aws_clients::AwsSettings;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use benchmarks::Progress;
use service_runtime::Environment;
use tokio::task::JoinSet;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "how a measured program reports")]
async fn main() -> ExitCode {
    let Err(error) = serve(&Environment::from_process()).await;
    eprintln!("{error:#}");
    ExitCode::FAILURE
}

async fn serve(environment: &Environment) -> anyhow::Result<std::convert::Infallible> {
    let lookup = |name: &str| environment.get(name).map(str::to_owned);
    let client = Client::new(&aws_clients::sdk_config(&AwsSettings::read(lookup)).await);
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
