//! Calls as services make them: after the SDK's first request, requests that repeat it.

use std::error::Error;

use aws_clients::{DirectClient, Operation, SdkClient};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_types::SdkConfig;
use aws_types::sdk_config::RetryConfig;

use super::super::assumptions::DIRECT_REQUESTS;
use super::super::bench::{Bench, mark};
use super::super::finding::Finding;
use super::super::scratch::{MAIL, NOTICES, TABLE};
use crate::aws_failure::failed;

/// Receives every mail, and counts towards no rate
/// (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>).
const RECIPIENT: &str = "success@simulator.amazonses.com";

/// A source and a type that no rule of the layer takes.
const SOURCE: &str = "foostore.verify";
const TYPE: &str = "DirectRequest";

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    vec![Finding::from_result(DIRECT_REQUESTS, all(bench).await)]
}

/// Makes each call twice: the first by the SDK, the second without it.
async fn all(bench: &Bench) -> anyhow::Result<Finding> {
    // A call that the SDK made again would not show that the request was refused.
    let config = bench.place.config.to_builder().retry_config(RetryConfig::disabled()).build();
    let mut services = vec!["DynamoDB", "EventBridge", "SNS"];
    let mut refused = Vec::new();
    refused.extend(item(bench, &config).await?);
    refused.extend(event(bench, &config).await?);
    refused.extend(message(bench, &config).await?);
    if let Some(sender) = &bench.sender {
        services.push("SES");
        refused.extend(mail(bench, &config, sender).await?);
    }
    Ok(if refused.is_empty() {
        Finding::holds(DIRECT_REQUESTS, format!("taken by {}", services.join(", ")))
    } else {
        Finding::does_not_hold(DIRECT_REQUESTS, refused.join("; "))
    })
}

async fn item(bench: &Bench, config: &SdkConfig) -> anyhow::Result<Option<String>> {
    twice("GetItem", config, |client: &aws_sdk_dynamodb::Client| {
        let key = AttributeValue::S(mark());
        Ok(client.get_item().table_name(bench.physical(TABLE)).key(envelope::outbox::PARTITION_KEY, key))
    })
    .await
}

async fn event(bench: &Bench, config: &SdkConfig) -> anyhow::Result<Option<String>> {
    twice("PutEvents", config, |client: &aws_sdk_eventbridge::Client| {
        let entry = PutEventsRequestEntry::builder().event_bus_name(&bench.name).source(SOURCE);
        Ok(client.put_events().entries(entry.detail_type(TYPE).detail("{}").build()))
    })
    .await
}

async fn message(bench: &Bench, config: &SdkConfig) -> anyhow::Result<Option<String>> {
    twice("PublishBatch", config, |client: &aws_sdk_sns::Client| {
        let entry = PublishBatchRequestEntry::builder().id("0").message(mark()).build()?;
        let topic = bench.place.arn("sns", &bench.physical(NOTICES));
        Ok(client.publish_batch().topic_arn(topic).publish_batch_request_entries(entry))
    })
    .await
}

async fn mail(bench: &Bench, config: &SdkConfig, sender: &str) -> anyhow::Result<Option<String>> {
    twice("SendEmail", config, |client: &aws_sdk_sesv2::Client| {
        let text = Content::builder().data("foostore verify").build()?;
        let body = Body::builder().text(text.clone()).build();
        let message = Message::builder().subject(text).body(body).build();
        Ok(client
            .send_email()
            .from_email_address(sender)
            .destination(Destination::builder().to_addresses(RECIPIENT).build())
            .content(EmailContent::builder().simple(message).build())
            .configuration_set_name(bench.physical(MAIL)))
    })
    .await
}

/// Returns why the service refused the request that repeats one of the SDK, if it did.
async fn twice<C, O>(
    name: &str,
    config: &SdkConfig,
    operation: impl Fn(&C) -> anyhow::Result<O>,
) -> anyhow::Result<Option<String>>
where
    C: SdkClient,
    C::Builder: for<'a> From<&'a SdkConfig>,
    O: Operation,
    O::Error: Error + ProvideErrorMetadata,
{
    let client = DirectClient::<C>::untraced(config.into());
    client.call(operation(&client)?).await.map_err(|error| failed(name, error))?;
    anyhow::ensure!(client.is_direct(), "{name}: the SDK's request is of a kind that is not repeated");
    Ok(client.call(operation(&client)?).await.err().map(|error| failed(name, error).to_string()))
}
