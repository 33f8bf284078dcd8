//! How the two calls reach X-Ray.

use std::error::Error;

/// The longest answer that is read, in bytes. An account's rules take a small part of it.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// A call of X-Ray's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `GetSamplingRules`: returns a page of rules.
    GetSamplingRules,
    /// `GetSamplingTargets`: reports statistics and returns quotas.
    GetSamplingTargets,
}

impl Operation {
    /// Returns the path of the call. That of `GetSamplingTargets` has no `Get`, in the service as in its proxies.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::GetSamplingRules => "/GetSamplingRules",
            Self::GetSamplingTargets => "/SamplingTargets",
        }
    }
}

/// Sends calls to X-Ray.
///
/// [`HttpTransport`](crate::HttpTransport) sends them unsigned to a proxy such as the collector's `awsproxy`, which signs
/// them. To call `https://xray.<region>.amazonaws.com` directly, implement this with a client that signs (service `xray`).
///
/// The poller limits the time of each call by dropping its future, and makes no two calls at the same time. While the
/// future runs, telemetry is suppressed and no `tracing` subscriber is set, so that the calls are not traced themselves.
/// An implementation should stop reading an answer at [`MAX_ANSWER`]; a longer one is refused in any case.
pub trait Transport: Send + Sync + 'static {
    /// Why a call failed.
    type Error: Error + Send + Sync + 'static;

    /// Sends `body`, a JSON object, as a POST request to the [path](Operation::path) of `operation`, and returns the body
    /// of the answer. An answer with a status other than 200 is an error.
    fn post(
        &self,
        operation: Operation,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;
}
