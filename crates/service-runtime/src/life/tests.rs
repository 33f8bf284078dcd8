use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tokio::net::TcpListener;

use super::*;
use crate::Unavailable;

/// Span names that arrived at a collector.
type Arrived = Arc<Mutex<Vec<String>>>;

async fn collector() -> (String, Arrived) {
    let arrived = Arrived::default();
    let spans = arrived.clone();
    let traces = post(async move |body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let names = request
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .map(|span| span.name);
        spans.lock().unwrap().extend(names);
    });
    let router = Router::new().route("/v1/traces", traces);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (endpoint, arrived)
}

/// The life of a service that makes a span below an open one and then does `service`; what arrived at the collector, and how it ended.
async fn life<F, Fut>(more: &[(&str, &str)], service: F) -> (Exit, Vec<String>)
where
    F: FnOnce(Runtime) -> Fut,
    Fut: Future<Output = Result<(), BoxError>>,
{
    let (endpoint, arrived) = collector().await;
    let common = [
        ("HEALTH_ADDRESS", "127.0.0.1:0"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        // Longer than any test: what arrives was flushed at the end.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ];
    let environment = Environment::from_pairs(common.into_iter().chain(more.iter().copied()));
    let boot = Boot::read("shop", "test", "0.0.0", &environment).unwrap();
    let (telemetry, dispatch) = Telemetry::build(boot.telemetry.clone(), io::sink()).unwrap();
    let _guard = tracing::dispatcher::set_default(&dispatch);
    // It does not end, so the span below it waits.
    let open = tracing::info_span!("request", otel.kind = "server");
    let exit = live(boot, environment, telemetry, |runtime| {
        drop(tracing::info_span!(parent: &open, "work", otel.kind = "client").entered());
        service(runtime)
    })
    .await;
    let arrived = arrived.lock().unwrap().clone();
    (exit, arrived)
}

async fn status(runtime: &Runtime, route: &str) -> (u16, serde_json::Value) {
    let url = format!("http://{}/health/{route}", runtime.health_address);
    let response = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_service_that_ends_is_clean_and_its_telemetry_arrives() {
    let (exit, arrived) = life(&[], async |_| Ok(())).await;
    assert_eq!(exit, Exit::Clean);
    assert_eq!(arrived, ["request", "work"]);
}

#[tokio::test]
async fn telemetry_arrives_after_a_failure_and_after_a_panic() {
    let (exit, arrived) = life(&[], async |_| Err("broken".into())).await;
    assert_eq!(exit, Exit::Failure);
    assert_eq!(arrived, ["request", "work"]);
    let (exit, arrived) = life(&[], async |_| panic!("a panic that is part of the test")).await;
    assert_eq!(exit, Exit::Failure);
    assert_eq!(arrived, ["request", "work"]);
}

#[tokio::test]
async fn wrong_settings_of_the_service_and_missing_dependencies_have_their_exit_codes() {
    let (exit, _) = life(&[], async |runtime: Runtime| {
        let mut settings = runtime.environment.settings();
        settings.required("QUEUE_URL");
        settings.finish()?;
        Ok(())
    })
    .await;
    assert_eq!(exit, Exit::Settings);
    let (exit, _) = life(&[], async |_| Err(Unavailable::new("DynamoDB", "no answer").into())).await;
    assert_eq!(exit, Exit::Unavailable);
}

#[tokio::test]
async fn a_taken_health_address_is_a_wrong_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (exit, _) = life(&[("HEALTH_ADDRESS", address.as_str())], async |_| Ok(())).await;
    assert_eq!(exit, Exit::Settings);
}

#[tokio::test]
async fn health_is_served_before_during_and_after_the_work() {
    let (exit, _) = life(&[], async |runtime: Runtime| {
        let (code, report) = status(&runtime, "ready").await;
        assert_eq!((code, &report["checks"]["service"]["reason"]), (503, &"starting".into()));
        let queue = runtime.health.register("queue");
        runtime.health.ready();
        queue.up();
        assert_eq!(status(&runtime, "ready").await.0, 200);
        queue.down("receive failed");
        let (code, report) = status(&runtime, "ready").await;
        assert_eq!((code, &report["checks"]["queue"]["reason"]), (503, &"receive failed".into()));
        queue.up();
        assert_eq!(status(&runtime, "live").await.0, 200);

        runtime.shutdown.cancel();
        // The drain is seen by the other half of the runtime; wait until it was.
        while runtime.health.is_ready() {
            tokio::task::yield_now().await;
        }
        let (code, report) = status(&runtime, "ready").await;
        assert_eq!((code, &report["checks"]["service"]["reason"]), (503, &"draining".into()));
        Ok(())
    })
    .await;
    assert_eq!(exit, Exit::Clean);
}

#[tokio::test]
async fn a_drain_beyond_the_grace_period_is_a_failure() {
    let (exit, arrived) = life(&[("SHUTDOWN_GRACE_S", "0")], async |runtime: Runtime| {
        runtime.shutdown.cancel();
        std::future::pending().await
    })
    .await;
    assert_eq!(exit, Exit::Failure);
    assert_eq!(arrived, ["request", "work"]);
}

#[tokio::test]
async fn a_crashed_background_task_takes_the_service_with_it() {
    for panics in [false, true] {
        let (exit, _) = life(&[], async |runtime: Runtime| {
            runtime.tasks.spawn("poller", async move {
                assert!(!panics, "a panic that is part of the test");
                Err("no queue".into())
            });
            runtime.shutdown.cancelled().await;
            let (code, report) = status(&runtime, "live").await;
            assert_eq!(code, 503);
            assert!(report["reason"].as_str().unwrap().starts_with("task poller"));
            Ok(())
        })
        .await;
        assert_eq!(exit, Exit::Failure);
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_background_tasks() {
    let drained = Arc::new(Mutex::new(false));
    let task = drained.clone();
    let (exit, _) = life(&[], async move |runtime: Runtime| {
        let shutdown = runtime.shutdown.clone();
        runtime.tasks.spawn("writer", async move {
            shutdown.cancelled().await;
            tokio::task::yield_now().await;
            *task.lock().unwrap() = true;
            Ok(())
        });
        Ok(())
    })
    .await;
    assert_eq!(exit, Exit::Clean);
    assert!(*drained.lock().unwrap());
}
