//! A collector that is stopped for a while under load: nothing is lost as long as memory allows, and what is lost is
//! counted exactly.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use telemetry::context::trace_id_of;
use telemetry::hop::HopLines;
use telemetry::{LogFormat, OtelSettings, SamplerSetting, Settings, Telemetry};
use tracing::Dispatch;

use super::{Addresses, Collector, another_cloud, program};
use crate::documents::Documents;
use crate::killed::enrolment;
use crate::world::{World, say, sdk_config, until};

/// Events of one round; a round takes as long as ingest takes to accept it.
const ROUND: usize = 10;

/// A layer that exports through a collector.
struct Layer {
    program: PathBuf,
    addresses: Addresses,
    world: World,
    traces: Vec<String>,
}

impl Layer {
    async fn start() -> Option<Self> {
        let program = program().await?;
        let addresses = Addresses::reserved();
        let world = World::start_with(&["--otlp-endpoint", &addresses.otlp()], &[]).await;
        Some(Self { program, addresses, world, traces: Vec::new() })
    }

    async fn collector(&self) -> Collector {
        let settings = [("XRAY_ENDPOINT", self.world.xray_endpoint.as_str()), ("METRICS_EXPORTER", "debug")];
        Collector::start(&self.program, &self.addresses, &settings).await
    }

    /// Posts events and waits until their mails have been sent, so that all of their spans have ended.
    async fn round(&mut self) {
        let begin = self.traces.len();
        let events: Vec<_> = (begin..begin + ROUND).map(enrolment).collect();
        let (status, answer) = self.world.post(&json!(events), &[]).await;
        assert_eq!(status, 202, "{answer}");
        let ids = answer.as_array().unwrap().iter();
        self.traces.extend(ids.map(|item| item["trace_id"].as_str().unwrap().to_owned()));
        until("the mails", || async { (self.world.mails().await.len() >= self.traces.len()).then_some(()) })
            .await;
    }

    /// Stops, and returns the spans that the log says are lost.
    async fn lost(self) -> u64 {
        let files = self.world.log_files();
        // The directory stays until its files have been read.
        let _directory = self.world.stop_and_keep_logs().await;
        lines_of(&files).iter().filter_map(|line| line["lost_spans"].as_u64()).sum()
    }
}

fn lines_of(files: &[PathBuf]) -> Vec<Value> {
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// `FOOSTORE_TEST_AWAY_S` sets the outages of a longer run, such as `1,5,30`.
#[tokio::test(flavor = "multi_thread")]
async fn no_trace_breaks_while_the_collector_is_stopped_under_load() {
    let outages = service_runtime::Environment::from_process()
        .get("FOOSTORE_TEST_AWAY_S")
        .map_or_else(|| vec![1, 3], |list| list.split(',').map(|text| text.parse().unwrap()).collect());
    let Some(mut layer) = Layer::start().await else { return };
    let mut collector = layer.collector().await;
    layer.round().await;
    for seconds in outages {
        collector.stop().await;
        let (stopped, before) = (Instant::now(), layer.traces.len());
        while stopped.elapsed() < Duration::from_secs(seconds) {
            layer.round().await;
        }
        say(&format!(
            "{} events in {:?} without a collector",
            layer.traces.len() - before,
            stopped.elapsed()
        ));
        collector = layer.collector().await;
        layer.round().await;
    }
    for trace_id in &layer.traces {
        Documents::connected(&layer.world, trace_id, None).await;
    }
    assert_eq!(layer.lost().await, 0);
    collector.stop().await;
}

/// Makes traces of two spans each, and returns their ids.
fn make(dispatch: &Dispatch, count: usize) -> Vec<String> {
    let trace = || {
        let work = tracing::info_span!("work", otel.kind = "server");
        work.in_scope(|| drop(tracing::info_span!("call", otel.kind = "client").entered()));
        trace_id_of(&work).unwrap().to_string()
    };
    tracing::dispatcher::with_default(dispatch, || std::iter::repeat_with(trace).take(count).collect())
}

/// Returns how many of the spans X-Ray has.
async fn arrived(xray: &aws_sdk_xray::Client, traces: &[String]) -> usize {
    let mut spans = 0;
    for ids in traces.chunks(5) {
        let output = xray.batch_get_traces().set_trace_ids(Some(ids.to_vec())).send().await.unwrap();
        let segments = output.traces().iter().flat_map(|trace| trace.segments());
        spans +=
            segments.filter(|segment| !segment.document().unwrap().contains("\"inferred\":true")).count();
    }
    spans
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_beyond_the_memory_is_counted_exactly() {
    let Some(program) = program().await else { return };
    let cloud = another_cloud().await;
    let xray = aws_sdk_xray::Client::new(&sdk_config(&cloud.endpoint_url()));
    let addresses = Addresses::reserved();
    let endpoint = cloud.endpoint_url();
    let settings = [("XRAY_ENDPOINT", endpoint.as_str()), ("METRICS_EXPORTER", "prometheus")];
    let collector = Collector::start(&program, &addresses, &settings).await;
    let (telemetry, dispatch) = Telemetry::build(with_little_memory(&addresses.otlp()), io::sink()).unwrap();

    let mut traces = make(&dispatch, 5);
    until("the first traces", || async { (arrived(&xray, &traces).await == 10).then_some(()) }).await;
    collector.stop().await;
    traces.extend(make(&dispatch, 60));
    let collector = Collector::start(&program, &addresses, &settings).await;
    let metrics = format!("{}/metrics", addresses.url("PROMETHEUS_ADDRESS"));
    let lost = until("the count of what is lost", || async {
        let page = reqwest::get(&metrics).await.ok()?.text().await.ok()?;
        let line = page.lines().find(|line| line.starts_with("telemetry_spans_lost_total{"))?;
        line.rsplit(' ').next()?.parse::<usize>().ok().filter(|lost| *lost > 0)
    })
    .await;
    let all = traces.len() * 2;
    until("everything else", || async { (arrived(&xray, &traces).await + lost == all).then_some(()) }).await;
    // Everything since then arrives, and nothing more is lost.
    traces.extend(make(&dispatch, 5));
    telemetry.shutdown().await.unwrap();
    until("the last traces", || async { (arrived(&xray, &traces).await + lost == all + 10).then_some(()) })
        .await;
    collector.stop().await;
    cloud.shutdown().await;
}

/// Settings of a service that keeps forty spans.
fn with_little_memory(otlp: &str) -> Settings {
    Settings {
        application: "foostore".to_owned(),
        environment: "local".to_owned(),
        service_name: "membership".to_owned(),
        service_version: "1.0.0".to_owned(),
        revision: None,
        logs: LogFormat::Json,
        hop_lines: HopLines::All,
        log_filter: "info".to_owned(),
        otel: OtelSettings {
            traces_endpoint: Some(format!("{otlp}/v1/traces")),
            metrics_endpoint: Some(format!("{otlp}/v1/metrics")),
            sampler: SamplerSetting::AlwaysOn,
            max_queue_size: 40,
            metric_interval: Duration::from_millis(100),
            ..OtelSettings::default()
        },
    }
}
