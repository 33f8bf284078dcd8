//! OTLP over HTTP, in protobuf (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::sync::Arc;

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

use super::spans::record;
use crate::settings::Settings;
use crate::store::Store;

/// The largest request accepted, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;
const PROTOBUF: &str = "application/x-protobuf";

#[derive(Clone, Debug)]
struct Receiver {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
}

pub(crate) fn router(store: Arc<dyn Store>, settings: Arc<Settings>) -> Router {
    Router::new()
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(discard))
        .route("/v1/logs", post(discard))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(Receiver { store, settings })
}

async fn traces(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = check_format(&headers) {
        return refusal;
    }
    let request = match ExportTraceServiceRequest::decode(body) {
        Ok(request) => request,
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("not an OTLP trace request: {error}")).into_response();
        }
    };
    let rejected = record(&*receiver.store, &receiver.settings, &request);
    let partial_success = rejected.reason.map(|error_message| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected.spans).unwrap_or(i64::MAX),
        error_message,
    });
    protobuf(&ExportTraceServiceResponse { partial_success })
}

/// Accepts metrics and logs, for which X-Ray has no place. The response to either is an empty message, and that is an
/// empty body whatever its type.
async fn discard(headers: HeaderMap, _body: Bytes) -> Response {
    match check_format(&headers) {
        Ok(()) => protobuf(&ExportTraceServiceResponse::default()),
        Err(refusal) => refusal,
    }
}

fn protobuf(message: &ExportTraceServiceResponse) -> Response {
    ([(header::CONTENT_TYPE, PROTOBUF)], message.encode_to_vec()).into_response()
}

#[expect(clippy::result_large_err, reason = "the error is the response, built at most once per request")]
fn check_format(headers: &HeaderMap) -> Result<(), Response> {
    let refuse = |why: &'static str| Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response());
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(PROTOBUF) {
        return refuse(
            "only OTLP as application/x-protobuf is accepted: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n",
        );
    }
    if !matches!(value(header::CONTENT_ENCODING), "" | "identity") {
        return refuse("only uncompressed OTLP is accepted: set OTEL_EXPORTER_OTLP_COMPRESSION=none\n");
    }
    Ok(())
}
