//! The event bus and its rules.

use std::collections::BTreeMap;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{DeadLetterConfig, InputTransformer, RetryPolicy, RuleState, Target};
use topology::{Resources, Rule, RuleBus, Transformer};

use crate::ProvisionError;
use crate::error::{absent, call, known, missing};

/// The id of a rule's one target.
pub(crate) const TARGET: &str = "queue";

/// Creates the bus and returns its ARN.
pub(crate) async fn create(client: &Client, bus: &str) -> Result<String, ProvisionError> {
    match client.create_event_bus().name(bus).send().await {
        Ok(output) => output.event_bus_arn.ok_or_else(|| missing("CreateEventBus", bus, "an EventBusArn")),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_already_exists_exception()) => {
            client
                .describe_event_bus()
                .name(bus)
                .send()
                .await
                .map_err(|error| call("DescribeEventBus", bus, error))?
                .arn
                .ok_or_else(|| missing("DescribeEventBus", bus, "an Arn"))
        }
        Err(error) => Err(call("CreateEventBus", bus, error)),
    }
}

/// Finds the bus, which must exist, and returns its ARN.
pub(crate) async fn locate(client: &Client, bus: &str) -> Result<String, ProvisionError> {
    match client.describe_event_bus().name(bus).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
            Err(absent("event bus", bus))
        }
        output => output
            .map_err(|error| call("DescribeEventBus", bus, error))?
            .arn
            .ok_or_else(|| missing("DescribeEventBus", bus, "an Arn")),
    }
}

pub(crate) async fn create_rules(
    client: &Client,
    resources: &Resources,
    queue_arns: &BTreeMap<String, String>,
) -> Result<(), ProvisionError> {
    for rule in &resources.rules {
        client
            .put_rule()
            .name(&rule.name)
            .event_bus_name(rule.bus.name(&resources.bus))
            .event_pattern(rule.pattern.to_string())
            .state(RuleState::Enabled)
            .send()
            .await
            .map_err(|error| call("PutRule", &rule.name, error))?;
        let output = client
            .put_targets()
            .rule(&rule.name)
            .event_bus_name(rule.bus.name(&resources.bus))
            .targets(target(rule, queue_arns)?)
            .send()
            .await
            .map_err(|error| call("PutTargets", &rule.name, error))?;
        if let Some(failed) = output.failed_entries().first() {
            return Err(ProvisionError::Call {
                operation: "PutTargets",
                resource: rule.name.clone(),
                cause: failed.error_message().unwrap_or("no reason given").to_owned(),
            });
        }
    }
    Ok(())
}

fn target(rule: &Rule, queue_arns: &BTreeMap<String, String>) -> Result<Target, ProvisionError> {
    let transformer =
        rule.transformer.as_ref().map(|transformer| input(transformer, &rule.name)).transpose()?;
    Target::builder()
        .set_input_transformer(transformer)
        .id(TARGET)
        .arn(known(queue_arns, &rule.target_queue)?)
        .dead_letter_config(
            DeadLetterConfig::builder().arn(known(queue_arns, &rule.dead_letter_queue)?).build(),
        )
        .retry_policy(
            RetryPolicy::builder()
                .maximum_event_age_in_seconds(i32::try_from(rule.maximum_event_age_s).unwrap_or(i32::MAX))
                .maximum_retry_attempts(i32::try_from(rule.maximum_retry_attempts).unwrap_or(i32::MAX))
                .build(),
        )
        .build()
        .map_err(|error| call("PutTargets", &rule.name, error))
}

fn input(transformer: &Transformer, rule: &str) -> Result<InputTransformer, ProvisionError> {
    InputTransformer::builder()
        .set_input_paths_map(Some(transformer.paths.clone().into_iter().collect()))
        .input_template(&transformer.template)
        .build()
        .map_err(|error| call("PutTargets", rule, error))
}

/// Returns the ARN of a rule; `bus_arn` is that of the application's bus. Rules of the default bus have no bus in theirs
/// ([resource types](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html)).
pub(crate) fn rule_arn(bus_arn: &str, bus: RuleBus, rule: &str) -> String {
    let own = bus_arn.replacen(":event-bus/", ":rule/", 1);
    match bus {
        RuleBus::Own => format!("{own}/{rule}"),
        RuleBus::Default => {
            format!("{}/{rule}", own.rsplit_once('/').map_or(own.as_str(), |(start, _)| start))
        }
    }
}

/// Returns the ARN of the account's default bus; `bus_arn` is that of the application's.
pub(crate) fn default_bus_arn(bus_arn: &str) -> String {
    let start = bus_arn.rsplit_once('/').map_or(bus_arn, |(start, _)| start);
    format!("{start}/{}", RuleBus::DEFAULT)
}
