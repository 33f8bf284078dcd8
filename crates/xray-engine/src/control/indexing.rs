//! The indexing rule: which share of spans X-Ray indexes if they go to CloudWatch Logs
//! (<https://docs.aws.amazon.com/xray/latest/api/API_IndexingRule.html>).

use serde::{Deserialize, Serialize};

use super::error::ControlError;

/// There is one rule.
const NAME: &str = "Default";
/// What AWS indexes by default, in percent
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Transaction-Search.html>).
const DEFAULT_PERCENTAGE: f64 = 1.0;

/// The rule `Default`. It is remembered and reported, without effect: this engine indexes every trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexingRule {
    /// Of traces, in percent.
    pub(crate) percentage: f64,
    /// Epoch seconds; zero if never.
    pub(crate) modified_at: f64,
}

impl Default for IndexingRule {
    fn default() -> Self {
        Self { percentage: DEFAULT_PERCENTAGE, modified_at: 0.0 }
    }
}

impl IndexingRule {
    pub(crate) const NAME: &str = NAME;

    pub(crate) fn update(&mut self, name: &str, percentage: f64, now: f64) -> Result<(), ControlError> {
        if name != NAME {
            return Err(ControlError::ResourceNotFound {
                message: format!("Name: there is no other indexing rule than {NAME}"),
                resource: name.to_owned(),
            });
        }
        if !(0.0..=100.0).contains(&percentage) {
            return Err(ControlError::invalid(
                "Rule.Probabilistic.DesiredSamplingPercentage must be from 0 to 100",
            ));
        }
        *self = Self { percentage, modified_at: now };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_rule_can_be_updated() {
        let mut rule = IndexingRule::default();
        assert!(matches!(rule.update("other", 5.0, 9.0), Err(ControlError::ResourceNotFound { .. })));
        for percentage in [-0.1, 100.1, f64::NAN] {
            assert!(matches!(rule.update(NAME, percentage, 9.0), Err(ControlError::InvalidRequest(_))));
        }
        assert_eq!(rule, IndexingRule::default());
        rule.update(NAME, 100.0, 9.0).unwrap();
        assert_eq!((rule.percentage, rule.modified_at), (100.0, 9.0));
    }
}
