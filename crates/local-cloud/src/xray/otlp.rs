//! OTLP over HTTP, in protobuf (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::time::SystemTime;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;

use super::XRay;
use super::translate::{self, Attributes, Untranslatable};

/// The largest request taken, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;
const PROTOBUF: &str = "application/x-protobuf";

/// Spans that were left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) spans: usize,
    /// Why the last of them.
    pub(crate) reason: Option<String>,
}

pub(super) fn router(xray: XRay) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(drop_it))
        .route("/v1/logs", post(drop_it))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(xray)
}

async fn traces(State(xray): State<XRay>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = check_format(&headers) {
        return refusal;
    }
    let request = match ExportTraceServiceRequest::decode(body) {
        Ok(request) => request,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("not an OTLP trace request: {error}")).into_response();
        }
    };
    let rejected = xray.record(&request);
    let partial_success = rejected.reason.map(|error_message| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected.spans).unwrap_or(i64::MAX),
        error_message,
    });
    protobuf(&ExportTraceServiceResponse { partial_success })
}

/// Metrics and logs have no place in X-Ray. Their answers are empty messages, which are empty bodies.
async fn drop_it(headers: HeaderMap, _body: Bytes) -> Response {
    match check_format(&headers) {
        Ok(()) => protobuf(&ExportTraceServiceResponse::default()),
        Err(refusal) => refusal,
    }
}

fn protobuf(message: &ExportTraceServiceResponse) -> Response {
    ([(header::CONTENT_TYPE, PROTOBUF)], message.encode_to_vec()).into_response()
}

#[expect(clippy::result_large_err, reason = "the error is the answer, made once a request at most")]
fn check_format(headers: &HeaderMap) -> Result<(), Response> {
    let refuse = |why: &'static str| Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response());
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(PROTOBUF) {
        return refuse(
            "OTLP is taken as application/x-protobuf only: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n",
        );
    }
    if !matches!(value(header::CONTENT_ENCODING), "" | "identity") {
        return refuse("OTLP is taken uncompressed only: set OTEL_EXPORTER_OTLP_COMPRESSION=none\n");
    }
    Ok(())
}

pub(super) fn record(xray: &XRay, request: &ExportTraceServiceRequest) -> Rejected {
    let mut rejected = Rejected::default();
    let now = epoch_seconds();
    for resource_spans in &request.resource_spans {
        let resource = resource_spans
            .resource
            .as_ref()
            .map(|resource| Attributes::new(&resource.attributes))
            .unwrap_or_default();
        for span in resource_spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
            match translate::documents(span, &resource, &xray.settings.indexed_attributes) {
                Ok(documents) => {
                    for segment in documents {
                        if let Some(trace_id) = segment.trace_id {
                            let json = segment.to_json();
                            xray.store().put(trace_id, &segment, json, now);
                        }
                    }
                }
                Err(reason) => rejected.add(reason),
            }
        }
    }
    rejected
}

impl Rejected {
    fn add(&mut self, reason: Untranslatable) {
        self.spans += 1;
        self.reason = Some(reason.to_string());
    }
}

pub(super) fn epoch_seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
