//! The map as JSON.

use serde_json::{Value, json};

use super::declared::{Differences, Pair};
use super::observed::Observed;
use crate::service_map::{EdgeKey, ServiceKey, Traffic};

/// Returns the map as `docs/schemas/map.json` describes it.
pub(super) fn document(observed: &Observed, differences: Option<&Differences>) -> Value {
    let seconds = observed.seconds();
    let nodes = observed.map.nodes.iter().map(|(key, traffic)| node(key, traffic, seconds));
    let edges = observed.map.edges.iter().map(|(key, traffic)| edge(key, traffic, seconds));
    json!({
        "from": observed.from.to_string(),
        "to": observed.to.to_string(),
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "differences": differences.map(|differences| json!({
            "never_seen": pairs(&differences.never_seen),
            "undeclared": pairs(&differences.undeclared),
        })),
    })
}

fn node(key: &ServiceKey, traffic: &Traffic, seconds: f64) -> Value {
    let mut node = numbers(traffic, seconds);
    node["name"] = json!(key.name);
    node["type"] = json!(Some(&key.kind).filter(|kind| !kind.is_empty()));
    node
}

fn edge(key: &EdgeKey, traffic: &Traffic, seconds: f64) -> Value {
    let mut edge = numbers(traffic, seconds);
    edge["source"] = json!(key.source.title());
    edge["destination"] = json!(key.destination.name);
    edge["message"] = json!(key.link);
    edge
}

fn numbers(traffic: &Traffic, seconds: f64) -> Value {
    let tally = &traffic.tally;
    json!({
        "requests": tally.total,
        "per_second": tally.rate(seconds),
        "ok": tally.ok,
        "faults": tally.faults,
        "errors": tally.errors,
        "throttles": tally.throttles,
        "p50_s": traffic.times.percentile(0.5),
        "p99_s": traffic.times.percentile(0.99),
    })
}

fn pairs(pairs: &[Pair]) -> Vec<Value> {
    let pair = |(source, destination): &Pair| json!({"source": source, "destination": destination});
    pairs.iter().map(pair).collect()
}
