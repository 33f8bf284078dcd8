//! The suite's own record of the bus: every event on it, by a rule and a queue that no service knows of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use aws_clients::{AwsError, service};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, QueueAttributeName};
use envelope::Envelope;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// The name of the rule and of the queue.
const NAME: &str = "chaos-record";
/// The pause after a failed receive.
const PAUSE: Duration = Duration::from_millis(200);

/// An event that was on the bus.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) causation_id: Option<Uuid>,
    pub(super) customer: String,
    pub(super) data: Value,
}

/// The events by their ids, so that one that the bus delivers twice counts once.
pub(super) type Events = BTreeMap<Uuid, Recorded>;

/// The record.
#[derive(Debug)]
pub(super) struct Record {
    events: Arc<Mutex<Events>>,
    _reader: AbortOnDropHandle<()>,
}

impl Record {
    /// Begins to record what is put on the bus called `bus`.
    ///
    /// # Errors
    /// When queue or rule cannot be created.
    pub(super) async fn begin(config: &SdkConfig, bus: &str) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(config);
        let created = sqs.create_queue().queue_name(NAME).send().await;
        let created = created.map_err(|error| AwsError::of(service::SQS, "CreateQueue", error))?;
        let url = created.queue_url.context("the queue has no address")?;
        let attributes =
            sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
        let attributes = attributes.send().await;
        let attributes =
            attributes.map_err(|error| AwsError::of(service::SQS, "GetQueueAttributes", error))?;
        let arn = attributes.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
        let arn = arn.context("the queue has no ARN")?;

        let events = aws_sdk_eventbridge::Client::new(config);
        let pattern = json!({"source": [contracts::CRM, contracts::LOYALTY]}).to_string();
        let rule = events.put_rule().name(NAME).event_bus_name(bus).event_pattern(pattern).send().await;
        rule.map_err(|error| AwsError::of(service::EVENTBRIDGE, "PutRule", error))?;
        let target = Target::builder().id(NAME).arn(arn).build()?;
        let targets = events.put_targets().rule(NAME).event_bus_name(bus).targets(target).send().await;
        targets.map_err(|error| AwsError::of(service::EVENTBRIDGE, "PutTargets", error))?;

        let events = Arc::new(Mutex::new(Events::new()));
        let reader = AbortOnDropHandle::new(tokio::spawn(read(sqs, url, Arc::clone(&events))));
        Ok(Self { events, _reader: reader })
    }

    /// Returns the events so far that concern these customers.
    pub(super) fn of(&self, is_wanted: impl Fn(&str) -> bool) -> Events {
        let events = locked(&self.events);
        let wanted = events.iter().filter(|(_, event)| is_wanted(&event.customer));
        wanted.map(|(id, event)| (*id, event.clone())).collect()
    }
}

fn locked(events: &Mutex<Events>) -> MutexGuard<'_, Events> {
    events.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(sqs: aws_sdk_sqs::Client, url: String, events: Arc<Mutex<Events>>) {
    loop {
        let receive = sqs.receive_message().queue_url(&url).max_number_of_messages(10).wait_time_seconds(5);
        let Ok(received) = receive.send().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let messages = received.messages.unwrap_or_default();
        if messages.is_empty() {
            continue;
        }
        let read: Vec<_> = messages.iter().filter_map(recorded).collect();
        locked(&events).extend(read.into_iter().map(|event| (event.id, event)));
        let entries = messages.into_iter().enumerate().filter_map(|(number, message)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
            entry.receipt_handle(message.receipt_handle?).build().ok()
        });
        // What is not deleted is recorded once more, under the same id.
        drop(sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries.collect())).send().await);
    }
}

fn recorded(message: &Message) -> Option<Recorded> {
    let envelope = Envelope::read(message.body()?).ok()?.envelope;
    Some(Recorded {
        id: envelope.metadata.event_id,
        kind: envelope.event_type,
        causation_id: envelope.metadata.causation_id,
        customer: envelope.customer_number.unwrap_or_default(),
        data: serde_json::from_str(envelope.data.get()).ok()?,
    })
}
