//! Messages about a customer on the queues of an environment.

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use contracts::CustomerNumber;
use envelope::Envelope;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use topology::Queue;

use super::found::Found;
use crate::queue_messages;
use crate::stdio::remark;

/// Searches every message that is visible. What a consumer holds at the moment is not seen.
///
/// # Errors
/// When SQS cannot be reached or refuses a call.
pub(super) async fn search(
    config: &SdkConfig,
    queues: &[Queue],
    customer: &CustomerNumber,
) -> Result<Vec<Found>, AwsError> {
    let client = Client::new(config);
    let mut searches: FuturesUnordered<_> =
        queues.iter().map(|queue| search_one(&client, queue, customer)).collect();
    let mut found = Vec::new();
    while let Some(one) = searches.next().await {
        found.extend(one?);
    }
    found.sort_by(|one: &Found, other| one.store.cmp(&other.store));
    Ok(found)
}

async fn search_one(
    client: &Client,
    queue: &Queue,
    customer: &CustomerNumber,
) -> Result<Vec<Found>, AwsError> {
    let url = client.get_queue_url().queue_name(&queue.name).send().await;
    let url = url.map_err(|error| AwsError::of(service::SQS, "GetQueueUrl", error))?.queue_url;
    let messages = queue_messages::read(client, &url.unwrap_or_default()).await?;
    if messages.len() >= queue_messages::MOST {
        remark(&format!("only {} messages of {} were read; there are more", messages.len(), queue.name));
    }
    let found = messages.iter().filter_map(|message| {
        let body = message.body.as_deref().unwrap_or_default();
        let content = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        let what = || match Envelope::read(body) {
            Ok(received) => received.envelope.event_type,
            Err(_) => "message".to_owned(),
        };
        Found::new(&queue.name, what, &content, customer.as_str(), expiry(message, queue))
    });
    Ok(found.collect())
}

/// Returns when SQS removes the message.
fn expiry(message: &Message, queue: &Queue) -> Option<Timestamp> {
    let sent = message.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?;
    let sent = Timestamp::from_millisecond(sent.parse().ok()?).ok()?;
    sent.saturating_add(SignedDuration::from_secs(queue.retention_s.into())).ok()
}
