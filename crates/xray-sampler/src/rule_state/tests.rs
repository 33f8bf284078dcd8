use std::time::Duration;

use serde_json::json;

use super::RuleState;
use crate::statistics::Counts;
use crate::target::{Received, TargetAnswer};
use crate::tests::support::{DATE, UNSAMPLED, parsed, rule, trace_ids};

fn state(fixed_rate: f64, reservoir_size: u32) -> RuleState {
    let changes = json!({ "FixedRate": fixed_rate, "ReservoirSize": reservoir_size });
    RuleState::new(parsed(&rule("orders", &changes)))
}

/// The state after a quota for this many seconds was received.
fn with_quota(state: &RuleState, now: Duration, quota: u32, seconds: f64) -> RuleState {
    let answer = TargetAnswer {
        rule: "orders".to_owned(),
        quota: Some((quota, DATE + seconds)),
        ..TargetAnswer::default()
    };
    state.after(&answer, Received { now, date: DATE })
}

/// Decides about traces at equal distances within a time, and returns the number sampled.
fn sampled(state: &RuleState, from: Duration, seconds: u32, per_second: u32) -> u32 {
    let apart = Duration::from_secs(1) / per_second;
    let decisions = (0..seconds * per_second).zip(trace_ids());
    let sampled = decisions.filter(|(number, id)| state.decide(from + apart * *number, *id));
    u32::try_from(sampled.count()).unwrap()
}

fn counts(state: &RuleState) -> Counts {
    state.statistics().take().counts().unwrap_or_default()
}

#[test]
fn one_trace_a_second_is_borrowed_without_a_quota() {
    let state = state(0.0, 50);
    assert_eq!(sampled(&state, Duration::ZERO, 60, 100), 60);
    assert_eq!(counts(&state), Counts { requests: 6_000, sampled: 60, borrowed: 60 });
}

#[test]
fn nothing_is_borrowed_from_an_empty_reservoir() {
    let state = state(0.0, 0);
    assert_eq!(sampled(&state, Duration::ZERO, 60, 100), 0);
    assert_eq!(counts(&state), Counts { requests: 6_000, sampled: 0, borrowed: 0 });
}

#[test]
fn a_quota_replaces_borrowing() {
    let state = with_quota(&state(0.0, 50), Duration::ZERO, 7, 300.0);
    let sampled = sampled(&state, Duration::ZERO, 60, 100);
    assert!((420..=427).contains(&sampled), "{sampled}");
    assert_eq!(counts(&state).borrowed, 0);
}

#[test]
fn a_quota_of_nothing_leaves_the_rate() {
    let state = with_quota(&state(0.0, 50), Duration::ZERO, 0, 300.0);
    assert_eq!(sampled(&state, Duration::ZERO, 60, 100), 0);
}

#[test]
fn one_trace_a_second_is_borrowed_again_after_the_quota() {
    let state = with_quota(&state(0.0, 50), Duration::ZERO, 7, 300.0);
    let end = Duration::from_mins(5);
    assert_eq!(sampled(&state, end, 60, 100), 60);
    assert_eq!(counts(&state).borrowed, 60);
}

#[test]
fn quotas_renewed_every_ten_seconds_are_kept_in_sum() {
    let mut current = state(0.0, 50);
    let mut all = 0;
    for round in 0..60 {
        let now = Duration::from_secs(round * 10);
        current = with_quota(&current, now, 7, 300.0);
        all += sampled(&current, now, 10, 100);
    }
    assert!((4_200..=4_207).contains(&all), "{all}");
}

#[test]
fn beyond_the_reservoir_the_rate_applies() {
    // Of 120,000 traces 600 come from the reservoir; the rest is sampled at 5 %, give or take four standard deviations.
    let state = state(0.05, 1);
    let sampled = f64::from(sampled(&state, Duration::ZERO, 600, 200));
    let rest = 120_000.0 - 600.0;
    let deviation = (rest * 0.05_f64 * 0.95).sqrt();
    assert!((sampled - 600.0 - rest * 0.05).abs() < 4.0 * deviation, "{sampled}");
    assert_eq!(counts(&state).borrowed, 600);
}

#[test]
fn a_low_rate_of_traffic_is_all_sampled_by_the_reservoir() {
    let state = state(0.0, 1);
    let apart = Duration::from_millis(1_500);
    assert!((0..100).all(|number| state.decide(apart * number, UNSAMPLED)));
}

#[test]
fn several_services_share_a_reservoir_by_their_quotas() {
    // Three instances with 4 + 3 + 3 of a reservoir of 10 a second.
    let quotas = [4, 3, 3];
    let all: u32 = quotas
        .iter()
        .map(|quota| {
            sampled(&with_quota(&state(0.0, 10), Duration::ZERO, *quota, 300.0), Duration::ZERO, 120, 50)
        })
        .sum();
    assert!((1_200..=1_210).contains(&all), "{all}");
}

#[test]
fn a_boost_raises_the_rate_until_it_ends() {
    let boosted = TargetAnswer {
        rule: "orders".to_owned(),
        boost: Some((0.5, DATE + 60.0)),
        ..TargetAnswer::default()
    };
    let state = state(0.05, 0).after(&boosted, Received { now: Duration::ZERO, date: DATE });
    let share = |from: u64| f64::from(sampled(&state, Duration::from_secs(from), 60, 1_000)) / 60_000.0;
    assert!((share(0) - 0.5).abs() < 0.01);
    assert!((share(60) - 0.05).abs() < 0.01);
}

#[test]
fn a_changed_rule_keeps_what_was_counted_and_spent() {
    let old = state(0.0, 1);
    assert!(old.decide(Duration::ZERO, UNSAMPLED));
    let new = old.with_rule(parsed(&rule("orders", &json!({ "FixedRate": 1.0, "ReservoirSize": 1 }))));
    assert!(new.decide(Duration::ZERO, UNSAMPLED), "the new rate applies at once");
    // A thread may still hold the old state.
    old.decide(Duration::ZERO, UNSAMPLED);
    assert_eq!(counts(&new), Counts { requests: 3, sampled: 2, borrowed: 1 });
}
