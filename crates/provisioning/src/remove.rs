//! Removal of the resources.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::error::ProvideErrorMetadata as _;
use topology::{Resources, Rule, RuleBus};

use crate::ProvisionError;
use crate::error::call;

type Removed = Result<(), ProvisionError>;

/// Removes everything in `resources` with its contents. A resource that does not exist counts as removed.
///
/// # Errors
/// The first [`ProvisionError`]; the rest was attempted nevertheless. Run it again once the cause is gone.
pub async fn remove(resources: &Resources, config: &SdkConfig) -> Result<(), ProvisionError> {
    Box::pin(remove_all(resources, config)).await
}

async fn remove_all(resources: &Resources, config: &SdkConfig) -> Removed {
    let events = aws_sdk_eventbridge::Client::new(config);
    let pipes = aws_sdk_pipes::Client::new(config);
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    let sqs = aws_sdk_sqs::Client::new(config);
    let mut removed = Vec::new();
    // Senders are removed before the queues they deliver to.
    for one in &resources.pipes {
        removed.push(pipe(&pipes, &one.name).await);
    }
    for one in &resources.rules {
        removed.push(rule(&events, one.bus.name(&resources.bus), one).await);
    }
    if !resources.configuration_sets.is_empty() {
        let ses = aws_sdk_sesv2::Client::new(config);
        for one in &resources.configuration_sets {
            removed.push(crate::mail::remove(&ses, one).await);
        }
    }
    removed.push(bus(&events, &resources.bus).await);
    if !resources.topics.is_empty() {
        removed.push(topics(&aws_sdk_sns::Client::new(config), resources).await);
    }
    if !resources.buckets.is_empty() {
        removed.push(buckets(&events, config, resources).await);
    }
    if !resources.keys.is_empty() {
        let kms = aws_sdk_kms::Client::new(config);
        for one in &resources.keys {
            removed.push(crate::keys::remove(&kms, one).await);
        }
    }
    for one in &resources.tables {
        removed.push(table(&dynamodb, &one.name).await);
    }
    for one in &resources.queues {
        removed.push(queue(&sqs, &one.name).await);
    }
    removed.into_iter().collect()
}

async fn pipe(client: &aws_sdk_pipes::Client, name: &str) -> Removed {
    match client.delete_pipe().name(name).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found_exception()) => Ok(()),
        other => other.map(drop).map_err(|error| call("DeletePipe", name, error)),
    }
}

async fn rule(client: &aws_sdk_eventbridge::Client, bus: &str, rule: &Rule) -> Removed {
    let targets = client.remove_targets().event_bus_name(bus).rule(&rule.name).ids(crate::bus::TARGET);
    match targets.send().await {
        // A rule without targets, or one that does not exist, is not an error.
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {}
        other => drop(other.map_err(|error| call("RemoveTargets", &rule.name, error))?),
    }
    match client.delete_rule().event_bus_name(bus).name(&rule.name).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => Ok(()),
        other => other.map(drop).map_err(|error| call("DeleteRule", &rule.name, error)),
    }
}

async fn bus(client: &aws_sdk_eventbridge::Client, name: &str) -> Removed {
    match client.delete_event_bus().name(name).send().await {
        // For a missing bus EventBridge answers with success, an emulator with an error that the SDK does not model.
        Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(()),
        other => other.map(drop).map_err(|error| call("DeleteEventBus", name, error)),
    }
}

/// Deletes the topics; their subscriptions go with them.
async fn topics(client: &aws_sdk_sns::Client, resources: &Resources) -> Removed {
    for (name, arn) in crate::topics::present(client, &resources.topics).await? {
        let deleted = client.delete_topic().topic_arn(arn).send().await;
        deleted.map_err(|error| call("DeleteTopic", &name, error))?;
    }
    Ok(())
}

/// Deletes the buckets with their objects. Account and region are those of the default bus, which is always there.
async fn buckets(events: &aws_sdk_eventbridge::Client, config: &SdkConfig, resources: &Resources) -> Removed {
    let arn = crate::bus::locate(events, RuleBus::DEFAULT).await?;
    let place = crate::place(resources, &arn)?;
    let s3 = crate::buckets::client(config);
    for bucket in &resources.buckets {
        crate::buckets::remove(&s3, bucket, &place).await?;
    }
    Ok(())
}

async fn table(client: &aws_sdk_dynamodb::Client, name: &str) -> Removed {
    match client.delete_table().table_name(name).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => Ok(()),
        other => other.map(drop).map_err(|error| call("DeleteTable", name, error)),
    }
}

async fn queue(client: &aws_sdk_sqs::Client, name: &str) -> Removed {
    let Some(url) = crate::queues::url(client, name).await? else { return Ok(()) };
    let deleted = client.delete_queue().queue_url(url).send().await;
    deleted.map(drop).map_err(|error| call("DeleteQueue", name, error))
}
