//! The routes of the control plane.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use super::operation::{operation, without_input};
use super::plane::Plane;
use super::{
    encryption_config, groups, indexing_rules, insights, resource_policies, sampling_rules, sampling_targets,
    tags, trace_retrieval, trace_segment_destination,
};

/// The largest request accepted, in bytes.
const MAX_REQUEST: usize = 1024 * 1024;

pub(super) fn router(plane: Arc<Plane>) -> Router {
    Router::new()
        .merge(configuration())
        .merge(sampling())
        .merge(of_traces())
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(plane)
}

fn configuration() -> Router<Arc<Plane>> {
    Router::new()
        .route("/CreateGroup", operation("CreateGroup", groups::create))
        .route("/UpdateGroup", operation("UpdateGroup", groups::update))
        .route("/DeleteGroup", operation("DeleteGroup", groups::delete))
        .route("/GetGroup", operation("GetGroup", groups::get))
        .route("/Groups", operation("GetGroups", groups::list))
        .route("/EncryptionConfig", without_input("GetEncryptionConfig", encryption_config::get))
        .route("/PutEncryptionConfig", operation("PutEncryptionConfig", encryption_config::put))
        .route("/PutResourcePolicy", operation("PutResourcePolicy", resource_policies::put))
        .route("/DeleteResourcePolicy", operation("DeleteResourcePolicy", resource_policies::delete))
        .route("/ListResourcePolicies", without_input("ListResourcePolicies", resource_policies::list))
        .route("/TagResource", operation("TagResource", tags::tag))
        .route("/UntagResource", operation("UntagResource", tags::untag))
        .route("/ListTagsForResource", operation("ListTagsForResource", tags::list))
}

fn sampling() -> Router<Arc<Plane>> {
    Router::new()
        .route("/CreateSamplingRule", operation("CreateSamplingRule", sampling_rules::create))
        .route("/UpdateSamplingRule", operation("UpdateSamplingRule", sampling_rules::update))
        .route("/DeleteSamplingRule", operation("DeleteSamplingRule", sampling_rules::delete))
        .route("/GetSamplingRules", operation("GetSamplingRules", sampling_rules::list))
        .route("/SamplingTargets", operation("GetSamplingTargets", sampling_targets::targets))
        .route(
            "/SamplingStatisticSummaries",
            operation("GetSamplingStatisticSummaries", sampling_targets::summaries),
        )
        .route("/GetIndexingRules", without_input("GetIndexingRules", indexing_rules::list))
        .route("/UpdateIndexingRule", operation("UpdateIndexingRule", indexing_rules::update))
}

fn of_traces() -> Router<Arc<Plane>> {
    Router::new()
        .route("/Insight", without_input("GetInsight", insights::one))
        .route("/InsightEvents", without_input("GetInsightEvents", insights::one))
        .route("/InsightSummaries", operation("GetInsightSummaries", insights::summaries))
        .route("/InsightImpactGraph", operation("GetInsightImpactGraph", insights::impact_graph))
        .route("/StartTraceRetrieval", operation("StartTraceRetrieval", trace_retrieval::start))
        .route("/ListRetrievedTraces", operation("ListRetrievedTraces", trace_retrieval::list))
        .route("/GetRetrievedTracesGraph", operation("GetRetrievedTracesGraph", trace_retrieval::graph))
        .route("/CancelTraceRetrieval", operation("CancelTraceRetrieval", trace_retrieval::cancel))
        .route(
            "/GetTraceSegmentDestination",
            without_input("GetTraceSegmentDestination", trace_segment_destination::get),
        )
        .route(
            "/UpdateTraceSegmentDestination",
            operation("UpdateTraceSegmentDestination", trace_segment_destination::update),
        )
}
