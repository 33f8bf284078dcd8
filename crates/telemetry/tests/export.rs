//! Telemetry with a collector, and without one.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; the lint knows only the test functions themselves"
)]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use telemetry::{LogFormat, OtelSettings, SamplerSetting, Settings, Telemetry};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Collector {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

impl Collector {
    async fn start(&self) -> String {
        let router = Router::new()
            .route(
                "/v1/traces",
                post(async |State(collector): State<Self>, body: Bytes| {
                    let request = ExportTraceServiceRequest::decode(body).unwrap();
                    collector.traces.lock().unwrap().push(request);
                }),
            )
            .route(
                "/v1/metrics",
                post(async |State(collector): State<Self>, body: Bytes| {
                    let request = ExportMetricsServiceRequest::decode(body).unwrap();
                    collector.metrics.lock().unwrap().push(request);
                }),
            )
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, router).into_future());
        format!("http://{address}")
    }
}

fn settings(endpoint: &str) -> Settings {
    Settings {
        application: "foostore".into(),
        environment: "local".into(),
        service_name: "membership".into(),
        service_version: "1.0.0".into(),
        revision: None,
        logs: LogFormat::Json,
        log_filter: "info".into(),
        otel: OtelSettings {
            traces_endpoint: Some(format!("{endpoint}/v1/traces")),
            metrics_endpoint: Some(format!("{endpoint}/v1/metrics")),
            sampler: SamplerSetting::ParentBasedAlwaysOn,
            // Longer than any test, so that whatever arrives was flushed by the shutdown.
            schedule_delay: Duration::from_mins(10),
            metric_interval: Duration::from_mins(10),
            ..OtelSettings::default()
        },
    }
}

fn work(telemetry: &Telemetry, dispatch: &tracing::Dispatch) {
    telemetry.meter().u64_counter("work.done").build().add(3, &[]);
    tracing::dispatcher::with_default(dispatch, || {
        drop(tracing::info_span!("process", otel.name = "process members", otel.kind = "consumer").entered());
    });
}

#[tokio::test]
async fn spans_and_metrics_arrive_as_protobuf_when_telemetry_ends() {
    let collector = Collector::default();
    let endpoint = collector.start().await;
    let (telemetry, dispatch) = Telemetry::build(settings(&endpoint), io::sink()).unwrap();
    work(&telemetry, &dispatch);
    assert!(collector.traces.lock().unwrap().is_empty());
    telemetry.shutdown().await.unwrap();

    let traces = collector.traces.lock().unwrap();
    let resource_spans = &traces[0].resource_spans[0];
    let service =
        resource_spans.resource.as_ref().unwrap().attributes.iter().find(|pair| pair.key == "service.name");
    assert!(format!("{:?}", service.unwrap().value).contains("membership"));
    assert_eq!(resource_spans.scope_spans[0].spans[0].name, "process members");
    let metrics = collector.metrics.lock().unwrap();
    assert_eq!(metrics[0].resource_metrics[0].scope_metrics[0].metrics[0].name, "work.done");
}

#[tokio::test]
async fn without_a_collector_the_end_is_bounded_and_nothing_panics() {
    // A port that was free a moment ago, so nothing listens there.
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (telemetry, dispatch) = Telemetry::build(settings(&format!("http://{unused}")), io::sink()).unwrap();
    work(&telemetry, &dispatch);
    let start = Instant::now();
    // Whether the loss is reported is up to the exporter; the shutdown must end in any case.
    drop(telemetry.shutdown().await);
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_collector_that_never_answers_does_not_hold_up_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let (telemetry, dispatch) = Telemetry::build(settings(&endpoint), io::sink()).unwrap();
    work(&telemetry, &dispatch);
    let start = Instant::now();
    assert!(telemetry.shutdown().await.is_err());
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
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
