//! One endpoint for all services: recognises the operation, reads and checks its input, applies faults, passes the call to
//! its service, and writes the answer in the protocol of the request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures_util::FutureExt as _;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::call::{Call, Service};
use crate::cloud::Cloud;
use crate::dynamodb::Output;
use crate::faults::{self, Changes, Injected, Subject};
use crate::reply::{AwsError, Format, Protocol, json_text};
use crate::server::{Answer, Cut};
use crate::{control, input, operation, s3, sts};

/// The largest DynamoDB request, in bytes: `BatchWriteItem` takes 16 MB.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// The largest request to other services, in bytes: a mail, or a full SQS batch with its JSON escapes.
const MAX_SMALL_BODY_BYTES: usize = 6 * 1024 * 1024;

/// The AWS endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    cloud: Arc<Cloud>,
    router: Router,
}

impl Gateway {
    pub(crate) fn new(cloud: Arc<Cloud>, xray: Router) -> Self {
        Self { router: router(Arc::clone(&cloud), xray), cloud }
    }
}

impl Answer for Gateway {
    /// Most requests are of a JSON protocol, and have no path to look for.
    async fn answer(self, request: Request) -> Response {
        if request.uri().path() == "/" && request.headers().contains_key(operation::TARGET) {
            return identified(Box::pin(answer(State(self.cloud), request)).await);
        }
        self.router.answer(request).await
    }
}

/// Returns the router of the AWS endpoint: X-Ray's paths, `/_local`, and everything else by operation.
fn router(cloud: Arc<Cloud>, xray: Router) -> Router {
    Router::new()
        .nest("/_local", control::router())
        .fallback(answer)
        .with_state(Arc::clone(&cloud))
        .merge(xray.layer(middleware::from_fn_with_state(cloud, audit_xray)))
        .layer(middleware::from_fn(add_request_id))
}

async fn add_request_id(request: Request, next: Next) -> Response {
    identified(next.run(request).await)
}

fn identified(mut response: Response) -> Response {
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
        "/TelemetryRecords" => "PutTelemetryRecords",
        "/Groups" => "GetGroups",
        "/SamplingTargets" => "GetSamplingTargets",
        "/SamplingStatisticSummaries" => "GetSamplingStatisticSummaries",
        "/EncryptionConfig" => "GetEncryptionConfig",
        "/Insight" => "GetInsight",
        "/InsightEvents" => "GetInsightEvents",
        "/InsightImpactGraph" => "GetInsightImpactGraph",
        "/InsightSummaries" => "GetInsightSummaries",
        // The others have their operation's name.
        other => other.trim_start_matches('/'),
    };
    cloud.audit.record_xray(request.headers(), operation);
    next.run(request).await
}

async fn answer(State(cloud): State<Arc<Cloud>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let target = operation::by_target(&parts.headers).or_else(|| operation::by_path(&cloud.models, &parts));
    let limit = match &target {
        Some(target) if matches!(target.service, Service::DynamoDb | Service::S3) => MAX_BODY_BYTES,
        _ => MAX_SMALL_BODY_BYTES,
    };
    let Ok(body) = axum::body::to_bytes(body, limit).await else {
        let (service, protocol) =
            target.map_or((Service::Unknown, Protocol::Query), |target| (target.service, target.protocol));
        let format = Format { service, protocol, model: cloud.models.of(service) };
        let too_large = format!("The request is larger than {limit} bytes, or ended early");
        return format.error(match service {
            Service::S3 => AwsError::bad_request("EntityTooLarge", too_large),
            _ => AwsError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", too_large),
        });
    };
    let (requested, form) = if let Some(requested) = target {
        (requested, Vec::new())
    } else {
        let form = input::form(&parts.uri, &body);
        (operation::by_action(&cloud.models, &parts.headers, &form), form)
    };
    let model = cloud.models.of(requested.service);
    let format = Format { service: requested.service, protocol: requested.protocol, model };
    let (body, received) = match requested.service {
        Service::S3 => s3::receive(model, &requested.operation, &mut parts.headers, body),
        _ => (body, Ok(())),
    };
    let (input, valid) = match input::read(&requested, model, &parts.uri, &parts.headers, &body, form) {
        Ok(input) => {
            let valid = model.map_or(Ok(()), |model| input::check(&requested, model, &input));
            (input, received.and(valid))
        }
        Err(error) => (Value::Null, received.and(Err(error))),
    };
    let mut call = Call {
        service: requested.service,
        operation: requested.operation.clone(),
        input,
        headers: parts.headers,
        body,
    };
    let resources = cloud.audit.record(&call);
    let caller = call.caller().map(str::to_owned);
    let subject = Subject {
        caller: caller.as_deref(),
        service: call.service.name(),
        operation: &requested.operation,
        resources: &resources,
    };
    let plan = cloud.faults.plan(&subject);
    if !plan.delay.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(plan.delay) => {}
            () = cloud.stop.cancelled() => return cut(),
        }
    }
    let (entries, is_lost) = match plan.error {
        None | Some(Injected::DelayMs(_) | Injected::Duplicate | Injected::Reorder) => (None, false),
        Some(Injected::Throttle) => return format.error(call.service.throttle()),
        Some(Injected::Failure) => return format.error(call.service.internal_failure()),
        Some(Injected::Answer(faults::Answer { code, status, message, .. })) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return format.error(AwsError::new(status, code, message));
        }
        Some(Injected::Timeout) => {
            // The client gives up first, unless the cloud stops before.
            cloud.stop.cancelled().await;
            return cut();
        }
        Some(Injected::DropResponse) => (None, true),
        Some(Injected::Entries(entries)) => (Some(entries), false),
    };
    let response = match valid {
        Ok(()) => {
            let changes = cloud.faults.prepare(subject, entries, &mut call.input);
            dispatch(&cloud, call, format, changes).await
        }
        Err(error) => format.error(error),
    };
    if is_lost { cut() } else { response }
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

async fn dispatch(cloud: &Arc<Cloud>, mut call: Call, format: Format<'_>, changes: Changes<'_>) -> Response {
    // DynamoDB takes its input apart, and items are large.
    let input = (call.service == Service::DynamoDb).then(|| std::mem::take(&mut call.input));
    guarded(&call, format, serve(cloud, &call, input, format, changes)).await
}

/// Confines a panic in a service to the request that caused it.
async fn guarded(call: &Call, format: Format<'_>, answer: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| {
        let reason = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let reason = reason.or_else(|| panic.downcast_ref::<String>().cloned());
        tracing::error!(
            service = call.service.name(),
            operation = call.operation,
            reason = reason.as_deref().unwrap_or("unknown"),
            "a request made the service panic"
        );
        format.error(call.service.internal_failure())
    })
}

async fn serve(
    cloud: &Arc<Cloud>,
    call: &Call,
    input: Option<Value>,
    format: Format<'_>,
    changes: Changes<'_>,
) -> Response {
    if call.service == Service::S3 {
        return match cloud.s3.answer(call).await {
            Ok(answer) => format.rest_xml(&call.operation, answer.status, &answer.members, answer.body),
            Err(error) => format.error(error),
        };
    }
    let result = if changes.leave_nothing() {
        Ok(Output::Value(Value::Object(Map::new())))
    } else if let Some(input) = input {
        cloud.dynamodb.answer(call, input).await
    } else {
        answer_of_service(cloud, call).await.map(Output::Value)
    };
    match result {
        // The output of one item, of which no entry can fail.
        Ok(Output::Text(text)) => json_text(text),
        Ok(Output::Value(mut output)) => {
            cloud.faults.complete(changes, &mut output);
            format.output(&call.operation, &output)
        }
        Err(error) => format.error(error),
    }
}

/// Has the service answer.
pub(crate) async fn answer_of_service(cloud: &Cloud, call: &Call) -> Result<Value, AwsError> {
    match call.service {
        Service::Sqs => cloud.sqs.answer(call).await,
        Service::Sns => cloud.sns.answer(call).await,
        Service::Events => cloud.events.answer(call).await,
        Service::DynamoDb => {
            let output = cloud.dynamodb.answer(call, call.input.clone()).await?;
            output.into_value().map_err(|_| call.service.internal_failure())
        }
        Service::DynamoDbStreams => cloud.dynamodb.answer_streams(call),
        Service::Ses => cloud.ses.answer(call),
        Service::SesV2 => cloud.ses.answer_v2(call),
        Service::Pipes => cloud.pipes.answer(call).await,
        Service::Sts => sts::answer(call, &cloud.account_id),
        Service::S3 => cloud.s3.answer(call).await.map(|answer| answer.members),
        Service::Kms => cloud.kms.answer(call),
        Service::Unknown => Err(call.not_supported()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_internal_failure_of_its_request() {
        let call = Call {
            service: Service::DynamoDb,
            operation: "Query".to_owned(),
            input: Value::Null,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let format = Format { service: call.service, protocol: Protocol::Json, model: None };
        let answer = async { panic!("range start is greater than range end") };
        let response = guarded(&call, format, answer).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("InternalServerError"), "{body:?}");
    }
}
