//! Services, collector, CloudWatch or Prometheus: both have percentiles of the age of events.
//!
//! CloudWatch Logs is a listener here that records its requests.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Json;
use serde_json::{Value, json};

use super::{Addresses, Collector, program};
use crate::documents::consumers_on_the_way;
use crate::world::{World, until};

pub(super) const EVENTS: u32 = 100;
/// How many of them occurred half an hour ago: more than one in a hundred, so the 99th percentile is their age.
const OLD: u32 = 2;
const HALF_AN_HOUR: f64 = 1_800.0;

/// Returns how many messages a service handles for each event: email gets the member's event and the notification.
fn messages_per_event(service: &str) -> u32 {
    if service == "email" { 2 } else { 1 }
}

const SOON: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "300");
/// Settings of the services for metrics that go to CloudWatch.
pub(super) const FOR_CLOUDWATCH: [(&str, &str); 3] = [
    SOON,
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "lowmemory"),
];

/// The units of CloudWatch
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>), without those that do not
/// occur here.
const UNITS: [&str; 6] = ["Seconds", "Milliseconds", "Bytes", "Percent", "Count", "None"];

async fn post_events(world: &World) {
    let now = jiff::Timestamp::now();
    let events: Vec<_> = (0..EVENTS)
        .map(|number| {
            let age = if number < OLD { HALF_AN_HOUR } else { 0.0 };
            let occurred_at = now - jiff::SignedDuration::from_secs_f64(age);
            json!({
                "type": "CustomerEnrolled", "customer_number": format!("47{number:010}"),
                "occurred_at": occurred_at.to_string(),
                "data": {
                    "name": {"given": "Grace", "family": "Hopper"},
                    "email": format!("grace{number}@mail.example"), "channels": ["email"]
                }
            })
        })
        .collect();
    let (status, answer) = world.post(&json!(events), &[]).await;
    assert_eq!(status, 202, "{answer}");
}

/// The part of CloudWatch Logs that the collector needs.
#[derive(Clone, Default)]
pub(super) struct Logs {
    records: Arc<Mutex<Vec<Value>>>,
}

impl Logs {
    async fn start() -> (Self, String) {
        let logs = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(logs.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (logs, url)
    }

    /// Returns every record in the embedded metric format so far.
    pub(super) fn records(&self) -> Vec<Value> {
        self.records.lock().unwrap().clone()
    }

    /// Returns the ages of one service's events when handled, with the number of measurements of each.
    fn ages(&self, service: &str) -> Vec<(f64, f64)> {
        self.histogram(service, "consumer.event.age", |record| record["stage"] == "done")
    }

    /// Returns how long after their publication one service's events were handled, likewise.
    fn delays(&self, service: &str) -> Vec<(f64, f64)> {
        self.histogram(service, "consumer.event.delay", |_| true)
    }

    fn histogram(&self, service: &str, metric: &str, wanted: fn(&Value) -> bool) -> Vec<(f64, f64)> {
        let records = self.records();
        let values = records
            .iter()
            .filter(|record| record["service.name"] == service && wanted(record))
            .map(|record| &record[metric]);
        values
            .flat_map(|value| numbers(&value["Values"]).into_iter().zip(numbers(&value["Counts"])))
            .collect()
    }
}

async fn take(State(logs): State<Logs>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    // Spans arrive here too; another test covers them.
    if headers.get("x-amz-target").is_some_and(|target| target == "Logs_20140328.PutLogEvents") {
        let request: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(request["logGroupName"], "/foostore/metrics");
        let events = request["logEvents"].as_array().unwrap();
        let records = events.iter().map(|event| event["message"].as_str().unwrap());
        logs.records
            .lock()
            .unwrap()
            .extend(records.map(|record| serde_json::from_str::<Value>(record).unwrap()));
    }
    // Without a token the exporter treats the call as failed and repeats it.
    Json(json!({"nextSequenceToken": "1"}))
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().into_iter().flatten().map(|number| number.as_f64().unwrap()).collect()
}

/// Returns the value that the given percentage of all values do not exceed.
fn percentile(values: &[(f64, f64)], percent: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(|left, right| left.0.total_cmp(&right.0));
    let wanted = values.iter().map(|(_, count)| count).sum::<f64>() * percent / 100.0;
    let mut seen = 0.0;
    for (value, count) in &values {
        seen += count;
        if seen >= wanted {
            return *value;
        }
    }
    panic!("no values")
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

fn count(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, count)| count).sum()
}

/// Starts a layer, and a collector that sends its metrics to `exporter`, and posts a hundred events.
pub(super) async fn measured(
    exporter: &str,
    services: &[(&str, &str)],
) -> Option<(World, Collector, Addresses, Logs)> {
    let program = program().await?;
    let (logs, logs_endpoint) = Logs::start().await;
    let addresses = Addresses::reserved();
    let settings = [
        ("METRICS_EXPORTER", exporter),
        ("LOGS_ENDPOINT", &logs_endpoint),
        ("XRAY_ENDPOINT", &logs_endpoint),
    ];
    let collector = Collector::start(&program, &addresses, &settings).await;
    let world = World::start_with(&["--otlp-endpoint", &addresses.otlp()], services).await;
    post_events(&world).await;
    Some((world, collector, addresses, logs))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_sent_late_are_old_in_cloudwatch_and_not_delayed() {
    let Some((world, collector, _, logs)) = measured("awsemf", &FOR_CLOUDWATCH).await else { return };
    for service in consumers_on_the_way() {
        let all = f64::from(EVENTS * messages_per_event(service));
        until(&format!("the ages of all events of {service}"), || async {
            (count(&logs.ages(service)) >= all).then_some(())
        })
        .await;
    }
    // Both flush when they stop, and send nothing twice.
    world.stop().await;
    collector.stop().await;
    for service in consumers_on_the_way() {
        let ages = logs.ages(service);
        let all = f64::from(EVENTS * messages_per_event(service));
        assert!(close(count(&ages), all), "{service}: {ages:?}");
        let (half, most) = (percentile(&ages, 50.0), percentile(&ages, 99.0));
        assert!(half < 60.0, "{service}: half of the events are older than {half} s");
        assert!((HALF_AN_HOUR * 0.99..HALF_AN_HOUR * 1.1).contains(&most), "{service}: p99 is {most} s");
        // The alarm reads this one: nobody is to be woken by a caller that is late.
        let delays = logs.delays(service);
        assert!(close(count(&delays), all), "{service}: {delays:?}");
        let most = percentile(&delays, 99.0);
        assert!(most < 60.0, "{service}: the p99 of delays is {most} s");
    }

    let records = logs.records();
    assert!(!records.is_empty());
    records.iter().for_each(assert_usable);
    // A gauge is sent unchanged, at every export.
    let membership = records.iter().filter(|record| record["service.name"] == "membership");
    let in_flight: Vec<_> = membership.filter_map(|record| record["consumer.in_flight"].as_f64()).collect();
    assert_eq!(in_flight.last(), Some(&0.0), "{in_flight:?}");
}

/// Asserts that CloudWatch can turn the record into metrics that alarms and dashboards find.
fn assert_usable(record: &Value) {
    let mut found = BTreeSet::new();
    for metrics in record["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        assert_eq!(metrics["Namespace"], "foostore");
        let dimensions = metrics["Dimensions"].as_array().unwrap();
        for metric in metrics["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let unit = metric["Unit"].as_str().unwrap_or("");
            assert!(unit.is_empty() || UNITS.contains(&unit), "CloudWatch refuses {name} in {unit}");
            // What both an alarm and a dashboard read has a set of dimensions for each.
            let of_an_alarm = match name {
                "consumer.event.age" => Some(json!(["messaging.destination.name", "stage"])),
                "ingest.events" => Some(json!(["outcome"])),
                "consumer.messages" | "consumer.retries" | "consumer.dead_letters" => {
                    Some(json!(["messaging.destination.name"]))
                }
                _ => None,
            };
            let sets = 1 + usize::from(of_an_alarm.is_some());
            assert_eq!(dimensions.len(), sets, "{name} is counted another number of times: {dimensions:?}");
            assert!(of_an_alarm.is_none_or(|set| dimensions.contains(&set)), "{name}: {dimensions:?}");
            found.insert(name);
        }
    }
    for (name, value) in record.as_object().unwrap().iter().filter(|(name, _)| *name != "_aws") {
        if !value.is_string() {
            assert!(
                found.contains(name.as_str()),
                "no metric_declaration of otel-collector.yaml takes {name}"
            );
        }
    }
    // Each set of dimension values is a billed metric, so values that differ per event are not dimensions.
    for dimension in ["customer_number", "event_id"] {
        assert!(record.get(dimension).is_none(), "{record:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn event_age_is_a_histogram_with_buckets_in_prometheus() {
    let Some((world, collector, addresses, _)) = measured("prometheus", &[SOON]).await else { return };
    let url = format!("{}/metrics", addresses.url("PROMETHEUS_ADDRESS"));
    for service in consumers_on_the_way() {
        let all = EVENTS * messages_per_event(service);
        let recent = (EVENTS - OLD) * messages_per_event(service);
        let buckets = until(&format!("the ages of all events of {service}"), || async {
            let page = reqwest::get(&url).await.ok()?.text().await.ok()?;
            let buckets = buckets(&page, service);
            (buckets.last()?.1 >= all).then_some(buckets)
        })
        .await;
        let below = |bound: &str| buckets.iter().find(|(le, _)| le == bound).map(|(_, count)| *count);
        assert_eq!(below("60"), Some(recent), "{service}: {buckets:?}");
        assert_eq!(below("900"), Some(recent), "{service}: {buckets:?}");
        assert_eq!(below("3600"), Some(all), "{service}: {buckets:?}");
        assert_eq!(below("+Inf"), Some(all), "{service}: {buckets:?}");
    }
    world.stop().await;
    collector.stop().await;
}

/// Returns the upper bounds, each with the number of the service's events, of all types, that were not older when handled.
fn buckets(page: &str, service: &str) -> Vec<(String, u32)> {
    let labels = [format!("service_name=\"{service}\""), "stage=\"done\"".to_owned()];
    let lines = page
        .lines()
        .filter(|line| line.starts_with("consumer_event_age_seconds_bucket{"))
        .filter(|line| labels.iter().all(|label| line.contains(label)));
    let mut buckets: Vec<(String, u32)> = Vec::new();
    for line in lines {
        let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let count: u32 = line.rsplit(' ').next().unwrap().parse().unwrap();
        match buckets.iter_mut().find(|(known, _)| known == bound) {
            Some((_, sum)) => *sum += count,
            None => buckets.push((bound.to_owned(), count)),
        }
    }
    buckets
}
