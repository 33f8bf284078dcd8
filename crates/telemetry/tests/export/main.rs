//! Telemetry with a collector, and without one.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; the lint knows only the test functions themselves"
)]

mod collector;
mod outage;
mod rules;

use std::io;
use std::time::{Duration, Instant};

use telemetry::Telemetry;
use tokio::net::TcpListener;

use collector::{Collector, settings, work};

#[tokio::test]
async fn spans_and_metrics_arrive_as_protobuf_when_telemetry_ends() {
    let collector = Collector::start().await;
    let (telemetry, dispatch) = Telemetry::build(settings(&collector.url), io::sink()).unwrap();
    work(&telemetry, &dispatch);
    telemetry.shutdown().await.unwrap();

    let traces = collector.traces.lock().unwrap();
    let resource_spans = &traces[0].resource_spans[0];
    let service =
        resource_spans.resource.as_ref().unwrap().attributes.iter().find(|pair| pair.key == "service.name");
    assert!(format!("{:?}", service.unwrap().value).contains("membership"));
    assert_eq!(resource_spans.scope_spans[0].spans[0].name, "process members");
    let metrics = collector.metrics.lock().unwrap();
    let scopes = metrics[0].resource_metrics[0].scope_metrics.iter();
    let names: Vec<_> = scopes.flat_map(|scope| &scope.metrics).map(|metric| &metric.name).collect();
    assert!(names.iter().any(|name| *name == "work.done"));
    // An alarm rings when it is missing, whatever else there is to measure.
    assert!(names.iter().any(|name| *name == "process.uptime"), "{names:?}");
}

#[tokio::test]
async fn without_a_collector_the_end_is_bounded_and_says_what_is_lost() {
    // A port that was free a moment ago, so nothing listens there.
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    ends_with_a_count(&format!("http://{unused}")).await;
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_hold_up_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    ends_with_a_count(&format!("http://{}", silent.local_addr().unwrap())).await;
}

async fn ends_with_a_count(endpoint: &str) {
    let (telemetry, dispatch) = Telemetry::build(settings(endpoint), io::sink()).unwrap();
    work(&telemetry, &dispatch);
    let start = Instant::now();
    let error = telemetry.shutdown().await.unwrap_err();
    assert!(start.elapsed() < Duration::from_millis(5_500), "{:?}", start.elapsed());
    // Besides what the work measured there are the two metrics that count losses, and the uptime.
    assert_eq!(error.to_string(), "telemetry was not flushed: 1 spans and 4 data points are lost");
}

#[tokio::test]
async fn with_exporters_off_spans_are_made_and_measuring_goes_nowhere() {
    let mut settings = settings("http://127.0.0.1:9");
    settings.otel.traces_endpoint = None;
    settings.otel.metrics_endpoint = None;
    let (telemetry, dispatch) = Telemetry::build(settings, io::sink()).unwrap();
    work(&telemetry, &dispatch);
    let header = tracing::dispatcher::with_default(&dispatch, || {
        telemetry::context::header_of(&tracing::info_span!("send", otel.kind = "producer"))
    });
    assert!(header.unwrap().ends_with("Sampled=1"));
    telemetry.shutdown().await.unwrap();
}
