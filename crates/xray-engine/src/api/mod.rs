//! The X-Ray API: REST with JSON bodies (<https://docs.aws.amazon.com/xray/latest/api/Welcome.html>).

mod batch_get_traces;
mod control_plane;
mod encryption_config;
mod error;
mod get_service_graph;
mod get_time_series_service_statistics;
mod get_trace_graph;
mod get_trace_summaries;
mod groups;
mod indexing_rules;
mod insights;
mod operation;
mod page;
mod plane;
mod put_telemetry_records;
mod put_trace_segments;
mod reply;
mod resource_policies;
mod sampling_rules;
mod sampling_targets;
mod tags;
mod trace_retrieval;
mod trace_segment_destination;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

pub(crate) use self::operation::unknown;
pub(crate) use self::plane::Plane;
use crate::ingest::Intake;
use crate::store::TraceStore;

/// The largest request accepted, in bytes: fifty documents of 64 KB with their escapes.
const MAX_REQUEST: usize = 8 * 1024 * 1024;

pub(crate) fn router(store: TraceStore, intake: Arc<Intake>, plane: Arc<Plane>) -> Router {
    of_traces(store)
        .merge(of_groups(Arc::clone(&plane)))
        .merge(Router::new().route("/TraceSegments", post(put_trace_segments::answer)).with_state(intake))
        .route("/TelemetryRecords", post(put_telemetry_records::answer))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .merge(control_plane::router(plane))
        .method_not_allowed_fallback(unknown)
}

fn of_traces(store: TraceStore) -> Router {
    Router::new()
        .route("/Traces", post(batch_get_traces::answer))
        .route("/TraceGraph", post(get_trace_graph::answer))
        .with_state(store)
}

fn of_groups(plane: Arc<Plane>) -> Router {
    Router::new()
        .route("/TraceSummaries", post(get_trace_summaries::answer))
        .route("/ServiceGraph", post(get_service_graph::answer))
        .route("/TimeSeriesServiceStatistics", post(get_time_series_service_statistics::answer))
        .with_state(plane)
}
