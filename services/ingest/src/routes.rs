//! The routes, and what a request must be before its events are looked at.

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
use crate::openapi;
use crate::problem::{Kind, Problem};
use crate::publish::Publish;
use crate::span::{self, ROUTE, RequestAttributes};

/// The most bytes a body may have.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// All routes. Only `POST /v1/events` makes spans.
pub(crate) fn router<P: Publish>(app: Arc<App<P>>, health: &Health) -> Router {
    Router::new()
        .route(ROUTE, post(post_events::<P>))
        .route("/openapi.json", get(openapi::get))
        .with_state(app)
        .merge(health.router())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
}

async fn not_found() -> Problem {
    Problem::new(Kind::NotFound, format!("events are posted to {ROUTE}; /openapi.json describes how"))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let hint = if uri.path() == ROUTE { "events are sent with POST" } else { "it can be read with GET" };
    // A method is any word a caller likes: only a known one is repeated.
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let method = known.iter().find(|known| **known == method).map_or("this method", Method::as_str);
    Problem::new(Kind::MethodNotAllowed, format!("{method} is not allowed here; {hint}"))
}

async fn post_events<P: Publish>(State(app): State<Arc<App<P>>>, request: Request) -> Response {
    let started = Instant::now();
    let Ok(permit) = Arc::clone(&app.permits).try_acquire_owned() else {
        let problem = Problem::new(Kind::Overloaded, "too many requests are under way; try again later");
        app.metrics.answered(problem.kind().status(), started.elapsed());
        return problem.into_response();
    };
    let (parts, body) = request.into_parts();
    let incoming = Incoming::from_http(&parts.headers);
    let attributes = RequestAttributes::of(&parts);
    let span = span::start(&attributes, incoming.clone().into_context());
    let deadline = started + app.limits.request_timeout;
    let body = read(&app, &parts.headers, body, deadline).instrument(span.clone()).await;

    // A task of its own: a caller who hangs up must not cut off an event between the bus and the log.
    let arrival = Arrival { span: span.clone(), incoming, attributes, started, deadline };
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
        // It panicked, which the panic hook has reported.
        Problem::new(Kind::Internal, "the request could not be answered").into_response()
    })
}

/// The request's JSON, if the request is one that may be read.
async fn read<P>(app: &App<P>, headers: &HeaderMap, body: Body, deadline: Instant) -> Result<Value, Problem> {
    check_content_type(headers)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(body_too_large());
    }
    let body = timeout_at(deadline, collect(body)).await.unwrap_or_else(|_| {
        Err(Problem::new(Kind::RequestTimeout, "the body did not arrive in time; send it again, faster"))
    })?;
    if let Some(secret) = &app.secret {
        let now_s = (app.now)().as_second();
        secret
            .verify(headers, &body, now_s)
            .map_err(|error| Problem::new(Kind::InvalidSignature, error.to_string()))?;
    }
    parse(&body)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Kind::UnsupportedMediaType, "the content type must be application/json"));
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
                return body_too_large();
            }
            cause = current.source();
        }
        Problem::new(Kind::MalformedJson, "the body broke off")
    })
}

fn body_too_large() -> Problem {
    let detail = format!("the body must have at most {MAX_BODY_BYTES} bytes; send a long list in parts");
    Problem::new(Kind::BodyTooLarge, detail)
}

fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        // The parser's own message can quote the body.
        let what = if error.is_eof() { "ends too early" } else { "is not JSON" };
        let (line, column) = (error.line(), error.column());
        Problem::new(Kind::MalformedJson, format!("the body {what}: at line {line}, column {column}"))
    })
}
