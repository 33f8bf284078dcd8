//! OTLP over HTTP, in protobuf and JSON, compressed or not (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::io::Read as _;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Intake, MAX_REQUEST, MetricsSink};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(crate) fn router(intake: Arc<Intake>, metrics: Arc<dyn MetricsSink>) -> Router {
    let traces = Router::new().route("/v1/traces", post(traces)).with_state(intake);
    let metrics = Router::new().route("/v1/metrics", post(self::metrics)).with_state(metrics);
    traces.merge(metrics).route("/v1/logs", post(discard)).layer(DefaultBodyLimit::max(MAX_REQUEST))
}

/// The format of a request and its response.
#[derive(Clone, Copy, Debug)]
enum Format {
    Protobuf,
    Json,
}

/// A request that is refused.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

async fn traces(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let format = Format::of(&headers)?;
    let request = format.read(&uncompressed(&headers, body)?)?;
    let response = ExportTraceServiceResponse::from(intake.record(&request));
    Ok(format.respond(&response, response.partial_success.is_none()))
}

async fn metrics(
    State(sink): State<Arc<dyn MetricsSink>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let format = Format::of(&headers)?;
    let request = format.read(&uncompressed(&headers, body)?)?;
    let response = sink.record(&request);
    Ok(format.respond(&response, response.partial_success.is_none()))
}

/// Accepts logs, for which X-Ray has no place. The response is an empty message.
async fn discard(headers: HeaderMap, _body: Bytes) -> Result<Response, Refusal> {
    Ok(Format::of(&headers)?.respond(&ExportLogsServiceResponse::default(), true))
}

impl Format {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let media_type = text(headers, header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case(PROTOBUF) {
            Ok(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case(JSON) {
            Ok(Self::Json)
        } else {
            let why = format!("OTLP is accepted as {PROTOBUF} and {JSON}\n");
            Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
    }

    fn read<T: Message + Default + DeserializeOwned>(self, body: &[u8]) -> Result<T, Refusal> {
        let refuse =
            |error: String| Refusal(StatusCode::BAD_REQUEST, format!("not an OTLP request: {error}\n"));
        match self {
            Self::Protobuf => T::decode(body).map_err(|error| refuse(error.to_string())),
            Self::Json => serde_json::from_slice(body)
                .map_err(|error| refuse(format!("line {}, column {}", error.line(), error.column()))),
        }
    }

    fn respond(self, message: &(impl Message + Serialize), is_empty: bool) -> Response {
        match self {
            Self::Protobuf => ([(header::CONTENT_TYPE, PROTOBUF)], message.encode_to_vec()).into_response(),
            // An empty object: the derived form has a null member.
            Self::Json if is_empty => ([(header::CONTENT_TYPE, JSON)], "{}").into_response(),
            Self::Json => Json(message).into_response(),
        }
    }
}

/// Returns a body as it was before it was compressed, at most [`MAX_REQUEST`] bytes of it.
fn uncompressed(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Refusal> {
    match text(headers, header::CONTENT_ENCODING).trim() {
        "" | "identity" => Ok(body),
        "gzip" => {
            let mut uncompressed = Vec::new();
            let most = MAX_REQUEST as u64;
            let read = MultiGzDecoder::new(&*body).take(most + 1).read_to_end(&mut uncompressed);
            read.map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the body is not gzip\n".to_owned()))?;
            if uncompressed.len() > MAX_REQUEST {
                let why = format!("the body is larger than {MAX_REQUEST} bytes once uncompressed\n");
                return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, why));
            }
            Ok(uncompressed.into())
        }
        _ => {
            let why = "OTLP is accepted compressed by gzip, or not compressed\n".to_owned();
            Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why))
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
