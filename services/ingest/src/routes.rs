//! The routes, and the checks on a request before its events are read.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use service_runtime::Health;
use telemetry::context::Incoming;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::app::{App, Arrival};
use crate::limits::MAX_BODY_BYTES;
use crate::openapi;
use crate::problem::{Kind, Problem};
use crate::publish::Publish;
use crate::signature::Signed;
use crate::span::{self, ROUTE, RequestAttributes};

/// Returns all routes. Only `POST /v1/events` makes spans.
pub(crate) fn router<P: Publish>(app: Arc<App<P>>, health: &Health) -> Router {
    Router::new()
        .route(ROUTE, post(post_events::<P>))
        .route("/openapi.json", get(openapi::get::<P>))
        .with_state(app)
        .merge(health.router())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
}

async fn not_found() -> Problem {
    Problem::new(Kind::NotFound, format!("events are posted to {ROUTE}; /openapi.json describes how"))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    // A caller can write any word as the method: only a known one is repeated.
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let method = known.iter().find(|known| **known == method).map_or("this method", Method::as_str);
    if uri.path() == ROUTE {
        Problem::method_not_allowed(method)
    } else {
        Problem::new(Kind::MethodNotAllowed, format!("{method} is not allowed; read it with GET"))
    }
}

async fn post_events<P: Publish>(State(app): State<Arc<App<P>>>, request: Request) -> Response {
    let started = Instant::now();
    let Ok(permit) = Arc::clone(&app.permits).try_acquire_owned() else {
        let problem = Problem::overloaded();
        app.metrics.answered(problem.kind().status(), started.elapsed());
        return problem.into_response();
    };
    let (parts, body) = request.into_parts();
    let incoming = Incoming::from_http(&parts.headers);
    let attributes = RequestAttributes::of(&parts);
    let span = span::start(&attributes, incoming.clone().into_context());
    let deadline = started + app.limits.request_timeout;
    let body = read(&app, &parts.headers, body, deadline).instrument(span.clone()).await;

    // In a separate task: a caller who hangs up must not cut off an event between the bus and the log.
    let (body, signed) = match body {
        Ok((body, signed)) => (Ok(body), signed),
        Err(problem) => (Err(problem), None),
    };
    let arrival = Arrival { span: span.clone(), incoming, signed, attributes, started, deadline };
    let answering = app.tasks.spawn({
        let app = Arc::clone(&app);
        async move {
            let response = match body {
                Ok(body) => app.answer(&arrival, &body).await,
                Err(problem) => app.refuse(&arrival, problem),
            };
            app.metrics.answered(response.status(), started.elapsed());
            drop(permit);
            response
        }
        .instrument(span)
    });
    answering.await.unwrap_or_else(|_| {
        // It panicked, which the panic hook has logged.
        Problem::internal().into_response()
    })
}

/// Reads the request's JSON after checking its content type, size and signature.
async fn read<P>(
    app: &App<P>,
    headers: &HeaderMap,
    body: Body,
    deadline: Instant,
) -> Result<(Value, Option<Signed>), Problem> {
    check_content_type(headers)?;
    let signed = app.secrets.as_ref().map(|secrets| Ok((secrets, Signed::read(headers, (app.now)())?)));
    let signed = signed.transpose().map_err(Problem::invalid_signature)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Problem::body_too_large());
    }
    let body =
        timeout_at(deadline, collect(body)).await.unwrap_or_else(|_| Err(Problem::request_timeout()))?;
    if let Some((secrets, signed)) = &signed {
        secrets.verify(signed, &body).map_err(Problem::invalid_signature)?;
    }
    Ok((parse(&body)?, signed.map(|(_, signed)| signed)))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::content_type());
    }
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii());
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(Kind::UnsupportedMediaType, "the body must not be compressed"));
    }
    Ok(())
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    let collected = Limited::new(body, MAX_BODY_BYTES).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
        while let Some(current) = cause {
            if current.is::<LengthLimitError>() {
                return Problem::body_too_large();
            }
            cause = current.source();
        }
        Problem::malformed_json("connection closed mid-body")
    })
}

fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        // The parser's own message can quote the body.
        let what = if error.is_eof() { "ends too early" } else { "is not JSON" };
        let (line, column) = (error.line(), error.column());
        Problem::malformed_json(format!("the body {what}: at line {line}, column {column}"))
    })
}
