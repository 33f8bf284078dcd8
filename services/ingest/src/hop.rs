//! The log line of an event at this hop: one for each event received, whether its trace is sampled or not.

use envelope::Envelope;
use tokio::time::Instant;
use uuid::Uuid;

use crate::validation::Rejected;

/// The fields of the line that do not depend on the outcome. The line is written inside the event's span, from which the
/// log takes the trace id.
#[derive(Debug)]
pub(crate) struct Hop {
    event_type: Option<String>,
    event_id: Option<Uuid>,
    customer_number: Option<String>,
    started: Instant,
}

impl Hop {
    /// Describes a valid event in a request that arrived at `started`.
    pub(crate) fn of(envelope: &Envelope, started: Instant) -> Self {
        Self {
            event_type: Some(envelope.event_type.clone()),
            event_id: Some(envelope.metadata.event_id),
            customer_number: envelope.customer_number.clone(),
            started,
        }
    }

    /// Describes a refused event, as far as it could be read.
    pub(crate) fn rejected(rejected: Rejected, started: Instant) -> Self {
        Self {
            event_type: rejected.event_type.map(str::to_owned),
            event_id: rejected.event_id,
            customer_number: rejected.customer_number.map(String::from),
            started,
        }
    }

    pub(crate) fn event_type(&self) -> Option<&str> {
        self.event_type.as_deref()
    }

    pub(crate) fn accepted(&self) {
        let (event_id, processing_ms) = (self.event_id(), self.processing_ms());
        tracing::info!(
            event_type = self.event_type,
            event_id,
            correlation_id = event_id,
            customer_number = self.customer_number,
            processing_ms,
            outcome = "accepted",
            "event"
        );
    }

    pub(crate) fn unpublished(&self, reason: &str) {
        let (event_id, processing_ms) = (self.event_id(), self.processing_ms());
        tracing::error!(
            event_type = self.event_type,
            event_id,
            correlation_id = event_id,
            customer_number = self.customer_number,
            processing_ms,
            outcome = "unpublished",
            reason,
            "event"
        );
    }

    /// Logs a refusal. `fields` are the wrong ones, as `code:pointer` separated by commas.
    pub(crate) fn refused(&self, reason: &str, fields: &str) {
        let (event_id, processing_ms) = (self.event_id(), self.processing_ms());
        tracing::warn!(
            event_type = self.event_type,
            event_id,
            correlation_id = event_id,
            customer_number = self.customer_number,
            processing_ms,
            outcome = "rejected",
            reason,
            fields,
            "event"
        );
    }

    /// An event received here starts its chain: its id is also the correlation id.
    fn event_id(&self) -> Option<String> {
        self.event_id.map(|id| id.to_string())
    }

    fn processing_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
