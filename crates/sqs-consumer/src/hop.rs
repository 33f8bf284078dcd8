//! The log line of a hop: one for each message handled, whether or not its trace is sampled.

use std::time::Duration;

use envelope::Envelope;
use jiff::Timestamp;
use telemetry::hop::HopLine;
use tracing::Level;

use crate::conclusion::{Conclusion, DEAD_LETTER, RETRY};
use crate::queue::Message;
use crate::trace::age;

/// The part of a hop's log line that is known before the hop ends.
pub(crate) struct Hop {
    message_id: String,
    pub(crate) attempt: u32,
    /// When the message was put on the queue.
    pub(crate) sent_at: Timestamp,
    /// When its event was published, or handed out again by a replay.
    pub(crate) published_at: Timestamp,
    received_at: Timestamp,
}

impl Hop {
    pub(crate) fn new(message: &Message, received_at: Timestamp) -> Self {
        Self {
            message_id: message.receipt.message_id().to_owned(),
            attempt: message.receive_count,
            sent_at: message.sent_at.unwrap_or(received_at),
            published_at: message.sent_at.unwrap_or(received_at),
            received_at,
        }
    }

    /// Writes the line. Must be called inside the message's span, which supplies the trace id.
    pub(crate) fn log(&self, envelope: Option<&Envelope>, processing: Duration, conclusion: &Conclusion) {
        let Conclusion { outcome, reason, problem, .. } = conclusion;
        let problem = problem.as_ref();
        let line = HopLine {
            event_type: envelope.map(|envelope| envelope.event_type.as_str()),
            event_id: envelope.map(|envelope| envelope.metadata.event_id.to_string()),
            correlation_id: envelope.map(|envelope| envelope.metadata.correlation_id.to_string()),
            customer_number: envelope.and_then(|envelope| envelope.customer_number.as_deref()),
            message_id: Some(&self.message_id),
            attempt: Some(self.attempt),
            waiting_ms: Some(millis(age(self.sent_at, self.received_at))),
            processing_ms: millis(processing),
            outcome,
            reason: problem.map(|problem| problem.reason).or(*reason),
            dependency: problem.and_then(|problem| problem.dependency),
            error: problem.and_then(|problem| problem.detail.as_deref()),
            ..HopLine::default()
        };
        line.write(match *outcome {
            DEAD_LETTER => Level::ERROR,
            RETRY => Level::WARN,
            _ => Level::INFO,
        });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
