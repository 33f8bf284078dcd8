//! What must become of an event, by what the services declare: who consumes it, and whether something must follow.

use std::collections::HashMap;

use anyhow::Context as _;
use contracts::{
    CustomerEnrolled, CustomerErased, DiscountGifted, NotificationRequested, PointsEarned, PointsRedeemed,
};
use envelope::Event as _;
use topology::Resources;

use crate::layer;

/// Events that are always announced once they were applied. Others announce nothing if they change nothing, so nothing can be
/// expected of them beyond what was seen.
const ANNOUNCED: [&str; 5] = [
    CustomerEnrolled::TYPE,
    CustomerErased::TYPE,
    PointsEarned::TYPE,
    PointsRedeemed::TYPE,
    DiscountGifted::TYPE,
];

/// A set of services, by their places in [`layer::names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Services(u32);

impl Services {
    pub(super) fn insert(&mut self, place: usize) -> bool {
        let one = 1_u32.checked_shl(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or_default();
        let is_new = self.0 & one == 0;
        self.0 |= one;
        is_new
    }

    pub(super) fn contains_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
}

/// An event type, by its place among those known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u8);

#[derive(Debug)]
struct Fate {
    name: &'static str,
    consumers: Services,
    announced: bool,
    notification: bool,
}

/// What is expected of each event type.
#[derive(Debug)]
pub(super) struct Expected {
    fates: Vec<Fate>,
    kinds: HashMap<&'static str, Kind>,
    services: Vec<&'static str>,
}

impl Expected {
    /// Derives it from the declarations of all services.
    #[cfg(test)]
    pub(super) fn of_the_layer() -> anyhow::Result<Self> {
        Self::of(|_| true)
    }

    /// Derives it from the declarations of the services that run.
    ///
    /// # Errors
    /// When the declarations contradict each other.
    pub(super) fn of(runs: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let services: Vec<&'static str> = layer::names().filter(|name| runs(name)).collect();
        let resources = layer::resources_of(&services, contracts::APPLICATION, "local")
            .context("the services' declarations do not fit")?;
        let mut names = layer::emitted();
        names.push(NotificationRequested::TYPE);
        let mut expected = Self { fates: Vec::new(), kinds: HashMap::new(), services };
        for name in names {
            if expected.kinds.contains_key(name) {
                continue;
            }
            let kind = Kind(u8::try_from(expected.fates.len()).context("more event types than are counted")?);
            let notification = name == NotificationRequested::TYPE;
            expected.kinds.insert(name, kind);
            expected.fates.push(Fate {
                name,
                // A notification is handled by the service of its channel, which nothing in the log names beforehand.
                consumers: if notification {
                    Services::default()
                } else {
                    expected.consumers_of(name, &resources)
                },
                announced: ANNOUNCED.contains(&name),
                notification,
            });
        }
        Ok(expected)
    }

    fn consumers_of(&self, event_type: &str, resources: &Resources) -> Services {
        let mut consumers = Services::default();
        for rule in resources
            .rules
            .iter()
            .filter(|rule| rule.bus == topology::RuleBus::Own && rule.delivers(event_type))
        {
            let owner =
                resources.services.iter().find(|one| one.queue.as_deref() == Some(&rule.target_queue));
            if let Some(place) = owner.and_then(|owner| self.place(&owner.service)) {
                consumers.insert(place);
            }
        }
        consumers
    }

    /// Returns the place of a service.
    pub(super) fn place(&self, service: &str) -> Option<usize> {
        self.services.iter().position(|name| *name == service)
    }

    /// Returns the service at a place.
    pub(super) fn service(&self, place: usize) -> &'static str {
        self.services.get(place).copied().unwrap_or_default()
    }

    pub(super) fn kind(&self, event_type: &str) -> Option<Kind> {
        self.kinds.get(event_type).copied()
    }

    pub(super) fn name(&self, kind: Kind) -> &'static str {
        self.fates[usize::from(kind.0)].name
    }

    /// Returns the services that must handle an event of this type.
    pub(super) fn consumers(&self, kind: Kind) -> Services {
        self.fates[usize::from(kind.0)].consumers
    }

    /// Whether an announcement must follow an event of this type that was applied.
    pub(super) fn is_announced(&self, kind: Kind) -> bool {
        self.fates[usize::from(kind.0)].announced
    }

    /// Whether each notification that was requested must be delivered: not if the service of its channel may be one that does
    /// not run.
    pub(super) fn delivers_every_notification(&self) -> bool {
        self.services.len() == layer::ALL.len()
    }

    pub(super) fn is_notification(&self, kind: Kind) -> bool {
        self.fates[usize::from(kind.0)].notification
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_expected_where_they_are_declared() {
        let expected = Expected::of_the_layer().unwrap();
        let consumers = |event_type| {
            let consumers = expected.consumers(expected.kind(event_type).unwrap());
            let mut names: Vec<_> = layer::names()
                .filter(|name| {
                    let mut one = Services::default();
                    one.insert(expected.place(name).unwrap());
                    consumers.contains_all(one)
                })
                .collect();
            names.sort_unstable();
            names.join(" ")
        };
        assert_eq!(consumers("CustomerEnrolled"), "archive membership");
        assert_eq!(consumers("PointsBalanceChanged"), "archive wallet");
        assert_eq!(consumers("MemberEnrolled"), "app archive email notifier wallet");
        assert_eq!(consumers("NotificationRequested"), "");
        assert_eq!(expected.kind("SomethingElse"), None);
    }

    #[test]
    fn nothing_is_expected_of_services_that_do_not_run() {
        let expected = Expected::of(|name| ["ingest", "membership"].contains(&name)).unwrap();
        let consumers = |event_type| expected.consumers(expected.kind(event_type).unwrap());
        let mut membership = Services::default();
        membership.insert(expected.place("membership").unwrap());
        assert_eq!(consumers("CustomerEnrolled"), membership);
        assert_eq!(consumers("MemberEnrolled"), Services::default());
        assert!(!expected.delivers_every_notification());
    }
}
