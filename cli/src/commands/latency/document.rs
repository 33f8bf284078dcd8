//! Response times as JSON.

use serde_json::{Map, Value, json};

use super::chart::{PERCENTILES, buckets};
use super::compare::Comparison;
use super::query::Query;
use crate::service_map::Histogram;

/// Returns what `docs/schemas/latency.json` describes.
pub(super) fn document(query: &Query, times: &Histogram, comparison: Option<&Comparison>) -> Value {
    let buckets: Vec<Value> =
        buckets(times).iter().map(|bucket| json!({"up_to_s": bucket.up_to, "count": bucket.count})).collect();
    json!({
        "from": query.from.to_string(),
        "to": query.to.to_string(),
        "service": query.service,
        "filter": query.filter.to_string(),
        "responses": times.total(),
        "percentiles_s": percentiles(times),
        "buckets": buckets,
        "comparison": comparison.map(compared),
    })
}

fn percentiles(times: &Histogram) -> Map<String, Value> {
    PERCENTILES.iter().map(|(name, share)| ((*name).to_owned(), json!(times.percentile(*share)))).collect()
}

fn compared(comparison: &Comparison) -> Value {
    let sides = comparison.sides.each_ref().map(|side| {
        json!({"filter": side.title, "traces": side.traces, "percentiles_s": percentiles(&side.times)})
    });
    let differences: Vec<Value> = comparison
        .differences
        .found
        .iter()
        .map(|one| json!({"filter": one.expression, "counts": one.counts, "shares": one.shares}))
        .collect();
    json!({
        "sides": sides,
        "differences": differences,
        "different_in_almost_every_trace": comparison.differences.distinct,
    })
}
