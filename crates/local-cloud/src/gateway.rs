//! One endpoint for all services: finds out which operation of which service a request means, and has it answered.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use uuid::Uuid;

use crate::cloud::Cloud;
use crate::faults::Injected;
use crate::reply::{AwsError, Protocol};
use crate::server::Cut;
use crate::{local, sts};

/// The largest request of any service here: DynamoDB's `BatchWriteItem` of 16 MB.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The largest request of the others: a mail of SES, or a full SQS batch with its JSON escapes.
const MAX_SMALL_BODY_BYTES: usize = 6 * 1024 * 1024;

/// A service of AWS that the endpoint plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Sqs,
    Sns,
    Events,
    DynamoDb,
    DynamoDbStreams,
    Ses,
    SesV2,
    Pipes,
    Sts,
    Unknown,
}

impl Service {
    /// The name that faults and log lines use: the `SigV4` service name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::Events => "events",
            Self::DynamoDb => "dynamodb",
            Self::DynamoDbStreams => "dynamodbstreams",
            Self::Ses | Self::SesV2 => "ses",
            Self::Pipes => "pipes",
            Self::Sts => "sts",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Sqs | Self::Events | Self::DynamoDb | Self::DynamoDbStreams | Self::Unknown => {
                Protocol::Json
            }
            Self::SesV2 | Self::Pipes => Protocol::RestJson,
            Self::Sns | Self::Ses | Self::Sts => Protocol::Query,
        }
    }

    /// How this service says "slow down".
    pub(crate) fn throttle(self) -> AwsError {
        let (status, code) = match self {
            Self::Sqs => (StatusCode::FORBIDDEN, "RequestThrottled"),
            Self::Sns => (StatusCode::TOO_MANY_REQUESTS, "Throttled"),
            Self::DynamoDb | Self::DynamoDbStreams => {
                (StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException")
            }
            Self::SesV2 => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            Self::Pipes => (StatusCode::TOO_MANY_REQUESTS, "ThrottlingException"),
            Self::Ses | Self::Sts => (StatusCode::BAD_REQUEST, "Throttling"),
            Self::Events | Self::Unknown => (StatusCode::BAD_REQUEST, "ThrottlingException"),
        };
        AwsError::new(status, code, "Rate exceeded")
    }

    /// How this service says that it failed.
    pub(crate) fn internal_failure(self) -> AwsError {
        let code = match self {
            Self::Sqs | Self::Sns | Self::Ses | Self::Sts | Self::Unknown => "InternalFailure",
            Self::DynamoDb | Self::DynamoDbStreams => "InternalServerError",
            Self::Events | Self::Pipes => "InternalException",
            Self::SesV2 => "InternalServiceErrorException",
        };
        AwsError::new(StatusCode::INTERNAL_SERVER_ERROR, code, "Internal failure")
    }
}

/// A request that was understood as far as its operation.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) operation: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The router of the AWS endpoint: X-Ray's paths, `/_local`, and everything else by operation.
pub(crate) fn router(cloud: Arc<Cloud>, xray: Router) -> Router {
    Router::new()
        .nest("/_local", local::router())
        .fallback(answer)
        .with_state(Arc::clone(&cloud))
        .merge(xray.layer(middleware::from_fn_with_state(cloud, record_xray)))
        .layer(middleware::from_fn(add_request_id))
}

async fn add_request_id(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if !headers.contains_key("x-amzn-requestid")
        && let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string())
    {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// X-Ray's requests are named by their path; none of its resources is.
async fn record_xray(State(cloud): State<Arc<Cloud>>, request: Request, next: Next) -> Response {
    let operation = match request.uri().path() {
        "/TraceSegments" => "PutTraceSegments",
        "/TraceSummaries" => "GetTraceSummaries",
        "/Traces" => "BatchGetTraces",
        other => other,
    };
    cloud.calls.record_xray(request.headers(), operation);
    next.run(request).await
}

async fn answer(State(cloud): State<Arc<Cloud>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = target(&parts.headers);
    let limit = match target {
        Some((Service::DynamoDb, _)) => MAX_BODY_BYTES,
        _ => MAX_SMALL_BODY_BYTES,
    };
    let Ok(body) = axum::body::to_bytes(body, limit).await else {
        let service = target.map_or(Service::Unknown, |(service, _)| service);
        return AwsError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("The request is larger than {limit} bytes, or ended early"),
        )
        .into_response(service);
    };
    let (service, operation) = match target {
        Some((service, operation)) => (service, operation.to_owned()),
        None => by_path(&parts.method, parts.uri.path()).unwrap_or_else(|| by_action(&parts.headers, &body)),
    };
    let call = Call {
        service,
        operation,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body,
    };
    cloud.calls.record(&call);
    match cloud.faults.next(caller(&call.headers), service.name(), &call.operation) {
        None => dispatch(&cloud, call).await,
        Some(Injected::Throttle) => service.throttle().into_response(service),
        Some(Injected::Failure) => service.internal_failure().into_response(service),
        Some(Injected::Timeout) => {
            // The client gives up first, unless the cloud stops.
            cloud.stop.cancelled().await;
            cut()
        }
        Some(Injected::DropResponse) => {
            drop(dispatch(&cloud, call).await);
            cut()
        }
    }
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

async fn dispatch(cloud: &Arc<Cloud>, call: Call) -> Response {
    match call.service {
        Service::Sqs => cloud.sqs.answer(&call).await,
        Service::Sns => cloud.sns.answer(&call).await,
        Service::Events => cloud.events.answer(&call).await,
        Service::DynamoDb => cloud.dynamodb.answer(&call).await,
        Service::DynamoDbStreams => cloud.dynamodb.answer_streams(&call).await,
        Service::Ses => cloud.ses.answer(&call).await,
        Service::SesV2 => cloud.ses.answer_v2(&call).await,
        Service::Pipes => cloud.pipes.answer(&call).await,
        Service::Sts => sts::answer(&call, &cloud.account_id),
        Service::Unknown => unknown_operation(&call),
    }
}

/// Says which operation is missing, to the client and in the log: a silent 404 costs an afternoon.
pub(crate) fn unknown_operation(call: &Call) -> Response {
    tracing::warn!(
        service = call.service.name(),
        operation = call.operation,
        method = %call.method,
        path = call.path,
        "operation not supported"
    );
    let code = match call.service.protocol() {
        Protocol::Query => "InvalidAction",
        Protocol::Json | Protocol::RestJson => "UnknownOperationException",
    };
    let message = match call.service {
        Service::Unknown => format!("The local cloud does not support {}", call.operation),
        service => format!("The local cloud does not support {} of {}", call.operation, service.name()),
    };
    AwsError::bad_request(code, message).into_response(call.service)
}

/// The JSON protocols name service and operation in a header.
fn target(headers: &HeaderMap) -> Option<(Service, &str)> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    let (service, operation) = target.split_once('.')?;
    let service = match service {
        "AmazonSQS" => Service::Sqs,
        "AWSEvents" => Service::Events,
        "DynamoDB_20120810" => Service::DynamoDb,
        "DynamoDBStreams_20120810" => Service::DynamoDbStreams,
        _ => return Some((Service::Unknown, target)),
    };
    Some((service, operation))
}

/// The REST protocols name them in method and path.
fn by_path(method: &Method, path: &str) -> Option<(Service, String)> {
    let service = if path == "/v1/pipes" || path.starts_with("/v1/pipes/") {
        Service::Pipes
    } else if path.starts_with("/v2/email/") {
        Service::SesV2
    } else if path == "/"
        || method == Method::POST && path.split('/').filter(|part| !part.is_empty()).count() == 2
    {
        // The query protocols: at the root, or (old SQS clients) at a queue's address.
        return None;
    } else {
        return Some((Service::Unknown, format!("{method} {path}")));
    };
    let operation = match service {
        Service::Pipes => crate::pipes::operation(method, path),
        _ => crate::ses::operation_v2(method, path),
    };
    Some((service, operation.map_or_else(|| format!("{method} {path}"), str::to_owned)))
}

/// The query protocols name the operation in the form, and the service only in the signature's credential scope.
fn by_action(headers: &HeaderMap, body: &[u8]) -> (Service, String) {
    let form = rustack_sns_http::request::parse_form_params(body);
    let Some(action) = rustack_sns_http::request::get_optional_param(&form, "Action") else {
        return (Service::Unknown, "a request without an operation".to_owned());
    };
    let service = match signed_for(headers) {
        Some("sns") => Service::Sns,
        Some("ses" | "email") => Service::Ses,
        Some("sts") => Service::Sts,
        None if action == "GetCallerIdentity" => Service::Sts,
        None if rustack_sns_model::operations::SnsOperation::from_name(action).is_some() => Service::Sns,
        None if rustack_ses_model::operations::SesOperation::from_name(action).is_some() => Service::Ses,
        Some(_) | None => Service::Unknown,
    };
    (service, action.to_owned())
}

/// The service that the request was signed for.
fn signed_for(headers: &HeaderMap) -> Option<&str> {
    credential(headers)?.rsplit('/').nth(1)
}

/// The access key that the request was signed with: who calls.
pub(crate) fn caller(headers: &HeaderMap) -> Option<&str> {
    credential(headers)?.split('/').next()
}

/// `<key>/<date>/<region>/<service>/aws4_request` of `Credential=`.
fn credential(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (_, rest) = authorization.split_once("Credential=")?;
    rest.split(',').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn target_names_service_and_operation() {
        assert_eq!(
            target(&headers("x-amz-target", "AWSEvents.PutEvents")),
            Some((Service::Events, "PutEvents"))
        );
        assert_eq!(
            target(&headers("x-amz-target", "Logs_20140328.FilterLogEvents")),
            Some((Service::Unknown, "Logs_20140328.FilterLogEvents"))
        );
        assert_eq!(target(&HeaderMap::new()), None);
    }

    #[test]
    fn action_goes_to_the_service_that_was_signed_for() {
        let signed = headers(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=local/20261123/eu-central-1/ses/aws4_request, SignedHeaders=host, Signature=0",
        );
        assert_eq!(caller(&signed), Some("local"));
        assert_eq!(by_action(&signed, b"Action=SendEmail"), (Service::Ses, "SendEmail".to_owned()));
        assert_eq!(by_action(&HeaderMap::new(), b"Action=Publish"), (Service::Sns, "Publish".to_owned()));
        assert_eq!(by_action(&HeaderMap::new(), b"Action=GetCallerIdentity").0, Service::Sts);
    }

    #[test]
    fn paths_name_rest_services() {
        assert_eq!(by_path(&Method::POST, "/v1/pipes/a"), Some((Service::Pipes, "CreatePipe".to_owned())));
        assert_eq!(
            by_path(&Method::POST, "/v2/email/outbound-emails"),
            Some((Service::SesV2, "SendEmail".to_owned()))
        );
        assert_eq!(by_path(&Method::POST, "/"), None);
        assert_eq!(
            by_path(&Method::GET, "/bucket/key/x").map(|(service, _)| service),
            Some(Service::Unknown)
        );
    }
}
