//! An audit log: which caller used which action on which resource, so that roles can be compared with a run.

mod iam;
mod permission;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use serde::Serialize;

use self::permission::{ANY, Permission};
use crate::call::{Call, caller};
use crate::settings::Settings;

/// Most different entries kept, some hundred times what a layer of services makes.
const MAX_ENTRIES: usize = 10_000;
/// Longest name of a caller, operation or resource kept, in bytes; clients may send anything.
const MAX_NAME_BYTES: usize = 2_048;
/// The caller of a request without a signature.
const ANONYMOUS: &str = "anonymous";

/// An entry as `GET /_local/calls` lists it, without its count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
struct Entry {
    /// The access key that the request was signed with.
    caller: String,
    /// The operation, such as `TransactWriteItems`.
    operation: String,
    #[serde(flatten)]
    permission: Permission,
}

#[derive(Debug, Serialize)]
struct Counted {
    #[serde(flatten)]
    entry: Entry,
    count: u64,
}

/// All entries so far.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    calls: Vec<Counted>,
    /// Calls without an entry, because there were too many different ones.
    left_out: u64,
}

#[derive(Debug)]
pub(crate) struct AuditLog {
    region: String,
    account_id: String,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    counts: HashMap<Entry, u64>,
    left_out: u64,
}

impl AuditLog {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            region: settings.region.clone(),
            account_id: settings.account_id.clone(),
            seen: Mutex::default(),
        }
    }

    /// Records a call, whatever its outcome: IAM decides before anything else happens. Returns the ARNs of the resources
    /// that the call names.
    pub(crate) fn record(&self, call: &Call) -> BTreeSet<String> {
        let place = iam::Place { region: &self.region, account_id: &self.account_id };
        let mut resources: BTreeSet<_> = iam::also_named(call, place).into_iter().collect();
        for permission in iam::permissions(call, place) {
            if permission.resource != ANY {
                resources.insert(permission.resource.clone());
            }
            self.count(&call.headers, &call.operation, permission);
        }
        resources
    }

    /// Records a request to X-Ray, which has no resources for its data.
    pub(crate) fn record_xray(&self, headers: &HeaderMap, operation: &str) {
        let permission = Permission {
            action: format!("xray:{operation}"),
            resource: ANY.to_owned(),
            context: BTreeMap::new(),
        };
        self.count(headers, operation, permission);
    }

    fn count(&self, headers: &HeaderMap, operation: &str, permission: Permission) {
        let caller = caller(headers).unwrap_or(ANONYMOUS);
        let mut seen = self.seen();
        let fits = [caller, operation, &permission.resource].iter().all(|name| name.len() <= MAX_NAME_BYTES);
        let entry = Entry { caller: caller.to_owned(), operation: operation.to_owned(), permission };
        if let Some(count) = seen.counts.get_mut(&entry) {
            *count += 1;
        } else if fits && seen.counts.len() < MAX_ENTRIES {
            seen.counts.insert(entry, 1);
        } else {
            seen.left_out += 1;
        }
    }

    pub(crate) fn list(&self) -> Listed {
        let seen = self.seen();
        let counted = |(entry, count): (&Entry, &u64)| Counted { entry: entry.clone(), count: *count };
        let mut calls: Vec<_> = seen.counts.iter().map(counted).collect();
        calls.sort_unstable_by(|a, b| a.entry.cmp(&b.entry));
        Listed { calls, left_out: seen.left_out }
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

    fn permission(resource: String) -> Permission {
        Permission { action: "sqs:SendMessage".to_owned(), resource, context: BTreeMap::new() }
    }

    #[test]
    fn what_does_not_fit_is_counted_as_left_out() {
        let log = AuditLog::new(&Settings::default());
        let nobody = HeaderMap::new();
        for number in 0..=MAX_ENTRIES {
            log.count(&nobody, "SendMessage", permission(number.to_string()));
        }
        log.count(&nobody, "SendMessage", permission("0".to_owned()));
        log.count(&nobody, "SendMessage", permission("x".repeat(MAX_NAME_BYTES + 1)));
        let listed = log.list();
        assert_eq!((listed.calls.len(), listed.left_out), (MAX_ENTRIES, 2));
        assert_eq!((listed.calls[0].count, listed.calls[0].entry.caller.as_str()), (2, ANONYMOUS));
        log.forget();
        assert!(log.list().calls.is_empty());
    }
}
