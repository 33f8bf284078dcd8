//! Sends dead letters to their service again.

use std::time::Duration;

use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};
use jiff::Timestamp;
use tokio::time::{Interval, MissedTickBehavior};

use super::announce::announce_again;
use super::letter::Letter;
use super::queue::Kind;
use super::queues::Queues;
use super::report::name;
use crate::failure::Failure;
use crate::stdio::print;

/// How to redrive messages.
#[derive(Debug)]
pub(super) struct Redrive<'a> {
    pub(super) queues: &'a Queues,
    pub(super) config: &'a SdkConfig,
    /// What the name of each queue and table starts with.
    pub(super) prefix: &'a str,
    /// Messages per second.
    pub(super) rate: u32,
}

/// A message that was redriven.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) letter: Letter,
    pub(super) at: Timestamp,
}

impl Redrive<'_> {
    /// Sends each message to its service's queue and then deletes it from the dead-letter queue, and lets a Pipe announce
    /// again what it could not. A message between the two steps is on both queues, and at worst a duplicate. Returns those
    /// that a service handles.
    ///
    /// # Errors
    /// When SQS or DynamoDB cannot be reached or refuses a call. Earlier messages are redriven.
    pub(super) async fn all(&self, letters: Vec<Letter>) -> anyhow::Result<Vec<Sent>> {
        let (by_pipe, by_service): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|letter| letter.queue.kind == Kind::Outbox);
        let mut turns = tokio::time::interval(Duration::from_secs(1) / self.rate);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sent = Vec::new();
        for letter in by_service {
            turns.tick().await;
            let at = Timestamp::now();
            self.send(&letter).await?;
            print(&format!("{}  sent to {}", name(&letter), letter.service()))?;
            sent.push(Sent { letter, at });
        }
        self.announce(by_pipe, &mut turns).await?;
        Ok(sent)
    }

    async fn send(&self, letter: &Letter) -> anyhow::Result<()> {
        const OPERATION: &str = "SendMessage";
        let url = self.queues.url_of(letter.service()).ok_or_else(|| {
            Failure::refused(format!(
                "no queue {}-{} to redrive {} to",
                self.prefix,
                letter.service(),
                letter.queue.name
            ))
        })?;
        let mut call = self.queues.client().send_message().queue_url(url).message_body(&letter.body);
        if !letter.attributes.is_empty() {
            call = call.set_message_attributes(Some(letter.attributes.clone()));
        }
        if let Some(header) = &letter.trace_header {
            let value =
                MessageSystemAttributeValue::builder().data_type("String").string_value(header).build();
            let value = value.map_err(|error| AwsError::unbuildable(service::SQS, OPERATION, error))?;
            call = call.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, value);
        }
        call.send().await.map_err(|error| AwsError::of(service::SQS, OPERATION, error))?;
        self.queues.delete(letter).await
    }

    async fn announce(&self, letters: Vec<Letter>, turns: &mut Interval) -> anyhow::Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        for (table, announced) in announce_again(self.config, self.prefix, &letters, turns).await? {
            let events = if announced == 1 { "event" } else { "events" };
            print(&format!("{announced} {events} of table {table} announced again"))?;
        }
        for letter in &letters {
            self.queues.delete(letter).await?;
        }
        Ok(())
    }
}
