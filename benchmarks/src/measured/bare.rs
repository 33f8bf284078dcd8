//! What the SDK costs: the fewest calls with which messages can be received and deleted.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use aws_clients::AwsSettings;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use service_runtime::Environment;
use tokio::task::JoinSet;

use super::Progress;

#[expect(clippy::print_stderr, reason = "how a measured program reports")]
pub(super) fn run(environment: &Environment) -> ExitCode {
    let Err(error) = serve(environment);
    eprintln!("{error:#}");
    ExitCode::FAILURE
}

#[tokio::main]
async fn serve(environment: &Environment) -> anyhow::Result<std::convert::Infallible> {
    let lookup = |name: &str| environment.get(name).map(str::to_owned);
    let config = aws_clients::sdk_config(&AwsSettings::read(lookup)).await;
    let client = Client::new(&config);
    let queue: Arc<str> = environment.required("QUEUE_URL")?.into();
    let progress = Arc::new(Progress::read(environment));
    let mut loops = JoinSet::new();
    for _ in 0..environment.parse("CONSUMER_MAX_POLLERS", 4_usize)? {
        loops.spawn(receive_and_delete(client.clone(), Arc::clone(&queue), Arc::clone(&progress)));
    }
    loops.join_next().await.context("no loops")??
}

async fn receive_and_delete(
    client: Client,
    queue: Arc<str>,
    progress: Arc<Progress>,
) -> anyhow::Result<std::convert::Infallible> {
    loop {
        let received = client
            .receive_message()
            .queue_url(&*queue)
            .max_number_of_messages(10)
            .wait_time_seconds(3)
            .send()
            .await?;
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let mut delete = client.delete_message_batch().queue_url(&*queue);
        progress.add(messages.len());
        for (index, message) in messages.into_iter().enumerate() {
            let handle = message.receipt_handle.context("a message without a receipt handle")?;
            let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle);
            delete = delete.entries(entry.build()?);
        }
        delete.send().await?;
    }
}
