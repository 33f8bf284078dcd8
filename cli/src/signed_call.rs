//! A signed call in AWS's JSON protocols, for services of which a few operations are needed.
//!
//! The SDK's crates for CloudWatch Logs and ECS have a hundred operations each, which every build would pay for. The parts it is made
//! of are linked anyway: this client signs, retries and times out as the others do.

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use serde_json::Value;

use crate::failure::Failure;

/// A service that is called in the protocol `awsJson1_0` or `awsJson1_1`
/// (<https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    /// What people call the service.
    pub(crate) service: &'static str,
    /// The service in signatures, and the first part of its address.
    pub(crate) signing_name: &'static str,
    /// The version of the protocol: 1.0 or 1.1.
    pub(crate) version: &'static str,
    /// What the operation follows in `X-Amz-Target`.
    pub(crate) target: &'static str,
}

pub(crate) const LOGS: Protocol =
    Protocol { service: "CloudWatch Logs", signing_name: "logs", version: "1.1", target: "Logs_20140328" };
#[cfg(feature = "local")]
pub(crate) const CLOUDWATCH: Protocol = Protocol {
    service: "CloudWatch",
    signing_name: "monitoring",
    version: "1.0",
    target: "GraniteServiceVersion20100801",
};

/// A client of one service.
#[derive(Debug)]
pub(crate) struct Client {
    protocol: Protocol,
    config: SdkConfig,
    endpoint: String,
}

/// Why a call was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    code: String,
    message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refused {}

impl Client {
    /// Creates a client for the configuration's region, or of the endpoint that replaces AWS's own.
    pub(crate) fn new(protocol: Protocol, config: SdkConfig, endpoint: Option<&str>) -> Self {
        let region = config.region().map_or(aws_clients::DEFAULT_REGION, |region| region.as_ref());
        // https://docs.aws.amazon.com/general/latest/gr/cwl_region.html, …/ecs-service.html, …/cw_region.html
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let aws = format!("https://{}.{region}.{suffix}", protocol.signing_name);
        Self { protocol, config, endpoint: endpoint.map_or(aws, str::to_owned) }
    }

    /// Calls an operation.
    ///
    /// # Errors
    /// When the service cannot be reached, or refuses the call.
    pub(crate) async fn call(&self, name: &'static str, input: Value) -> Result<Value, Failure> {
        let target = format!("{}.{name}", self.protocol.target);
        let content_type = format!("application/x-amz-json-{}", self.protocol.version);
        let mut operation = Operation::builder()
            .service_name(self.protocol.service)
            .operation_name(name)
            .endpoint_url(&self.endpoint)
            .runtime_plugin(self.signing()?)
            .serializer(move |input: Value| {
                let mut request = HttpRequest::new(SdkBody::from(input.to_string()));
                request.set_method("POST")?;
                request.set_uri("/")?;
                request.headers_mut().insert("content-type", content_type.clone());
                request.headers_mut().insert("x-amz-target", target.clone());
                Ok(request)
            })
            .deserializer(read);
        if let Some(http_client) = self.config.http_client() {
            operation = operation.http_client(http_client);
        }
        if let Some(retries) = self.config.retry_config() {
            operation = operation.standard_retry(retries);
        }
        if let Some(timeouts) = self.config.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        if let Some(sleep) = self.config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        let failed = |error: &dyn std::error::Error| {
            let reason = aws_sdk_xray::error::DisplayErrorContext(error).to_string();
            Failure::unavailable(format!("{} at {}: {reason}", self.protocol.service, self.endpoint))
        };
        operation.build().invoke(input).await.map_err(|error| match error.as_service_error() {
            Some(refused) => {
                Failure::unavailable(format!("{} refused {name}: {refused}", self.protocol.service))
            }
            None => failed(&error),
        })
    }

    /// Returns what signs requests: credentials, and for which service and region.
    fn signing(&self) -> Result<StaticRuntimePlugin, Failure> {
        let region = self.config.region().cloned().ok_or_else(|| Failure::usage("no region is set"))?;
        let credentials = self
            .config
            .credentials_provider()
            .ok_or_else(|| Failure::usage("there are no AWS credentials in the environment"))?;
        let mut layer = Layer::new("signing");
        layer
            .store_put(SigV4OperationSigningConfig::default())
            .store_put(SigningName::from_static(self.protocol.signing_name))
            .store_put(SigningRegion::from(region))
            .store_put(AuthSchemeOptionResolverParams::new(()));
        let components = RuntimeComponentsBuilder::new("signing")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_resolver(SCHEME_ID, credentials);
        Ok(StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components))
    }
}

/// Reads an answer: an error has its code in `__type`, perhaps behind a namespace and `#`.
fn read(response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    if response.status().is_success() {
        return Ok(answer);
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = match text("__type").rsplit('#').next() {
        Some(code) if !code.is_empty() => code.to_owned(),
        _ => format!("status {}", response.status().as_u16()),
    };
    let message = [text("message"), text("Message")].concat();
    Err(OrchestratorError::operation(Refused { code, message }))
}
