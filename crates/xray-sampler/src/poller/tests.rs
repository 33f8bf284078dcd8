use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample as _};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{Poller, PollerHandle};
use crate::sampler::XRaySampler;
use crate::tests::support::{DATE, Logs, PausedClock, UNSAMPLED, resource, rule};
use crate::tests::xray::{Fault, XRay};
use crate::transport::Operation::{GetSamplingRules, GetSamplingTargets};

fn sampler() -> XRaySampler {
    XRaySampler::with_clock(&resource(&[("service.name", "orders")]), PausedClock::new())
}

/// A sampler with a running poller.
struct Running {
    sampler: XRaySampler,
    xray: XRay,
    handle: PollerHandle,
    task: JoinHandle<()>,
    started: Instant,
}

impl Running {
    fn new(xray: XRay) -> Self {
        let sampler = sampler();
        let poller = Poller::new(&sampler, xray.clone());
        let handle = poller.handle();
        Self { sampler, xray, handle, task: tokio::spawn(poller.run()), started: Instant::now() }
    }

    /// Decides about a trace, and returns whether it is sampled and by which rule.
    fn decide(&self, path: &str) -> (bool, Option<String>) {
        let attributes = [KeyValue::new("url.path", path.to_owned())];
        let result = self.sampler.should_sample(None, UNSAMPLED, "", &SpanKind::Server, &attributes, &[]);
        let rule = result.attributes.first().map(|attribute| attribute.value.to_string());
        (result.decision == SamplingDecision::RecordAndSample, rule)
    }

    /// Returns the seconds after the start at which calls of an operation arrived.
    fn seconds(&self, operation: crate::Operation) -> Vec<u64> {
        let arrived = self.xray.arrived(operation);
        arrived.iter().map(|call| (call.at - self.started).as_secs()).collect()
    }
}

fn everything() -> Value {
    rule("Default", &json!({ "FixedRate": 1.0 }))
}

/// Advances the paused time, during which other tasks run.
async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn rules_are_applied_immediately_and_fetched_every_five_minutes() {
    let running = Running::new(XRay::with(&[everything()]));
    seconds(1).await;
    assert_eq!(running.decide("/"), (true, Some("Default".to_owned())));
    seconds(1_000).await;
    let fetched = running.seconds(GetSamplingRules);
    assert_eq!(fetched.len(), 4, "{fetched:?}");
    for (number, second) in fetched.into_iter().enumerate() {
        let number = u64::try_from(number).unwrap();
        assert!((number * 300..=number * 303).contains(&second), "{number}: {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_interval_between_rules_can_be_set_within_bounds() {
    let poller = |interval| Poller::new(&sampler(), XRay::with(&[])).with_interval(interval).timing.rules;
    assert_eq!(poller(Duration::from_mins(6)), Duration::from_mins(6));
    assert_eq!(poller(Duration::ZERO), Duration::from_secs(1));
    assert_eq!(poller(Duration::MAX), Duration::from_mins(30));
}

#[tokio::test(start_paused = true)]
async fn statistics_are_reported_every_ten_seconds_and_only_if_there_are_any() {
    let running = Running::new(XRay::with(&[everything()]));
    seconds(35).await;
    assert!(running.xray.documents().is_empty());
    running.decide("/");
    running.decide("/");
    seconds(40).await;
    let documents = running.xray.documents();
    assert_eq!(documents.len(), 1, "one report, and then nothing left to report: {documents:?}");
    assert_eq!(documents[0]["RequestCount"], 2);
    assert_eq!(running.seconds(GetSamplingTargets), [40]);
}

#[tokio::test(start_paused = true)]
async fn a_quota_replaces_borrowing_from_the_first_report_on() {
    let running = Running::new(XRay::with(&[rule("Default", &json!({ "ReservoirSize": 100 }))]));
    let target = json!({ "ReservoirQuota": 5, "ReservoirQuotaTTL": DATE + 300.0, "FixedRate": 0.0 });
    running.xray.assign("Default", target);
    seconds(1).await;
    let sampled = || (0..20).filter(|_| running.decide("/").0).count();
    assert_eq!(sampled(), 1);
    running.xray.until(|xray| xray.documents().len() == 1).await;
    assert_eq!(running.xray.documents()[0]["BorrowCount"], 1);
    seconds(2).await;
    assert_eq!(sampled(), 5);
    seconds(300).await;
    assert_eq!(sampled(), 1, "borrows again, because the quota was not renewed");
}

#[tokio::test(start_paused = true)]
async fn reports_follow_the_shortest_interval_that_x_ray_returns() {
    let running = Running::new(XRay::with(&[rule("a", &json!({ "URLPath": "/a" })), everything()]));
    running.xray.assign("a", json!({ "Interval": 30 }));
    running.xray.assign("Default", json!({ "Interval": 60 }));
    seconds(1).await;
    for _ in 0..100 {
        running.decide("/a");
        running.decide("/");
        seconds(1).await;
    }
    assert_eq!(running.seconds(GetSamplingTargets)[..3], [10, 40, 70]);
}

#[tokio::test(start_paused = true)]
async fn sixty_rules_are_reported_in_three_calls() {
    let rules: Vec<Value> = (0..60)
        .map(|number| rule(&format!("rule-{number}"), &json!({ "URLPath": format!("/{number}") })))
        .collect();
    let running = Running::new(XRay::with(&rules).paged_by(25));
    seconds(1).await;
    (0..60).for_each(|number| drop(running.decide(&format!("/{number}"))));
    seconds(15).await;
    let sizes: Vec<usize> = running
        .xray
        .arrived(GetSamplingTargets)
        .iter()
        .map(|call| call.body["SamplingStatisticsDocuments"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [25, 25, 10]);
    assert_eq!(running.xray.arrived(GetSamplingRules).len(), 3, "three pages");
}

#[tokio::test(start_paused = true)]
async fn modified_rules_are_fetched_once_after_the_next_report() {
    let running = Running::new(XRay::with(&[everything()]));
    seconds(1).await;
    running.decide("/");
    seconds(15).await;
    assert_eq!(running.xray.arrived(GetSamplingRules).len(), 1, "nothing was modified");
    running.xray.modify(&[rule("Default", &json!({}))], DATE + 5.0);
    for _ in 0..5 {
        running.decide("/");
        seconds(10).await;
    }
    assert_eq!(running.xray.arrived(GetSamplingRules).len(), 2);
    assert_eq!(running.decide("/"), (false, None));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_neither_hides_modifications_nor_causes_a_flood_of_calls() {
    for skew in [-86_400.0, 86_400.0] {
        let running = Running::new(XRay::with(&[everything()]));
        running.xray.modify(&[everything()], DATE + skew);
        seconds(1).await;
        for _ in 0..12 {
            running.decide("/");
            seconds(10).await;
        }
        let before = running.xray.arrived(GetSamplingRules).len();
        assert!(before <= 2, "{before} fetches");
        running.xray.modify(&[rule("Default", &json!({}))], DATE + 86_400.0 + 20.0);
        for _ in 0..2 {
            running.decide("/");
            seconds(10).await;
        }
        assert_eq!(running.xray.arrived(GetSamplingRules).len(), before + 1);
        running.handle.stop();
    }
}

#[tokio::test(start_paused = true)]
async fn fetching_rules_is_retried_with_increasing_pauses() {
    let xray = XRay::with(&[everything()]);
    xray.fail(GetSamplingRules, Fault::Refused(503));
    let running = Running::new(xray);
    seconds(100).await;
    let fetched = running.seconds(GetSamplingRules);
    assert_eq!(fetched, [0, 1, 3, 7, 15, 31, 63]);
    assert_eq!(running.decide("/"), (true, None), "the first trace of a second, without rules");
    running.xray.heal();
    seconds(30).await;
    assert_eq!(running.decide("/"), (true, Some("Default".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn statistics_of_a_failed_report_are_added_to_the_next() {
    let running = Running::new(XRay::with(&[everything()]));
    seconds(1).await;
    for fault in [Fault::Refused(500), Fault::Body(b"null".to_vec()), Fault::Hanging] {
        running.xray.fail(GetSamplingTargets, fault);
        running.decide("/");
        seconds(20).await;
    }
    running.xray.heal();
    running.xray.until(|xray| xray.arrived(GetSamplingTargets).len() > 5).await;
    seconds(1).await;
    let last = running.xray.documents().pop().unwrap();
    assert_eq!(last["RequestCount"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_call_times_out_after_ten_seconds() {
    let xray = XRay::with(&[everything()]);
    xray.fail(GetSamplingRules, Fault::Hanging);
    let running = Running::new(xray);
    seconds(12).await;
    assert_eq!(running.seconds(GetSamplingRules), [0, 11]);
    running.xray.heal();
    seconds(12).await;
    assert_eq!(running.decide("/"), (true, Some("Default".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_times_out_is_not_continued_and_loses_nothing() {
    let rules: Vec<Value> = (0..100)
        .map(|number| rule(&format!("rule-{number}"), &json!({ "URLPath": format!("/{number}") })))
        .collect();
    let running = Running::new(XRay::with(&rules));
    running.xray.fail(GetSamplingTargets, Fault::Hanging);
    seconds(1).await;
    (0..100).for_each(|number| drop(running.decide(&format!("/{number}"))));
    seconds(310).await;
    assert_eq!(running.xray.arrived(GetSamplingRules).len(), 2);
    assert_eq!(
        running.seconds(GetSamplingTargets)[..4],
        [10, 30, 50, 70],
        "one call of the four, ten seconds long"
    );
    let before = running.xray.documents().len();
    running.xray.heal();
    seconds(40).await;
    assert_eq!(running.xray.documents().len() - before, 100);
    assert!(running.sampler.shared().take_statistics().is_empty());
}

#[tokio::test(start_paused = true)]
async fn retries_of_fetching_modified_rules_are_spaced_out_too() {
    let running = Running::new(XRay::with(&[everything()]));
    seconds(1).await;
    running.xray.modify(&[everything()], DATE + 1.0);
    running.xray.fail(GetSamplingRules, Fault::Refused(500));
    for _ in 0..300 {
        running.decide("/");
        seconds(1).await;
    }
    assert!(running.xray.arrived(GetSamplingTargets).len() > 25);
    // After the report at ten seconds, and 1 + 2 + 4 + … seconds later.
    assert_eq!(running.seconds(GetSamplingRules)[..6], [0, 10, 11, 13, 17, 25]);
    assert!(running.xray.arrived(GetSamplingRules).len() < 12);
}

#[tokio::test(start_paused = true)]
async fn each_change_of_state_is_logged_once() {
    let (logs, xray) = (Logs::default(), XRay::with(&[everything()]));
    let _installed = logs.install();
    xray.fail(GetSamplingRules, Fault::Refused(403));
    let running = Running::new(xray);
    seconds(600).await;
    assert_eq!(logs.count("cannot fetch sampling rules"), 1);
    assert_eq!(logs.count("no current sampling rules"), 1);
    running.xray.heal();
    seconds(300).await;
    assert_eq!(logs.count("sampling rules fetched again"), 1);
    // Fails again. The rules remain in use for an hour.
    running.xray.fail(GetSamplingRules, Fault::Refused(403));
    seconds(3_000).await;
    assert_eq!(running.decide("/"), (true, Some("Default".to_owned())));
    assert_eq!(logs.count("cannot fetch sampling rules"), 2);
    assert_eq!(logs.count("no current sampling rules"), 1);
    seconds(1_800).await;
    assert_eq!(running.decide("/"), (true, None));
    assert_eq!(logs.count("cannot fetch sampling rules"), 2);
    assert_eq!(logs.count("no current sampling rules"), 2);
    running.xray.heal();
    seconds(310).await;
    assert_eq!(logs.count("sampling rules fetched again"), 2);
    assert_eq!(running.decide("/"), (true, Some("Default".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn failed_reports_and_unsupported_rules_are_logged_once() {
    let (logs, xray) =
        (Logs::default(), XRay::with(&[everything(), rule("future", &json!({ "Version": 2 }))]));
    let _installed = logs.install();
    xray.fail(GetSamplingTargets, Fault::Refused(403));
    let running = Running::new(xray);
    seconds(1).await;
    running.decide("/");
    seconds(1_000).await;
    assert_eq!(logs.count("cannot report sampling statistics"), 1);
    assert_eq!(logs.count("ignoring sampling rules of an unknown format"), 1);
    running.xray.heal();
    seconds(20).await;
    assert_eq!(logs.count("sampling statistics reported again"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_handle_stops_the_poller_even_during_a_call() {
    let xray = XRay::with(&[everything()]);
    xray.fail(GetSamplingRules, Fault::Hanging);
    let running = Running::new(xray);
    running.xray.until(|xray| !xray.arrived(GetSamplingRules).is_empty()).await;
    running.handle.clone().stop();
    running.task.await.unwrap();
    assert_eq!(running.started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_does_not_stop_the_poller_and_stopping_it_early_does() {
    let xray = XRay::with(&[everything()]);
    tokio::spawn(Poller::new(&sampler(), xray.clone()).run());
    seconds(400).await;
    assert_eq!(xray.arrived(GetSamplingRules).len(), 2);

    let stopped = Poller::new(&sampler(), XRay::with(&[]));
    stopped.handle().stop();
    stopped.run().await;
}

#[test]
fn every_poller_has_its_own_id_of_24_hexadecimal_digits() {
    let (one, other) = (super::client_id(), super::client_id());
    assert_ne!(one, other);
    for id in [one, other] {
        assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
}
