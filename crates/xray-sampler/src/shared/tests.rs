use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use serde_json::{Value, json};

use super::{Decision, Shared};
use crate::clock::Clock as _;
use crate::statistics::Counts;
use crate::target::TargetUpdate;
use crate::tests::support::{ManualClock, UNSAMPLED, parsed, resource, rule, trace_ids};

fn shared(rules: &[Value]) -> (Arc<Shared>, Arc<ManualClock>) {
    let clock = ManualClock::new();
    let shared = Arc::new(Shared::new(&resource(&[("service.name", "orders")]), clock.clone()));
    if !rules.is_empty() {
        shared.install(rules.iter().map(parsed).collect());
    }
    (shared, clock)
}

fn by(rule: &str, is_sampled: bool) -> Decision {
    Decision { is_sampled, rule: Some(rule.into()) }
}

fn all_counts(shared: &Shared) -> Vec<(String, Counts)> {
    let taken = shared.take_statistics();
    taken.into_iter().map(|(name, taken)| (name.to_string(), taken.counts().unwrap())).collect()
}

#[test]
fn without_rules_one_trace_per_second_and_five_percent_are_sampled() {
    let (shared, clock) = shared(&[]);
    assert!(shared.is_falling_back());
    let mut sampled = 0;
    for id in trace_ids().take(120_000) {
        let decision = shared.decide(&[], id);
        assert_eq!(decision.rule, None);
        sampled += i32::from(decision.is_sampled);
        clock.advance(Duration::from_millis(5));
    }
    // 600 seconds of 200 traces each: 600 + 5 % of 119,400, within four standard deviations.
    assert!((6_570 - 302..=6_570 + 302).contains(&sampled), "{sampled}");
    assert!(all_counts(&shared).is_empty());
}

#[test]
fn a_request_that_matches_no_rule_is_sampled_as_without_rules() {
    let (shared, _) = shared(&[rule("a", &json!({ "URLPath": "/a" }))]);
    assert!(!shared.is_falling_back());
    assert_eq!(shared.decide(&[], UNSAMPLED), Decision { is_sampled: true, rule: None });
    assert_eq!(shared.decide(&[], UNSAMPLED), Decision { is_sampled: false, rule: None });
    assert_eq!(shared.decide(&[KeyValue::new("url.path", "/a")], UNSAMPLED), by("a", false));
}

#[test]
fn expired_rules_are_not_applied_until_they_are_fetched_again() {
    let rules = [rule("Default", &json!({ "FixedRate": 1.0 }))];
    let (shared, clock) = shared(&rules);
    clock.advance(Duration::from_hours(1));
    assert_eq!(shared.decide(&[], UNSAMPLED), by("Default", true));
    clock.advance(Duration::from_secs(1));
    assert!(shared.is_falling_back());
    assert_eq!(shared.decide(&[], UNSAMPLED).rule, None);
    shared.install(rules.iter().map(parsed).collect());
    assert!(!shared.is_falling_back());
    assert_eq!(shared.decide(&[], UNSAMPLED), by("Default", true));
}

#[test]
fn every_decision_is_counted_for_the_rule_that_made_it() {
    let rules = [rule("a", &json!({ "URLPath": "/a", "FixedRate": 1.0 })), rule("Default", &json!({}))];
    let (shared, _) = shared(&rules);
    for _ in 0..3 {
        shared.decide(&[KeyValue::new("url.path", "/a")], UNSAMPLED);
    }
    shared.decide(&[], UNSAMPLED);
    let expected = [
        ("a".to_owned(), Counts { requests: 3, sampled: 3, borrowed: 0 }),
        ("Default".to_owned(), Counts { requests: 1, sampled: 0, borrowed: 0 }),
    ];
    assert_eq!(all_counts(&shared), expected);
}

#[test]
fn adjusting_the_wall_clock_changes_no_limit_and_no_expiry() {
    let (shared, clock) = shared(&[rule("Default", &json!({ "ReservoirSize": 10 }))]);
    let update = TargetUpdate {
        rule: "Default".to_owned(),
        quota: Some((2, clock.date() + 300.0)),
        ..TargetUpdate::default()
    };
    shared.apply(&[update], shared.both_clocks());
    for step in [86_400.0, -172_800.0] {
        clock.step(step);
        clock.advance(Duration::from_secs(1));
        let decisions: Vec<bool> = (0..4).map(|_| shared.decide(&[], UNSAMPLED).is_sampled).collect();
        assert_eq!(decisions, [true, true, false, false], "the quota of two per second, after {step}");
    }
    assert!(!shared.is_falling_back());
}

#[test]
fn concurrent_updates_of_rules_and_targets_lose_neither_updates_nor_counts() {
    let all = |version: u32| -> Vec<_> {
        // `steady` stays the same; `moving` changes every time.
        vec![
            parsed(&rule("steady", &json!({ "URLPath": "/steady" }))),
            parsed(&rule("moving", &json!({ "URLPath": "/moving", "Priority": version + 1 }))),
        ]
    };
    let (shared, _) = shared(&[]);
    shared.install(all(0));
    let target =
        |rate| TargetUpdate { rule: "steady".to_owned(), fixed_rate: Some(rate), ..TargetUpdate::default() };
    let decide = |path: &'static str| shared.decide(&[KeyValue::new("url.path", path)], UNSAMPLED);
    std::thread::scope(|scope| {
        scope.spawn(|| (1..=2_000).for_each(|version| shared.install(all(version))));
        scope.spawn(|| {
            for round in 0..2_000 {
                let rate = if round % 2 == 0 { 0.0 } else { 1.0 };
                shared.apply(&[target(rate)], shared.both_clocks());
                // The update just applied is in effect, whatever happened to other rules meanwhile.
                assert_eq!(decide("/steady"), by("steady", round % 2 == 1));
            }
        });
        scope.spawn(|| {
            for _ in 0..2_000 {
                assert_eq!(decide("/moving").rule.as_deref(), Some("moving"));
            }
        });
    });
    let counts = all_counts(&shared);
    assert!(counts.iter().all(|(_, counts)| counts.requests == 2_000), "{counts:?}");
    assert_eq!(counts.len(), 2);
}

#[test]
fn decisions_continue_while_rules_are_replaced_and_other_replacements_wait() {
    let (shared, _) = shared(&[rule("Default", &json!({ "FixedRate": 1.0 }))]);
    shared.replace(|current| {
        assert!(current.is_some());
        assert!(shared.replacing.try_lock().is_err());
        assert_eq!(shared.decide(&[], UNSAMPLED), by("Default", true));
        None
    });
    assert!(shared.replacing.try_lock().is_ok());
    assert!(shared.is_falling_back());
}
