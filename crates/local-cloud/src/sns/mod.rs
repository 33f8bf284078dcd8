//! SNS: topics, and the queues that subscribe to them.
//!
//! Answers as AWS does for what can be used with queues of this account. Other subscribers are refused by name, since a
//! subscription that delivers nothing would hide that nothing is delivered.

mod arn;
mod attributes;
mod delivery_policy;
mod envelope;
mod errors;
mod fifo;
mod filter;
mod message;
mod protocol;
mod publish;
mod publishing;
mod redrive;
mod registry;
mod subscription;
mod subscriptions;
mod tags;
mod topic;
mod topic_attributes;
mod topics;

use std::net::SocketAddr;

use http::StatusCode;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use self::arn::Home;
use self::fifo::Receipt;
use self::publish::Publisher;
use self::publishing::Order;
use self::registry::Registry;
use crate::call::Call;
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::sqs::Queues;
use crate::trace_header;

#[derive(Debug)]
pub(crate) struct Sns {
    registry: Registry,
    publisher: Publisher,
    tasks: TaskTracker,
}

impl Sns {
    pub(crate) fn new(settings: &Settings, address: SocketAddr, queues: Queues, tasks: TaskTracker) -> Self {
        let home = Home { region: settings.region.clone(), account: settings.account_id.clone() };
        let registry = Registry::new(home);
        Self { publisher: Publisher::new(registry.clone(), queues, address), registry, tasks }
    }

    pub(crate) async fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        let registry = &self.registry;
        match call.operation.as_str() {
            "Publish" => {
                let order = publishing::single(call.read()?)?;
                let receipt = self.publish(call, order).await?.pop();
                receipt.unwrap_or_else(|| Err(lost())).map(publishing::receipt)
            }
            "PublishBatch" => {
                let (ids, order) = publishing::batch(call.read()?)?;
                Ok(publishing::receipts(ids, self.publish(call, order).await?))
            }
            "CreateTopic" => topics::create(registry, call.read()?),
            "DeleteTopic" => topics::delete(registry, call.read()?),
            "GetTopicAttributes" => topics::attributes(registry, call.read()?),
            "SetTopicAttributes" => topics::set_attributes(registry, call.read()?),
            "ListTopics" => topics::list(registry, &call.read()?),
            "Subscribe" => subscriptions::subscribe(registry, &call.read()?),
            "Unsubscribe" => subscriptions::unsubscribe(registry, &call.read()?),
            "ConfirmSubscription" => subscriptions::confirm(registry, &call.read()?),
            "GetSubscriptionAttributes" => subscriptions::attributes(registry, &call.read()?),
            "SetSubscriptionAttributes" => subscriptions::set_attributes(registry, &call.read()?),
            "ListSubscriptions" => subscriptions::list(registry, &call.read()?),
            "ListSubscriptionsByTopic" => subscriptions::list_by_topic(registry, &call.read()?),
            "TagResource" => tags::tag(registry, call.read()?),
            "UntagResource" => tags::untag(registry, call.read()?),
            "ListTagsForResource" => tags::list(registry, call.read()?),
            _ => Err(call.not_supported()),
        }
    }

    /// Publishes in a separate task, so that a client that disconnects cannot leave a message at half of its queues.
    async fn publish(
        &self,
        call: &Call,
        Order { topic_arn, messages }: Order,
    ) -> Result<Vec<Result<Receipt, AwsError>>, AwsError> {
        self.publisher.check(&topic_arn, &messages)?;
        let trace_header = trace_header::of_http(&call.headers);
        let publisher = self.publisher.clone();
        let task = self.tasks.spawn(async move {
            let mut results = Vec::with_capacity(messages.len());
            for message in &messages {
                results.push(publisher.publish(&topic_arn, message, trace_header.clone()).await);
            }
            results
        });
        task.await.map_err(|_| lost())
    }
}

fn lost() -> AwsError {
    AwsError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Internal failure")
}
