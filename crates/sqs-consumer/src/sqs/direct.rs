//! Receives and deletes that are sent directly, as `direct_requests` describes.

use std::time::Duration;

use aws_clients::{AwsError, service};
use aws_sdk_sqs::error::{ErrorMetadata, SdkError};
use aws_sdk_sqs::operation::receive_message::ReceiveMessageError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use direct_requests::{Direct, Route, Unanswered};

/// The code of an error and whose fault it is, separated by a semicolon.
const QUERY_ERROR: &str = "x-amzn-query-error";

/// Makes a request, and reads the response with `read`. `None` if the SDK is to make the request.
pub(super) async fn call<T>(
    direct: &Direct,
    operation: &'static str,
    body: impl FnOnce() -> String,
    limit: Duration,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<Result<T, AwsError>> {
    let route = direct.route()?;
    let result = answered(&route, operation, body(), limit, read).await.transpose();
    match result {
        Some(Ok(_)) => direct.succeeded(),
        Some(Err(_)) | None => direct.failed(),
    }
    result
}

/// Returns `None` for a request that cannot be made.
async fn answered<T>(
    route: &Route,
    operation: &'static str,
    body: String,
    limit: Duration,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, AwsError> {
    let failed =
        |error: SdkError<ReceiveMessageError, HttpResponse>| AwsError::of(service::SQS, operation, error);
    let unreadable = || AwsError::unreadable(service::SQS, operation);
    let Some(request) = request(operation, body) else { return Ok(None) };
    let response = match route.send(request, Some(limit)).await {
        Ok(response) => response,
        Err(Unanswered::Unmade) => return Ok(None),
        Err(Unanswered::Timeout(_)) => return Err(AwsError::timeout(service::SQS, operation)),
        Err(Unanswered::Connection(error)) => return Err(failed(SdkError::dispatch_failure(error))),
        Err(Unanswered::Response(..)) => return Err(unreadable()),
    };
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return read(body).map(Some).ok_or_else(unreadable);
    }
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code(&response, body) {
        error = error.code(code);
    }
    Err(failed(SdkError::service_error(ReceiveMessageError::generic(error.build()), response)))
}

fn request(operation: &str, body: String) -> Option<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").ok()?;
    request.headers_mut().try_insert("x-amz-target", format!("AmazonSQS.{operation}")).ok()?;
    Some(request)
}

/// Returns the code of an error: that of the older protocol, which AWS keeps for SQS, or else the name of its shape.
fn code(response: &HttpResponse, body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Failure {
        #[serde(rename = "__type")]
        shape: String,
    }
    if let Some((code, _)) = response.headers().get(QUERY_ERROR).and_then(|error| error.split_once(';')) {
        return Some(code.to_owned());
    }
    let shape = serde_json::from_slice::<Failure>(body).ok()?.shape;
    Some(shape.rsplit('#').next()?.split(':').next()?.to_owned())
}

#[cfg(test)]
mod tests;
