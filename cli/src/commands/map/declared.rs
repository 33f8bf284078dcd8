//! The edges that follow from what the services declare, beside those that were seen.

use std::collections::BTreeSet;

use topology::{Resources, RuleBus, Service, ServiceResources};

use crate::service_map::ServiceMap;
use crate::style::{Colour, Style, printable};

/// The names of AWS services, as the layer's traces have them.
const EVENT_BRIDGE: &str = "EventBridge";
const SNS: &str = "SNS";
const SES: &str = "SES";
const S3: &str = "S3";
const KMS: &str = "KMS";
/// The type of a node outside the layer and AWS, such as the receiver of a webhook.
const REMOTE: &str = "remote";

/// From whom to whom, by name.
pub(super) type Pair = (String, String);

/// What differs between the declaration and what was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Differences {
    pub(super) never_seen: Vec<Pair>,
    pub(super) undeclared: Vec<Pair>,
    declared: usize,
}

impl Differences {
    /// Compares declared edges with a map. Clients, and services outside the layer and AWS, are nobody's declaration.
    pub(super) fn between(declared: &BTreeSet<Pair>, map: &ServiceMap) -> Self {
        let seen: BTreeSet<Pair> = map
            .edges
            .keys()
            .filter(|edge| !edge.source.is_client() && edge.destination.kind != REMOTE)
            .map(|edge| (edge.source.name.clone(), edge.destination.name.clone()))
            .collect();
        Self {
            never_seen: declared.difference(&seen).cloned().collect(),
            undeclared: seen.difference(declared).cloned().collect(),
            declared: declared.len(),
        }
    }

    /// Draws them as text.
    pub(super) fn draw(&self, style: Style) -> String {
        let seen = self.declared - self.never_seen.len();
        let mut text = format!("{seen} of {} declared edges were seen\n", self.declared);
        let lists = [
            ("declared, never seen", &self.never_seen, Colour::Yellow),
            ("seen, not declared", &self.undeclared, Colour::Red),
        ];
        for (title, pairs, colour) in lists.into_iter().filter(|(_, pairs, _)| !pairs.is_empty()) {
            text.extend(["\n", &style.paint(colour, title), "\n"]);
            for (source, destination) in pairs {
                text.extend(["  ", &printable(source), " → ", &printable(destination), "\n"]);
            }
        }
        text
    }
}

/// Returns the edges that a trace map shows if everything happens that is declared.
///
/// An event that a service puts on the bus itself arrives from EventBridge. One from an outbox arrives from the service
/// that wrote it, since the item in between carries that service's trace context.
pub(super) fn edges(resources: &Resources, services: &[Service]) -> BTreeSet<Pair> {
    let pair = |source: &str, destination: &str| (source.to_owned(), destination.to_owned());
    let mut edges = BTreeSet::new();
    for service in &resources.services {
        edges.extend(called(service).into_iter().map(|name| pair(&service.service, name)));
    }
    for subscription in &resources.subscriptions {
        edges.extend(owner(resources, &subscription.queue).map(|service| pair(SNS, service)));
    }
    for rule in &resources.rules {
        let Some(receiver) = owner(resources, &rule.target_queue) else { continue };
        match rule.bus {
            RuleBus::Own => {
                let emitters = services
                    .iter()
                    .filter(|service| service.emitted().iter().any(|event| rule.delivers(event.name)));
                edges.extend(emitters.map(|service| pair(announced_by(resources, service), receiver)));
            }
            // SES reports on a mail in the trace that sent it.
            RuleBus::Default => {
                let senders = resources.services.iter().filter(|service| service.sends_email);
                edges.extend(senders.map(|sender| pair(&sender.service, receiver)));
            }
        }
    }
    edges
}

/// Returns the nodes that a service calls.
fn called(service: &ServiceResources) -> Vec<&str> {
    let others = [
        (service.publishes_to_bus, EVENT_BRIDGE),
        (!service.topics.is_empty(), SNS),
        (!service.buckets.is_empty(), S3),
        (!service.keys.is_empty(), KMS),
        (service.sends_email, SES),
    ];
    let others = others.into_iter().filter_map(|(calls, name)| calls.then_some(name));
    service.tables.iter().map(String::as_str).chain(others).collect()
}

/// Returns who passes on a service's events, as a trace shows it.
fn announced_by<'a>(resources: &Resources, service: &'a Service) -> &'a str {
    let publishes = |one: &ServiceResources| one.service == service.name() && one.publishes_to_bus;
    if resources.services.iter().any(publishes) { EVENT_BRIDGE } else { service.name() }
}

/// Returns the service that receives from a queue.
fn owner<'a>(resources: &'a Resources, queue: &str) -> Option<&'a str> {
    let services = resources.services.iter();
    let mut owners = services.filter(|service| service.queue.as_deref() == Some(queue));
    owners.next().map(|service| service.service.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer;
    use crate::service_map::tests::map_of;

    fn declared() -> BTreeSet<Pair> {
        let resources = layer::resources("foostore", "local").unwrap();
        let services: Vec<_> = layer::ALL.iter().map(|service| (service.topology)()).collect();
        edges(&resources, &services)
    }

    #[test]
    fn the_way_of_an_event_is_declared() {
        let declared = declared();
        for (source, destination) in [
            ("ingest", "EventBridge"),
            ("EventBridge", "membership"),
            ("membership", "foostore-local-members"),
            ("membership", "notifier"),
            ("notifier", "SNS"),
            ("SNS", "email"),
            ("email", "SES"),
            ("email", "email"),
            ("wallet", "S3"),
            ("membership", "archive"),
            ("EventBridge", "archive"),
        ] {
            assert!(
                declared.contains(&(source.to_owned(), destination.to_owned())),
                "{source} → {destination}"
            );
        }
        assert!(
            !declared.iter().any(|pair| pair.0 == "archive" && pair.1 == "EventBridge"),
            "it emits nothing"
        );
        assert!(
            !declared.contains(&("EventBridge".to_owned(), "email".to_owned())),
            "email follows members only"
        );
    }

    #[test]
    fn differences_go_both_ways() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let declared = BTreeSet::from([pair("a", "b"), pair("b", "c")]);
        let map = map_of(&[
            ("a/client", "a", false),
            ("a", "b", true),
            ("b", "d", false),
            ("a", "host.example/remote", false),
        ]);
        let differences = Differences::between(&declared, &map);
        assert_eq!(differences.never_seen, [pair("b", "c")]);
        assert_eq!(differences.undeclared, [pair("b", "d")], "neither clients nor other hosts");
        assert_eq!(
            differences.draw(Style::PLAIN),
            "1 of 2 declared edges were seen\n\ndeclared, never seen\n  b → c\n\nseen, not declared\n  b → d\n"
        );
    }
}
