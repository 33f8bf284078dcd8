//! Faults on demand: which calls fail, and how.

mod deliveries;
mod entries;
mod fault;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use serde::Serialize;
use serde_json::Value;

use self::deliveries::{Deliveries, Delivery, Due};
use self::entries::{Entries, Failing};
pub(crate) use self::fault::{Answer, Fault, Kind as Injected};

/// Most faults at a time.
const MAX_FAULTS: usize = 1_000;

/// What decides whether a fault affects a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The access key that the call is signed with.
    pub(crate) caller: Option<&'a str>,
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    /// ARNs of the resources that the call names.
    pub(crate) resources: &'a BTreeSet<String>,
}

/// What happens to the current call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How long it waits first.
    pub(crate) delay: Duration,
    /// What goes wrong then.
    pub(crate) error: Option<Injected>,
}

/// What faults change in a call that its service carries out.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    subject: Subject<'a>,
    failing: Option<Failing>,
    due: Option<Due>,
}

impl Changes<'_> {
    /// Whether nothing of the call is left for its service.
    pub(crate) fn leave_nothing(&self) -> bool {
        self.failing.as_ref().is_some_and(|failing| failing.all)
            || self.due.as_ref().is_some_and(|due| due.is_full)
    }
}

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

impl Armed {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        let Fault { service, operation, resource, caller, .. } = &self.fault;
        service.eq_ignore_ascii_case(subject.service)
            && operation.as_deref().is_none_or(|wanted| wanted == "*" || wanted == subject.operation)
            && caller.as_deref().is_none_or(|wanted| subject.caller == Some(wanted))
            && resource
                .as_deref()
                .is_none_or(|wanted| subject.resources.iter().any(|arn| is_named(arn, wanted)))
    }

    /// Counts a call that matches; returns whether it is affected.
    fn counts(&mut self) -> bool {
        self.matched += 1;
        let due = self.matched > self.fault.after
            && self.fault.times.is_none_or(|times| self.injected < times)
            && self.fault.probability.is_none_or(|share| rand::rng().random_bool(share.clamp(0.0, 1.0)));
        self.injected += u64::from(due);
        due
    }
}

/// Whether the resource is the wanted one, which is given by ARN or by name: `members` is the name of
/// `arn:aws:dynamodb:eu-central-1:000000000000:table/members`, and of its indexes.
fn is_named(arn: &str, wanted: &str) -> bool {
    let name = arn.splitn(6, ':').nth(5).unwrap_or_default();
    arn == wanted || name == wanted || name.split(['/', ':']).any(|part| part == wanted)
}

/// There are too many faults to add another one.
#[derive(Debug, thiserror::Error)]
#[error("there are {MAX_FAULTS} faults already: delete some first")]
pub(crate) struct TooMany;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    set: Mutex<Set>,
    /// Messages that a fault delivers again or late.
    deliveries: Deliveries,
}

#[derive(Debug, Default)]
struct Set {
    next_id: u64,
    armed: Vec<Armed>,
}

impl Faults {
    fn set(&self) -> MutexGuard<'_, Set> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Arms a fault.
    ///
    /// # Errors
    /// When there are too many.
    pub(crate) fn add(&self, fault: Fault) -> Result<Armed, TooMany> {
        let mut set = self.set();
        if set.armed.len() >= MAX_FAULTS {
            return Err(TooMany);
        }
        set.next_id += 1;
        let armed = Armed { id: set.next_id, fault, matched: 0, injected: 0 };
        set.armed.push(armed.clone());
        Ok(armed)
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

    /// Counts the call and returns what should go wrong with it. Delays add up, and the first other fault that is due
    /// decides.
    pub(crate) fn plan(&self, subject: &Subject<'_>) -> Plan {
        let mut plan = Plan::default();
        for armed in &mut self.set().armed {
            if armed.fault.error.is_of_delivery() || !armed.matches(subject) || !armed.counts() {
                continue;
            }
            match &armed.fault.error {
                Injected::DelayMs(delay) => plan.delay += Duration::from_millis(*delay),
                error => {
                    plan.error = Some(error.clone());
                    break;
                }
            }
        }
        plan
    }

    /// Does the same for a call inside the cloud, which has no caller and is never late.
    pub(crate) fn affects(&self, service: &str, operation: &str) -> bool {
        let resources = BTreeSet::new();
        self.plan(&Subject { caller: None, service, operation, resources: &resources }).error.is_some()
    }

    /// Changes the input of a call before its service carries it out: takes out the entries that fail, and leaves room for
    /// messages of earlier receives.
    pub(crate) fn prepare<'a>(
        &self,
        subject: Subject<'a>,
        entries: Option<Entries>,
        input: &mut Value,
    ) -> Changes<'a> {
        let is_receive = subject.service == "sqs" && subject.operation == "ReceiveMessage";
        let due = is_receive.then(|| self.deliveries.due(input));
        Changes { subject, failing: entries.and_then(|entries| entries::split(input, entries)), due }
    }

    /// Completes the answer of the service.
    pub(crate) fn complete(&self, changes: Changes<'_>, output: &mut Value) {
        if let Some(failing) = changes.failing {
            failing.add_to(output);
        }
        if let Some(due) = changes.due {
            let received = output["Messages"].as_array().is_some_and(|messages| !messages.is_empty());
            let delivery = if received { self.delivery(&changes.subject) } else { None };
            self.deliveries.deliver(output, due, delivery);
        }
    }

    /// Counts a receive that returned messages, and returns what should happen to them.
    fn delivery(&self, subject: &Subject<'_>) -> Option<Delivery> {
        self.set().armed.iter_mut().find_map(|armed| {
            let delivery = match armed.fault.error {
                Injected::Duplicate => Delivery::Duplicate,
                Injected::Reorder => Delivery::Reorder,
                _ => return None,
            };
            (armed.matches(subject) && armed.counts()).then_some(delivery)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(fault.check(), Ok(()));
        fault
    }

    #[test]
    fn a_batch_whose_entries_all_fail_leaves_nothing_for_its_service() {
        let faults = Faults::default();
        let json = r#"{"service": "events", "operation": "PutEvents", "error": {"entries": {"code": "X"}}}"#;
        faults.add(fault(json)).unwrap();
        let resources = BTreeSet::new();
        let subject =
            Subject { caller: None, service: "events", operation: "PutEvents", resources: &resources };
        let Some(Injected::Entries(entries)) = faults.plan(&subject).error else { panic!("{faults:?}") };
        let mut input = serde_json::json!({"Entries": [{"Source": "s"}]});
        let changes = faults.prepare(subject, Some(entries), &mut input);
        assert!(changes.leave_nothing());
        let mut output = serde_json::json!({});
        faults.complete(changes, &mut output);
        assert_eq!(
            (&output["FailedEntryCount"], &output["Entries"][0]["ErrorCode"]),
            (&1.into(), &"X".into())
        );
    }

    fn next(faults: &Faults, caller: Option<&str>, service: &str, operation: &str) -> Option<Injected> {
        let resources = BTreeSet::new();
        faults.plan(&Subject { caller, service, operation, resources: &resources }).error
    }

    #[test]
    fn affects_the_calls_after_the_first_ones_and_no_more_than_requested() {
        let faults = Faults::default();
        let json =
            r#"{"service": "sqs", "operation": "SendMessage", "error": "throttle", "after": 1, "times": 2}"#;
        faults.add(fault(json)).unwrap();
        let hits: Vec<_> = (0..5).map(|_| next(&faults, None, "sqs", "SendMessage").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(next(&faults, None, "sqs", "ReceiveMessage"), None);
        assert_eq!(next(&faults, None, "sns", "SendMessage"), None);
        assert_eq!(faults.list()[0].injected, 2);
    }

    #[test]
    fn probability_zero_affects_no_call_and_one_affects_every_call() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "ses", "error": "500", "probability": 0.0}"#)).unwrap();
        assert_eq!(next(&faults, None, "ses", "SendEmail"), None);
        let json = r#"{"service": "ses", "error": "drop-response", "probability": 1.0}"#;
        let one = faults.add(fault(json)).unwrap();
        assert_eq!(next(&faults, None, "ses", "SendEmail"), Some(Injected::DropResponse));
        assert!(faults.remove(one.id));
        assert!(!faults.remove(one.id));
        faults.clear();
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_for_one_caller_spares_the_others() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "ses", "caller": "email", "error": "500"}"#)).unwrap();
        assert_eq!(next(&faults, Some("local"), "ses", "SendEmail"), None);
        assert_eq!(next(&faults, None, "ses", "SendEmail"), None);
        assert_eq!(next(&faults, Some("email"), "ses", "SendEmail"), Some(Injected::Failure));
    }

    #[test]
    fn a_fault_for_one_resource_spares_the_others() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "dynamodb", "resource": "members", "error": "500"}"#)).unwrap();
        let hit = |arns: &[&str]| {
            let resources = arns.iter().map(|arn| (*arn).to_owned()).collect();
            let subject =
                Subject { caller: None, service: "dynamodb", operation: "Query", resources: &resources };
            faults.plan(&subject).error.is_some()
        };
        let table = "arn:aws:dynamodb:eu-central-1:000000000000:table/members";
        assert!(hit(&[table]));
        assert!(hit(&["arn:aws:dynamodb:eu-central-1:000000000000:table/orders", table]));
        assert!(hit(&[&format!("{table}/index/by-tier")]));
        assert!(!hit(&[&format!("{table}-old")]));
        assert!(!hit(&[]));
        assert!(is_named(table, table));
        assert!(is_named("arn:aws:sns:eu-central-1:000000000000:topic", "topic"));
    }

    #[test]
    fn delays_add_up_and_the_call_goes_on_to_the_next_fault() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "sns", "error": {"delay_ms": 20}}"#)).unwrap();
        faults.add(fault(r#"{"service": "sns", "error": {"delay_ms": 5}, "times": 1}"#)).unwrap();
        let resources = BTreeSet::new();
        let subject = Subject { caller: None, service: "sns", operation: "Publish", resources: &resources };
        assert_eq!(faults.plan(&subject), Plan { delay: Duration::from_millis(25), error: None });
        faults.add(fault(r#"{"service": "sns", "error": "throttle"}"#)).unwrap();
        let error = Some(Injected::Throttle);
        assert_eq!(faults.plan(&subject), Plan { delay: Duration::from_millis(20), error });
    }

    #[test]
    fn a_fault_of_delivery_counts_only_receives_with_messages() {
        let faults = Faults::default();
        faults.add(fault(r#"{"service": "sqs", "error": "duplicate", "times": 1}"#)).unwrap();
        let resources = BTreeSet::new();
        let subject =
            Subject { caller: None, service: "sqs", operation: "ReceiveMessage", resources: &resources };
        assert_eq!(faults.plan(&subject), Plan::default());
        assert_eq!(faults.list()[0].matched, 0);
        assert_eq!(faults.delivery(&subject), Some(Delivery::Duplicate));
        assert_eq!(faults.delivery(&subject), None);
    }

    #[test]
    fn the_number_of_faults_is_bounded() {
        let faults = Faults::default();
        let one = fault(r#"{"service": "sqs", "error": "500"}"#);
        for _ in 0..MAX_FAULTS {
            faults.add(one.clone()).unwrap();
        }
        assert!(faults.add(one).is_err());
    }
}
