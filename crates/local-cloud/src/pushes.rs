//! The receivers of pushes, which are none of AWS's: the webhook of a back end, and Apple's push service.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use crate::cloud::Cloud;
use crate::faults::{Answer, Injected, Subject};
use crate::server::Cut;
use crate::{apns, webhook};

/// The service and operation of a push to the webhook, for faults.
pub(crate) const TO_WEBHOOK: (&str, &str) = ("webhook", "Push");
/// The service and operation of a push to a phone, for faults.
pub(crate) const TO_APNS: (&str, &str) = ("apns", "Push");

/// Returns the routes of both.
pub(crate) fn router() -> Router<Arc<Cloud>> {
    let webhook = get(pushes).post(push).delete(forget_pushes);
    Router::new()
        .route("/webhook", webhook.layer(DefaultBodyLimit::max(webhook::MAX_BODY_BYTES)))
        .route("/apns", get(to_phones).delete(forget_to_phones))
        .route(
            "/apns/3/device/{token}",
            post(push_to_phone).layer(DefaultBodyLimit::max(apns::MAX_BODY_BYTES)),
        )
}

async fn pushes(State(cloud): State<Arc<Cloud>>) -> Response {
    let received = cloud.webhook.received();
    Json(received.iter().map(Arc::as_ref).collect::<Vec<_>>()).into_response()
}

async fn forget_pushes(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.webhook.forget();
    StatusCode::NO_CONTENT
}

async fn to_phones(State(cloud): State<Arc<Cloud>>) -> Response {
    let received = cloud.apns.received();
    Json(received.iter().map(Arc::as_ref).collect::<Vec<_>>()).into_response()
}

async fn forget_to_phones(State(cloud): State<Arc<Cloud>>) -> StatusCode {
    cloud.apns.forget();
    StatusCode::NO_CONTENT
}

/// What faults make of a push.
#[derive(Default)]
struct Planned {
    /// The answer to a push that would have been accepted.
    status: Option<StatusCode>,
    code: Option<String>,
    retry_after: Option<String>,
    /// Whether the answer does not arrive.
    lost: bool,
}

/// Waits and answers as the faults of a receiver say. Returns `None` if the push is not received at all.
async fn planned(cloud: &Cloud, (service, operation): (&str, &str)) -> Option<Planned> {
    let resources = BTreeSet::new();
    let plan = cloud.faults.plan(&Subject { caller: None, service, operation, resources: &resources });
    let late = async { tokio::time::sleep(plan.delay).await };
    tokio::select! {
        () = late => {}
        () = cloud.stop.cancelled() => return None,
    }
    let status = |status| Planned { status: Some(status), ..Planned::default() };
    Some(match plan.error {
        Some(Injected::Throttle) => status(StatusCode::TOO_MANY_REQUESTS),
        Some(Injected::Failure) => status(StatusCode::INTERNAL_SERVER_ERROR),
        Some(Injected::Answer(Answer { status, code, retry_after, .. })) => Planned {
            status: StatusCode::from_u16(status).ok(),
            code: Some(code),
            retry_after,
            ..Planned::default()
        },
        Some(Injected::Timeout) => {
            // The client gives up first, unless the cloud stops before.
            cloud.stop.cancelled().await;
            return None;
        }
        Some(Injected::DropResponse) => Planned { lost: true, ..Planned::default() },
        None
        | Some(Injected::DelayMs(_) | Injected::Entries(_) | Injected::Duplicate | Injected::Reorder) => {
            Planned::default()
        }
    })
}

/// Receives a push, and answers as the faults of the service `webhook` say.
async fn push(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(planned) = planned(&cloud, TO_WEBHOOK).await else { return cut() };
    let status = cloud.webhook.receive(&headers, &body, planned.status, planned.lost);
    if planned.lost {
        return cut();
    }
    let mut response = status.into_response();
    if let Some(value) = planned.retry_after.and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Receives a push to a phone, and answers as Apple's service does, or as the faults of the service `apns` say.
async fn push_to_phone(
    State(cloud): State<Arc<Cloud>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(planned) = planned(&cloud, TO_APNS).await else { return cut() };
    let fault = planned.status.map(|status| (status, planned.code.unwrap_or_default()));
    let (status, reason) = cloud.apns.receive(&token, &headers, &body, fault);
    if planned.lost {
        return cut();
    }
    match reason {
        Some(reason) => (status, Json(json!({"reason": reason}))).into_response(),
        None => status.into_response(),
    }
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}
