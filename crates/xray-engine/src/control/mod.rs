//! What is configured at X-Ray rather than traced: groups, sampling rules and what follows from them, and the settings of
//! the account.
//!
//! The state is plain data that can be written and read with serde. Nothing here reads a clock, a network or a lock: the
//! time, in epoch seconds, is passed in, and the API puts the lock around [`Control`]. Everything that requests can make
//! grow has a limit, either AWS's quota or one of this engine's.
//!
//! Insights have no state, since nothing here looks for anomalies in traces.

mod boost;
mod destination;
mod encryption;
mod error;
mod groups;
mod indexing;
mod place;
mod policies;
mod retrievals;
mod rules;
mod statistics;
mod tags;
mod targets;

use serde::{Deserialize, Serialize};

pub(crate) use self::boost::{AnomalyCounts, Boosts};
pub(crate) use self::destination::{Destination, TraceSegmentDestination};
pub(crate) use self::encryption::{Encryption, EncryptionType};
pub(crate) use self::error::ControlError;
pub(crate) use self::groups::{Group, GroupChange, GroupKey, Groups};
pub(crate) use self::indexing::IndexingRule;
pub(crate) use self::place::Place;
pub(crate) use self::policies::{Policies, Policy, PolicyChange};
pub(crate) use self::retrievals::{Retrieval, Retrievals};
pub(crate) use self::rules::{Rule, RuleChange, RuleKey, RuleSettings, Rules};
pub(crate) use self::statistics::{Counts, Statistics};
pub(crate) use self::tags::{Tag, Tags};
pub(crate) use self::targets::{INTERVAL_S, QUOTA_S, Targets};

/// The configuration of one account in one Region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Control {
    pub(crate) groups: Groups,
    pub(crate) rules: Rules,
    pub(crate) targets: Targets,
    pub(crate) boosts: Boosts,
    pub(crate) statistics: Statistics,
    pub(crate) indexing: IndexingRule,
    pub(crate) retrievals: Retrievals,
    pub(crate) destination: TraceSegmentDestination,
    pub(crate) encryption: Encryption,
    pub(crate) policies: Policies,
}

impl Control {
    /// Deletes a sampling rule with what its clients reported. What was counted stays in the statistics until it ages out.
    pub(crate) fn delete_rule(
        &mut self,
        key: &RuleKey,
        place: &Place,
        now: f64,
    ) -> Result<Rule, ControlError> {
        let rule = self.rules.delete(key, place, now)?;
        self.targets.forget(&rule.name);
        self.boosts.forget(&rule.name);
        Ok(rule)
    }

    /// Returns the tags of a group or of a sampling rule.
    pub(crate) fn tags(&self, arn: &str, place: &Place) -> Result<&Tags, ControlError> {
        let of_group = self.groups.by_arn(arn, place).map(|group| &group.tags);
        let of_rule = || self.rules.by_arn(arn, place).map(|rule| &rule.tags);
        of_group.or_else(of_rule).ok_or_else(|| no_resource(arn))
    }

    /// Returns the same, to be changed.
    pub(crate) fn tags_mut(&mut self, arn: &str, place: &Place) -> Result<&mut Tags, ControlError> {
        let of_group = self.groups.by_arn_mut(arn, place).map(|group| &mut group.tags);
        let of_rule = self.rules.by_arn_mut(arn, place).map(|rule| &mut rule.tags);
        of_group.or(of_rule).ok_or_else(|| no_resource(arn))
    }
}

fn no_resource(arn: &str) -> ControlError {
    ControlError::ResourceNotFound {
        message: "no group and no sampling rule has the ARN in ResourceARN".to_owned(),
        resource: arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_survives_being_written_and_read() {
        let mut control = Control::default();
        let place = Place::new("eu-central-1", "000000000000");
        let group = serde_json::from_value(serde_json::json!({"FilterExpression": "annotation.a = 1"}));
        control.groups.create("checkout", &group.unwrap(), Tags::default()).unwrap();
        let rule = serde_json::json!({
            "ResourceARN": "*", "Priority": 1, "FixedRate": 0.5, "ReservoirSize": 3, "ServiceName": "*",
            "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1,
            "Attributes": {"a": "b"}, "SamplingRateBoost": {"MaxRate": 0.75, "CooldownWindowMinutes": 5}
        });
        let rule: RuleSettings = serde_json::from_value(rule).unwrap();
        control.rules.create(Some("rule"), rule, Tags::default(), 11.0).unwrap();
        control.targets.quota("rule", 3, "client", 3, 12.0);
        control.statistics.record("rule", Counts { requests: 3, sampled: 2, borrowed: 1 }, 12.0, 12.0);
        control.retrievals.start("token", vec![xray::TraceId::from_bytes([1; 16])], 0.0, 9.0, 12.0);
        control.destination.update(Some(Destination::CloudWatchLogs), None).unwrap();
        control.encryption.update(EncryptionType::Kms, Some("alias/key")).unwrap();
        let document = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "xray:*"}}"#;
        control.policies.put(PolicyChange { name: "p", document, revision: None }, 13.0).unwrap();
        control.indexing.update("Default", 12.5, 14.0).unwrap();

        let written = serde_json::to_string(&control).unwrap();
        assert_eq!(serde_json::from_str::<Control>(&written).unwrap(), control);
        // A file of an earlier version lacks what was added later.
        assert_eq!(serde_json::from_str::<Control>("{}").unwrap(), Control::default());

        control.delete_rule(&RuleKey::named("rule"), &place, 20.0).unwrap();
        assert_eq!(control.targets, Targets::default());
        assert_eq!(control.statistics.rows().count(), 1);
    }

    #[test]
    fn groups_and_rules_are_found_by_arn_for_their_tags() {
        let mut control = Control::default();
        let place = Place::new("eu-central-1", "000000000000");
        for arn in [place.default_group(), place.sampling_rule("Default")] {
            let tag = Tag { key: "a".to_owned(), value: "b".to_owned() };
            control.tags_mut(&arn, &place).unwrap().add(&[tag], &arn).unwrap();
            assert_eq!(control.tags(&arn, &place).unwrap().iter().count(), 1, "{arn}");
        }
        let elsewhere = Place::new("us-east-1", "000000000000").sampling_rule("Default");
        let error = control.tags(&elsewhere, &place).unwrap_err();
        assert!(matches!(error, ControlError::ResourceNotFound { resource, .. } if resource == elsewhere));
        assert!(control.tags_mut(&elsewhere, &place).is_err());
    }
}
