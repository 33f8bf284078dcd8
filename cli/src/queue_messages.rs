//! The messages of a queue, read without taking them from it.

use std::collections::HashMap;

use aws_clients::{AwsError, service};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName};

/// Seconds for which a message is invisible to others while the rest of its queue is read. If the command is killed
/// meanwhile, it is visible again after that.
const HELD_S: i32 = 120;
/// Seconds to wait for messages. Above 0, because a short poll may miss messages that exist
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>).
const WAIT_S: i32 = 1;
/// The most messages of one queue. AWS lets 120,000 be invisible at a time
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>).
pub(crate) const MOST: usize = 10_000;
/// The most entries of a batch.
const BATCH: usize = 10;

/// Reads a queue until nothing is left to read, or [`MOST`] messages, and makes its messages visible again.
///
/// # Errors
/// When SQS cannot be reached or refuses a call.
pub(crate) async fn read(client: &Client, queue_url: &str) -> Result<Vec<Message>, AwsError> {
    // By id, since a message may be received twice; the last receipt handle is the valid one.
    let mut messages: HashMap<String, Message> = HashMap::new();
    let read = loop {
        let received = client
            .receive_message()
            .queue_url(queue_url)
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
    let released = release(client, queue_url, messages.values()).await;
    read.and(released)?;
    Ok(messages.into_values().collect())
}

async fn release(
    client: &Client,
    queue_url: &str,
    messages: impl Iterator<Item = &Message>,
) -> Result<(), AwsError> {
    const OPERATION: &str = "ChangeMessageVisibilityBatch";
    let handles: Vec<_> = messages.filter_map(|message| message.receipt_handle()).collect();
    for batch in handles.chunks(BATCH) {
        let mut call = client.change_message_visibility_batch().queue_url(queue_url);
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
