use std::time::Duration;

use opentelemetry::KeyValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::RuleSet;
use crate::matching::{Request, Service};
use crate::target::{Received, TargetUpdate};
use crate::tests::support::{DATE, UNSAMPLED, parsed, resource, rule};

const NOW: Duration = Duration::from_secs(5);
const RECEIVED: Received = Received { now: NOW, date: DATE };

fn service() -> Service {
    Service::of(&resource(&[("service.name", "orders")]))
}

fn set(previous: Option<&RuleSet>, rules: &[Value]) -> RuleSet {
    RuleSet::new(previous, rules.iter().map(parsed).collect(), &service(), NOW)
}

/// Returns the name of the rule that decides about a request for a path.
fn decider(set: &RuleSet, path: &'static str) -> Option<String> {
    let (service, attributes) = (service(), [KeyValue::new("url.path", path)]);
    set.find(&Request::of(&service, &attributes)).map(|state| state.rule.name.to_string())
}

fn decide(set: &RuleSet, now: Duration) -> bool {
    let service = service();
    set.find(&Request::of(&service, &[])).unwrap().decide(now, UNSAMPLED)
}

fn quota(rule: &str, quota: u32) -> TargetUpdate {
    TargetUpdate { rule: rule.to_owned(), quota: Some((quota, DATE + 300.0)), ..TargetUpdate::default() }
}

#[test]
fn the_lowest_priority_decides_and_then_the_name() {
    let rules = [
        rule("Default", &json!({ "Priority": 10_000 })),
        rule("wide", &json!({ "Priority": 200 })),
        rule("b", &json!({ "Priority": 100, "URLPath": "/v1/*" })),
        rule("a", &json!({ "Priority": 100, "URLPath": "/v1/e*" })),
    ];
    let set = set(None, &rules);
    assert_eq!(decider(&set, "/v1/events").as_deref(), Some("a"));
    assert_eq!(decider(&set, "/v1/other").as_deref(), Some("b"));
    assert_eq!(decider(&set, "/v2").as_deref(), Some("wide"));
}

#[test]
fn the_default_rule_comes_last_whatever_its_priority() {
    let set = set(None, &[rule("Default", &json!({ "Priority": 1 })), rule("a", &json!({}))]);
    assert_eq!(decider(&set, "/").as_deref(), Some("a"));
}

#[test]
fn without_a_default_rule_a_request_may_match_none() {
    let set = set(None, &[rule("a", &json!({ "URLPath": "/a" }))]);
    assert_eq!(decider(&set, "/b"), None);
}

#[test]
fn rules_for_other_services_and_duplicate_names_are_left_out() {
    let rules = [
        rule("other", &json!({ "Priority": 1, "ServiceName": "billing" })),
        rule("twice", &json!({ "Priority": 5 })),
        rule("twice", &json!({ "Priority": 4 })),
    ];
    let set = set(None, &rules);
    assert_eq!(set.states.len(), 1);
    assert_eq!(set.states[0].rule.priority, 5);
}

#[test]
fn unchanged_rules_keep_their_state_when_others_are_created_changed_and_deleted() {
    let kept = rule("kept", &json!({ "ReservoirSize": 10 }));
    let before = set(None, &[rule("gone", &json!({})), kept.clone(), rule("changed", &json!({}))]);
    let before = before.after(&[quota("kept", 3), quota("changed", 3)], RECEIVED);
    let changed = rule("changed", &json!({ "FixedRate": 0.5 }));
    let after = set(Some(&before), &[rule("new", &json!({})), changed, kept]);
    let find = |set: &RuleSet, name: &str| set.states.iter().position(|state| &*state.rule.name == name);
    let state = |set: &RuleSet, name: &str| set.states[find(set, name).unwrap()].clone();
    assert!(std::sync::Arc::ptr_eq(&state(&before, "kept"), &state(&after, "kept")));
    assert!(find(&after, "gone").is_none());
    assert!(find(&after, "new").is_some());
    // The changed rule lost its quota, but not its statistics.
    state(&before, "changed").decide(NOW, UNSAMPLED);
    assert_eq!(after.take_statistics().len(), 1);
}

#[test]
fn the_case_of_patterns_and_unknown_fields_do_not_change_a_rule() {
    let before = set(None, &[rule("a", &json!({ "URLPath": "/V1" }))]);
    let after = set(Some(&before), &[rule("a", &json!({ "URLPath": "/v1", "Note": "new" }))]);
    assert!(std::sync::Arc::ptr_eq(&before.states[0], &after.states[0]));
}

#[test]
fn an_update_affects_only_its_rule() {
    let before = set(None, &[rule("a", &json!({})), rule("b", &json!({}))]);
    let after = before.after(&[quota("a", 3), quota("unknown", 3)], RECEIVED);
    assert!(!std::sync::Arc::ptr_eq(&before.states[0], &after.states[0]));
    assert!(std::sync::Arc::ptr_eq(&before.states[1], &after.states[1]));
    assert!(decide(&after, NOW), "within the quota");
}

#[test]
fn statistics_contain_only_rules_with_requests() {
    let set = set(None, &[rule("used", &json!({ "Priority": 1 })), rule("unused", &json!({}))]);
    assert!(set.take_statistics().is_empty());
    decide(&set, NOW);
    let taken = set.take_statistics();
    assert_eq!(taken.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["used"]);
    assert!(set.take_statistics().is_empty());
    set.put_back(taken);
    assert_eq!(set.take_statistics().len(), 1);
}

#[test]
fn rules_expire_an_hour_after_they_were_fetched() {
    let set = set(None, &[rule("Default", &json!({}))]).after(&[], RECEIVED);
    assert!(!set.is_expired(NOW + Duration::from_hours(1)));
    assert!(set.is_expired(NOW + Duration::from_hours(1) + Duration::from_millis(1)));
}

proptest! {
    #[test]
    fn the_order_in_which_rules_arrive_makes_no_difference(
        priorities in proptest::collection::btree_map("[a-f]{1,2}", 1..4_i64, 1..12),
        seed in any::<u64>(),
    ) {
        let mut rules: Vec<Value> =
            priorities.iter().map(|(name, priority)| rule(name, &json!({ "Priority": priority }))).collect();
        let first = priorities.iter().min_by_key(|(name, priority)| (**priority, (*name).clone())).unwrap().0;
        let turns = usize::try_from(seed % 12).unwrap() % rules.len();
        rules.rotate_left(turns);
        prop_assert_eq!(decider(&set(None, &rules), "/"), Some(first.clone()));
    }
}
