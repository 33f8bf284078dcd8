//! Checks and stores documents, however they arrived.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use xray::{DocumentError, MAX_DOCUMENT_BYTES, Segment};

use crate::clock::epoch_seconds;
use crate::settings::Settings;
use crate::store::{StoreError, TraceStore};
use crate::translate::{self, Attributes};

/// How many different complaints are logged; more come from a client that is broken, or hostile.
const MAX_COMPLAINTS: usize = 100;

/// Spans that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub spans: usize,
    /// Why the last of them was rejected.
    pub reason: Option<String>,
}

impl From<Rejected> for ExportTraceServiceResponse {
    fn from(rejected: Rejected) -> Self {
        let partial_success = rejected.reason.map(|error_message| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(rejected.spans).unwrap_or(i64::MAX),
            error_message,
        });
        Self { partial_success }
    }
}

/// Why a document was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    #[error(transparent)]
    Invalid(#[from] DocumentError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotKept {
    /// Returns the code of the answer to `PutTraceSegments`.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Store(_) => "InternalFailure".to_owned(),
        }
    }
}

/// Takes in spans and documents.
#[derive(Debug)]
pub(crate) struct Intake {
    store: TraceStore,
    settings: Arc<Settings>,
    /// The complaints already logged.
    complaints: Mutex<HashSet<String>>,
}

impl Intake {
    pub(crate) fn new(store: TraceStore, settings: Arc<Settings>) -> Self {
        Self { store, settings, complaints: Mutex::default() }
    }

    /// Stores a document as `PutTraceSegments` takes it, if X-Ray would accept it.
    pub(crate) fn put(&self, document: &str) -> Result<(), NotKept> {
        self.read_and_keep(document).inspect_err(|error| self.complain(error.to_string()))
    }

    fn read_and_keep(&self, document: &str) -> Result<(), NotKept> {
        // Before it is read, since what nests deep is slow to read.
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(DocumentError::TooLarge.into());
        }
        self.keep(&Segment::read(document)?, document)
    }

    /// Translates and stores the spans of a request.
    pub(crate) fn record(&self, request: &ExportTraceServiceRequest) -> Rejected {
        let mut rejected = Rejected::default();
        for resource_spans in &request.resource_spans {
            let resource = resource_spans
                .resource
                .as_ref()
                .map(|resource| Attributes::of(&resource.attributes))
                .unwrap_or_default();
            for span in resource_spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
                let kept = translate::documents(span, &resource, &self.settings.indexed_attributes)
                    .map_err(|error| error.to_string())
                    .and_then(|documents| {
                        documents.into_iter().try_for_each(|segment| {
                            let json = segment.to_json();
                            self.keep(&segment, &json).map_err(|error| error.to_string())
                        })
                    });
                if let Err(reason) = kept {
                    self.complain(reason.clone());
                    rejected.spans += 1;
                    rejected.reason = Some(reason);
                }
            }
        }
        rejected
    }

    fn keep(&self, segment: &Segment, json: &str) -> Result<(), NotKept> {
        segment.check_sent(json)?;
        let now = epoch_seconds();
        if (segment.start_time - now).abs() > self.settings.retention.as_secs_f64() {
            return Err(DocumentError::Invalid("start_time").into());
        }
        let trace_id = segment.trace_id.ok_or(DocumentError::Missing("trace_id"))?;
        if let Some(key) = self.store.put(trace_id, segment, json, now)? {
            self.complain(format!(
                "the annotation {key:?} has an invalid key, or is not among the first fifty"
            ));
        }
        Ok(())
    }

    /// Logs, once, what X-Ray would not accept.
    fn complain(&self, reason: String) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() < MAX_COMPLAINTS && !complaints.contains(&reason) {
            tracing::warn!(reason, "left out of a trace, as X-Ray would");
            complaints.insert(reason);
        }
    }
}
