//! The service map: services, the calls between them, and how both fared.
//!
//! X-Ray returns it in parts, by time range or by a few traces each; [`ServiceMap`] adds them up. The drawings are pure
//! functions of it.

mod dot;
mod histogram;
mod layout;
mod point;
mod ports;
mod svg;
mod tally;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_xray::types::{Edge, Service};

pub(crate) use self::dot::dot;
pub(crate) use self::histogram::Histogram;
pub(crate) use self::svg::{per_time, svg};
pub(crate) use self::tally::Tally;

/// The type of a node that stands for whoever called an entry point.
pub(crate) const CLIENT: &str = "client";
/// What X-Ray calls an edge over which a message was received, rather than a request made.
const LINK: &str = "link";

/// A node of the map: its name, and its type, which tells a client from the service it calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServiceKey {
    pub(crate) name: String,
    /// Such as `AWS::ECS::Fargate`; empty if X-Ray does not know it.
    pub(crate) kind: String,
}

impl ServiceKey {
    /// Whether this is who called an entry point.
    pub(crate) fn is_client(&self) -> bool {
        self.kind == CLIENT
    }

    /// Returns the name as people read it.
    pub(crate) fn title(&self) -> String {
        if self.is_client() { "client".to_owned() } else { self.name.clone() }
    }
}

/// From whom to whom, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EdgeKey {
    pub(crate) source: ServiceKey,
    pub(crate) destination: ServiceKey,
    /// Whether a message was received, rather than a request answered.
    pub(crate) link: bool,
}

/// How many requests there were, how they ended and how long they took.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) tally: Tally,
    /// Response times; of a link, the ages of the messages when they were received.
    pub(crate) times: Histogram,
}

/// Services and the calls between them, in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServiceMap {
    pub(crate) nodes: BTreeMap<ServiceKey, Traffic>,
    pub(crate) edges: BTreeMap<EdgeKey, Traffic>,
}

impl ServiceMap {
    /// Adds all services of an answer. Their edges refer to each other by ids that are valid in this answer only.
    pub(crate) fn add(&mut self, services: &[Service]) {
        let keys: HashMap<i32, ServiceKey> =
            services.iter().filter_map(|service| Some((service.reference_id()?, key(service)))).collect();
        for service in services {
            self.add_node(service);
            for edge in service.edges() {
                if let Some(destination) = edge.reference_id().and_then(|id| keys.get(&id)) {
                    self.add_edge(edge, key(service), destination.clone());
                }
            }
        }
    }

    fn add_node(&mut self, service: &Service) {
        let node = self.nodes.entry(key(service)).or_default();
        if let Some(statistics) = service.summary_statistics() {
            node.tally.add(&statistics.into());
        }
        node.times.add(service.response_time_histogram());
    }

    fn add_edge(&mut self, edge: &Edge, source: ServiceKey, destination: ServiceKey) {
        let link = edge.edge_type() == Some(LINK);
        let traffic = self.edges.entry(EdgeKey { source, destination, link }).or_default();
        if let Some(statistics) = edge.summary_statistics() {
            traffic.tally.add(&statistics.into());
        }
        traffic.times.add(if link {
            edge.received_event_age_histogram()
        } else {
            edge.response_time_histogram()
        });
    }
}

fn key(service: &Service) -> ServiceKey {
    ServiceKey {
        name: service.name().unwrap_or("unknown").to_owned(),
        kind: service.r#type().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_sdk_xray::types::{EdgeStatistics, HistogramEntry};

    use super::*;

    /// Returns a map with these edges, of which each had one request that took 10 ms.
    pub(crate) fn map_of(edges: &[(&str, &str, bool)]) -> ServiceMap {
        let key = |name: &str| {
            let (name, kind) = name.split_once('/').unwrap_or((name, "AWS::ECS::Fargate"));
            ServiceKey { name: name.to_owned(), kind: kind.to_owned() }
        };
        let mut map = ServiceMap::default();
        for (source, destination, link) in edges {
            let traffic = Traffic {
                tally: Tally { total: 1, ok: 1, ..Tally::default() },
                times: Histogram::of(&[(0.01, 1)]),
            };
            for end in [source, destination] {
                let node = map.nodes.entry(key(end)).or_default();
                if !key(end).is_client() {
                    *node = traffic.clone();
                }
            }
            let edge = EdgeKey { source: key(source), destination: key(destination), link: *link };
            map.edges.insert(edge, traffic);
        }
        map
    }

    fn service(id: i32, name: &str, edges: Vec<Edge>) -> Service {
        Service::builder()
            .reference_id(id)
            .name(name)
            .r#type("AWS::ECS::Fargate")
            .set_edges(Some(edges))
            .build()
    }

    fn edge(to: i32, link: bool, seconds: f64) -> Edge {
        let statistics = EdgeStatistics::builder().ok_count(1).total_count(2).build();
        let times = HistogramEntry::builder().value(seconds).count(2).build();
        let edge = Edge::builder().reference_id(to).summary_statistics(statistics);
        if link {
            edge.edge_type("link").received_event_age_histogram(times).build()
        } else {
            edge.response_time_histogram(times).build()
        }
    }

    #[test]
    fn answers_are_added_up_whatever_ids_they_use() {
        let mut map = ServiceMap::default();
        map.add(&[service(0, "ingest", vec![edge(1, true, 0.5)]), service(1, "email", Vec::new())]);
        map.add(&[
            service(0, "email", Vec::new()),
            service(7, "ingest", vec![edge(0, true, 1.5), edge(0, false, 9.0)]),
        ]);
        assert_eq!(map.nodes.len(), 2);
        let edges: Vec<_> = map
            .edges
            .iter()
            .map(|(key, traffic)| (key.link, traffic.tally.total, traffic.times.percentile(0.99)))
            .collect();
        assert_eq!(edges, [(false, 2, Some(9.0)), (true, 4, Some(1.5))]);
    }

    #[test]
    fn an_edge_to_nowhere_is_left_out() {
        let mut map = ServiceMap::default();
        map.add(&[service(0, "ingest", vec![edge(5, false, 0.5)])]);
        assert!(map.edges.is_empty());
    }
}
