//! ECS and CloudWatch, of which four operations are read.

use serde::de::DeserializeOwned;
use serde_json::Value;
use service_runtime::Environment;

use crate::failure::Failure;
use crate::place::Place;
use crate::signed_call::{CLOUDWATCH, Client, Protocol};

const ECS: Protocol = Protocol {
    service: "ECS",
    signing_name: "ecs",
    version: "1.1",
    target: "AmazonEC2ContainerServiceV20141113",
};

/// A service with a JSON protocol.
#[derive(Debug)]
pub(super) struct JsonApi {
    protocol: Protocol,
    client: Client,
}

impl JsonApi {
    pub(super) fn ecs(place: &Place, environment: &Environment) -> Self {
        Self::new(ECS, place, environment.get("AWS_ENDPOINT_URL_ECS"))
    }

    pub(super) fn cloudwatch(place: &Place, environment: &Environment) -> Self {
        Self::new(CLOUDWATCH, place, environment.get("AWS_ENDPOINT_URL_CLOUDWATCH"))
    }

    fn new(protocol: Protocol, place: &Place, endpoint: Option<&str>) -> Self {
        let other = place.endpoint_url.as_deref().or(endpoint.filter(|url| !url.is_empty()));
        let client = Client::new(protocol, place.config.clone(), other);
        Self { protocol, client }
    }

    /// Calls an operation and reads its output.
    ///
    /// # Errors
    /// When the service cannot be reached or refuses the call, or answers something else.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        input: Value,
    ) -> Result<T, Failure> {
        let output = self.client.call(operation, input).await?;
        serde_json::from_value(output).map_err(|error| {
            Failure::unavailable(format!(
                "{} answered {operation} unexpectedly: {error}",
                self.protocol.service
            ))
        })
    }
}
