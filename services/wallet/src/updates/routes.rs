//! The routes.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use futures_util::future::try_join_all;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use jiff::fmt::rfc2822;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use service_runtime::Health;

use super::answers::Refusal;
use super::log::Report;
use super::tag::{self, Version};
use super::{Updates, intake};
use crate::device::{DeviceId, PushToken};
use crate::domain::serial::Serial;
use crate::passes::{MEDIA_TYPE, Package};
use crate::registrations::Registered;

/// The most bytes of a body. A report of failures is the longest, and cut off by nobody.
const MAX_BODY_BYTES: usize = 32 * 1024;
/// HTTP has times to the second, so within it and a tolerance of the clocks a pass may change again under the same time.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(3);

const REGISTRATION: &str = "/v1/devices/{device}/registrations/{type}/{serial}";
const REGISTRATIONS: &str = "/v1/devices/{device}/registrations/{type}";
const PASS: &str = "/v1/passes/{type}/{serial}";
const LOG: &str = "/v1/log";

/// Returns all routes. Those of health make no spans.
pub(crate) fn router(updates: Updates, health: &Health) -> Router {
    Router::new()
        .route(REGISTRATION, post(register).delete(unregister))
        .route(REGISTRATIONS, get(list))
        .route(PASS, get(fetch))
        .route(LOG, post(log))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route_layer(middleware::from_fn_with_state(updates.clone(), intake::take))
        .with_state(updates)
        .merge(health.router())
}

#[derive(Debug, Deserialize)]
struct Registration {
    #[serde(rename = "pushToken")]
    push_token: String,
}

/// Registers a phone for a pass.
async fn register(
    State(updates): State<Updates>,
    Path((device, _, serial)): Path<(String, String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Refusal> {
    let (device, serial) = registration(&device, &serial)?;
    let registration: Registration = read(body)?;
    let token: PushToken = registration.push_token.parse().map_err(|_| Refusal::Malformed)?;
    match updates.registrations.register(&device, serial, &token).await? {
        Registered::New => Ok(StatusCode::CREATED),
        Registered::Before => Ok(StatusCode::OK),
        Registered::TooMany => Err(Refusal::TooMany),
    }
}

/// Ends a registration; a second time as well.
async fn unregister(
    State(updates): State<Updates>,
    Path((device, _, serial)): Path<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    let (device, serial) = registration(&device, &serial)?;
    updates.registrations.unregister(&device, serial, None).await?;
    Ok(StatusCode::OK)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Since {
    #[serde(default)]
    passes_updated_since: String,
}

/// Lists the passes of a phone that have changed since.
async fn list(
    State(updates): State<Updates>,
    Path((device, _)): Path<(String, String)>,
    since: Result<Query<Since>, QueryRejection>,
) -> Result<Response, Refusal> {
    let device: DeviceId = device.parse().map_err(|_| Refusal::Malformed)?;
    let known = since.map(|Query(since)| tag::read(&since.passes_updated_since)).unwrap_or_default();
    let passes = updates.registrations.of_device(&device).await?;
    let passes = try_join_all(passes.into_iter().map(|serial| version(&updates, serial))).await?;
    let passes: Vec<_> = passes.into_iter().flatten().collect();
    let changed: Vec<_> =
        passes.iter().filter(|(_, version)| !known.contains(version)).map(|(serial, _)| serial).collect();
    if changed.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let all: BTreeSet<_> = passes.iter().map(|(_, version)| version.clone()).collect();
    Ok(Json(json!({"serialNumbers": changed, "lastUpdated": tag::write(&all)})).into_response())
}

async fn version(updates: &Updates, serial: Serial) -> Result<Option<(Serial, Version)>, Refusal> {
    let etag = updates.passes.version(serial).await?;
    Ok(etag.map(|etag| (serial, Version::of(serial, &etag))))
}

/// Returns a pass, unless the phone has it.
async fn fetch(
    State(updates): State<Updates>,
    Path((_, serial)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let serial = serial.parse().map_err(|_| Refusal::NotFound)?;
    let pass = updates.passes.fetch(serial).await?.ok_or(Refusal::NotFound)?;
    let unchanged = is_known(&headers, &pass);
    // A pass is one customer's.
    let mut response = [(CACHE_CONTROL, "private, no-cache"), (CONTENT_TYPE, MEDIA_TYPE)].into_response();
    let set = response.headers_mut();
    set.extend(pass.etag.parse().map(|etag| (ETAG, etag)));
    if (updates.now)().duration_since(pass.modified) > SAME_TIME {
        let modified = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&pass.modified);
        set.extend(modified.ok().and_then(|modified| modified.parse().ok()).map(|it| (LAST_MODIFIED, it)));
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = pass.bytes.into();
    }
    Ok(response)
}

/// Whether the phone has this version: by its tag, or else by its time
/// ([RFC 9110, 13.2.2](https://www.rfc-editor.org/rfc/rfc9110#name-precedence-of-preconditions)).
fn is_known(headers: &HeaderMap, pass: &Package) -> bool {
    let text = |name| headers.get(name)?.to_str().ok();
    if let Some(tags) = text(IF_NONE_MATCH) {
        let tag = |tag: &str| tag.trim().trim_start_matches("W/") == pass.etag;
        return tags.trim() == "*" || tags.split(',').any(tag);
    }
    let since = text(IF_MODIFIED_SINCE).and_then(|date| rfc2822::parse(date).ok());
    since.is_some_and(|since| pass.modified <= since.timestamp())
}

/// Takes a report of failures.
async fn log(
    State(updates): State<Updates>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Refusal> {
    updates.reports.log(&read::<Report>(body)?);
    Ok(StatusCode::OK)
}

fn registration(device: &str, serial: &str) -> Result<(DeviceId, Serial), Refusal> {
    let device = device.parse().map_err(|_| Refusal::Malformed)?;
    Ok((device, serial.parse().map_err(|_| Refusal::NotFound)?))
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Malformed,
    })?;
    serde_json::from_slice(&body).map_err(|_| Refusal::Malformed)
}
