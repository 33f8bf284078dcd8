use std::time::Duration;

use serde_json::json;

use super::RuleState;
use crate::statistics::Counts;
use crate::target::{Received, TargetUpdate};
use crate::tests::support::{DATE, UNSAMPLED, parsed, rule, trace_ids};

fn state(fixed_rate: f64, reservoir_size: u32) -> RuleState {
    let changes = json!({ "FixedRate": fixed_rate, "ReservoirSize": reservoir_size });
    RuleState::new(parsed(&rule("orders", &changes)))
}

/// Returns the state after an update with a quota that is valid for this many seconds.
fn with_quota(state: &RuleState, now: Duration, quota: u32, seconds: f64) -> RuleState {
    let update = TargetUpdate {
        rule: "orders".to_owned(),
        quota: Some((quota, DATE + seconds)),
        ..TargetUpdate::default()
    };
    state.after(&update, Received { now, date: DATE })
}

/// Decides about evenly spaced traces, and returns the number sampled.
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
fn one_trace_per_second_is_borrowed_without_a_quota() {
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
fn with_a_quota_of_zero_only_the_rate_applies() {
    let state = with_quota(&state(0.0, 50), Duration::ZERO, 0, 300.0);
    assert_eq!(sampled(&state, Duration::ZERO, 60, 100), 0);
}

#[test]
fn borrowing_resumes_when_the_quota_expires() {
    let state = with_quota(&state(0.0, 50), Duration::ZERO, 7, 300.0);
    let end = Duration::from_mins(5);
    assert_eq!(sampled(&state, end, 60, 100), 60);
    assert_eq!(counts(&state).borrowed, 60);
}

#[test]
fn renewing_a_quota_every_ten_seconds_does_not_refill_it() {
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
    // Of 120,000 traces 600 come from the reservoir; the rest is sampled at 5 %, within four standard deviations.
    let state = state(0.05, 1);
    let sampled = f64::from(sampled(&state, Duration::ZERO, 600, 200));
    let rest = 120_000.0 - 600.0;
    let deviation = (rest * 0.05_f64 * 0.95).sqrt();
    assert!((sampled - 600.0 - rest * 0.05).abs() < 4.0 * deviation, "{sampled}");
    assert_eq!(counts(&state).borrowed, 600);
}

#[test]
fn the_reservoir_samples_all_of_a_trickle_of_traffic() {
    let state = state(0.0, 1);
    let apart = Duration::from_millis(1_500);
    assert!((0..100).all(|number| state.decide(apart * number, UNSAMPLED)));
}

#[test]
fn instances_share_a_reservoir_by_their_quotas() {
    // Three instances of a service, with a reservoir of 10 per second.
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
    let boosted = TargetUpdate {
        rule: "orders".to_owned(),
        boost: Some((0.5, DATE + 60.0)),
        ..TargetUpdate::default()
    };
    let state = state(0.05, 0).after(&boosted, Received { now: Duration::ZERO, date: DATE });
    let share = |from: u64| f64::from(sampled(&state, Duration::from_secs(from), 60, 1_000)) / 60_000.0;
    assert!((share(0) - 0.5).abs() < 0.01);
    assert!((share(60) - 0.05).abs() < 0.01);
}

#[test]
fn a_changed_rule_keeps_its_statistics_and_its_limiter() {
    let old = state(0.0, 1);
    assert!(old.decide(Duration::ZERO, UNSAMPLED));
    let new = old.with_rule(parsed(&rule("orders", &json!({ "FixedRate": 1.0, "ReservoirSize": 1 }))));
    assert!(new.decide(Duration::ZERO, UNSAMPLED), "the new rate applies at once");
    // A thread may still hold the old state.
    old.decide(Duration::ZERO, UNSAMPLED);
    assert_eq!(counts(&new), Counts { requests: 3, sampled: 2, borrowed: 1 });
}
