//! The engine: settings, a store, and the two routers in front of it.

use std::sync::Arc;

use axum::Router;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use crate::ingest::{self, Rejected};
use crate::settings::Settings;
use crate::store::{MemoryStore, Store};
use crate::{api, ingest::otlp};

/// An X-Ray. Clones share the traces.
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
}

impl Engine {
    /// Returns an engine that keeps traces in memory, within the default limits of [`MemoryStore`].
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::with_store(settings, Arc::new(MemoryStore::default()))
    }

    /// Returns an engine that keeps traces in the given store.
    #[must_use]
    pub fn with_store(settings: Settings, store: Arc<dyn Store>) -> Self {
        Self { settings: Arc::new(settings), store }
    }

    /// Returns the X-Ray API: `POST /TraceSegments`, `/Traces`, `/TraceSummaries` and `/GetTraceSegmentDestination`.
    pub fn api_router(&self) -> Router {
        api::router(Arc::clone(&self.store), Arc::clone(&self.settings))
    }

    /// Returns OTLP over HTTP: `POST /v1/traces`; `/v1/metrics` and `/v1/logs` are accepted and discarded.
    pub fn otlp_router(&self) -> Router {
        otlp::router(Arc::clone(&self.store), Arc::clone(&self.settings))
    }

    /// Records spans from within the process, as the OTLP endpoint does. Returns how many spans could not be translated,
    /// and why.
    #[must_use]
    pub fn record(&self, request: &ExportTraceServiceRequest) -> Rejected {
        ingest::record(&*self.store, &self.settings, request)
    }
}
