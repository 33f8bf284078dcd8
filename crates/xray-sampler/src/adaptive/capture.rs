//! The span processor that captures anomalous traces.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, SpanContext, SpanId, TraceContextExt as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::condition::is_anomalous;
use super::config::AdaptiveSampling;
use super::held::Held;
use crate::clock::{Clock, SystemClock};
use crate::limiter::Limiter;
use crate::rule::Detection;
use crate::sampler::{SAMPLING_RULE, XRaySampler};
use crate::shared::Shared;

/// Passes on the spans of sampled traces, and those of a trace that no rule sampled if it turns out to be anomalous.
///
/// For the second, the sampler must [record what it does not sample](crate::XRaySampler::recording_unsampled). The spans of
/// such a trace are held in memory until the first of them in this process has ended. If that meets a condition of the
/// configuration, all of them are passed on, marked as sampled; otherwise they are dropped.
///
/// With [`reporting_to`](Self::reporting_to), X-Ray is told how many traces of a rule were anomalous.
///
/// What is promised is the part of the trace in this process: other processes have been told that the trace is not sampled.
/// A trace is captured in part, or not at all, beyond the limit of traces per second, and beyond the bounds of what is held:
/// 128 spans of a trace, 4,096 traces and 8 MiB.
#[derive(Debug)]
pub struct Capture<P> {
    processor: P,
    config: AdaptiveSampling,
    held: Mutex<Held>,
    limiter: Limiter,
    clock: Arc<dyn Clock>,
    /// The rules whose anomalies are counted.
    reported: Option<Arc<Shared>>,
}

impl<P: SpanProcessor> Capture<P> {
    /// Creates the processor in front of another, such as a batching one.
    pub fn new(processor: P, config: AdaptiveSampling) -> Self {
        Self::with_clock(processor, config, Arc::new(SystemClock::new()))
    }

    pub(crate) fn with_clock(processor: P, config: AdaptiveSampling, clock: Arc<dyn Clock>) -> Self {
        Self { processor, config, held: Mutex::default(), limiter: Limiter::default(), clock, reported: None }
    }

    /// Counts the traces about which a sampler's rules have decided, and those of them that were anomalous. The sampler's
    /// [`Poller`](crate::Poller) reports that for the rules whose rate X-Ray may boost (`SamplingRateBoost`). Traces
    /// that began in another process are not counted.
    #[must_use]
    pub fn reporting_to(self, sampler: &XRaySampler) -> Self {
        Self { reported: Some(sampler.shared().clone()), ..self }
    }

    fn count(&self, root: &SpanData) {
        let Some(rules) = &self.reported else { return };
        let rule = root.attributes.iter().find(|pair| pair.key.as_str() == SAMPLING_RULE);
        let Some(rule) = rule.map(|pair| pair.value.as_str()) else { return };
        let conditions = self.config.for_boost.as_deref();
        rules.count_ended(&rule, root.span_context.is_sampled(), |detection| {
            let is_detected = conditions.is_some() || detection == Detection::Default;
            is_detected && is_anomalous(root, conditions)
        });
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides about a trace whose first span in this process has ended.
    fn conclude(&self, root: SpanData) {
        let below = self.held().take(&root);
        let captured = is_anomalous(&root, self.config.for_capture.as_deref())
            && self.limiter.take(self.clock.now(), self.config.traces_per_second);
        if !captured {
            return;
        }
        self.held().captured(root.span_context.trace_id());
        for span in below.into_iter().chain([root]) {
            self.processor.on_end(sampled(span));
        }
    }
}

impl<P: SpanProcessor> SpanProcessor for Capture<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let parent = context.span();
        let parent = parent.span_context();
        let own = span.span_context();
        if !own.is_sampled() && (!parent.is_valid() || parent.is_remote()) {
            self.held().started(own.trace_id());
        }
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let is_first = span.parent_span_is_remote || span.parent_span_id == SpanId::INVALID;
        if is_first {
            self.count(&span);
        }
        if span.span_context.is_sampled() {
            self.processor.on_end(span);
        } else if is_first {
            self.conclude(span);
        } else {
            let late = self.held().ended(span);
            if let Some(span) = late {
                self.processor.on_end(sampled(span));
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// Marks a span as sampled, without which exporters ignore it.
fn sampled(mut span: SpanData) -> SpanData {
    let own = &span.span_context;
    span.span_context = SpanContext::new(
        own.trace_id(),
        own.span_id(),
        own.trace_flags().with_sampled(true),
        own.is_remote(),
        own.trace_state().clone(),
    );
    span
}

#[cfg(test)]
mod tests;
