//! The dead-letter queues of an environment, and what is on them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName};
use tokio::task::JoinSet;

use super::letter::Letter;
use super::queue::DeadLetterQueue;
use crate::failure::Failure;

/// Seconds for which a message is invisible to others while the rest of its queue is read. If the command is killed
/// meanwhile, it is visible again after that.
const HELD_S: i32 = 120;
/// Seconds to wait for messages. Above 0, because a short poll may miss messages that exist
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>).
const WAIT_S: i32 = 1;
/// The most messages of one queue. AWS lets 120,000 be invisible at a time
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>).
const MOST: usize = 10_000;
/// The most entries of a batch.
const BATCH: usize = 10;

/// All queues of an environment.
#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    of_dead_letters: Vec<Arc<DeadLetterQueue>>,
    /// The URL of each queue, by its name without application and environment.
    urls: HashMap<String, String>,
}

impl Queues {
    /// Finds the queues whose names start with `prefix` and a hyphen.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses the call, or there are no such queues.
    pub(super) async fn find(config: &SdkConfig, prefix: &str) -> anyhow::Result<Self> {
        let client = Client::new(config);
        let prefix = format!("{prefix}-");
        let mut pages =
            client.list_queues().queue_name_prefix(&prefix).max_results(1000).into_paginator().send();
        let mut urls = HashMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of(service::SQS, "ListQueues", error))?;
            for url in page.queue_urls.unwrap_or_default() {
                let name = url.rsplit('/').next().unwrap_or_default();
                if let Some(name) = name.strip_prefix(&prefix) {
                    urls.insert(name.to_owned(), url);
                }
            }
        }
        let of_dead_letters: Vec<_> =
            urls.iter().filter_map(|(name, url)| DeadLetterQueue::new(name, url)).map(Arc::new).collect();
        if of_dead_letters.is_empty() {
            return Err(Failure::refused(format!(
                "no dead-letter queue has a name that starts with {prefix}: --environment names the environment"
            ))
            .into());
        }
        Ok(Self { client, of_dead_letters, urls })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the URL of the queue of a service.
    pub(super) fn url_of(&self, service: &str) -> Option<&str> {
        self.urls.get(service).map(String::as_str)
    }

    /// Reads all queues and makes the messages visible again.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses a call.
    pub(super) async fn letters(&self) -> anyhow::Result<Vec<Letter>> {
        let mut reads = JoinSet::new();
        for queue in &self.of_dead_letters {
            reads.spawn(read(self.client.clone(), Arc::clone(queue)));
        }
        let mut letters = Vec::new();
        while let Some(read) = reads.join_next().await {
            letters.extend(read??);
        }
        Ok(letters)
    }

    /// Deletes a message from its dead-letter queue. Its receipt handle is valid although the message is visible again
    /// ([`DeleteMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html)).
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses the call.
    pub(super) async fn delete(&self, letter: &Letter) -> anyhow::Result<()> {
        let call = self.client.delete_message().queue_url(&letter.queue.url);
        let deleted = call.receipt_handle(&letter.receipt_handle).send().await;
        deleted.map(drop).map_err(|error| AwsError::of(service::SQS, "DeleteMessage", error).into())
    }
}

/// Reads a queue until nothing is left to read, and makes its messages visible again.
async fn read(client: Client, queue: Arc<DeadLetterQueue>) -> anyhow::Result<Vec<Letter>> {
    // By id, since a message may be received twice; the last receipt handle is the valid one.
    let mut messages: HashMap<String, Message> = HashMap::new();
    let read = loop {
        let received = client
            .receive_message()
            .queue_url(&queue.url)
            .max_number_of_messages(10)
            .visibility_timeout(HELD_S)
            .wait_time_seconds(WAIT_S)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        match received {
            Ok(output) => {
                let batch = output.messages.unwrap_or_default();
                if batch.is_empty() || messages.len() >= MOST {
                    break Ok(());
                }
                for message in batch {
                    messages.insert(message.message_id.clone().unwrap_or_default(), message);
                }
            }
            Err(error) => break Err(AwsError::of(service::SQS, "ReceiveMessage", error)),
        }
    };
    let released = release(&client, &queue, messages.values()).await;
    read.and(released)?;
    Ok(messages.into_values().map(|message| Letter::new(Arc::clone(&queue), message)).collect())
}

async fn release(
    client: &Client,
    queue: &DeadLetterQueue,
    messages: impl Iterator<Item = &Message>,
) -> Result<(), AwsError> {
    const OPERATION: &str = "ChangeMessageVisibilityBatch";
    let handles: Vec<_> = messages.filter_map(|message| message.receipt_handle()).collect();
    for batch in handles.chunks(BATCH) {
        let mut call = client.change_message_visibility_batch().queue_url(&queue.url);
        for (index, handle) in batch.iter().enumerate() {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(*handle)
                .visibility_timeout(0)
                .build()
                .map_err(|error| AwsError::unbuildable(service::SQS, OPERATION, error))?;
            call = call.entries(entry);
        }
        // An entry that fails belongs to a message that is deleted, or visible again in any case.
        call.send().await.map_err(|error| AwsError::of(service::SQS, OPERATION, error))?;
    }
    Ok(())
}
