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
use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use self::arn::Home;
use self::fifo::Receipt;
pub(crate) use self::publish::Publisher;
use self::publishing::Order;
use self::registry::Registry;
use crate::call::{self, Call};
use crate::reply::AwsError;
use crate::settings::Settings;
use crate::sqs::Queues;
use crate::trace_header;

const MAX_REGION: usize = 32;

#[derive(Debug)]
pub(crate) struct Sns {
    registry: Registry,
    queues: Queues,
    /// Where this cloud is reached.
    endpoint: Arc<str>,
    tasks: TaskTracker,
}

impl Sns {
    pub(crate) fn new(settings: &Settings, address: SocketAddr, queues: Queues, tasks: TaskTracker) -> Self {
        let (region, account) = (settings.region.clone(), settings.account_id.clone());
        let home = Home { queue_region: region.clone(), region, account };
        Self { registry: Registry::new(home), queues, endpoint: format!("http://{address}").into(), tasks }
    }

    /// Returns a handle with which other services publish.
    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(self.registry.clone(), self.queues.clone(), &self.endpoint)
    }

    pub(crate) async fn answer(&self, call: &Call) -> Result<Value, AwsError> {
        let registry = &self.registry_for(call);
        match call.operation.as_str() {
            "Publish" => {
                let order = publishing::single(call.read()?)?;
                let receipt = self.publish(call, registry, order).await?.pop();
                receipt.unwrap_or_else(|| Err(lost())).map(publishing::receipt)
            }
            "PublishBatch" => {
                let (ids, order) = publishing::batch(call.read()?)?;
                Ok(publishing::receipts(ids, self.publish(call, registry, order).await?))
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

    /// Returns the topics as the region sees them that the request was signed for.
    fn registry_for(&self, call: &Call) -> Registry {
        let plausible = |region: &&str| {
            (1..=MAX_REGION).contains(&region.len())
                && region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let region = call::region(&call.headers).filter(plausible);
        region.map_or_else(|| self.registry.clone(), |region| self.registry.in_region(region))
    }

    /// Publishes in a separate task, so that a client that disconnects cannot leave a message at half of its queues.
    async fn publish(
        &self,
        call: &Call,
        registry: &Registry,
        Order { topic_arn, messages }: Order,
    ) -> Result<Vec<Result<Receipt, AwsError>>, AwsError> {
        let publisher = Publisher::new(registry.clone(), self.queues.clone(), &self.endpoint);
        publisher.check(&topic_arn, &messages)?;
        let trace_header = trace_header::of_http(&call.headers);
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
