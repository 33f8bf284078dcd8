//! Queues with their redrive and access policies.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use topology::{Queue, RuleBus, Sender};

use crate::ProvisionError;
use crate::error::{absent, call, known, missing};

/// URL and ARN of each queue by physical name.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) urls: BTreeMap<String, String>,
    pub(crate) arns: BTreeMap<String, String>,
}

pub(crate) async fn create(client: &Client, queues: &[Queue]) -> Result<Queues, ProvisionError> {
    let mut created = Queues::default();
    // In the order declared: a dead-letter queue comes before the queue whose redrive policy names it.
    for queue in queues {
        let attributes = attributes(queue, &created)?;
        let url = match client
            .create_queue()
            .queue_name(&queue.name)
            .set_attributes(Some(attributes.clone()))
            .send()
            .await
        {
            Ok(output) => {
                output.queue_url.ok_or_else(|| missing("CreateQueue", &queue.name, "a QueueUrl"))?
            }
            // It exists with other attributes: set these.
            Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_name_exists()) => {
                let url = url(client, &queue.name).await?.ok_or_else(|| absent("queue", &queue.name))?;
                set(client, &queue.name, &url, attributes).await?;
                url
            }
            Err(error) => return Err(call("CreateQueue", &queue.name, error)),
        };
        let arn = arn(client, &queue.name, &url).await?;
        created.urls.insert(queue.name.clone(), url);
        created.arns.insert(queue.name.clone(), arn);
    }
    Ok(created)
}

/// Finds the existing queues.
pub(crate) async fn locate(client: &Client, queues: &[Queue]) -> Result<Queues, ProvisionError> {
    let mut located = Queues::default();
    for Queue { name, .. } in queues {
        let url = url(client, name).await?.ok_or_else(|| absent("queue", name))?;
        located.arns.insert(name.clone(), arn(client, name, &url).await?);
        located.urls.insert(name.clone(), url);
    }
    Ok(located)
}

/// Returns the URL of a queue, if it exists.
pub(crate) async fn url(client: &Client, name: &str) -> Result<Option<String>, ProvisionError> {
    match client.get_queue_url().queue_name(name).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => Ok(None),
        output => output
            .map_err(|error| call("GetQueueUrl", name, error))?
            .queue_url
            .map(Some)
            .ok_or_else(|| missing("GetQueueUrl", name, "a QueueUrl")),
    }
}

async fn arn(client: &Client, name: &str, url: &str) -> Result<String, ProvisionError> {
    client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(|error| call("GetQueueAttributes", name, error))?
        .attributes
        .and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn))
        .ok_or_else(|| missing("GetQueueAttributes", name, "a QueueArn"))
}

fn attributes(
    queue: &Queue,
    created: &Queues,
) -> Result<HashMap<QueueAttributeName, String>, ProvisionError> {
    let mut attributes = HashMap::from([
        (QueueAttributeName::VisibilityTimeout, queue.visibility_timeout_s.to_string()),
        (QueueAttributeName::MessageRetentionPeriod, queue.retention_s.to_string()),
    ]);
    if let Some(dead_letter) = &queue.dead_letter {
        let policy = json!({
            "deadLetterTargetArn": known(&created.arns, &dead_letter.queue)?,
            "maxReceiveCount": dead_letter.max_receive_count,
        });
        attributes.insert(QueueAttributeName::RedrivePolicy, policy.to_string());
    }
    Ok(attributes)
}

/// Allows rules and topics, and nothing else, to send to the queues they deliver to.
pub(crate) async fn allow_senders(
    client: &Client,
    queues: &[Queue],
    created: &Queues,
    rule_arn: &(dyn Fn(RuleBus, &str) -> String + Sync),
    topic_arns: &BTreeMap<String, String>,
) -> Result<(), ProvisionError> {
    for queue in queues.iter().filter(|queue| !queue.senders.is_empty()) {
        let arn = known(&created.arns, &queue.name)?;
        let statements = queue
            .senders
            .iter()
            .map(|sender| {
                let (service, source) = match sender {
                    Sender::Rule(rule) => ("events.amazonaws.com", rule_arn(RuleBus::Own, rule)),
                    Sender::DefaultBusRule(rule) => {
                        ("events.amazonaws.com", rule_arn(RuleBus::Default, rule))
                    }
                    Sender::Topic(topic) => ("sns.amazonaws.com", known(topic_arns, topic)?.to_owned()),
                };
                Ok(json!({
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": source}},
                }))
            })
            .collect::<Result<Vec<Value>, ProvisionError>>()?;
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let url = known(&created.urls, &queue.name)?;
        set(client, &queue.name, url, HashMap::from([(QueueAttributeName::Policy, policy)])).await?;
    }
    Ok(())
}

async fn set(
    client: &Client,
    name: &str,
    url: &str,
    attributes: HashMap<QueueAttributeName, String>,
) -> Result<(), ProvisionError> {
    client
        .set_queue_attributes()
        .queue_url(url)
        .set_attributes(Some(attributes))
        .send()
        .await
        .map_err(|error| call("SetQueueAttributes", name, error))?;
    Ok(())
}
