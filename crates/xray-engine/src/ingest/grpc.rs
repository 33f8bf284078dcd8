//! OTLP over gRPC (<https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>), which the stock SDKs and collectors speak unless
//! configured otherwise.

use std::sync::Arc;

use axum::Router;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};

use super::{Intake, MAX_REQUEST, MetricsSink};

/// Returns the three services of OTLP, by the paths of their methods. They need HTTP/2.
pub(crate) fn router(intake: Arc<Intake>, metrics: Arc<dyn MetricsSink>) -> Router {
    let traces = TraceServiceServer::new(Traces(intake))
        .accept_compressed(Gzip)
        .max_decoding_message_size(MAX_REQUEST);
    let metrics = MetricsServiceServer::new(Metrics(metrics))
        .accept_compressed(Gzip)
        .max_decoding_message_size(MAX_REQUEST);
    let logs =
        LogsServiceServer::new(Discarded).accept_compressed(Gzip).max_decoding_message_size(MAX_REQUEST);
    Router::new()
        .route_service(&methods_of(&traces), traces)
        .route_service(&methods_of(&metrics), metrics)
        .route_service(&methods_of(&logs), logs)
}

fn methods_of<S: NamedService>(_: &S) -> String {
    format!("/{}/{{method}}", S::NAME)
}

#[derive(Debug)]
struct Traces(Arc<Intake>);

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(self.0.record(request.get_ref()).into()))
    }
}

#[derive(Debug)]
struct Metrics(Arc<dyn MetricsSink>);

#[tonic::async_trait]
impl MetricsService for Metrics {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        Ok(Response::new(self.0.record(request.get_ref())))
    }
}

/// Logs, for which X-Ray has no place.
#[derive(Debug)]
struct Discarded;

#[tonic::async_trait]
impl LogsService for Discarded {
    async fn export(
        &self,
        _: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
