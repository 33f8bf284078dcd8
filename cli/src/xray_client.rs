//! Queries X-Ray for traces.

#[cfg(feature = "local")]
mod latency;
#[cfg(feature = "local")]
mod map;
#[cfg(feature = "local")]
mod put;
#[cfg(feature = "local")]
mod sampling;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_xray::Client;
use aws_sdk_xray::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_xray::primitives::DateTime;
use aws_sdk_xray::types::TraceSummary;
use telemetry::attributes;
#[cfg(feature = "local")]
use tokio::time::Instant;
use xray::{Trace, TraceId};

use crate::failure::Failure;
use crate::wanted::Wanted;

/// The longest time range of one `GetTraceSummaries`
/// (<https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSummaries.html>).
const RANGE: Duration = Duration::from_hours(6);
/// Traces in one request (<https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html>).
const BATCH: usize = 5;
/// How X-Ray refuses what a request asks for.
const INVALID_REQUEST: &str = "InvalidRequestException";
/// Clocks differ; a trace may seem to begin a little in the future.
const AHEAD: Duration = Duration::from_mins(1);
/// Pause between two queries for a trace that is still growing.
#[cfg(feature = "local")]
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A client of X-Ray in AWS, an emulator or the local cloud.
#[derive(Debug, Clone)]
pub(crate) struct XRay {
    client: Client,
    place: String,
    ranges: u32,
}

impl XRay {
    /// Creates a client. `place` names this X-Ray in messages.
    pub(crate) fn new(config: &SdkConfig, place: &str) -> Self {
        Self { client: Client::new(config), place: place.to_owned(), ranges: 1 }
    }

    /// Extends the search by annotations to the last `hours`.
    pub(crate) fn looking_back(mut self, hours: u32) -> Self {
        self.ranges = hours.div_ceil(6).max(1);
        self
    }

    /// Returns the name of this X-Ray in messages.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Waits until `enough` accepts the trace, or `limit` is over, and returns what has arrived by then.
    ///
    /// # Errors
    /// When X-Ray cannot be queried, or returns invalid documents.
    #[cfg(feature = "local")]
    pub(crate) async fn wait_for(
        &self,
        id: TraceId,
        limit: Duration,
        enough: impl Fn(&Trace) -> bool,
    ) -> anyhow::Result<Option<Trace>> {
        let deadline = Instant::now() + limit;
        loop {
            let trace = self.traces(&[id]).await?.pop();
            if trace.as_ref().is_some_and(&enough) || Instant::now() >= deadline {
                return Ok(trace);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns the traces for an id, oldest first, those of a list's events after the request's.
    ///
    /// # Errors
    /// When X-Ray cannot be queried, or returns invalid documents.
    pub(crate) async fn find(&self, wanted: &Wanted) -> anyhow::Result<Vec<Trace>> {
        match wanted {
            Wanted::Trace(id) => self.request(*id).await,
            Wanted::Event(id) => self.annotated(attributes::EVENT_ID, &id.to_string()).await,
            Wanted::TraceOrEvent(trace, event) => {
                let traces = self.request(*trace).await?;
                if !traces.is_empty() {
                    return Ok(traces);
                }
                self.annotated(attributes::EVENT_ID, &event.to_string()).await
            }
            Wanted::Customer(number) => self.annotated(attributes::CUSTOMER_NUMBER, number).await,
        }
    }

    /// Returns a trace and, if it is that of a request with a list of events, the events' traces.
    async fn request(&self, id: TraceId) -> anyhow::Result<Vec<Trace>> {
        let mut traces = self.traces(&[id]).await?;
        // The trace of an event has no others, so most polls need no search.
        let of_event = |trace: &Trace| {
            trace.nodes().any(|node| node.segment().annotations.contains_key(attributes::EVENT_ID))
        };
        if !traces.is_empty() && !traces.iter().any(of_event) {
            traces.extend(self.annotated(attributes::REQUEST_TRACE_ID, &id.to_string()).await?);
        }
        Ok(traces)
    }

    /// Returns up to `limit` summaries of traces that started since `from` and match a filter expression, newest first.
    ///
    /// # Errors
    /// When X-Ray cannot be queried, or refuses the expression.
    #[cfg(feature = "local")]
    pub(crate) async fn summaries(
        &self,
        filter: &str,
        from: SystemTime,
        limit: usize,
    ) -> anyhow::Result<Vec<TraceSummary>> {
        let mut found = Vec::new();
        let mut end = SystemTime::now() + AHEAD;
        while end > from && found.len() < limit {
            let start = from.max(end - RANGE);
            let mut in_range = self.summaries_between(start, end, filter).await?;
            in_range.sort_by(|a, b| b.start_time().cmp(&a.start_time()));
            found.extend(in_range);
            end = start;
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn summaries_between(
        &self,
        start: SystemTime,
        end: SystemTime,
        filter: &str,
    ) -> anyhow::Result<Vec<TraceSummary>> {
        let call = self.client.get_trace_summaries();
        let call = call.start_time(DateTime::from(start)).end_time(DateTime::from(end));
        // An empty expression is not the same as none.
        let call = call.set_filter_expression(Some(filter.to_owned()).filter(|filter| !filter.is_empty()));
        let mut pages = call.into_paginator().send();
        let mut summaries = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failure(&error))?;
            summaries.extend(page.trace_summaries.unwrap_or_default());
        }
        Ok(summaries)
    }

    async fn annotated(&self, key: &str, value: &str) -> anyhow::Result<Vec<Trace>> {
        let ids = self.with_annotation(key, value).await?;
        self.traces(&ids.into_iter().collect::<Vec<_>>()).await
    }

    async fn with_annotation(&self, key: &str, value: &str) -> anyhow::Result<BTreeSet<TraceId>> {
        let filter = format!("annotation.{key} = \"{value}\"");
        let mut ids = BTreeSet::new();
        let mut end = SystemTime::now() + AHEAD;
        for _ in 0..self.ranges {
            let start = end - RANGE;
            for summary in self.summaries_between(start, end, &filter).await? {
                if let Some(id) = summary.id() {
                    ids.insert(id.parse().context("X-Ray returned an invalid trace id")?);
                }
            }
            if !ids.is_empty() {
                break;
            }
            end = start;
        }
        Ok(ids)
    }

    async fn traces(&self, ids: &[TraceId]) -> anyhow::Result<Vec<Trace>> {
        let mut traces = Vec::new();
        for (id, documents) in self.documents(ids).await? {
            let texts = documents.iter().map(String::as_str);
            traces.push(Trace::read(id, texts).with_context(|| format!("trace {id} cannot be read"))?);
        }
        traces.sort_by(|a, b| {
            a.start_time().unwrap_or_default().total_cmp(&b.start_time().unwrap_or_default())
        });
        Ok(traces)
    }

    /// Returns the documents of those traces that X-Ray has.
    ///
    /// # Errors
    /// When X-Ray cannot be queried.
    pub(crate) async fn documents(&self, ids: &[TraceId]) -> anyhow::Result<Vec<(TraceId, Vec<String>)>> {
        let mut traces = Vec::new();
        for batch in ids.chunks(BATCH) {
            let mut pages = self
                .client
                .batch_get_traces()
                .set_trace_ids(Some(batch.iter().map(ToString::to_string).collect()))
                .into_paginator()
                .send();
            while let Some(page) = pages.next().await {
                for trace in page.map_err(|error| self.failure(&error))?.traces.unwrap_or_default() {
                    let id = trace
                        .id()
                        .unwrap_or_default()
                        .parse()
                        .context("X-Ray returned a trace without an id")?;
                    let segments = trace.segments.unwrap_or_default().into_iter();
                    let documents: Vec<_> = segments.filter_map(|segment| segment.document).collect();
                    if !documents.is_empty() {
                        traces.push((id, documents));
                    }
                }
            }
        }
        Ok(traces)
    }

    fn failure<E, R>(&self, error: &SdkError<E, R>) -> Failure
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        match error {
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Failure::unavailable(format!(
                "X-Ray at {} cannot be reached; start it with `foostore up`, or name another with --endpoint-url",
                self.place
            )),
            SdkError::ServiceError(refusal) if refusal.err().code() == Some(INVALID_REQUEST) => {
                let message = refusal.err().message().unwrap_or(INVALID_REQUEST);
                Failure::refused(format!("X-Ray at {} refused the request: {message}", self.place))
            }
            other => Failure::unavailable(format!(
                "X-Ray at {} refused the request: {}",
                self.place,
                DisplayErrorContext(other)
            )),
        }
    }
}
