//! A queue of the scratch resources, and the messages that arrive on it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use tokio::time::Instant;

use crate::aws_failure::failed;
use crate::place::Place;

/// The wait of one receive, short enough to respect a limit of a few seconds.
const POLL_S: i32 = 1;

#[derive(Debug, Clone)]
pub(super) struct Inbox {
    client: Client,
    url: String,
    name: String,
}

impl Inbox {
    /// Opens the queue with this physical name.
    pub(super) async fn open(place: &Place, name: &str) -> anyhow::Result<Self> {
        let client = Client::new(&place.config);
        let found = client.get_queue_url().queue_name(name).send().await;
        let url = found.map_err(|error| failed(&format!("GetQueueUrl of {name}"), error))?.queue_url;
        Ok(Self { client, url: url.unwrap_or_default(), name: name.to_owned() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Receives and deletes the messages whose bodies contain these marks, waiting up to `limit`. Returns those that
    /// arrived, by mark. Deletes all other messages too, which can only be redeliveries of earlier ones.
    pub(super) async fn take<'m>(
        &self,
        marks: &[&'m str],
        limit: Duration,
    ) -> anyhow::Result<BTreeMap<&'m str, Message>> {
        let deadline = Instant::now() + limit;
        let mut taken = BTreeMap::new();
        loop {
            for message in self.receive(None).await? {
                let handle = message.receipt_handle.clone();
                let deleted =
                    self.client.delete_message().queue_url(&self.url).set_receipt_handle(handle).send().await;
                deleted.map_err(|error| failed(&format!("DeleteMessage of {}", self.name), error))?;
                if let Some(mark) =
                    marks.iter().find(|mark| message.body().unwrap_or_default().contains(**mark))
                {
                    taken.insert(*mark, message);
                }
            }
            if taken.len() == marks.len() || Instant::now() >= deadline {
                return Ok(taken);
            }
        }
    }

    /// Receives the message whose body contains `mark`, if it is on the queue, and leaves it visible.
    pub(super) async fn look(&self, mark: &str) -> anyhow::Result<Option<Message>> {
        let messages = self.receive(Some(0)).await?;
        Ok(messages.into_iter().find(|message| message.body().unwrap_or_default().contains(mark)))
    }

    /// Returns the approximate number of messages.
    pub(super) async fn depth(&self) -> anyhow::Result<String> {
        use aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages as Depth;
        let asked =
            self.client.get_queue_attributes().queue_url(&self.url).attribute_names(Depth).send().await;
        let answer = asked.map_err(|error| failed(&format!("GetQueueAttributes of {}", self.name), error))?;
        let depth = answer.attributes().and_then(|attributes| attributes.get(&Depth).cloned());
        Ok(depth.unwrap_or_else(|| "unknown".to_owned()))
    }

    async fn receive(&self, visibility_timeout_s: Option<i32>) -> anyhow::Result<Vec<Message>> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10)
            .wait_time_seconds(POLL_S)
            .set_visibility_timeout(visibility_timeout_s)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        let received =
            received.map_err(|error| failed(&format!("ReceiveMessage of {}", self.name), error))?;
        Ok(received.messages.unwrap_or_default())
    }
}

/// Returns the trace header of a message.
pub(super) fn header(message: &Message) -> Option<&str> {
    message.attributes()?.get(&MessageSystemAttributeName::AwsTraceHeader).map(String::as_str)
}
