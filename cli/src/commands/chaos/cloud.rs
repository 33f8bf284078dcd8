//! The local cloud of the layer under test: its faults, its queues, and what it has accepted.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use aws_clients::{AwsError, service};
use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::try_join_all;
use serde_json::Value;
use service_runtime::Environment;
use topology::Resources;

use super::facts::{self, Accepted, Facts};
use super::layer_process::Layer;
use super::objects::Objects;
use super::record::Record;
use crate::endpoint::{REGION, local_config};
use crate::ingest_client::http_client;
use crate::layer;
use crate::queue_messages;

/// The environment of `foostore up`.
const ENVIRONMENT: &str = "local";
/// How the names of queues for what could not be handled or delivered end.
const DEAD: [&str; 2] = ["-dead-letter", "-undelivered"];
/// What is counted of a queue.
const DEPTH: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

/// A queue of the layer.
#[derive(Debug)]
struct Queue {
    /// Without application and environment.
    name: String,
    url: String,
}

/// A message that was dead-lettered or could not be delivered.
#[derive(Clone, Debug)]
pub(super) struct Dead {
    /// The queue it is on.
    pub(super) queue: String,
    pub(super) body: String,
}

/// The local cloud as the suite sees it. Its own calls are signed with another key than the services', so no fault affects
/// them.
#[derive(Debug)]
pub(super) struct Cloud {
    http: reqwest::Client,
    endpoint: String,
    resources: Resources,
    prefix: String,
    sqs: aws_sdk_sqs::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    queues: Vec<Queue>,
    record: Record,
    objects: Objects,
}

impl Cloud {
    /// Connects to the cloud of a layer and begins to record its bus.
    ///
    /// # Errors
    /// When a call fails.
    pub(super) async fn of(layer: &Layer) -> anyhow::Result<Self> {
        let resources = layer::resources(contracts::APPLICATION, ENVIRONMENT)?;
        let none = Environment::from_pairs(Vec::<(String, String)>::new());
        let config = local_config(&layer.endpoint, REGION, &none).await;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let prefix = format!("{}-{ENVIRONMENT}-", contracts::APPLICATION);
        let queues = try_join_all(resources.queues.iter().map(|queue| async {
            let url = sqs.get_queue_url().queue_name(&queue.name).send().await;
            let url = url.map_err(|error| AwsError::of(service::SQS, "GetQueueUrl", error))?.queue_url;
            let name = queue.name.strip_prefix(&prefix).unwrap_or(&queue.name).to_owned();
            Ok::<_, anyhow::Error>(Queue { name, url: url.context("a queue has no address")? })
        }))
        .await?;
        Ok(Self {
            http: http_client()?,
            endpoint: layer.endpoint.clone(),
            record: Record::begin(&config, &resources.bus).await?,
            objects: Objects::of(&config, &resources).await?,
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            resources,
            prefix,
            sqs,
            queues,
        })
    }

    /// Injects a fault.
    ///
    /// # Errors
    /// When the local cloud refuses it.
    pub(super) async fn inject(&self, fault: &Value) -> anyhow::Result<()> {
        let request = self.http.post(self.local("faults")).json(fault).send().await?;
        let refused = request.error_for_status_ref().is_err();
        let text = request.text().await?;
        anyhow::ensure!(!refused, "the local cloud refuses the fault {fault}: {text}");
        Ok(())
    }

    /// Removes all faults; returns how many calls were affected, by the service and kind of the fault.
    ///
    /// # Errors
    /// When the local cloud does not answer.
    pub(super) async fn clear_faults(&self) -> anyhow::Result<Vec<Injected>> {
        let faults: Vec<Value> = self.list("faults").await?;
        self.http.delete(self.local("faults")).send().await?.error_for_status()?;
        let read = |fault: &Value| Injected {
            service: fault["service"].as_str().unwrap_or_default().to_owned(),
            drops_answers: fault["error"] == "drop-response",
            calls: fault["injected"].as_u64().unwrap_or_default(),
        };
        Ok(faults.iter().map(read).collect())
    }

    /// Forgets the mails and pushes of earlier scenarios, of which it keeps the newest only.
    ///
    /// # Errors
    /// When the local cloud does not answer.
    pub(super) async fn forget(&self) -> anyhow::Result<()> {
        for what in ["mail", "webhook"] {
            self.http.delete(self.local(what)).send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// Puts a message straight on the queue of a service.
    ///
    /// # Errors
    /// When SQS refuses it.
    pub(super) async fn send(&self, service_name: &str, body: &str) -> anyhow::Result<()> {
        let queue = self.queues.iter().find(|queue| queue.name == service_name);
        let queue = queue.with_context(|| format!("{service_name} has no queue"))?;
        let sent = self.sqs.send_message().queue_url(&queue.url).message_body(body).send().await;
        sent.map_err(|error| AwsError::of(service::SQS, "SendMessage", error))?;
        Ok(())
    }

    /// Returns the names of the services that have a queue.
    pub(super) fn consumers(&self) -> impl Iterator<Item = &str> {
        let services = self.resources.services.iter().filter(|service| service.queue.is_some());
        services.map(|service| service.service.as_str())
    }

    /// Returns the messages on each queue of a service that is not empty, visible or not.
    ///
    /// # Errors
    /// When SQS does not answer.
    pub(super) async fn undone(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        self.depth(self.queues.iter().filter(|queue| !is_dead(queue))).await
    }

    /// Returns what was dead-lettered or could not be delivered.
    ///
    /// # Errors
    /// When SQS does not answer.
    pub(super) async fn dead(&self) -> anyhow::Result<Vec<Dead>> {
        let dead = self.depth(self.queues.iter().filter(|queue| is_dead(queue))).await?;
        let queues = self.queues.iter().filter(|queue| dead.contains_key(&queue.name));
        let read = queues.map(|queue| async {
            let messages = queue_messages::read(&self.sqs, &queue.url).await?;
            let dead = |body| Dead { queue: queue.name.clone(), body };
            Ok::<_, AwsError>(messages.into_iter().filter_map(|message| message.body).map(dead).collect())
        });
        let read: Vec<Vec<_>> = try_join_all(read).await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn depth(&self, queues: impl Iterator<Item = &Queue>) -> anyhow::Result<BTreeMap<String, u64>> {
        let depths = queues.map(|queue| async {
            let asked = self.sqs.get_queue_attributes().queue_url(&queue.url);
            let asked = asked.set_attribute_names(Some(DEPTH.to_vec())).send().await;
            let asked = asked.map_err(|error| AwsError::of(service::SQS, "GetQueueAttributes", error))?;
            let numbers = asked.attributes.unwrap_or_default().into_values();
            let depth = numbers.filter_map(|number| number.parse::<u64>().ok()).sum();
            Ok::<_, AwsError>((queue.name.clone(), depth))
        });
        let depths = try_join_all(depths).await?;
        Ok(depths.into_iter().filter(|(_, depth)| *depth > 0).collect())
    }

    /// Reads everything about these customers.
    ///
    /// # Errors
    /// When a call fails.
    pub(super) async fn facts(&self, customers: &BTreeSet<&str>) -> anyhow::Result<Facts> {
        let tables = self.resources.tables.iter().map(|table| async {
            let items = facts::table(&self.dynamodb, &table.name, &table.partition_key).await?;
            let name = table.name.strip_prefix(&self.prefix).unwrap_or(&table.name).to_owned();
            Ok::<_, AwsError>((name, items))
        });
        let is_wanted = |accepted: &Accepted| customers.contains(accepted.customer.as_str());
        let mails = self.list("mail").await?;
        let mails: Vec<_> = mails.iter().map(facts::mail).collect::<anyhow::Result<_>>()?;
        let pushes = self.list("webhook").await?;
        let pushes: Vec<_> = pushes.iter().map(facts::push).collect::<anyhow::Result<_>>()?;
        Ok(Facts {
            bus: self.record.of(|customer| customers.contains(customer)),
            tables: try_join_all(tables).await?.into_iter().collect(),
            mails: mails.into_iter().filter(is_wanted).collect(),
            pushes: pushes.into_iter().flatten().filter(is_wanted).collect(),
            archived: self.objects.archived().await?,
            passes: self.objects.passes(customers).await?,
        })
    }

    async fn list(&self, what: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.http.get(self.local(what)).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    fn local(&self, what: &str) -> String {
        format!("{}/_local/{what}", self.endpoint)
    }
}

/// Calls that a fault affected.
#[derive(Clone, Debug)]
pub(super) struct Injected {
    pub(super) service: String,
    pub(super) drops_answers: bool,
    pub(super) calls: u64,
}

fn is_dead(queue: &Queue) -> bool {
    DEAD.iter().any(|end| queue.name.ends_with(end))
}
