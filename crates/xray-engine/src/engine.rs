//! The engine: settings, a store, and the two routers in front of it.

use std::sync::Arc;

use axum::Router;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use crate::api::{self, Plane};
use crate::ingest::{Intake, MetricsSink, NoMetrics, Rejected, grpc, otlp};
use crate::settings::Settings;
use crate::store::{StoreError, TraceStore};

/// An X-Ray. Clones share the traces and the configuration.
#[derive(Clone, Debug)]
pub struct Engine {
    store: TraceStore,
    intake: Arc<Intake>,
    plane: Arc<Plane>,
}

impl Engine {
    /// Returns an engine whose traces end with it.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn new(settings: Settings) -> Result<Self, StoreError> {
        Self::with_store(settings, TraceStore::temporary(TraceStore::default_bytes())?)
    }

    /// Returns an engine with the traces and the configuration of a store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn with_store(settings: Settings, store: TraceStore) -> Result<Self, StoreError> {
        let settings = Arc::new(settings);
        let intake = Arc::new(Intake::new(store.clone(), Arc::clone(&settings)));
        let plane = Arc::new(Plane::new(store.clone(), settings)?);
        Ok(Self { store, intake, plane })
    }

    /// Returns the X-Ray API: `POST /TraceSegments`, `/Traces`, `/TraceSummaries`, `/CreateGroup`, `/GetSamplingRules` and so
    /// on. It has no answer for other paths, so that it can be merged with the APIs of other services.
    pub fn api_router(&self) -> Router {
        api::router(self.store.clone(), Arc::clone(&self.intake), Arc::clone(&self.plane))
    }

    /// Returns the same as an endpoint of X-Ray alone: any other path is an `UnknownOperationException`.
    pub fn api_endpoint(&self) -> Router {
        self.api_router().fallback(api::unknown)
    }

    /// Returns OTLP over HTTP, `POST /v1/traces`, and over gRPC, for which it must be served over HTTP/2. Metrics and logs
    /// are accepted and discarded.
    pub fn otlp_router(&self) -> Router {
        self.otlp_router_with(Arc::new(NoMetrics))
    }

    /// Returns the same, and passes metrics to `metrics`.
    pub fn otlp_router_with(&self, metrics: Arc<dyn MetricsSink>) -> Router {
        let over_http = otlp::router(Arc::clone(&self.intake), Arc::clone(&metrics));
        over_http.merge(grpc::router(Arc::clone(&self.intake), metrics))
    }

    /// Records spans from within the process, as the OTLP endpoint does. Returns how many spans were left out, and why.
    #[must_use]
    pub fn record(&self, request: &ExportTraceServiceRequest) -> Rejected {
        self.intake.record(request)
    }
}
