//! X-Ray in memory: takes spans over OTLP and documents over `PutTraceSegments`, answers the X-Ray API.
//!
//! Spans become documents by the rules of the AWS collector's exporter ([`translate`]), so that a trace looks here as it
//! will in X-Ray. Documents of a trace may come late and in any order: each stands for itself, and
//! only reading puts them together.

mod api;
mod otlp;
mod store;
mod translate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use self::store::Store;

/// What may be set; the defaults serve a laptop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How many traces are kept; beyond that the oldest go.
    pub(crate) max_traces: usize,
    /// How many bytes of documents are kept, so that a long run of large traces ends no sooner than one of small ones.
    pub(crate) max_bytes: usize,
    /// How many summaries `GetTraceSummaries` puts on a page.
    pub(crate) page_size: usize,
    /// Attributes that become annotations on every span, like `indexed_attributes` of the exporter. Resource
    /// attributes are named `otel.resource.<key>`.
    pub(crate) indexed_attributes: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_traces: 20_000,
            max_bytes: 256 * 1024 * 1024,
            page_size: 100,
            indexed_attributes: Vec::new(),
        }
    }
}

/// The service. Clones share the traces.
#[derive(Clone, Debug)]
pub(crate) struct XRay {
    settings: Arc<Settings>,
    store: Arc<Mutex<Store>>,
}

impl XRay {
    pub(crate) fn new() -> Self {
        Self::with_settings(Settings::default())
    }

    pub(crate) fn with_settings(settings: Settings) -> Self {
        let store = Store::new(settings.max_traces, settings.max_bytes);
        Self { settings: Arc::new(settings), store: Arc::new(Mutex::new(store)) }
    }

    /// The X-Ray API: `POST /TraceSegments`, `/Traces`, `/TraceSummaries` and `/GetTraceSegmentDestination`, whatever the
    /// signature.
    pub(crate) fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// OTLP/HTTP: `POST /v1/traces`; `/v1/metrics` and `/v1/logs` are accepted and dropped.
    pub(crate) fn otlp_router(&self) -> Router {
        otlp::router(self.clone())
    }

    /// Takes spans from inside the process, as OTLP does from outside. Spans that cannot be translated are left out;
    /// gives how many, and why the last of them.
    pub(crate) fn record(&self, request: &ExportTraceServiceRequest) -> otlp::Rejected {
        otlp::record(self, request)
    }

    /// The store is in order whenever the lock is free, so a panic while it was held does not make it unusable.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
