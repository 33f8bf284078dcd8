//! Adaptive sampling: a higher rate for a minute after anomalies
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-adaptive-sampling.html>).
//!
//! AWS calculates "the minimum boost needed to capture error traces" and does not publish how. Here the rule is plain: as
//! soon as a report has an anomaly that was not sampled, the rate is the rule's `MaxRate` for one minute, for all services;
//! then the cooldown begins, in which nothing is boosted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rules::RuleSettings;

/// How long a boost lasts, in seconds: "up to 1 minute" (developer guide).
const BOOST_S: f64 = 60.0;

/// What a client reports of the traces of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnomalyCounts {
    /// Traces with an anomaly.
    pub(crate) anomalies: u32,
    /// Those of them that were sampled.
    pub(crate) sampled: u32,
}

/// The latest boost of each rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Boosts(BTreeMap<String, Boost>);

/// A boost. Times are in epoch seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Boost {
    /// When it ends.
    until: f64,
    /// From when on there may be another.
    cooled_down: f64,
}

impl Boosts {
    /// Takes note of a report, which may begin a boost.
    pub(crate) fn report(&mut self, rule: &str, settings: &RuleSettings, counts: AnomalyCounts, now: f64) {
        let Some(boost) = settings.sampling_rate_boost else { return };
        let needed = counts.sampled < counts.anomalies && boost.max_rate > settings.fixed_rate;
        if needed && self.0.get(rule).is_none_or(|last| last.cooled_down <= now) {
            let until = now + BOOST_S;
            let cooled_down = until + 60.0 * f64::from(boost.cooldown_window_minutes);
            self.0.insert(rule.to_owned(), Boost { until, cooled_down });
        }
    }

    /// Returns the rate of a rule's boost and when it ends, while there is one.
    pub(crate) fn current(&self, rule: &str, settings: &RuleSettings, now: f64) -> Option<(f64, f64)> {
        let rate = settings.sampling_rate_boost?.max_rate;
        let boost = self.0.get(rule).filter(|boost| now < boost.until)?;
        Some((rate, boost.until))
    }

    /// Forgets the boost of a rule.
    pub(crate) fn forget(&mut self, rule: &str) {
        self.0.remove(rule);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(boost: Value) -> RuleSettings {
        let mut settings = json!({
            "ResourceARN": "*", "Priority": 1, "FixedRate": 0.1, "ReservoirSize": 1, "ServiceName": "*",
            "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1
        });
        if !boost.is_null() {
            settings["SamplingRateBoost"] = boost;
        }
        serde_json::from_value(settings).unwrap()
    }

    const MISSED: AnomalyCounts = AnomalyCounts { anomalies: 3, sampled: 1 };

    #[test]
    fn a_boost_lasts_a_minute_and_is_followed_by_the_cooldown() {
        let rule = settings(json!({"MaxRate": 0.5, "CooldownWindowMinutes": 2}));
        let mut boosts = Boosts::default();
        assert_eq!(boosts.current("r", &rule, 100.0), None);
        boosts.report("r", &rule, MISSED, 100.0);
        assert_eq!(boosts.current("r", &rule, 100.0), Some((0.5, 160.0)));
        // Further anomalies prolong nothing, neither during the boost nor in the cooldown.
        boosts.report("r", &rule, MISSED, 150.0);
        assert_eq!(boosts.current("r", &rule, 159.9), Some((0.5, 160.0)));
        assert_eq!(boosts.current("r", &rule, 160.0), None);
        boosts.report("r", &rule, MISSED, 279.9);
        assert_eq!(boosts.current("r", &rule, 279.9), None);
        boosts.report("r", &rule, MISSED, 280.0);
        assert_eq!(boosts.current("r", &rule, 280.0), Some((0.5, 340.0)));
    }

    #[test]
    fn nothing_is_boosted_without_need() {
        let rule = settings(json!({"MaxRate": 0.5, "CooldownWindowMinutes": 0}));
        let useless = settings(json!({"MaxRate": 0.1, "CooldownWindowMinutes": 0}));
        let mut boosts = Boosts::default();
        for (rule, counts) in [
            (&rule, AnomalyCounts { anomalies: 0, sampled: 0 }),
            (&rule, AnomalyCounts { anomalies: 2, sampled: 2 }),
            (&useless, MISSED),
            (&settings(Value::Null), MISSED),
        ] {
            boosts.report("r", rule, counts, 100.0);
        }
        assert_eq!(boosts, Boosts::default());
    }

    #[test]
    fn a_rule_that_lost_its_boost_is_not_boosted() {
        let rule = settings(json!({"MaxRate": 0.5, "CooldownWindowMinutes": 0}));
        let mut boosts = Boosts::default();
        boosts.report("r", &rule, MISSED, 100.0);
        assert_eq!(boosts.current("r", &settings(Value::Null), 101.0), None);
        boosts.forget("r");
        assert_eq!(boosts, Boosts::default());
    }
}
