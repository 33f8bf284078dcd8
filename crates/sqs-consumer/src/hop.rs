//! The log line of a hop: one for each message handled, whether or not its trace is sampled.

use std::time::Duration;

use envelope::Envelope;
use jiff::Timestamp;

use crate::conclusion::{Conclusion, DEAD_LETTER, RETRY};
use crate::queue::Message;
use crate::trace::age;

/// The part of a hop's log line that is known before the hop ends.
pub(crate) struct Hop {
    message_id: String,
    pub(crate) attempt: u32,
    /// When the message was put on the queue.
    pub(crate) sent_at: Timestamp,
    received_at: Timestamp,
}

impl Hop {
    pub(crate) fn new(message: &Message, received_at: Timestamp) -> Self {
        Self {
            message_id: message.receipt.message_id().to_owned(),
            attempt: message.receive_count,
            sent_at: message.sent_at.unwrap_or(received_at),
            received_at,
        }
    }

    /// Writes the line. Must be called inside the message's span, which supplies the trace id.
    pub(crate) fn log(&self, envelope: Option<&Envelope>, processing: Duration, conclusion: &Conclusion) {
        let Conclusion { outcome, problem, .. } = conclusion;
        let event_id = envelope.map(|envelope| envelope.metadata.event_id.to_string());
        let correlation_id = envelope.map(|envelope| envelope.metadata.correlation_id.to_string());
        let waiting_ms = millis(age(self.sent_at, self.received_at));
        let processing_ms = millis(processing);
        // A macro, because the level of a log line has to be known at compile time, and three levels share these
        // fields.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    event_type = envelope.map(|envelope| envelope.event_type.as_str()),
                    event_id,
                    correlation_id,
                    customer_number = envelope.and_then(|envelope| envelope.customer_number.as_deref()),
                    message_id = self.message_id,
                    attempt = self.attempt,
                    waiting_ms,
                    processing_ms,
                    outcome,
                    reason = problem.as_ref().map(|problem| problem.reason),
                    dependency = problem.as_ref().and_then(|problem| problem.dependency),
                    error = problem.as_ref().and_then(|problem| problem.detail.as_deref()),
                    "event"
                )
            };
        }
        match *outcome {
            DEAD_LETTER => line!(error),
            RETRY => line!(warn),
            _ => line!(info),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
