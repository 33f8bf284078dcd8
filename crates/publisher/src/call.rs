//! What the batcher needs to know about the service it calls.

use aws_clients::{AwsError, ErrorClass};

/// One kind of batched call: `PutEvents` or `PublishBatch`, or a fake in tests.
pub(crate) trait Call: Send + Sync + 'static {
    /// One entry of a batch, kept until its outcome is known, because it may have to be resent.
    type Entry: Send + Sync + 'static;

    /// How many entries one call may carry.
    const MAX_ENTRIES: usize;
    /// How many bytes the entries of one call may have in total.
    const MAX_BYTES: usize;

    /// The service called, as `aws_clients::service` names it.
    const SERVICE: &'static str;
    /// The operation called, as AWS names it.
    const OPERATION: &'static str;

    /// Sends the entries in one call. The answer has one result per entry, in the order of the entries.
    fn send(&self, entries: &[&Self::Entry]) -> impl Future<Output = Answer> + Send;

    /// Returns how to split a batch into calls: for each entry, the number of its group. Consulted only for a batch
    /// that is not full; a full one is sent as it is, because then throughput matters more.
    fn groups(&self, entries: &[&Self::Entry]) -> Vec<usize> {
        vec![0; entries.len()]
    }
}

/// The result of one call.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The request id of the call, if the service responded at all.
    pub(crate) request_id: Option<String>,
    /// The HTTP status, if the service responded at all.
    pub(crate) status: Option<u16>,
    /// One result per entry, or the failure of the whole call.
    pub(crate) outcome: Result<Vec<Result<String, AwsError>>, AwsError>,
}

impl Answer {
    /// Creates the answer of a call that failed as a whole.
    pub(crate) fn failed(error: AwsError) -> Self {
        Self {
            request_id: error.request_id().map(str::to_owned),
            status: error.status(),
            outcome: Err(error),
        }
    }
}

/// What is known about the last call that carried the entry.
#[derive(Debug, Default, Clone)]
pub(crate) struct LastCall {
    pub(crate) request_id: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) entries: usize,
    /// How the call, or the entry in it, failed.
    pub(crate) failed: Option<ErrorClass>,
}
