//! What the batcher needs to know of the service it calls.

/// One kind of batched call: `PutEvents` or `PublishBatch`, or a fake in tests.
pub(crate) trait Call: Send + Sync + 'static {
    /// One entry of a batch, kept until its fate is known, as it may have to be sent again.
    type Entry: Send + Sync + 'static;

    /// How many entries one call may carry.
    const MAX_ENTRIES: usize;
    /// How many bytes the entries of one call may have together.
    const MAX_BYTES: usize;

    /// Sends the entries in one call. The answer has one result an entry, in their order.
    fn send(&self, entries: &[&Self::Entry]) -> impl Future<Output = Answer> + Send;

    /// Sizes of the calls that a batch is better sent in: for each entry the number of its group. Asked only
    /// for a batch that is not full: a full one is sent as it is, because then throughput matters more.
    fn groups(&self, entries: &[&Self::Entry]) -> Vec<usize> {
        vec![0; entries.len()]
    }
}

/// What came back from one call.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The request id of the call, if the service answered at all.
    pub(crate) request_id: Option<String>,
    /// The HTTP status, if the service answered at all.
    pub(crate) status: Option<u16>,
    /// One result an entry, or the failure of the whole call.
    pub(crate) outcome: Result<Vec<Result<String, Failure>>, Failure>,
}

/// Why a call, or one entry of it, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The service's error code, or a word of ours where the service did not answer.
    pub(crate) code: String,
    /// What can be done about it.
    pub(crate) class: Class,
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The service asks for a slower pace: try again after a pause.
    Throttled,
    /// Nobody's fault that lasts: try again after a pause.
    Transient,
    /// The whole call was refused for its content: one of its entries may be to blame, the others innocent.
    Content,
    /// The same would be refused again.
    Permanent,
}

impl Failure {
    pub(crate) fn new(code: impl Into<String>, class: Class) -> Self {
        Self { code: code.into(), class }
    }

    /// Worth another attempt.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.class, Class::Throttled | Class::Transient)
    }
}
