//! The two calls: bounded in time, size and number, and not traced.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::FutureExt as _;
use serde::Serialize;
use thiserror::Error;
use tokio::time::timeout;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

use crate::rule::Rule;
use crate::rule_set::TakenStatistics;
use crate::transport::{MAX_RESPONSE, Operation, Transport};
use crate::wire::{self, Reporter, Targets};

/// The most statistics documents that one call of `GetSamplingTargets` accepts, according to the service's model.
pub(crate) const MAX_DOCUMENTS: usize = 25;

/// The most pages of rules that are read. By default, an account can have 25 rules.
const MAX_PAGES: usize = 20;

/// The most rules that are kept.
const MAX_RULES: usize = 1_000;

/// Why a call failed.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    #[error("{0}")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no response within {0:?}")]
    Timeout(Duration),
    #[error("the response is longer than {MAX_RESPONSE} bytes")]
    TooLong,
    #[error("not JSON of the expected form: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the response contains no rules, not even the Default rule")]
    NoRules,
    #[error("more than {MAX_PAGES} pages or {MAX_RULES} rules")]
    TooManyRules,
}

/// All rules of the account.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    pub(crate) rules: Vec<Rule>,
    /// When the latest of them was modified, in seconds since the Unix epoch.
    pub(crate) modified: Option<f64>,
    /// The number of rules that could not be read.
    pub(crate) unreadable: usize,
}

/// Makes calls over a transport.
#[derive(Debug)]
pub(crate) struct Calls<T> {
    pub(crate) transport: T,
    /// The time limit for one report, and for fetching all pages of rules.
    pub(crate) timeout: Duration,
}

impl<T: Transport> Calls<T> {
    /// Fetches all pages of rules. A response without any rule is an error, because the Default rule cannot be
    /// deleted.
    pub(crate) async fn rules(&self) -> Result<Fetched, CallError> {
        self.within_limit(self.all_pages()).await
    }

    /// Reports statistics of at most [`MAX_DOCUMENTS`] rules.
    pub(crate) async fn targets(
        &self,
        reporter: &Reporter,
        date: f64,
        statistics: &[TakenStatistics],
    ) -> Result<Targets, CallError> {
        let report = wire::report(reporter, date, statistics);
        let response = self.within_limit(self.call(Operation::GetSamplingTargets, &report)).await?;
        Ok(wire::targets(&response)?)
    }

    async fn all_pages(&self) -> Result<Fetched, CallError> {
        let mut fetched = Fetched::default();
        let mut next_token = None;
        for _ in 0..MAX_PAGES {
            let request = wire::rules_request(next_token.as_deref());
            let page = wire::rules_page(&self.call(Operation::GetSamplingRules, &request).await?)?;
            fetched.rules.extend(page.rules);
            fetched.modified = wire::later(fetched.modified, page.modified);
            fetched.unreadable += page.unreadable;
            if fetched.rules.len() > MAX_RULES {
                return Err(CallError::TooManyRules);
            }
            match page.next_token {
                Some(token) => next_token = Some(token),
                None if fetched.rules.is_empty() => return Err(CallError::NoRules),
                None => return Ok(fetched),
            }
        }
        Err(CallError::TooManyRules)
    }

    async fn call(&self, operation: Operation, request: &impl Serialize) -> Result<Vec<u8>, CallError> {
        let body = serde_json::to_vec(request)?;
        // OpenTelemetry creates no span in such a context, and `tracing` none without a subscriber.
        let call = async { self.transport.post(operation, body).await }
            .with_context(Context::new().with_telemetry_suppressed())
            .with_subscriber(Dispatch::none());
        match call.await {
            Ok(response) if response.len() > MAX_RESPONSE => Err(CallError::TooLong),
            Ok(response) => Ok(response),
            Err(error) => Err(CallError::Transport(Box::new(error))),
        }
    }

    async fn within_limit<A>(
        &self,
        call: impl Future<Output = Result<A, CallError>>,
    ) -> Result<A, CallError> {
        timeout(self.timeout, call).await.unwrap_or(Err(CallError::Timeout(self.timeout)))
    }
}
