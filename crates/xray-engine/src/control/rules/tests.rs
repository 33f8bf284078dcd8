use serde_json::{Value, json};

use super::*;

fn place() -> Place {
    Place::new("eu-central-1", "000000000000")
}

fn change(value: Value) -> RuleChange {
    serde_json::from_value(value).unwrap()
}

/// Returns settings that differ from the default rule's in the priority alone.
fn settings(priority: i32) -> RuleSettings {
    RuleSettings { priority, ..RuleSettings::of_default_rule() }
}

fn with_rule(name: &str) -> Rules {
    let mut rules = Rules::default();
    rules.create(Some(name), settings(5), Tags::default(), 10.0).unwrap();
    rules
}

fn modified(rules: &Rules) -> Option<f64> {
    Some(rules.last_modification()).filter(|time| *time > 0.0)
}

#[test]
fn a_rule_is_found_by_name_or_by_arn_but_not_by_both() {
    let mut rules = with_rule("checkout");
    let arn = "arn:aws:xray:eu-central-1:000000000000:sampling-rule/checkout";
    assert_eq!(rules.by_arn(arn, &place()).unwrap().name, "checkout");
    let by_arn = RuleKey { name: None, arn: Some(arn.to_owned()) };
    let rule = rules.update(&by_arn, &change(json!({"Host": "a"})), &place(), 11.0).unwrap();
    assert_eq!((rule.settings.host.as_str(), rule.created_at, rule.modified_at), ("a", 10.0, 11.0));
    let both = RuleKey { name: Some("checkout".to_owned()), arn: Some(arn.to_owned()) };
    for (key, reason) in [
        (both, "must not both"),
        (RuleKey::default(), "must be given"),
        (RuleKey::named("Checkout"), "not found"),
    ] {
        let error = rules.delete(&key, &place(), 12.0).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_default_rule_changes_in_rate_and_reservoir_alone() {
    let mut rules = Rules::default();
    let default = RuleKey::named("Default");
    assert!(rules.delete(&default, &place(), 1.0).is_err());
    for other in [json!({"Priority": 1}), json!({"Host": "a", "FixedRate": 0.5}), json!({"Attributes": {}})] {
        let error = rules.update(&default, &change(other), &place(), 1.0).unwrap_err().to_string();
        assert!(error.starts_with("Invalid update request for default sampling rule"), "{error}");
    }
    assert_eq!(rules, Rules::default());
    let rule = rules
        .update(&default, &change(json!({"FixedRate": 0.0, "ReservoirSize": 7})), &place(), 2.0)
        .unwrap();
    assert_eq!((rule.settings.fixed_rate, rule.settings.reservoir_size), (0.0, 7));
    assert_eq!(rule.settings.priority, 10_000);
}

#[test]
fn every_change_moves_the_last_modification() {
    let mut rules = with_rule("a");
    assert_eq!(modified(&rules), Some(10.0));
    rules.update(&RuleKey::named("a"), &RuleChange::default(), &place(), 11.0).unwrap();
    assert_eq!(modified(&rules), Some(11.0));
    rules.delete(&RuleKey::named("a"), &place(), 12.0).unwrap();
    assert_eq!(modified(&rules), Some(12.0));
}

#[test]
fn there_are_at_most_twenty_five_rules_beside_the_default_one() {
    let mut rules = Rules::default();
    for number in 0..25 {
        rules.create(Some(&format!("rule-{number}")), settings(1), Tags::default(), 1.0).unwrap();
    }
    let error = rules.create(Some("more"), settings(1), Tags::default(), 1.0).unwrap_err();
    assert_eq!(error, ControlError::RuleLimitExceeded { quota: 25 });
    assert_eq!(rules.iter().count(), 26);
}

#[test]
fn what_the_model_does_not_limit_is_limited_here() {
    let mut rules = with_rule("a");
    for (update, member) in [
        (json!({"Priority": 0}), "Priority"),
        (json!({"Priority": 10_000}), "Priority"),
        (json!({"FixedRate": 5}), "FixedRate"),
        (json!({"FixedRate": -0.1}), "FixedRate"),
        (json!({"ReservoirSize": -1}), "ReservoirSize"),
    ] {
        let error = rules.update(&RuleKey::named("a"), &change(update), &place(), 11.0).unwrap_err();
        assert!(error.to_string().contains(member), "{error}");
    }
    let second = RuleSettings { version: 2, ..settings(1) };
    assert!(rules.create(Some("b"), second, Tags::default(), 11.0).is_err());
    assert!(rules.create(None, settings(1), Tags::default(), 11.0).is_err());
    assert!(rules.create(Some("a"), settings(1), Tags::default(), 11.0).is_err());
    assert!(rules.create(Some("Default"), settings(1), Tags::default(), 11.0).is_err());
    assert_eq!(modified(&rules), Some(10.0));
}

#[test]
fn an_update_replaces_what_it_names() {
    let mut rules = with_rule("a");
    let all = json!({
        "ResourceARN": "arn", "Priority": 9, "FixedRate": 1, "ReservoirSize": 0, "Host": "h", "ServiceName": "n",
        "ServiceType": "t", "HTTPMethod": "GET", "URLPath": "/p", "Attributes": {"k": "v"},
        "SamplingRateBoost": {"MaxRate": 1, "CooldownWindowMinutes": 0}
    });
    let rule = rules.update(&RuleKey::named("a"), &change(all.clone()), &place(), 11.0).unwrap();
    let mut written = serde_json::to_value(&rule.settings).unwrap();
    assert_eq!(written.as_object_mut().unwrap().remove("Version"), Some(json!(1)));
    assert_eq!(serde_json::from_value::<RuleChange>(written).unwrap(), change(all));
    let before = rule.settings.clone();
    let rule = rules.update(&RuleKey::named("a"), &RuleChange::default(), &place(), 12.0).unwrap();
    assert_eq!(rule.settings, before);
}
