//! Spans, whichever way they arrive.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use crate::clock::epoch_seconds;
use crate::settings::Settings;
use crate::store::Store;
use crate::translate::{self, Attributes, Untranslatable};

/// Spans that could not be translated and were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub spans: usize,
    /// Why the last of them was rejected.
    pub reason: Option<String>,
}

impl Rejected {
    fn add(&mut self, reason: Untranslatable) {
        self.spans += 1;
        self.reason = Some(reason.to_string());
    }
}

/// Translates and stores the spans of a request.
pub(crate) fn record(
    store: &dyn Store,
    settings: &Settings,
    request: &ExportTraceServiceRequest,
) -> Rejected {
    let mut rejected = Rejected::default();
    let now = epoch_seconds();
    for resource_spans in &request.resource_spans {
        let resource = resource_spans
            .resource
            .as_ref()
            .map(|resource| Attributes::new(&resource.attributes))
            .unwrap_or_default();
        for span in resource_spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
            match translate::documents(span, &resource, &settings.indexed_attributes) {
                Ok(documents) => {
                    for segment in documents {
                        if let Some(trace_id) = segment.trace_id {
                            let json = segment.to_json();
                            store.put(trace_id, &segment, json, now);
                        }
                    }
                }
                Err(reason) => rejected.add(reason),
            }
        }
    }
    rejected
}
