//! The dead-letter queues of an environment, and what is on them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use tokio::task::JoinSet;

use super::letter::Letter;
use super::queue::DeadLetterQueue;
use crate::failure::Failure;
use crate::queue_messages;

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

async fn read(client: Client, queue: Arc<DeadLetterQueue>) -> anyhow::Result<Vec<Letter>> {
    let messages = queue_messages::read(&client, &queue.url).await?;
    Ok(messages.into_iter().map(|message| Letter::new(Arc::clone(&queue), message)).collect())
}
