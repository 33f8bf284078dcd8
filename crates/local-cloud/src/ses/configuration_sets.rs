//! Configuration sets and where the events of their mails go.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use crate::budget::{Budget, Share};

/// AWS General Reference, "Amazon SES quotas": configuration sets in a region.
const MAX_SETS: usize = 10_000;
/// The same: event destinations of a configuration set.
const MAX_DESTINATIONS: usize = 10;
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// What a set or a destination takes besides its texts, about.
const OVERHEAD: usize = 512;

/// A configuration set.
#[derive(Clone, Debug)]
pub(super) struct ConfigurationSet {
    pub(super) may_send: bool,
    pub(super) tags: BTreeMap<String, String>,
    /// By name.
    pub(super) destinations: BTreeMap<String, Destination>,
}

/// An event destination: the account's default bus, the only kind that is supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) enabled: bool,
    /// The types of events, as the API names them.
    pub(super) event_types: Vec<String>,
    /// The destination as it was given, for listings.
    pub(super) given: Value,
}

/// Why a set or a destination was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    NoSuchSet,
    NoSuchDestination,
    Exists,
    TooMany,
}

#[derive(Debug)]
pub(super) struct ConfigurationSets {
    sets: RwLock<BTreeMap<String, (ConfigurationSet, Share)>>,
    budget: Budget,
}

impl Default for ConfigurationSets {
    fn default() -> Self {
        Self { sets: RwLock::default(), budget: Budget::new(MAX_BYTES) }
    }
}

impl ConfigurationSets {
    pub(super) fn create(&self, name: String, set: ConfigurationSet) -> Result<(), Refused> {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        if sets.contains_key(&name) {
            return Err(Refused::Exists);
        }
        if sets.len() >= MAX_SETS {
            return Err(Refused::TooMany);
        }
        let share = self.budget.take(bytes(&name, &set)).ok_or(Refused::TooMany)?;
        sets.insert(name, (set, share));
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<ConfigurationSet> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.get(name).map(|(set, _)| set.clone())
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Refused> {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        sets.remove(name).map(drop).ok_or(Refused::NoSuchSet)
    }

    /// Returns the names of all sets behind a position, in their order.
    pub(super) fn names(&self, after: Option<&str>) -> Vec<String> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.keys().filter(|name| after.is_none_or(|after| name.as_str() > after)).cloned().collect()
    }

    /// Adds an event destination.
    pub(super) fn add(&self, set: &str, name: &str, destination: Destination) -> Result<(), Refused> {
        self.change(set, |set| {
            if set.destinations.contains_key(name) {
                return Err(Refused::Exists);
            }
            if set.destinations.len() >= MAX_DESTINATIONS {
                return Err(Refused::TooMany);
            }
            set.destinations.insert(name.to_owned(), destination);
            Ok(())
        })
    }

    /// Replaces an event destination.
    pub(super) fn replace(&self, set: &str, name: &str, destination: Destination) -> Result<(), Refused> {
        self.change(set, |set| {
            let slot = set.destinations.get_mut(name).ok_or(Refused::NoSuchDestination)?;
            *slot = destination;
            Ok(())
        })
    }

    /// Removes an event destination.
    pub(super) fn remove_destination(&self, set: &str, name: &str) -> Result<(), Refused> {
        self.change(set, |set| set.destinations.remove(name).map(drop).ok_or(Refused::NoSuchDestination))
    }

    /// Replaces a set by what `change` makes of it, if there is memory for that.
    fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut ConfigurationSet) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let slot = sets.get_mut(name).ok_or(Refused::NoSuchSet)?;
        let mut changed = slot.0.clone();
        change(&mut changed)?;
        let share = self.budget.take(bytes(name, &changed)).ok_or(Refused::TooMany)?;
        *slot = (changed, share);
        Ok(())
    }
}

fn bytes(name: &str, set: &ConfigurationSet) -> usize {
    let tags = set.tags.iter().map(|(key, value)| OVERHEAD + key.len() + value.len());
    let destinations = set
        .destinations
        .iter()
        .map(|(name, destination)| OVERHEAD + name.len() + 2 * destination.given.to_string().len());
    OVERHEAD + name.len() + tags.chain(destinations).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ConfigurationSet {
        ConfigurationSet { may_send: true, tags: BTreeMap::new(), destinations: BTreeMap::new() }
    }

    fn destination() -> Destination {
        Destination { enabled: true, event_types: vec!["BOUNCE".to_owned()], given: Value::Null }
    }

    #[test]
    fn a_set_has_at_most_ten_destinations() {
        let sets = ConfigurationSets::default();
        assert_eq!(sets.add("a", "0", destination()), Err(Refused::NoSuchSet));
        sets.create("a".to_owned(), set()).unwrap();
        assert_eq!(sets.create("a".to_owned(), set()), Err(Refused::Exists));
        for number in 0..10 {
            sets.add("a", &number.to_string(), destination()).unwrap();
        }
        assert_eq!(sets.add("a", "0", destination()), Err(Refused::Exists));
        assert_eq!(sets.add("a", "10", destination()), Err(Refused::TooMany));
        sets.remove_destination("a", "0").unwrap();
        assert_eq!(sets.remove_destination("a", "0"), Err(Refused::NoSuchDestination));
        assert_eq!(sets.replace("a", "0", destination()), Err(Refused::NoSuchDestination));
        sets.add("a", "10", destination()).unwrap();
    }

    #[test]
    fn a_set_that_would_take_too_much_memory_stays_as_it_was() {
        let sets = ConfigurationSets { budget: Budget::new(4 * OVERHEAD), ..ConfigurationSets::default() };
        sets.create("a".to_owned(), set()).unwrap();
        let large = Destination { given: Value::String("x".repeat(4 * OVERHEAD)), ..destination() };
        assert_eq!(sets.add("a", "d", large), Err(Refused::TooMany));
        assert!(sets.get("a").unwrap().destinations.is_empty());
        sets.add("a", "d", destination()).unwrap();
        sets.remove("a").unwrap();
        assert!(sets.budget.take(4 * OVERHEAD).is_some(), "a deleted set takes none");
    }
}
