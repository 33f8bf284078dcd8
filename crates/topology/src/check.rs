//! What must hold between services.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::{TableAccess, Topology};

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Two services, tables, topics, buckets, keys, or indexes of one table have one name.
    Duplicate {
        /// `service`, `table`, `topic`, `bucket`, `key` or `index`.
        kind: &'static str,
        /// The name.
        name: &'static str,
    },
    /// A service consumes an event that no service emits, here or elsewhere.
    NobodyEmits {
        /// The consumer.
        service: &'static str,
        /// The event type.
        event: &'static str,
    },
    /// A service emits events but has neither an outbox nor the right to publish.
    NoWayOut {
        /// The emitter.
        service: &'static str,
    },
    /// A subscription names a topic or an attribute that no service publishes.
    NobodyPublishes {
        /// The receiver.
        service: &'static str,
        /// The topic.
        topic: &'static str,
        /// The attribute, if it is the attribute that is missing.
        attribute: Option<&'static str>,
    },
    /// A service holds personal data and does not consume erasures.
    NeverErased {
        /// The owner.
        service: &'static str,
        /// Its table or bucket.
        place: &'static str,
    },
    /// A table has an index that its service does not read, or its service reads an index that it does not have.
    IndexAccess {
        /// The owner.
        service: &'static str,
        /// Its table.
        table: &'static str,
    },
    /// A physical name would be longer than AWS allows.
    NameTooLong {
        /// The name.
        name: String,
        /// What AWS allows, in characters.
        limit: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { kind, name } => write!(f, "two {kind}s are named {name}"),
            Self::NobodyEmits { service, event } => {
                write!(f, "{service} consumes {event}, which no service emits")
            }
            Self::NoWayOut { service } => write!(
                f,
                "{service} emits events but has no outbox: add .outbox() to its table, or .publishes_to_bus()"
            ),
            Self::NobodyPublishes { service, topic, attribute: None } => {
                write!(f, "{service} receives from topic {topic}, to which no service publishes")
            }
            Self::NobodyPublishes { service, topic, attribute: Some(attribute) } => {
                write!(f, "{service} filters topic {topic} by {attribute}, an attribute it does not declare")
            }
            Self::NeverErased { service, place } => {
                write!(f, "{service} keeps personal data in {place} but does not consume the erasure event")
            }
            Self::IndexAccess { service, table } => write!(
                f,
                "{service} must declare both or neither of an index of table {table} and TableAccess::QueryIndex"
            ),
            Self::NameTooLong { name, limit } => write!(f, "name {name} is longer than {limit} characters"),
        }
    }
}

/// The topology does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("topology does not hold together: {}", list(.problems))]
pub struct TopologyError {
    /// Every rule that does not hold.
    pub problems: Vec<Problem>,
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(crate) fn problems(topology: &Topology) -> Vec<Problem> {
    let services = &topology.services;
    let emitted: Vec<_> =
        services.iter().flat_map(|service| &service.emits).chain(&topology.emitted_elsewhere).collect();
    let topics: BTreeMap<_, _> =
        services.iter().flat_map(|service| &service.topics).map(|topic| (topic.name, topic)).collect();

    let mut problems = Vec::new();
    duplicates("service", services.iter().map(|service| service.name), &mut problems);
    duplicates("table", services.iter().flat_map(|s| &s.tables).map(|table| table.name), &mut problems);
    duplicates("topic", services.iter().flat_map(|s| &s.topics).map(|topic| topic.name), &mut problems);

    duplicates("bucket", services.iter().flat_map(|s| &s.buckets).map(|bucket| bucket.name), &mut problems);
    duplicates("key", services.iter().flat_map(|s| &s.keys).map(|key| key.name), &mut problems);

    for service in services {
        let name = service.name;
        for event in &service.consumes {
            if !emitted.contains(&event) {
                problems.push(Problem::NobodyEmits { service: name, event: event.name });
            }
        }
        let outbox = service.tables.iter().any(|table| table.outbox);
        if !service.emits.is_empty() && !outbox && !service.publishes_to_bus {
            problems.push(Problem::NoWayOut { service: name });
        }
        if let Some(subscription) = &service.receives {
            match topics.get(subscription.topic) {
                None => problems.push(Problem::NobodyPublishes {
                    service: name,
                    topic: subscription.topic,
                    attribute: None,
                }),
                Some(topic) => problems.extend(
                    subscription
                        .filter
                        .iter()
                        .filter(|(attribute, _)| !topic.attributes.contains(attribute))
                        .map(|(attribute, _)| Problem::NobodyPublishes {
                            service: name,
                            topic: topic.name,
                            attribute: Some(*attribute),
                        }),
                ),
            }
        }
        for table in &service.tables {
            duplicates("index", table.indexes.iter().map(|index| index.name), &mut problems);
            if table.indexes.is_empty() == table.access.contains(&TableAccess::QueryIndex) {
                problems.push(Problem::IndexAccess { service: name, table: table.name });
            }
        }
        let hears = service.consumes_all_events
            || topology
                .erasure
                .iter()
                .all(|erasure| service.consumes.contains(erasure) || service.emits.contains(erasure));
        let tables = service.tables.iter().map(|table| (table.name, table.personal_data));
        let buckets = service.buckets.iter().map(|bucket| (bucket.name, bucket.personal_data));
        problems.extend(
            tables
                .chain(buckets)
                .filter(|(_, personal_data)| *personal_data && !hears)
                .map(|(place, _)| Problem::NeverErased { service: name, place }),
        );
    }
    problems
}

fn duplicates(kind: &'static str, names: impl Iterator<Item = &'static str>, problems: &mut Vec<Problem>) {
    let mut counts = BTreeMap::<_, usize>::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    problems.extend(
        counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| Problem::Duplicate { kind, name }),
    );
}
