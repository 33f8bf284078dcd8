//! A connector in place of the network, which fails one operation with an error and lets every other succeed.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::users::Operation;

#[derive(Clone, Debug)]
struct Refusing {
    operation: Operation,
    code: String,
}

impl HttpConnector for Refusing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        // SNS and SES don't use this header, but only one operation of each is called.
        let hit = target.is_empty() || target.ends_with(&format!(".{}", self.operation.name));
        let response = if hit { self.refusal() } else { answer(200, "{}".to_owned()) };
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl Refusing {
    /// Returns a response with the error where the service's protocol puts it.
    fn refusal(&self) -> HttpResponse {
        let code = &self.code;
        let body = match self.operation.service {
            "SNS" => format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code></Error></ErrorResponse>"
            ),
            "S3" => format!("<Error><Code>{code}</Code></Error>"),
            _ => serde_json::json!({"__type": code, "message": "no"}).to_string(),
        };
        let mut response = answer(400, body);
        match self.operation.service {
            "SES" => drop(response.headers_mut().insert("x-amzn-errortype", code.clone())),
            "SQS" => drop(response.headers_mut().insert("x-amzn-query-error", format!("{code};Sender"))),
            _ => {}
        }
        response
    }
}

fn answer(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
}

/// Returns a configuration whose clients receive this error for this operation.
pub(crate) fn refusing(operation: &Operation, code: &str) -> SdkConfig {
    let connector = SharedHttpConnector::new(Refusing { operation: *operation, code: code.to_owned() });
    let client: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    let credentials = aws_sdk_sns::config::Credentials::new("id", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(aws_sdk_sns::config::BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(aws_sdk_sns::config::SharedCredentialsProvider::new(credentials))
        .retry_config(aws_sdk_sns::config::retry::RetryConfig::disabled())
        .http_client(client)
        .build()
}
