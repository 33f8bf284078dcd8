//! Who called what: every request by caller, action and resource, so that roles can be held against a run.

mod action;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use serde::Serialize;

use crate::Settings;
use crate::gateway::{Call, caller};

/// Different entries kept at most, some hundred times what a layer of services makes.
const MAX_ENTRIES: usize = 10_000;
/// Longest name of a caller, operation or resource kept, in bytes; a client may send what it likes.
const MAX_NAME_BYTES: usize = 2_048;
/// The caller of a request without a signature.
const ANONYMOUS: &str = "anonymous";

/// What IAM would be asked about one request. A batch asks once for each resource, a transaction for each item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Asked {
    /// The action, such as `dynamodb:PutItem`.
    action: String,
    /// The resource's ARN; `*` if the request names none, or the operation is none that services are to be granted.
    resource: String,
    /// Values of the service's own condition keys, such as `ses:FromAddress`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    context: BTreeMap<&'static str, String>,
}

/// An entry as `GET /_local/calls` lists it, apart from its count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Entry {
    /// The access key that the request was signed with.
    caller: String,
    /// The operation, such as `TransactWriteItems`.
    operation: String,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Debug, Serialize)]
struct Counted {
    #[serde(flatten)]
    entry: Entry,
    count: u64,
}

/// All calls so far.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    calls: Vec<Counted>,
    /// Calls that are in no entry, because there were too many different ones.
    left_out: u64,
}

#[derive(Debug)]
pub(crate) struct Calls {
    region: String,
    account_id: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    counts: BTreeMap<Entry, u64>,
    left_out: u64,
}

impl Calls {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            seen: Mutex::default(),
        }
    }

    /// Records a request, whatever becomes of it: IAM is asked before anything else.
    pub(crate) fn record(&self, call: &Call) {
        let place = action::Place { region: &self.region, account_id: &self.account_id };
        for asked in action::asked(call, place) {
            self.count(&call.headers, &call.operation, asked);
        }
    }

    /// Records a request of X-Ray, which knows no resources for its data.
    pub(crate) fn record_xray(&self, headers: &HeaderMap, operation: &str) {
        let asked = Asked {
            action: format!("xray:{operation}"),
            resource: action::ANY.to_owned(),
            context: BTreeMap::new(),
        };
        self.count(headers, operation, asked);
    }

    fn count(&self, headers: &HeaderMap, operation: &str, asked: Asked) {
        let caller = caller(headers).unwrap_or(ANONYMOUS);
        let mut seen = self.seen();
        let fits = [caller, operation, &asked.resource].iter().all(|name| name.len() <= MAX_NAME_BYTES);
        let entry = Entry { caller: caller.to_owned(), operation: operation.to_owned(), asked };
        if !fits || seen.counts.len() >= MAX_ENTRIES && !seen.counts.contains_key(&entry) {
            seen.left_out += 1;
        } else {
            *seen.counts.entry(entry).or_default() += 1;
        }
    }

    pub(crate) fn list(&self) -> Listed {
        let seen = self.seen();
        let counted = |(entry, count): (&Entry, &u64)| Counted { entry: entry.clone(), count: *count };
        Listed { calls: seen.counts.iter().map(counted).collect(), left_out: seen.left_out }
    }

    pub(crate) fn forget(&self) {
        *self.seen() = Seen::default();
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(resource: String) -> Asked {
        Asked { action: "sqs:SendMessage".to_owned(), resource, context: BTreeMap::new() }
    }

    #[test]
    fn what_does_not_fit_is_counted_as_left_out() {
        let calls = Calls::new(&Settings::default());
        let nobody = HeaderMap::new();
        for number in 0..=MAX_ENTRIES {
            calls.count(&nobody, "SendMessage", asked(number.to_string()));
        }
        calls.count(&nobody, "SendMessage", asked("0".to_owned()));
        calls.count(&nobody, "SendMessage", asked("x".repeat(MAX_NAME_BYTES + 1)));
        let listed = calls.list();
        assert_eq!((listed.calls.len(), listed.left_out), (MAX_ENTRIES, 2));
        assert_eq!((listed.calls[0].count, listed.calls[0].entry.caller.as_str()), (2, ANONYMOUS));
        calls.forget();
        assert!(calls.list().calls.is_empty());
    }
}
