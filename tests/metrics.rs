//! `foostore metrics`: what services and other programs export over OTLP is shown.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Metric, ResourceMetrics,
    ScopeMetrics,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::world::{PATIENCE, World, until};

async fn foostore(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_foostore"))
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, command).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Returns what `foostore metrics --json` prints, as a program in the directory of the run sees it.
async fn metrics(world: &World) -> Value {
    let (code, document, error) =
        foostore(Path::new("."), &["metrics", "--json", "--endpoint-url", &world.xray_endpoint]).await;
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&document).unwrap()
}

/// Returns the series of a service's metric with these attributes; none before the service's first export.
fn series(document: &Value, service: &str, metric: &str, attributes: &[(&str, &str)]) -> Vec<Value> {
    let named = |list: &Value, name: &str| {
        list.as_array().into_iter().flatten().find(|item| item["name"] == name).cloned().unwrap_or_default()
    };
    let metric = named(&named(document, service)["metrics"], metric);
    let has = |series: &&Value| attributes.iter().all(|(key, value)| series["attributes"][key] == *value);
    metric["series"].as_array().into_iter().flatten().filter(has).cloned().collect()
}

/// Returns the sum of a field over series.
fn sum(series: &[Value], field: &str) -> u64 {
    series.iter().map(|series| series[field].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_services_have_done_is_counted_also_over_a_restart() {
    let world = World::start_with(&[], &[("OTEL_METRIC_EXPORT_INTERVAL", "300")]).await;
    let enrol = async |customers: std::ops::Range<u32>| {
        for customer in customers {
            let event = json!({
                "type": "CustomerEnrolled", "customer_number": format!("47{customer:010}"),
                "data": {"name": {"given": "Ada", "family": "Lovelace"}, "email": "ada@mail.example",
                         "channels": ["email"]}
            });
            world.send(&event, &[]).await;
        }
    };
    let sent_is = async |expected: u64| {
        until(&format!("{expected} mails"), || async {
            let document = metrics(&world).await;
            let sent = series(&document["services"], "email", "consumer.messages", &[("outcome", "sent")]);
            (sum(&sent, "value") == expected).then_some(document)
        })
        .await
    };
    enrol(0..5).await;
    let document = sent_is(5).await;
    for service in ["membership", "notifier"] {
        // Each service exports at times of its own.
        until(&format!("what {service} has handled"), || async {
            let document = metrics(&world).await;
            let handled = series(&document["services"], service, "consumer.messages", &[]);
            (sum(&handled, "value") >= 5).then_some(())
        })
        .await;
    }
    let ages = series(&document["services"], "email", "consumer.event.age", &[("stage", "done")]);
    assert!(sum(&ages, "count") >= 5, "{document}");
    for age in &ages {
        let at = |field: &str| age[field].as_f64().unwrap();
        assert!(0.0 < at("min") && at("min") <= at("p50") && at("p50") <= at("p99"), "{age}");
        assert!(at("p99") <= at("max") && at("max") < 120.0, "{age}");
    }

    world.kill("email").await;
    until("email to be ready again", || async { world.readiness("email").await.0.then_some(()) }).await;
    enrol(5..8).await;
    sent_is(8).await;

    let url = ["--endpoint-url", &world.xray_endpoint];
    let (code, table, _) =
        foostore(Path::new("."), &[&["metrics", "email", "--name", "*.messages"][..], &url].concat()).await;
    assert_eq!(code, Some(0));
    assert!(table.contains("outcome=sent") && !table.contains("consumer.event.age"), "{table}");
    assert!(!table.contains("membership"), "{table}");
    let (code, _, error) = foostore(Path::new("."), &[&["metrics", "emial"][..], &url].concat()).await;
    assert!(
        code == Some(1)
            && error.contains("app, archive, discounts, email, ingest, membership, notifier, rewards"),
        "{error}"
    );

    let directory = world.stop_and_keep_logs().await;
    let (code, _, error) = foostore(directory.path(), &["metrics"]).await;
    assert!(code == Some(69) && error.contains("start it with `foostore up`"), "{error}");
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(Any { value: Some(AnyValue::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// An exponential histogram of a hundred values between 1 and 2 and as many between 2 and 4, since the last export.
fn histogram(instance: &str) -> ExportMetricsServiceRequest {
    let time = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
    let point = ExponentialHistogramDataPoint {
        start_time_unix_nano: time - 10_000_000_000,
        time_unix_nano: time,
        count: 200,
        sum: Some(450.0),
        scale: 0,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![100, 100] }),
        ..ExponentialHistogramDataPoint::default()
    };
    let metric = Metric {
        name: "request.size".to_owned(),
        unit: "By".to_owned(),
        data: Some(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Delta.into(),
        })),
        ..Metric::default()
    };
    let attributes = vec![attribute("service.name", "other"), attribute("service.instance.id", instance)];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_export_in_every_form_of_otlp() {
    let world = World::start().await;
    let post = async |kind: &str, body: Vec<u8>, compressed: bool| {
        let request = world.http.post(format!("{}/v1/metrics", world.otlp)).header("content-type", kind);
        let request = if compressed { request.header("content-encoding", "gzip") } else { request };
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    // As the SDKs for JavaScript and Python write it: 64-bit numbers as text.
    let time = jiff::Timestamp::now().as_nanosecond();
    let counted = json!({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "script"}}]},
        "scopeMetrics": [{"scope": {"name": "meter"}, "metrics": [{
            "name": "jobs", "unit": "{job}", "sum": {
                "aggregationTemporality": 2, "isMonotonic": true,
                "dataPoints": [{"attributes": [{"key": "queue", "value": {"stringValue": "a"}}],
                                "startTimeUnixNano": time.to_string(), "timeUnixNano": (time + 1).to_string(),
                                "asInt": "7"}]}}]}]}]});
    post("application/json", gzip(counted.to_string().as_bytes()), true).await;
    post("application/x-protobuf", histogram("a").encode_to_vec(), false).await;
    post("application/x-protobuf", gzip(&histogram("b").encode_to_vec()), true).await;
    let mut grpc = MetricsServiceClient::connect(world.otlp.clone()).await.unwrap();
    let taken = grpc.export(histogram("c")).await.unwrap().into_inner();
    assert_eq!(taken.partial_success, None);

    let document = metrics(&world).await;
    let jobs = series(&document["services"], "script", "jobs", &[("queue", "a")]);
    assert_eq!(jobs.iter().map(|jobs| &jobs["value"]).collect::<Vec<_>>(), [7], "{document}");
    let sizes = series(&document["services"], "other", "request.size", &[]);
    let [sizes] = &sizes[..] else { panic!("{document}") };
    let fields = ["count", "sum", "p50", "p90", "rate_per_s"].map(|field| &sizes[field]);
    assert_eq!(json!(fields), json!([600, 1_350, 2, 3.6, 60]), "{sizes}");
    let other = document["services"].as_array().unwrap().iter().find(|service| service["name"] == "other");
    assert_eq!(other.unwrap()["instances"], 3);
    world.stop().await;
}
