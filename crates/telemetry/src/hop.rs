//! The log line of a hop: one for each event at each service.

use std::str::FromStr;

use thiserror::Error;
use tracing::{Level, Metadata};

/// The target of the lines written here, which their `message` says as well.
pub(crate) const TARGET: &str = module_path!();

/// For which events hop lines are written (`HOP_LINES`).
///
/// All services of a chain follow the sampling decision of its trace, so that the lines of a chain are complete or absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HopLines {
    /// For every event, whether or not its trace is sampled.
    #[default]
    All,
    /// For events whose trace is sampled, and those whose line is a warning or an error.
    Sampled,
}

impl HopLines {
    /// Whether lines of this kind are written for sampled traces only.
    pub(crate) fn need_sampling(self, line: &Metadata<'_>) -> bool {
        self == Self::Sampled && *line.level() == Level::INFO && line.target() == TARGET
    }
}

impl FromStr for HopLines {
    type Err = UnknownHopLines;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            "sampled" => Ok(Self::Sampled),
            _ => Err(UnknownHopLines),
        }
    }
}

/// A value of `HOP_LINES` other than `all` and `sampled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected all or sampled")]
pub struct UnknownHopLines;

/// The fields of a hop's log line; those that are `None` are left out.
///
/// ```
/// use telemetry::hop::HopLine;
///
/// let line = HopLine { event_type: Some("CustomerRenamed"), outcome: "applied", ..HopLine::default() };
/// line.write(tracing::Level::INFO);
/// ```
#[derive(Clone, Debug, Default)]
pub struct HopLine<'a> {
    /// The event's type, as far as it could be read; so for the ids and the customer number.
    pub event_type: Option<&'a str>,
    /// The event's id.
    pub event_id: Option<String>,
    /// The id of the event that started the chain.
    pub correlation_id: Option<String>,
    /// The customer the event concerns.
    pub customer_number: Option<&'a str>,
    /// The id of the SQS message.
    pub message_id: Option<&'a str>,
    /// The key of the item that fell due.
    pub item: Option<&'a str>,
    /// The number of receives so far, including this one.
    pub attempt: Option<u32>,
    /// The time from sending the message until its receipt, in milliseconds.
    pub waiting_ms: Option<u64>,
    /// The time from there until the outcome, in milliseconds.
    pub processing_ms: u64,
    /// The outcome, one word of a fixed set.
    pub outcome: &'a str,
    /// Why the event was not handled, one word of a fixed set.
    pub reason: Option<&'a str>,
    /// The dependency that failed.
    pub dependency: Option<&'a str>,
    /// The error and its causes, without values of the event.
    pub error: Option<&'a str>,
    /// The invalid fields of a refused event.
    pub fields: Option<&'a str>,
}

impl HopLine<'_> {
    /// Writes the line at `level`: `ERROR`, `WARN`, or `INFO` for every other. Called inside the event's span, from which
    /// the log takes the trace id.
    pub fn write(&self, level: Level) {
        // The level of a callsite is a constant, so there is one callsite for each.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    event_type = self.event_type,
                    event_id = self.event_id,
                    correlation_id = self.correlation_id,
                    customer_number = self.customer_number,
                    message_id = self.message_id,
                    item = self.item,
                    attempt = self.attempt,
                    waiting_ms = self.waiting_ms,
                    processing_ms = self.processing_ms,
                    outcome = self.outcome,
                    reason = self.reason,
                    dependency = self.dependency,
                    error = self.error,
                    fields = self.fields,
                    "event"
                )
            };
        }
        match level {
            Level::ERROR => line!(error),
            Level::WARN => line!(warn),
            _ => line!(info),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Recorder;

    #[test]
    fn what_is_not_known_is_left_out() {
        let recorder = Recorder::new();
        recorder.run(|| {
            let line =
                HopLine { event_type: Some("CustomerRenamed"), outcome: "retry", ..HopLine::default() };
            line.write(Level::WARN);
        });
        let lines = recorder.logs();
        assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&"WARN".into(), &"event".into()));
        assert_eq!(
            (&lines[0]["event_type"], &lines[0]["outcome"]),
            (&"CustomerRenamed".into(), &"retry".into())
        );
        assert!(lines[0].get("target").is_none(), "{}", lines[0]);
        assert!(lines[0].get("reason").is_none() && lines[0].get("attempt").is_none(), "{}", lines[0]);
    }
}
