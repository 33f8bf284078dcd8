//! A collector that is unavailable for a while, or refuses: what arrives, and what is counted as lost.

use std::io;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use opentelemetry_sdk::metrics::Temporality;
use telemetry::{Settings, Telemetry, attributes};
use tokio::net::TcpListener;

use super::collector::{Answer, Collector, settings, work};

const SOON: Duration = Duration::from_millis(40);

fn quick(collector: &Collector) -> Settings {
    let mut settings = settings(&collector.url);
    settings.otel.schedule_delay = SOON;
    settings.otel.metric_interval = SOON;
    settings.otel.metric_temporality = Temporality::LowMemory;
    settings
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_while_the_collector_refuses_for_a_while() {
    let collector = Collector::start().await;
    collector.answers(Answer::Refuse(StatusCode::SERVICE_UNAVAILABLE));
    let (telemetry, dispatch) = Telemetry::build(quick(&collector), io::sink()).unwrap();
    for round in 1..=4 {
        work(&telemetry, &dispatch);
        // Each signal is refused again after each round.
        until("another attempt", || *collector.refused.lock().unwrap() >= round * 2).await;
    }
    assert!(collector.spans().is_empty() && collector.sums().is_empty());
    collector.answers(Answer::Accept);
    until("all spans", || collector.spans().len() == 4).await;
    until("all counts", || collector.sums().get("work.done") == Some(&12)).await;
    telemetry.shutdown().await.unwrap();
    assert_eq!(collector.spans().len(), 4, "each once");
    assert_eq!(collector.sums()["work.done"], 12, "each once");
    assert_eq!(collector.sums()["telemetry.spans.lost"], 0);
}

#[tokio::test]
async fn spans_beyond_the_memory_are_counted_exactly() {
    let collector = Collector::start().await;
    collector.answers(Answer::Refuse(StatusCode::SERVICE_UNAVAILABLE));
    let mut settings = quick(&collector);
    settings.otel.max_queue_size = 5;
    let (telemetry, dispatch) = Telemetry::build(settings, io::sink()).unwrap();
    for _ in 0..12 {
        work(&telemetry, &dispatch);
    }
    collector.answers(Answer::Accept);
    until("the counted loss", || collector.sums().get("telemetry.spans.lost") == Some(&7)).await;
    drop(telemetry.shutdown().await);
    assert_eq!(collector.spans().len(), 5);
}

#[tokio::test]
async fn what_the_collector_will_never_accept_is_counted_and_not_sent_again() {
    for (answer, arriving) in [(Answer::Refuse(StatusCode::BAD_REQUEST), 1), (Answer::AcceptWithout(1), 2)] {
        let collector = Collector::start().await;
        let mut settings = quick(&collector);
        // Metrics leave at the end only, when everything is accepted.
        settings.otel.metric_interval = Duration::from_mins(10);
        let (telemetry, dispatch) = Telemetry::build(settings, io::sink()).unwrap();
        collector.answers(answer);
        work(&telemetry, &dispatch);
        until("the answer", || *collector.refused.lock().unwrap() + collector.spans().len() == 1).await;
        collector.answers(Answer::Accept);
        work(&telemetry, &dispatch);
        drop(telemetry.shutdown().await);
        assert_eq!(collector.spans().len(), arriving);
        assert_eq!(collector.sums()["telemetry.spans.lost"], 1);
    }
}

#[tokio::test]
async fn a_message_in_hand_shows_as_in_progress_and_then_as_finished() {
    let collector = Collector::start().await;
    let (telemetry, dispatch) = Telemetry::build(quick(&collector), io::sink()).unwrap();
    let span = |name: &'static str| tracing::info_span!("span", otel.name = name, otel.kind = "consumer");
    let process = tracing::dispatcher::with_default(&dispatch, || {
        let process = span("process");
        process.in_scope(|| drop(span("call").entered()));
        process
    });
    until("the copy", || collector.spans() == ["process…", "call"]).await;
    tracing::dispatcher::with_default(&dispatch, || drop(process));
    until("the span itself", || collector.spans() == ["process…", "call", "process"]).await;
    let (copy, whole) = {
        let traces = collector.traces.lock().unwrap();
        let id = |request: usize| {
            let span = &traces[request].resource_spans[0].scope_spans[0].spans[0];
            (span.trace_id.clone(), span.span_id.clone())
        };
        (id(0), id(1))
    };
    assert_eq!(copy, whole, "X-Ray replaces a document by one with the same id");
    telemetry.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_departure_means_that_the_collector_has_the_span() {
    let collector = Collector::start().await;
    let (telemetry, dispatch) = Telemetry::build(quick(&collector), io::sink()).unwrap();
    for round in 1..=20 {
        work(&telemetry, &dispatch);
        telemetry.departures().of_ended().unwrap().wait().await;
        assert_eq!(collector.spans().len(), round);
    }
    telemetry.shutdown().await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_a_departure_while_the_collector_is_unavailable() {
    let refusing = Collector::start().await;
    refusing.answers(Answer::Refuse(StatusCode::SERVICE_UNAVAILABLE));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for url in [refusing.url.clone(), format!("http://{}", silent.local_addr().unwrap())] {
        let (telemetry, dispatch) = Telemetry::build(settings(&url), io::sink()).unwrap();
        work(&telemetry, &dispatch);
        // The first to wait notices it, within a second.
        telemetry.departures().of_ended().unwrap().wait().await;
        let start = Instant::now();
        for _ in 0..100 {
            work(&telemetry, &dispatch);
            telemetry.departures().of_ended().unwrap().wait().await;
        }
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
        drop(telemetry.shutdown().await);
    }
}

#[tokio::test]
async fn a_span_in_progress_leaves_at_once_with_a_copy_of_the_open_one_above_it() {
    let collector = Collector::start().await;
    let mut settings = settings(&collector.url);
    settings.otel.schedule_delay = Duration::from_secs(20);
    let (telemetry, dispatch) = Telemetry::build(settings, io::sink()).unwrap();
    let request = tracing::dispatcher::with_default(&dispatch, || {
        let request = tracing::info_span!("request", otel.name = "request", otel.kind = "server");
        let copy =
            request.in_scope(|| tracing::info_span!("send", otel.name = "send", otel.kind = "producer"));
        tracing_opentelemetry::OpenTelemetrySpanExt::set_attribute(
            &copy,
            attributes::AWS_XRAY_IN_PROGRESS,
            true,
        );
        request
    });
    telemetry.departures().of_ended().unwrap().wait().await;
    assert_eq!(collector.spans(), ["request…", "send…"]);
    drop(request);
    telemetry.shutdown().await.unwrap();
    assert_eq!(collector.spans(), ["request…", "send…", "request"]);
}
