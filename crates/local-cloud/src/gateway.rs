//! One endpoint for all services: recognises the operation, applies faults, and passes the call to its service.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{HeaderValue, StatusCode};
use uuid::Uuid;

use crate::call::{Call, Service};
use crate::cloud::Cloud;
use crate::faults::{Answer, Injected};
use crate::reply::AwsError;
use crate::server::Cut;
use crate::{control, operation, sts};

/// The largest DynamoDB request, in bytes: `BatchWriteItem` takes 16 MB.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The largest request to other services, in bytes: a mail, or a full SQS batch with its JSON escapes.
const MAX_SMALL_BODY_BYTES: usize = 6 * 1024 * 1024;

/// Returns the router of the AWS endpoint: X-Ray's paths, `/_local`, and everything else by operation.
pub(crate) fn router(cloud: Arc<Cloud>, xray: Router) -> Router {
    Router::new()
        .nest("/_local", control::router())
        .fallback(answer)
        .with_state(Arc::clone(&cloud))
        .merge(xray.layer(middleware::from_fn_with_state(cloud, audit_xray)))
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

/// Records X-Ray's requests, which never reach [`answer`]. Their operation follows from the path.
async fn audit_xray(State(cloud): State<Arc<Cloud>>, request: Request, next: Next) -> Response {
    let operation = match request.uri().path() {
        "/TraceSegments" => "PutTraceSegments",
        "/TraceSummaries" => "GetTraceSummaries",
        "/Traces" => "BatchGetTraces",
        other => other,
    };
    cloud.audit.record_xray(request.headers(), operation);
    next.run(request).await
}

async fn answer(State(cloud): State<Arc<Cloud>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = operation::target(&parts.headers);
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
        .into_response(service.protocol());
    };
    let (service, operation) = match target {
        Some((service, operation)) => (service, operation.to_owned()),
        None => operation::by_path(&parts.method, parts.uri.path())
            .unwrap_or_else(|| operation::by_action(&parts.headers, &body)),
    };
    let call = Call {
        service,
        operation,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body,
    };
    cloud.audit.record(&call);
    match cloud.faults.next(call.caller(), service.name(), &call.operation) {
        None => dispatch(&cloud, call).await,
        Some(Injected::Throttle) => call.refuse(service.throttle()),
        Some(Injected::Failure) => call.refuse(service.internal_failure()),
        Some(Injected::Answer(Answer { code, status, message })) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            call.refuse(AwsError::new(status, code, message))
        }
        Some(Injected::Timeout) => {
            // The client gives up first, unless the cloud stops before.
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
        Service::Unknown => call.unknown_operation(),
    }
}
