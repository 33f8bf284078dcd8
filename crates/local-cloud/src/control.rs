//! The control API, under `/_local`: health, mail, webhooks, calls, metrics, faults.

use std::sync::Arc;
use std::time::SystemTime;

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::call::Service;
use crate::cloud::Cloud;
use crate::faults::{Answer, Fault, Injected, Subject};
use crate::guard;
use crate::server::Cut;
use crate::webhook::MAX_BODY_BYTES;

pub(crate) fn router() -> Router<Arc<Cloud>> {
    Router::new()
        .route("/health", get(health))
        .route("/mail", get(mail).delete(forget_mail))
        .route(
            "/webhook",
            get(pushes).post(push).delete(forget_pushes).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)),
        )
        .route("/calls", get(list_calls).delete(forget_calls))
        .route("/metrics", get(metrics).delete(forget_metrics))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .fallback(not_found)
        .layer(middleware::from_fn(guard::only_programs))
}

async fn not_found() -> Response {
    let paths =
        "/_local/health, /_local/mail, /_local/webhook, /_local/calls, /_local/metrics and /_local/faults";
    problem(StatusCode::NOT_FOUND, &format!("not found: the local cloud serves {paths}"))
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

async fn health(State(cloud): State<Arc<Cloud>>) -> Response {
    if cloud.is_ready() {
        Json(json!({"status": "up"})).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "down"}))).into_response()
    }
}

async fn mail(State(cloud): State<Arc<Cloud>>) -> Response {
    let sent = cloud.ses.sent();
    Json(sent.iter().map(Arc::as_ref).collect::<Vec<_>>()).into_response()
}

async fn forget_mail(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.ses.forget_sent();
    StatusCode::NO_CONTENT
}

async fn pushes(State(cloud): State<Arc<Cloud>>) -> Response {
    let received = cloud.webhook.received();
    Json(received.iter().map(Arc::as_ref).collect::<Vec<_>>()).into_response()
}

async fn forget_pushes(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.webhook.forget();
    StatusCode::NO_CONTENT
}

/// Receives a push, and answers as the faults of the service `webhook` say.
async fn push(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> Response {
    let resources = BTreeSet::new();
    let (service, operation) = WEBHOOK_PUSH;
    let plan = cloud.faults.plan(&Subject { caller: None, service, operation, resources: &resources });
    let late = async { tokio::time::sleep(plan.delay).await };
    tokio::select! {
        () = late => {}
        () = cloud.stop.cancelled() => return cut(),
    }
    let (fault, retry_after, lost) = match plan.error {
        Some(Injected::Throttle) => (Some(StatusCode::TOO_MANY_REQUESTS), None, false),
        Some(Injected::Failure) => (Some(StatusCode::INTERNAL_SERVER_ERROR), None, false),
        Some(Injected::Answer(Answer { status, retry_after, .. })) => {
            (StatusCode::from_u16(status).ok(), retry_after, false)
        }
        Some(Injected::Timeout) => {
            // The client gives up first, unless the cloud stops before.
            cloud.stop.cancelled().await;
            return cut();
        }
        Some(Injected::DropResponse) => (None, None, true),
        None
        | Some(Injected::DelayMs(_) | Injected::Entries(_) | Injected::Duplicate | Injected::Reorder) => {
            (None, None, false)
        }
    };
    let status = cloud.webhook.receive(&headers, &body, fault, lost);
    if lost {
        return cut();
    }
    let mut response = status.into_response();
    if let Some(value) = retry_after.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}

async fn list_calls(State(cloud): State<Arc<Cloud>>) -> Response {
    Json(cloud.audit.list()).into_response()
}

async fn forget_calls(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.audit.forget();
    StatusCode::NO_CONTENT
}

async fn metrics(State(cloud): State<Arc<Cloud>>) -> Response {
    Json(cloud.metrics.document(SystemTime::now())).into_response()
}

async fn forget_metrics(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.metrics.forget();
    StatusCode::NO_CONTENT
}

async fn list_faults(State(cloud): State<Arc<Cloud>>) -> Response {
    Json(cloud.faults.list()).into_response()
}

async fn add_fault(State(cloud): State<Arc<Cloud>>, body: Bytes) -> Response {
    let fault: Fault = match serde_json::from_slice(&body) {
        Ok(fault) => fault,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if let Err(refused) = fault.check() {
        return problem(StatusCode::BAD_REQUEST, &refused.to_string());
    }
    if let Some(operation) = fault.operation.as_deref().filter(|name| !is_known(&cloud, &fault.service, name))
    {
        let error = format!("{} has no operation {operation}", fault.service);
        return problem(StatusCode::BAD_REQUEST, &error);
    }
    match cloud.faults.add(fault) {
        Ok(armed) => (StatusCode::CREATED, Json(armed)).into_response(),
        Err(error) => problem(StatusCode::CONFLICT, &error.to_string()),
    }
}

/// The service and operation of a push, for faults.
const WEBHOOK_PUSH: (&str, &str) = ("webhook", "Push");

/// Whether a fault can name the operation: one of AWS's, `*`, the one that Pipes carry out inside the cloud, or a push to the
/// receiver of webhooks.
fn is_known(cloud: &Cloud, service: &str, operation: &str) -> bool {
    let models = Service::MODELLED.into_iter().filter(|modelled| modelled.name() == service);
    operation == "*"
        || [("pipes", "PutEvents"), WEBHOOK_PUSH].contains(&(service, operation))
        || models
            .filter_map(|modelled| cloud.models.of(modelled))
            .any(|model| model.operations.contains_key(operation))
}

async fn clear_faults(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.faults.clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(cloud): State<Arc<Cloud>>, Path(id): Path<u64>) -> Response {
    if cloud.faults.remove(id) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, &format!("there is no fault {id}"))
    }
}
