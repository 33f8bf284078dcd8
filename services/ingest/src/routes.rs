//! The routes, and the checks that a request passes before its events are read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use service_runtime::Health;
use telemetry::context::Incoming as TraceContext;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::admission::{Phase, Place};
use crate::app::{App, Arrival};
use crate::body::{self, Received};
use crate::limits::MAX_BODY_BYTES;
use crate::openapi;
use crate::problem::{Kind, Problem};
use crate::publish::Publish;
use crate::span::{self, ROUTE, RequestAttributes};
use webhook_signature::Signed;

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

/// Takes a request in, and answers it in a separate task: a caller who hangs up must not cut off an event between the bus
/// and the log.
async fn post_events<P: Publish>(State(app): State<Arc<App<P>>>, request: Request) -> Response {
    let started = Instant::now();
    let deadline = started + app.limits.request_timeout;
    let (parts, body) = request.into_parts();
    let Admitted { body, signed, permit } = match admit(&app, &parts, body, started, deadline).await {
        Ok(admitted) => admitted,
        Err(problem) => {
            app.refuse(&problem);
            app.metrics.answered(problem.kind().status(), started.elapsed());
            return problem.into_response();
        }
    };
    // No span before this: a caller that is refused must not write into the trace that it names.
    let incoming = TraceContext::from_http(&parts.headers);
    let attributes = RequestAttributes::of(&parts);
    let span = span::new(&attributes, &app.labels, incoming.clone().into_context());
    let arrival = Arrival { span, incoming, signed, attributes, started, deadline };
    let answering = app.tasks.spawn({
        let app = Arc::clone(&app);
        async move {
            let mut response = app.answer(&arrival, &body.bytes).await;
            response.headers_mut().extend(telemetry::context::response_headers(&arrival.span));
            app.metrics.answered(response.status(), started.elapsed());
            drop((body, permit));
            response
        }
    });
    answering.await.unwrap_or_else(|_| {
        // It panicked, which the panic hook has logged.
        Problem::internal().into_response()
    })
}

/// A request that may be looked at.
struct Admitted {
    body: Received,
    signed: Option<Signed>,
    permit: OwnedSemaphorePermit,
}

/// Checks who sends what, first by the head alone; reads the body; and takes a place among the requests in flight, which
/// nobody holds whose request is not complete.
async fn admit<P>(
    app: &App<P>,
    parts: &Parts,
    mut body: Body,
    started: Instant,
    deadline: Instant,
) -> Result<Admitted, Problem> {
    // Without a connection there is a place for the request alone.
    let place = parts.extensions.get::<Place>().cloned();
    let place = place.or_else(|| app.admission.enter(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let Some(place) = place else { return Err(Problem::overloaded()) };
    let signed = match check_head(app, &parts.headers) {
        Ok(signed) => signed,
        Err(problem) => {
            // Who expects a "100 Continue" has not sent the body.
            if !parts.headers.contains_key(EXPECT) {
                body::discard(body, place);
            }
            return Err(problem);
        }
    };
    place.is_in(Phase::Body);
    let received = body::read(&mut body, &place, started, deadline).await;
    place.is_in(Phase::Answering);
    let received = match received {
        Ok(received) => received,
        Err(problem) => {
            if problem.kind() != Kind::RequestTimeout {
                body::discard(body, place);
            }
            return Err(problem);
        }
    };
    if let (Some(secrets), Some(signed)) = (&app.secrets, &signed) {
        secrets.verify(signed, &received.bytes).map_err(Problem::invalid_signature)?;
    }
    let permit = Arc::clone(&app.permits).try_acquire_owned().map_err(|_| Problem::overloaded())?;
    Ok(Admitted { body: received, signed, permit })
}

/// Checks what the head tells about content and signature.
fn check_head<P>(app: &App<P>, headers: &HeaderMap) -> Result<Option<Signed>, Problem> {
    check_content_type(headers)?;
    let signed = app.secrets.is_some().then(|| Signed::read(headers, (app.now)()));
    let signed = signed.transpose().map_err(Problem::invalid_signature)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(Problem::body_too_large());
    }
    Ok(signed)
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
