//! Faults on demand: which calls fail, and how.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A fault as it is requested and listed. Without `probability` and `times` it affects every call until it is deleted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// `SigV4` service name: `sqs`, `sns`, `events`, `dynamodb`, `ses`, `pipes` …
    pub(crate) service: String,
    /// Operation, such as `SendMessage`; all of the service if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
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
}

fn error_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    if (400..=599).contains(&status) {
        Ok(status)
    } else {
        Err(D::Error::custom("status is not between 400 and 599"))
    }
}

/// What happens to the current call.
pub(crate) use Kind as Injected;

/// A fault with its counters.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Armed {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) fault: Fault,
    /// Calls that matched.
    pub(crate) matched: u64,
    /// Calls affected.
    pub(crate) injected: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Set>);

#[derive(Debug, Default)]
struct Set {
    next_id: u64,
    armed: Vec<Armed>,
}

impl Faults {
    fn set(&self) -> MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) -> Armed {
        let mut set = self.set();
        set.next_id += 1;
        let armed = Armed { id: set.next_id, fault, matched: 0, injected: 0 };
        set.armed.push(armed.clone());
        armed
    }

    pub(crate) fn list(&self) -> Vec<Armed> {
        self.set().armed.clone()
    }

    pub(crate) fn clear(&self) {
        self.set().armed.clear();
    }

    /// Removes a fault. Returns whether there was one with this id.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut set = self.set();
        let before = set.armed.len();
        set.armed.retain(|armed| armed.id != id);
        set.armed.len() < before
    }

    /// Counts the call and returns what should go wrong with it. The first fault that is due decides.
    pub(crate) fn next(&self, caller: Option<&str>, service: &str, operation: &str) -> Option<Injected> {
        let mut set = self.set();
        for armed in &mut set.armed {
            let matches = armed.fault.service.eq_ignore_ascii_case(service)
                && armed.fault.operation.as_deref().is_none_or(|wanted| wanted == "*" || wanted == operation)
                && armed.fault.caller.as_deref().is_none_or(|wanted| caller == Some(wanted));
            if !matches {
                continue;
            }
            armed.matched += 1;
            let due = armed.matched > armed.fault.after
                && armed.fault.times.is_none_or(|times| armed.injected < times)
                && armed.fault.probability.is_none_or(|share| rand::rng().random_bool(share.clamp(0.0, 1.0)));
            if due {
                armed.injected += 1;
                return Some(armed.fault.error.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_answer_has_a_code_and_a_status_of_an_error() {
        let fault = fault(
            r#"{"service": "sns", "error": {"answer": {"code": "AuthorizationError", "status": 403}}}"#,
        );
        let Kind::Answer(answer) = fault.error else { panic!("{fault:?}") };
        assert_eq!((answer.code.as_str(), answer.status), ("AuthorizationError", 403));
        let success = r#"{"service": "sns", "error": {"answer": {"code": "Fine", "status": 200}}}"#;
        let error = serde_json::from_str::<Fault>(success).unwrap_err();
        assert!(error.to_string().contains("between 400 and 599"), "{error}");
    }

    #[test]
    fn affects_the_calls_after_the_first_ones_and_no_more_than_requested() {
        let faults = Faults::default();
        faults.add(fault(
            r#"{"service": "sqs", "operation": "SendMessage", "error": "throttle", "after": 1, "times": 2}"#,
        ));
        let hits: Vec<_> = (0..5).map(|_| faults.next(None, "sqs", "SendMessage").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(faults.next(None, "sqs", "ReceiveMessage"), None);
        assert_eq!(faults.next(None, "sns", "SendMessage"), None);
        assert_eq!(faults.list()[0].injected, 2);
    }

    #[test]
    fn probability_zero_affects_no_call_and_one_affects_every_call() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "ses", "error": "500", "probability": 0.0}"#));
        assert_eq!(faults.next(None, "ses", "SendEmail"), None);
        let one = faults.add(fault(r#"{"service": "ses", "error": "drop-response", "probability": 1.0}"#));
        assert_eq!(faults.next(None, "ses", "SendEmail"), Some(Injected::DropResponse));
        assert!(faults.remove(one.id));
        assert!(!faults.remove(one.id));
        faults.clear();
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_for_one_caller_spares_the_others() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "ses", "caller": "email", "error": "500"}"#));
        assert_eq!(faults.next(Some("local"), "ses", "SendEmail"), None);
        assert_eq!(faults.next(None, "ses", "SendEmail"), None);
        assert_eq!(faults.next(Some("email"), "ses", "SendEmail"), Some(Injected::Failure));
    }

    #[test]
    fn an_unknown_error_or_field_is_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"service": "sqs", "error": "explode"}"#).is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"service": "sqs", "error": "500", "often": 1}"#).is_err());
    }
}
