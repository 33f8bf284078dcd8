//! The service map of some traces (<https://docs.aws.amazon.com/xray/latest/api/API_GetServiceGraph.html>).
//!
//! A node counts the segments of its service, or, if the service sent none, the calls to it. An edge counts what the
//! caller saw. Whoever called the entry point is a node of type `client` with the entry point's name, as in the guide's
//! example (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-gettingdata.html>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::statistics::{Histogram, Statistics};
use crate::facts::{CallFacts, Facts, SegmentFacts, ServiceId};

/// The type of a node that called an entry point.
const CLIENT: &str = "client";

/// Nodes and edges, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    nodes: BTreeMap<ServiceId, Node>,
    edges: BTreeMap<(ServiceId, ServiceId, bool), Edge>,
}

/// From the first start to the last end, epoch seconds.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: f64,
    end: f64,
}

#[derive(Clone, Debug)]
struct Node {
    root: bool,
    inferred: bool,
    span: Span,
    statistics: Statistics,
    durations: Histogram,
    response_times: Histogram,
}

#[derive(Clone, Debug)]
struct Edge {
    span: Span,
    statistics: Statistics,
    times: Histogram,
}

impl Graph {
    /// Adds the services and calls of a trace.
    pub(crate) fn add(&mut self, trace: &Facts) {
        for (place, segment) in trace.segments.iter().enumerate() {
            self.add_segment(segment, trace.entry == Some(place));
        }
        for call in &trace.calls {
            let service = |place: usize| trace.segments[place].service.clone();
            self.add_call(call, service(call.source), service(call.destination));
        }
        if let Some(root) = trace.root().filter(|root| !root.inferred) {
            self.add_client(root);
        }
    }

    fn add_segment(&mut self, segment: &SegmentFacts, root: bool) {
        let span = Span::new(segment.start, segment.end);
        let node = self.nodes.entry(segment.service.clone()).or_insert_with(|| Node::new(span));
        node.root |= root;
        node.inferred &= segment.inferred;
        node.span.add(span);
        node.statistics.add(segment.outcome, segment.response_time);
        node.durations.add(segment.response_time);
        node.response_times.add(segment.response_time);
    }

    fn add_call(&mut self, call: &CallFacts, source: ServiceId, destination: ServiceId) {
        let span = Span::new(call.start, call.end);
        let edge = self.edges.entry((source, destination, call.link)).or_insert_with(|| Edge::new(span));
        edge.span.add(span);
        edge.statistics.add(call.outcome, call.response_time);
        edge.times.add(call.response_time);
    }

    fn add_client(&mut self, root: &SegmentFacts) {
        let span = Span::new(root.start, root.end);
        let client = ServiceId { kind: Some(CLIENT.into()), ..root.service.clone() };
        self.nodes.entry(client.clone()).or_insert_with(|| Node::new(span)).span.add(span);
        let edge = self.edges.entry((client, root.service.clone(), false)).or_insert_with(|| Edge::new(span));
        edge.span.add(span);
        edge.statistics.add(root.outcome, root.response_time);
        edge.times.add(root.response_time);
    }

    /// Returns the list `Services` of the answer. A node's place in it is its reference id.
    pub(crate) fn services(&self) -> Vec<Value> {
        let places: BTreeMap<&ServiceId, usize> = self.nodes.keys().zip(0..).collect();
        let mut edges: BTreeMap<&ServiceId, Vec<Value>> = BTreeMap::new();
        for ((source, destination, link), edge) in &self.edges {
            if let Some(place) = places.get(destination) {
                edges.entry(source).or_default().push(edge.to_json(*place, *link));
            }
        }
        let node = |(place, (id, node)): (usize, (&ServiceId, &Node))| {
            node.to_json(place, id, edges.remove(id).unwrap_or_default())
        };
        self.nodes.iter().enumerate().map(node).collect()
    }
}

impl Span {
    fn new(start: f64, end: Option<f64>) -> Self {
        Self { start, end: end.unwrap_or(start) }
    }

    fn add(&mut self, other: Self) {
        *self = Self { start: self.start.min(other.start), end: self.end.max(other.end) };
    }
}

impl Node {
    fn new(span: Span) -> Self {
        Self {
            root: false,
            inferred: true,
            span,
            statistics: Statistics::default(),
            durations: Histogram::default(),
            response_times: Histogram::default(),
        }
    }

    fn to_json(&self, place: usize, id: &ServiceId, edges: Vec<Value>) -> Value {
        let mut node = id.to_json();
        node["ReferenceId"] = json!(place);
        node["StartTime"] = json!(self.span.start);
        node["EndTime"] = json!(self.span.end);
        node["Edges"] = Value::Array(edges);
        node["State"] = json!(if self.inferred { "unknown" } else { "active" });
        if self.root {
            node["Root"] = json!(true);
        }
        if id.kind.as_deref() != Some(CLIENT) {
            node["SummaryStatistics"] = self.statistics.to_json();
            node["DurationHistogram"] = self.durations.to_json();
            node["ResponseTimeHistogram"] = self.response_times.to_json();
        }
        node
    }
}

impl Edge {
    fn new(span: Span) -> Self {
        Self { span, statistics: Statistics::default(), times: Histogram::default() }
    }

    fn to_json(&self, destination: usize, link: bool) -> Value {
        let mut edge = json!({
            "ReferenceId": destination,
            "StartTime": self.span.start,
            "EndTime": self.span.end,
            "SummaryStatistics": self.statistics.to_json(),
            "Aliases": [],
        });
        if link {
            edge["EdgeType"] = json!("link");
            edge["ReceivedEventAgeHistogram"] = self.times.to_json();
        } else {
            edge["ResponseTimeHistogram"] = self.times.to_json();
        }
        edge
    }
}
