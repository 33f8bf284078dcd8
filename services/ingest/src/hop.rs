//! The log line of an event at this hop: one for each event received, whether its trace is sampled or not.

use envelope::Envelope;
use telemetry::hop::HopLine;
use tokio::time::Instant;
use tracing::Level;
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
        self.line("accepted").write(Level::INFO);
    }

    pub(crate) fn unpublished(&self, reason: &str) {
        HopLine { reason: Some(reason), ..self.line("unpublished") }.write(Level::ERROR);
    }

    /// Logs a refusal. `fields` are the wrong ones, as `code:pointer` separated by commas.
    pub(crate) fn refused(&self, reason: &str, fields: &str) {
        let line = HopLine { reason: Some(reason), fields: Some(fields), ..self.line("rejected") };
        line.write(Level::WARN);
    }

    fn line(&self, outcome: &'static str) -> HopLine<'_> {
        // An event received here starts its chain: its id is also the correlation id.
        let event_id = self.event_id.map(|id| id.to_string());
        HopLine {
            event_type: self.event_type(),
            correlation_id: event_id.clone(),
            event_id,
            customer_number: self.customer_number.as_deref(),
            processing_ms: self.processing_ms(),
            outcome,
            ..HopLine::default()
        }
    }

    fn processing_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
