//! Names and ARNs of buses, rules, archives and replays.

use super::errors::{malformed_arn, not_found};
use crate::reply::AwsError;
use crate::settings::Settings;

pub(super) const DEFAULT_BUS: &str = "default";

/// The account and region that all resources are in.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) account: String,
    pub(super) region: String,
}

/// A resource that can have tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taggable<'a> {
    Bus(&'a str),
    Rule { bus: &'a str, name: &'a str },
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { account: settings.account_id.clone(), region: settings.region.clone() }
    }

    fn arn(&self, resource: &str) -> String {
        format!("arn:aws:events:{}:{}:{resource}", self.region, self.account)
    }

    pub(super) fn bus_arn(&self, name: &str) -> String {
        self.arn(&format!("event-bus/{name}"))
    }

    /// On the default bus, a rule's ARN does not name the bus.
    pub(super) fn rule_arn(&self, bus: &str, name: &str) -> String {
        if bus == DEFAULT_BUS {
            self.arn(&format!("rule/{name}"))
        } else {
            self.arn(&format!("rule/{bus}/{name}"))
        }
    }

    pub(super) fn archive_arn(&self, name: &str) -> String {
        self.arn(&format!("archive/{name}"))
    }

    pub(super) fn replay_arn(&self, name: &str) -> String {
        self.arn(&format!("replay/{name}"))
    }

    /// Returns a bus's name, given by name, by ARN or not at all. An ARN of another account or region stays an ARN,
    /// which no bus has for a name.
    pub(super) fn bus_name<'a>(&self, given: Option<&'a str>) -> &'a str {
        let given = given.unwrap_or(DEFAULT_BUS);
        self.own(given).and_then(|resource| resource.strip_prefix("event-bus/")).unwrap_or(given)
    }

    /// Returns the bus's name for messages, also if it is of another account or region.
    pub(super) fn no_such_bus(name: &str) -> AwsError {
        let name = name.rsplit_once(":event-bus/").map_or(name, |(_, name)| name);
        not_found(format_args!("Event bus {name}"))
    }

    /// Returns whether an ARN is that of a standard SNS topic in this account and region. EventBridge delivers to no FIFO
    /// topics.
    pub(super) fn owns_topic(&self, arn: &str) -> bool {
        self.own_of("sns", arn)
            .is_some_and(|name| !name.contains(':') && name.strip_suffix(".fifo").is_none())
    }

    /// Returns what follows the account in an ARN of EventBridge in this account and region.
    fn own<'a>(&self, arn: &'a str) -> Option<&'a str> {
        self.own_of("events", arn)
    }

    fn own_of<'a>(&self, service: &str, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix("arn:aws:")?
            .strip_prefix(service)?
            .strip_prefix(':')?
            .strip_prefix(self.region.as_str())?
            .strip_prefix(':')?
            .strip_prefix(self.account.as_str())?
            .strip_prefix(':')
    }

    pub(super) fn taggable<'a>(&self, arn: &'a str) -> Result<Taggable<'a>, AwsError> {
        let resource = self.own(arn).ok_or_else(|| malformed_arn(arn))?;
        if let Some(name) = resource.strip_prefix("event-bus/") {
            return Ok(Taggable::Bus(name));
        }
        let rule = resource.strip_prefix("rule/").ok_or_else(|| malformed_arn(arn))?;
        let (bus, name) = rule.split_once('/').unwrap_or((DEFAULT_BUS, rule));
        Ok(Taggable::Rule { bus, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_given_by_name_or_by_arn() {
        let names = Names::new(&Settings::default());
        let arn = names.bus_arn("b");
        assert_eq!(names.bus_name(Some(&arn)), "b");
        assert_eq!(names.bus_name(Some("b")), "b");
        assert_eq!(names.bus_name(None), "default");
        let elsewhere = arn.replace("eu-central-1", "eu-west-1");
        assert_eq!(names.bus_name(Some(&elsewhere)), elsewhere);
        assert_eq!(Names::no_such_bus(&elsewhere).message, "Event bus b does not exist.");
    }

    #[test]
    fn tags_are_for_buses_and_rules() {
        let names = Names::new(&Settings::default());
        assert_eq!(names.taggable(&names.bus_arn("b")).unwrap(), Taggable::Bus("b"));
        let rule = names.rule_arn("b", "r");
        assert_eq!(names.taggable(&rule).unwrap(), Taggable::Rule { bus: "b", name: "r" });
        let rule = names.rule_arn("default", "r");
        assert_eq!(names.taggable(&rule).unwrap(), Taggable::Rule { bus: "default", name: "r" });
        assert!(names.taggable(&names.archive_arn("a")).is_err());
        assert!(names.taggable("r").is_err());
    }
}
