//! A collector with scripted responses, and the telemetry of a service that exports to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message as _;
use telemetry::hop::HopLines;
use telemetry::{LogFormat, OtelSettings, SamplerSetting, Settings, Telemetry};
use tokio::net::TcpListener;

/// How requests are answered.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// Accepted.
    Accept,
    /// Accepted without this many spans.
    AcceptWithout(i64),
    /// Refused with this status.
    Refuse(StatusCode),
}

/// A collector, with the requests that it has accepted.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) url: String,
    pub(crate) traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    pub(crate) metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    answer: Arc<Mutex<Answer>>,
    /// Requests refused.
    pub(crate) refused: Arc<Mutex<usize>>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            traces: Arc::default(),
            metrics: Arc::default(),
            answer: Arc::new(Mutex::new(Answer::Accept)),
            refused: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(collector.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        collector
    }

    pub(crate) fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Returns the names of the spans that have arrived, with an ellipsis after those in progress, in their order.
    pub(crate) fn spans(&self) -> Vec<String> {
        let traces = self.traces.lock().unwrap();
        let resources = traces.iter().flat_map(|request| &request.resource_spans);
        let spans = resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        let in_progress = |span: &opentelemetry_proto::tonic::trace::v1::Span| {
            span.attributes.iter().any(|attribute| attribute.key == "aws.xray.inprogress")
        };
        spans
            .map(|span| if in_progress(span) { format!("{}…", span.name) } else { span.name.clone() })
            .collect()
    }

    /// Returns the sums of the counters that have arrived, each over all requests.
    pub(crate) fn sums(&self) -> BTreeMap<String, i64> {
        let requests = self.metrics.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_metrics);
        let mut sums = BTreeMap::new();
        for counted in resources.flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics)
        {
            let Some(metric::Data::Sum(sum)) = &counted.data else { continue };
            for point in &sum.data_points {
                let Some(number_data_point::Value::AsInt(value)) = point.value else { continue };
                *sums.entry(counted.name.clone()).or_default() += value;
            }
        }
        sums
    }

    fn answer(&self, accept: impl FnOnce(), body: impl FnOnce(i64) -> Vec<u8>) -> Response {
        match *self.answer.lock().unwrap() {
            Answer::Accept => {
                accept();
                StatusCode::OK.into_response()
            }
            Answer::AcceptWithout(rejected) => {
                accept();
                body(rejected).into_response()
            }
            Answer::Refuse(status) => {
                *self.refused.lock().unwrap() += 1;
                status.into_response()
            }
        }
    }
}

async fn traces(State(collector): State<Collector>, body: Bytes) -> Response {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let partial = |rejected_spans| {
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: "full".to_owned() };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    };
    collector.answer(|| collector.traces.lock().unwrap().push(request), partial)
}

async fn metrics(State(collector): State<Collector>, body: Bytes) -> Response {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    collector.answer(|| collector.metrics.lock().unwrap().push(request), |_| Vec::new())
}

/// Settings with which nothing leaves by the clock.
pub(crate) fn settings(endpoint: &str) -> Settings {
    Settings {
        application: "foostore".into(),
        environment: "local".into(),
        service_name: "membership".into(),
        service_version: "1.0.0".into(),
        revision: None,
        logs: LogFormat::Json,
        hop_lines: HopLines::All,
        log_filter: "info".into(),
        otel: OtelSettings {
            traces_endpoint: Some(format!("{endpoint}/v1/traces")),
            metrics_endpoint: Some(format!("{endpoint}/v1/metrics")),
            sampler: SamplerSetting::ParentBasedAlwaysOn,
            schedule_delay: Duration::from_mins(10),
            metric_interval: Duration::from_mins(10),
            ..OtelSettings::default()
        },
    }
}

/// Counts three, and makes one span.
pub(crate) fn work(telemetry: &Telemetry, dispatch: &tracing::Dispatch) {
    telemetry.meter().u64_counter("work.done").build().add(3, &[]);
    tracing::dispatcher::with_default(dispatch, || {
        drop(tracing::info_span!("process", otel.name = "process members", otel.kind = "consumer").entered());
    });
}
