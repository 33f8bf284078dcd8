//! Requests in, the document out.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use crate::document::{self, Document};
use crate::read::points;
use crate::refusal::Rejected;
use crate::source::SourceId;
use crate::state::State;

/// The latest value of every series.
#[derive(Debug, Default)]
pub struct Metrics {
    state: Mutex<State>,
}

impl Metrics {
    /// Takes in a request that arrived at `now`. Returns what of it was left out.
    pub fn record(&self, request: &ExportMetricsServiceRequest, now: SystemTime) -> Rejected {
        let now = nanoseconds(now);
        let mut rejected = Rejected::default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in &request.resource_metrics {
            let attributes = resource.resource.as_ref().map(|resource| &*resource.attributes);
            let source = state.arrive(SourceId::of(attributes.unwrap_or_default()), now);
            for scope in &resource.scope_metrics {
                let name = scope.scope.as_ref().map_or("", |scope| &scope.name);
                for metric in &scope.metrics {
                    points(metric, name, now, |read| {
                        let kept = read.and_then(|(id, point)| state.put(&source, id, point, now));
                        if let Err(refusal) = kept {
                            rejected.data_points += 1;
                            rejected.reason = Some(refusal);
                            state.leave_out(refusal);
                        }
                    });
                }
            }
        }
        rejected
    }

    /// Returns what is shown at `now`.
    #[must_use]
    pub fn document(&self, now: SystemTime) -> Document {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        document::of(&state, nanoseconds(now))
    }

    /// Forgets every series.
    pub fn forget(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
