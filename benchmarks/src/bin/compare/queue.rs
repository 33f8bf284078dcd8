//! The queue of the local cloud that the measured programs read, and the messages on it.

use std::time::Duration;

use anyhow::Context as _;
use aws_clients::AwsSettings;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use benchmarks::{body, trace_header};
use jiff::Timestamp;
use uuid::Uuid;

/// How often the end is looked for.
const POLL: Duration = Duration::from_millis(2);

/// Two queues of the local cloud, one of them for dead letters.
pub(crate) struct Queue {
    client: Client,
    pub(crate) url: String,
    pub(crate) dead_letter_url: String,
}

impl Queue {
    /// Creates the queues at `endpoint` under new names: SQS accepts the name of a deleted queue only after a minute.
    pub(crate) async fn create(endpoint: &str) -> anyhow::Result<Self> {
        let name = format!("benchmark-{}", Uuid::new_v4());
        let lookup = |variable: &str| match variable {
            "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("benchmarks".to_owned()),
            _ => None,
        };
        let client = Client::new(&aws_clients::sdk_config(&AwsSettings::read(lookup)).await);
        let create = async |name: String| {
            let created = client.create_queue().queue_name(name).send().await?;
            created.queue_url.context("a queue without a URL")
        };
        let url = create(name.clone()).await?;
        let dead_letter_url = create(format!("{name}-dead-letter")).await?;
        Ok(Self { client, url, dead_letter_url })
    }

    /// Sends `messages`, of whose traces every `sampled`-th is recorded; none if it is 0.
    pub(crate) async fn fill(&self, messages: usize, sampled: usize) -> anyhow::Result<()> {
        let now = Timestamp::now();
        for first in (0..messages).step_by(10) {
            let mut send = self.client.send_message_batch().queue_url(&self.url);
            for number in first..messages.min(first + 10) {
                let recorded = sampled > 0 && number % sampled == 0;
                let header = trace_header(now, recorded);
                let attribute = MessageSystemAttributeValue::builder()
                    .data_type("String")
                    .string_value(&header)
                    .build()?;
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .message_body(body(now, &header))
                    .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, attribute);
                send = send.entries(entry.build()?);
            }
            anyhow::ensure!(send.send().await?.failed.is_empty(), "a message was refused");
        }
        Ok(())
    }

    /// Deletes both queues.
    pub(crate) async fn delete(self) -> anyhow::Result<()> {
        for url in [self.url, self.dead_letter_url] {
            self.client.delete_queue().queue_url(url).send().await?;
        }
        Ok(())
    }

    /// Waits until every message has been deleted.
    pub(crate) async fn drained(&self) -> anyhow::Result<()> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        loop {
            let call = self.client.get_queue_attributes().queue_url(&self.url);
            let found = call.set_attribute_names(Some(names.to_vec())).send().await?.attributes;
            let found = found.context("a queue without attributes")?;
            if names.iter().all(|name| found.get(name).is_some_and(|number| number == "0")) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
