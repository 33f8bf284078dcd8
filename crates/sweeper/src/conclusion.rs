//! How an item that fell due ended: the record behind its span, metrics and log line.

use std::time::Duration;

use outcome::{Done, Failure, describe};

/// The outcome of an item that is tried again later.
pub(crate) const RETRY: &str = "retry";
/// The outcome of an item that is parked.
pub(crate) const PARKED: &str = "parked";
/// The outcome of an item that somebody else handled or changed meanwhile.
pub(crate) const NO_LONGER_DUE: &str = "no-longer-due";

/// How an item ended.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) outcome: &'static str,
    pub(crate) reason: Option<&'static str>,
    /// The dependency that failed.
    pub(crate) dependency: Option<&'static str>,
    /// Whether that would make other items fail too.
    pub(crate) unavailable: bool,
    /// The cause, with its sources.
    pub(crate) detail: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl Conclusion {
    pub(crate) fn done(done: Done) -> Self {
        Self {
            outcome: done.outcome,
            reason: done.reason,
            dependency: None,
            unavailable: false,
            detail: None,
            retry_after: None,
        }
    }

    /// Concludes that the item stays due. What DynamoDB rejects stays due too: nothing proves that the item is at fault, nor
    /// that others are.
    pub(crate) fn retry(failure: Failure) -> Self {
        let (reason, dependency) = (failure.reason(), failure.dependency());
        let unavailable = matches!(failure, Failure::Transient { dependency: Some(_), .. });
        let (source, retry_after) = match failure {
            Failure::Transient { source, retry_after, .. } => (source, retry_after),
            Failure::Rejected { source, .. } | Failure::Permanent { source, .. } => (source, None),
        };
        Self {
            outcome: RETRY,
            reason: Some(reason),
            dependency,
            unavailable,
            detail: source.map(|source| describe(&*source)),
            retry_after,
        }
    }

    pub(crate) fn parked(failure: Failure) -> Self {
        Self { outcome: PARKED, ..Self::retry(failure) }
    }

    /// Whether the item was not handled.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.outcome, RETRY | PARKED)
    }
}
