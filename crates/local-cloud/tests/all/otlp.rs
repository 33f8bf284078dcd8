//! OTLP over gRPC, with tonic's client: at the address of OTLP over HTTP, as clear-text HTTP/2.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tonic::codec::CompressionEncoding::Gzip;

use crate::support::cloud;

fn request(starts: u64) -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: b"\x57\x59\xe9\x88some trace!!".to_vec(),
        span_id: b"a span!!".to_vec(),
        name: "GET /".to_owned(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: starts,
        end_time_unix_nano: starts + 1_000_000,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

#[tokio::test]
async fn a_stock_client_delivers_spans_over_grpc() {
    let cloud = cloud().await;
    let url = format!("http://{}", cloud.local.otlp_address());
    let mut traces = TraceServiceClient::connect(url.clone()).await.unwrap().send_compressed(Gzip);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let taken = traces.export(request(u64::try_from(now).unwrap())).await.unwrap().into_inner();
    assert_eq!(taken.partial_success, None);
    let xray = aws_sdk_xray::Client::new(&cloud.sdk);
    let found =
        xray.batch_get_traces().trace_ids("1-5759e988-736f6d652074726163652121").send().await.unwrap();
    assert_eq!(found.traces()[0].segments().len(), 1);

    let refused = traces.export(request(1)).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!(refused.rejected_spans, 1);
    assert!(refused.error_message.contains("start_time"), "{refused:?}");

    let mut metrics = MetricsServiceClient::connect(url).await.unwrap();
    metrics.export(ExportMetricsServiceRequest::default()).await.unwrap();
    cloud.local.shutdown().await;
}
