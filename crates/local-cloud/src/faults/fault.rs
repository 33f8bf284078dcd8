//! A fault as it is requested: which calls it affects, and what goes wrong with them.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::entries::{self, Entries};

/// The services whose calls can fail, by their `SigV4` names.
const SERVICES: [&str; 12] = [
    "sqs",
    "sns",
    "events",
    "dynamodb",
    "dynamodbstreams",
    "ses",
    "pipes",
    "sts",
    "s3",
    "kms",
    WEBHOOK,
    "apns",
];
/// The receiver of webhooks, which is none of AWS's.
const WEBHOOK: &str = "webhook";
/// The longest delay: any client has given up by then.
const MAX_DELAY: Duration = Duration::from_mins(10);
/// The longest name, code or message, in bytes.
const MAX_TEXT_BYTES: usize = 2_048;

/// A fault as it is requested and listed. Without `probability` and `times` it affects every call until it is deleted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// `SigV4` service name: `sqs`, `sns`, `events`, `dynamodb`, `ses`, `pipes` …
    pub(crate) service: String,
    /// Operation, such as `SendMessage`; all of the service if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
    /// Name or ARN of a resource that the call names: a queue, topic, table, bus, identity,
    /// bucket, object or key. Any if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<String>,
    /// Access key of the client whose calls are affected; every client if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<String>,
    pub(crate) error: Kind,
    /// Share of the calls affected, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    /// How many calls are affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// How many matching calls pass first.
    #[serde(default)]
    pub(crate) after: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The service's throttling error.
    #[serde(rename = "throttle")]
    Throttle,
    /// The service's internal failure. The operation is not carried out.
    #[serde(rename = "500")]
    Failure,
    /// No response until the client gives up. The operation is not carried out.
    #[serde(rename = "timeout")]
    Timeout,
    /// The operation is carried out, then the connection is closed: the response is lost.
    #[serde(rename = "drop-response")]
    DropResponse,
    /// This error, `{"answer": {"code": "AuthorizationError", "status": 403}}`. The operation is not carried out.
    #[serde(rename = "answer")]
    Answer(Answer),
    /// The call proceeds after this many milliseconds, `{"delay_ms": 500}`.
    #[serde(rename = "delay_ms")]
    DelayMs(u64),
    /// Entries of a batch fail, `{"entries": {"code": "InternalFailure"}}`; the call itself succeeds.
    #[serde(rename = "entries")]
    Entries(Entries),
    /// Messages received are delivered once more by the next receive, whether or not they have been deleted.
    #[serde(rename = "duplicate")]
    Duplicate,
    /// Messages received arrive in another order: younger ones first.
    #[serde(rename = "reorder")]
    Reorder,
}

impl Kind {
    /// Whether it changes what a receive delivers rather than the call.
    pub(super) fn is_of_delivery(&self) -> bool {
        matches!(self, Self::Duplicate | Self::Reorder)
    }
}

/// An error of AWS, as a client receives it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) code: String,
    /// An HTTP status from 400 to 599.
    #[serde(deserialize_with = "error_status")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) message: String,
    /// The header `Retry-After`, of the receiver of webhooks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<String>,
}

fn error_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    if (400..=599).contains(&status) {
        Ok(status)
    } else {
        Err(D::Error::custom("status is not between 400 and 599"))
    }
}

/// Why a fault is refused: it could never affect a call, or is impossible.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(crate) enum Refused {
    #[error("no service {name:?}: the services are {all}", name = .0, all = SERVICES.join(", "))]
    Service(String),
    #[error("duplicate and reorder change what ReceiveMessage of sqs delivers, not {0}")]
    NoReceive(String),
    #[error("entries is for the batches {}; name one as operation", entries::OPERATIONS.map(|(service, operation)| format!("{service} {operation}")).join(", "))]
    NoBatch,
    #[error("entries[at] is empty: leave it out for all entries, or name positions from 0")]
    NoEntry,
    #[error("retry_after is for answers of {WEBHOOK}")]
    NoRetryAfter,
    #[error("probability is not between 0 and 1")]
    Probability,
    #[error("times is 0: the fault would affect no call")]
    Never,
    #[error("delay_ms is above {}", MAX_DELAY.as_millis())]
    Delay,
    #[error("{0} is empty, longer than {MAX_TEXT_BYTES} bytes or not printable ASCII")]
    Text(&'static str),
    #[error("message is longer than {MAX_TEXT_BYTES} bytes")]
    Message,
}

impl Fault {
    /// Checks that the fault can affect a call.
    ///
    /// # Errors
    /// With what is wrong and what would be right.
    pub(crate) fn check(&self) -> Result<(), Refused> {
        if !SERVICES.contains(&self.service.as_str()) {
            return Err(Refused::Service(self.service.chars().take(100).collect()));
        }
        let names = [("operation", &self.operation), ("resource", &self.resource), ("caller", &self.caller)];
        for (field, name) in names {
            if name.as_deref().is_some_and(|name| !is_name(name)) {
                return Err(Refused::Text(field));
            }
        }
        if self.probability.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(Refused::Probability);
        }
        if self.times == Some(0) {
            return Err(Refused::Never);
        }
        self.check_kind()
    }

    fn check_kind(&self) -> Result<(), Refused> {
        let operation = self.operation.as_deref();
        match &self.error {
            Kind::DelayMs(delay) if Duration::from_millis(*delay) > MAX_DELAY => Err(Refused::Delay),
            Kind::Throttle | Kind::Failure | Kind::Timeout | Kind::DropResponse | Kind::DelayMs(_) => Ok(()),
            Kind::Answer(Answer { code, message, retry_after, .. }) => {
                if let Some(text) = retry_after {
                    if self.service != WEBHOOK {
                        return Err(Refused::NoRetryAfter);
                    }
                    if !is_name(text) {
                        return Err(Refused::Text("retry_after"));
                    }
                }
                check_error(code, message)
            }
            Kind::Entries(Entries { code, message, at, .. }) => {
                if !operation
                    .is_some_and(|operation| entries::OPERATIONS.contains(&(&self.service, operation)))
                {
                    return Err(Refused::NoBatch);
                }
                if at.as_ref().is_some_and(Vec::is_empty) {
                    return Err(Refused::NoEntry);
                }
                check_error(code, message)
            }
            Kind::Duplicate | Kind::Reorder => {
                if self.service == "sqs" && operation.is_none_or(|operation| operation == "ReceiveMessage") {
                    Ok(())
                } else {
                    let operation = operation.unwrap_or("a call");
                    Err(Refused::NoReceive(format!("{operation} of {}", self.service)))
                }
            }
        }
    }
}

/// A code also travels in a header.
fn check_error(code: &str, message: &str) -> Result<(), Refused> {
    if !is_name(code) {
        return Err(Refused::Text("code"));
    }
    if message.len() > MAX_TEXT_BYTES {
        return Err(Refused::Message);
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT_BYTES && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        match serde_json::from_str::<Fault>(json) {
            Ok(fault) => fault.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_answer_has_a_code_and_a_status_of_an_error() {
        let fault: Fault = serde_json::from_str(
            r#"{"service": "sns", "error": {"answer": {"code": "AuthorizationError", "status": 403}}}"#,
        )
        .unwrap();
        assert_eq!(fault.check(), Ok(()));
        let Kind::Answer(answer) = fault.error else { panic!("{fault:?}") };
        assert_eq!((answer.code.as_str(), answer.status), ("AuthorizationError", 403));
        let success = r#"{"service": "sns", "error": {"answer": {"code": "Fine", "status": 200}}}"#;
        assert!(refused(success).contains("between 400 and 599"));
    }

    #[test]
    fn what_could_never_affect_a_call_is_refused_with_what_would_be_right() {
        for (json, part) in [
            (r#"{"service": "sqss", "error": "500"}"#, "no service \"sqss\": the services are sqs, sns"),
            (r#"{"service": "sqs", "error": "explode"}"#, "unknown variant `explode`, expected one of"),
            (r#"{"service": "sqs", "error": "500", "often": 1}"#, "unknown field `often`"),
            (r#"{"service": "sqs", "error": "500", "times": 0}"#, "times is 0"),
            (r#"{"service": "sqs", "error": "500", "probability": 1.5}"#, "between 0 and 1"),
            (r#"{"service": "sqs", "error": {"delay_ms": 600001}}"#, "delay_ms is above 600000"),
            (r#"{"service": "sqs", "error": {"answer": {"code": "", "status": 400}}}"#, "code is empty"),
            (r#"{"service": "sqs", "operation": "", "error": "500"}"#, "operation is empty"),
            (
                r#"{"service": "sns", "error": {"answer": {"code": "X", "status": 503, "retry_after": "5"}}}"#,
                "retry_after is for answers of webhook",
            ),
            (r#"{"service": "sns", "error": "duplicate"}"#, "ReceiveMessage of sqs"),
            (
                r#"{"service": "sqs", "operation": "SendMessage", "error": "reorder"}"#,
                "not SendMessage of sqs",
            ),
            (
                r#"{"service": "sqs", "error": {"entries": {"code": "InternalFailure"}}}"#,
                "sqs SendMessageBatch",
            ),
            (
                r#"{"service": "events", "operation": "PutEvents", "error": {"entries": {"code": "X", "at": []}}}"#,
                "leave it out for all",
            ),
        ] {
            let message = refused(json);
            assert!(message.contains(part), "{json}: {message}");
        }
    }
}
