//! The sampler, as called by OpenTelemetry's SDK.

use std::sync::Arc;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceState};
use opentelemetry::{Context, KeyValue, StringValue, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use crate::clock::{Clock, SystemClock};
use crate::shared::{Decision, Shared};

/// The span attribute for the name of the rule by which a trace was sampled. AWS's distributions of OpenTelemetry use
/// the same name.
pub const SAMPLING_RULE: &str = "aws.xray.sampling_rule";

/// A sampler of root spans that applies the sampling rules of AWS X-Ray.
///
/// Decisions involve no I/O; a [`Poller`](crate::Poller) keeps the rules up to date. Until rules are known, and when
/// they are older than an hour, one trace per second and 5 % of the rest are sampled.
///
/// X-Ray's statistics count traces, and the decision about a trace is made once, at its root. Wrap this sampler in a
/// parent-based one ([`ParentBasedSampler`](opentelemetry_sdk::trace::ParentBasedSampler)). For a span with a valid
/// parent it follows the parent's decision and counts nothing, unless
/// [`deciding_below_parents`](Self::deciding_below_parents) is set.
///
/// Clones share rules, limits and statistics.
#[derive(Clone, Debug)]
pub struct XRaySampler {
    shared: Arc<Shared>,
    decides_below_parents: bool,
    records_unsampled: bool,
}

impl XRaySampler {
    /// Creates a sampler for a service. `resource` is the tracer provider's, from which `service.name`, the platform
    /// (`cloud.platform`, `aws.ecs.launchtype`) and the ARN (`aws.ecs.container.arn`, or `cloud.resource_id` on AWS
    /// Lambda) are matched.
    #[must_use]
    pub fn new(resource: &Resource) -> Self {
        Self::with_clock(resource, Arc::new(SystemClock::new()))
    }

    pub(crate) fn with_clock(resource: &Resource, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared::new(resource, clock)),
            decides_below_parents: false,
            records_unsampled: false,
        }
    }

    /// Applies the rules to spans with a valid parent as well, and counts them.
    ///
    /// Meant for a wrapper that follows parents itself and delegates only when a parent left the decision open, such as
    /// an X-Ray header with `Sampled=?`.
    #[must_use]
    pub fn deciding_below_parents(self) -> Self {
        Self { decides_below_parents: true, ..self }
    }

    /// Records the spans of traces that no rule samples, so that [`Capture`](crate::Capture) can pass on those that turn
    /// out to be anomalous. They are not marked as sampled, so other processors and other processes ignore them. A
    /// parent's decision is followed as before: below a span that is recorded here so are its children, below a remote
    /// parent that is not sampled nothing is.
    ///
    /// It costs the attributes of every span, which are otherwise dropped at once.
    #[must_use]
    pub fn recording_unsampled(self) -> Self {
        Self { records_unsampled: true, ..self }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl XRaySampler {
    /// Follows a parent's decision. A span that is only recorded is always local.
    fn following(&self, context: &Context, parent: &SpanContext) -> SamplingDecision {
        let is_recorded = self.records_unsampled && !parent.is_remote() && context.span().is_recording();
        decision(parent.is_sampled(), is_recorded)
    }
}

fn decision(is_sampled: bool, is_recorded: bool) -> SamplingDecision {
    match (is_sampled, is_recorded) {
        (true, _) => SamplingDecision::RecordAndSample,
        (false, true) => SamplingDecision::RecordOnly,
        (false, false) => SamplingDecision::Drop,
    }
}

impl ShouldSample for XRaySampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        _span_kind: &SpanKind,
        attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let parent = parent_context.map(|context| context.span().span_context().clone());
        let (decision, rule) = match parent_context.zip(parent.as_ref()) {
            Some((context, parent)) if parent.is_valid() && !self.decides_below_parents => {
                (self.following(context, parent), None)
            }
            _ => {
                let Decision { is_sampled, rule } = self.shared.decide(attributes, trace_id);
                (decision(is_sampled, self.records_unsampled), rule)
            }
        };
        let attribute = |rule| KeyValue::new(SAMPLING_RULE, StringValue::from(rule));
        SamplingResult {
            attributes: rule
                .filter(|_| decision != SamplingDecision::Drop)
                .map(attribute)
                .into_iter()
                .collect(),
            decision,
            trace_state: parent.map_or_else(TraceState::default, |parent| parent.trace_state().clone()),
        }
    }
}

#[cfg(test)]
mod tests;
