//! The control API, under `/_local`: health, mail, pushes, calls, metrics, faults.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get};
use http::StatusCode;
use serde_json::json;

use crate::call::Service;
use crate::cloud::Cloud;
use crate::faults::Fault;
use crate::{guard, pushes};

pub(crate) fn router() -> Router<Arc<Cloud>> {
    Router::new()
        .route("/health", get(health))
        .route("/mail", get(mail).delete(forget_mail))
        .merge(pushes::router())
        .route("/calls", get(list_calls).delete(forget_calls))
        .route("/metrics", get(metrics).delete(forget_metrics))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .fallback(not_found)
        .layer(middleware::from_fn(guard::only_programs))
}

async fn not_found() -> Response {
    let paths = "/_local/health, /_local/mail, /_local/webhook, /_local/apns, /_local/calls, /_local/metrics and /_local/faults";
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

/// Whether a fault can name the operation: one of AWS's, `*`, the one that Pipes carry out inside the cloud, or a push to one of
/// the receivers.
fn is_known(cloud: &Cloud, service: &str, operation: &str) -> bool {
    let models = Service::MODELLED.into_iter().filter(|modelled| modelled.name() == service);
    operation == "*"
        || [("pipes", "PutEvents"), pushes::TO_WEBHOOK, pushes::TO_APNS].contains(&(service, operation))
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
