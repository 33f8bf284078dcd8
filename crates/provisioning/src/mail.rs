//! What SES needs: the sender's identity, and configuration sets with their event destination.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{EventBridgeDestination, EventDestinationDefinition, EventType};
use topology::{ConfigurationSet, Resources};

use crate::ProvisionError;
use crate::error::call;

/// Creates the identity and the configuration sets. Layers that send no mail make no call.
pub(crate) async fn create(
    config: &SdkConfig,
    resources: &Resources,
    default_bus: &str,
) -> Result<(), ProvisionError> {
    if resources.email_sender.is_none() && resources.configuration_sets.is_empty() {
        return Ok(());
    }
    let client = Client::new(config);
    if let Some(sender) = &resources.email_sender {
        verify_sender(&client, sender).await?;
    }
    for set in &resources.configuration_sets {
        create_set(&client, set).await?;
        publish(&client, set, default_bus).await?;
    }
    Ok(())
}

/// Creates the identity from which mail is sent.
async fn verify_sender(client: &Client, sender: &str) -> Result<(), ProvisionError> {
    match client.create_email_identity().email_identity(sender).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_already_exists_exception()) => Ok(()),
        other => other.map(drop).map_err(|error| call("CreateEmailIdentity", sender, error)),
    }
}

async fn create_set(client: &Client, set: &ConfigurationSet) -> Result<(), ProvisionError> {
    match client.create_configuration_set().configuration_set_name(&set.name).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_already_exists_exception()) => Ok(()),
        other => other.map(drop).map_err(|error| call("CreateConfigurationSet", &set.name, error)),
    }
}

/// Brings the set's event destination to its declared state.
async fn publish(client: &Client, set: &ConfigurationSet, default_bus: &str) -> Result<(), ProvisionError> {
    const CREATE: &str = "CreateConfigurationSetEventDestination";
    let destination = destination(set, default_bus).map_err(|error| call(CREATE, &set.name, error))?;
    let created = client
        .create_configuration_set_event_destination()
        .configuration_set_name(&set.name)
        .event_destination_name(ConfigurationSet::DESTINATION)
        .event_destination(destination.clone())
        .send()
        .await;
    match created {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_already_exists_exception()) => client
            .update_configuration_set_event_destination()
            .configuration_set_name(&set.name)
            .event_destination_name(ConfigurationSet::DESTINATION)
            .event_destination(destination)
            .send()
            .await
            .map(drop)
            .map_err(|error| call("UpdateConfigurationSetEventDestination", &set.name, error)),
        other => other.map(drop).map_err(|error| call(CREATE, &set.name, error)),
    }
}

fn destination(set: &ConfigurationSet, default_bus: &str) -> Result<EventDestinationDefinition, BuildError> {
    let types = set.event_types.iter().map(|name| EventType::from(name.as_str())).collect();
    let bus = EventBridgeDestination::builder().event_bus_arn(default_bus).build()?;
    Ok(EventDestinationDefinition::builder()
        .enabled(true)
        .set_matching_event_types(Some(types))
        .event_bridge_destination(bus)
        .build())
}

/// Removes a configuration set with its destination.
pub(crate) async fn remove(client: &Client, set: &ConfigurationSet) -> Result<(), ProvisionError> {
    match client.delete_configuration_set().configuration_set_name(&set.name).send().await {
        Err(error) if error.as_service_error().is_some_and(|e| e.is_not_found_exception()) => Ok(()),
        other => other.map(drop).map_err(|error| call("DeleteConfigurationSet", &set.name, error)),
    }
}
