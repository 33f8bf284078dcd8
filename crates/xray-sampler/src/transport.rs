//! The transport of the two calls.

use std::error::Error;

/// The longest response that is accepted, in bytes. An account's rules take a small part of it.
pub const MAX_RESPONSE: usize = 1024 * 1024;

/// A call of X-Ray's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `GetSamplingRules`: returns a page of rules.
    GetSamplingRules,
    /// `GetSamplingTargets`: reports statistics and returns quotas.
    GetSamplingTargets,
}

impl Operation {
    /// Returns the path of the call. The path of `GetSamplingTargets` has no `Get`, in X-Ray itself as well.
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
/// [`HttpTransport`](crate::HttpTransport) sends them unsigned to a proxy that signs them, such as the collector's
/// `awsproxy`. To call `https://xray.<region>.amazonaws.com` directly, implement this trait with a client that signs
/// requests (for the service `xray`).
///
/// The poller makes one call at a time, and drops the future of a call that takes too long. While the future is polled,
/// telemetry is suppressed and there is no `tracing` subscriber, so that calls are not traced themselves. An
/// implementation should stop reading a response at [`MAX_RESPONSE`]; longer ones are refused in any case.
pub trait Transport: Send + Sync + 'static {
    /// Why a call failed.
    type Error: Error + Send + Sync + 'static;

    /// Sends `body`, a JSON object, as a POST request to the [path](Operation::path) of `operation`, and returns the
    /// body of the response. A response with a status other than 200 is an error.
    fn post(
        &self,
        operation: Operation,
        body: Vec<u8>,
    ) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;
}
