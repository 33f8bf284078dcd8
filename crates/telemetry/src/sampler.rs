//! Decides whether a trace is recorded: the parent decides, or the root sampler if there is no decision yet.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceState};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use xray_sampler::XRaySampler;

use crate::context::{Decided, Undecided};
use crate::settings::{RulesSetting, SamplerSetting};

/// The sampler of a process.
#[derive(Debug)]
pub(crate) struct Sampling {
    pub(crate) sampler: Box<dyn ShouldSample>,
    pub(crate) by_rules: Option<ByRules>,
}

/// The part of a sampler that applies X-Ray's rules. Without a poller it falls back to one trace per second and 5 % of the
/// rest.
#[derive(Debug)]
pub(crate) struct ByRules {
    pub(crate) sampler: XRaySampler,
    pub(crate) setting: RulesSetting,
}

impl Sampling {
    /// Creates the sampler for a setting. `resource` is the tracer provider's, which rules are matched against.
    pub(crate) fn new(setting: &SamplerSetting, resource: &Resource) -> Self {
        let sampler: Box<dyn ShouldSample> = match setting {
            SamplerSetting::XRay(setting) => {
                return Self::by_rules(XRaySampler::new(resource), setting);
            }
            SamplerSetting::AlwaysOn => Box::new(Sampler::AlwaysOn),
            SamplerSetting::AlwaysOff => Box::new(Sampler::AlwaysOff),
            SamplerSetting::Ratio(ratio) => Box::new(Sampler::TraceIdRatioBased(*ratio)),
            SamplerSetting::ParentBasedAlwaysOn => Box::new(ParentDecides::or(Sampler::AlwaysOn)),
            SamplerSetting::ParentBasedAlwaysOff => Box::new(ParentDecides::or(Sampler::AlwaysOff)),
            SamplerSetting::ParentBasedRatio(ratio) => {
                Box::new(ParentDecides::or(Sampler::TraceIdRatioBased(*ratio)))
            }
        };
        Self { sampler, by_rules: None }
    }

    fn by_rules(sampler: XRaySampler, setting: &RulesSetting) -> Self {
        let records_unsampled = setting.adaptive.is_some();
        let sampler = sampler.deciding_below_parents();
        let sampler = if records_unsampled { sampler.recording_unsampled() } else { sampler };
        let by_parent = ParentDecides { records_unsampled, ..ParentDecides::or(sampler.clone()) };
        let by_rules = ByRules { sampler, setting: setting.clone() };
        Self { sampler: Box::new(by_parent), by_rules: Some(by_rules) }
    }
}

/// Follows the parent's decision, or that with which a new trace is to start. Uses the root sampler's result if there is
/// no parent, or if the parent's sender left the decision open (`Sampled=?` or no field). The SDK's parent-based samplers do not know an open decision; they
/// would read it as "not sampled".
#[derive(Clone, Debug)]
struct ParentDecides {
    root: Box<dyn ShouldSample>,
    /// Whether the root sampler may record a trace without sampling it, which then holds for the spans below.
    records_unsampled: bool,
}

impl ParentDecides {
    fn or(root: impl ShouldSample + 'static) -> Self {
        Self { root: Box::new(root), records_unsampled: false }
    }
}

impl ShouldSample for ParentDecides {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent = parent_context.filter(|context| context.span().span_context().is_valid());
        let Some(context) = parent else {
            if let Some(Decided(sampled)) = parent_context.and_then(|context| context.get::<Decided>()) {
                return decided(*sampled, TraceState::default());
            }
            return self.root.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        };
        let span = context.span();
        let parent = span.span_context();
        // The mark stays in the contexts of child spans, but their parent is local and has decided.
        if parent.is_remote() && context.get::<Undecided>().is_some() {
            return self.root.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        }
        let mut result = decided(parent.is_sampled(), parent.trace_state().clone());
        let records = self.records_unsampled && !parent.is_sampled() && !parent.is_remote();
        if records && span.is_recording() {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

fn decided(sampled: bool, trace_state: TraceState) -> SamplingResult {
    let decision = if sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
    SamplingResult { decision, attributes: Vec::new(), trace_state }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::from_message;

    /// A root sampler that leaves its mark in everything a sampler can return.
    #[derive(Clone, Debug)]
    struct Marking;

    impl ShouldSample for Marking {
        fn should_sample(
            &self,
            _: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: vec![KeyValue::new("rule", "vip")],
                trace_state: TraceState::from_key_value([("rule", "vip")]).unwrap(),
            }
        }
    }

    fn ask(sampler: &dyn ShouldSample, parent: &Context) -> SamplingResult {
        sampler.should_sample(Some(parent), TraceId::from(u128::MAX), "test", &SpanKind::Consumer, &[], &[])
    }

    const OPEN: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8";

    #[test]
    fn a_parents_decision_is_kept() {
        let sampler = ParentDecides::or(Marking);
        let kept = ask(&sampler, &from_message(Some(&format!("{OPEN};Sampled=1")), None));
        assert_eq!(kept.decision, SamplingDecision::RecordAndSample);
        assert!(kept.attributes.is_empty());
        let unsampled = ask(&sampler, &from_message(Some(&format!("{OPEN};Sampled=0")), None));
        assert_eq!(unsampled.decision, SamplingDecision::Drop);
    }

    #[test]
    fn an_open_decision_and_a_root_take_the_delegates_whole_result() {
        let sampler = ParentDecides::or(Marking);
        let asked = format!("{OPEN};Sampled=?");
        for parent in [Context::new(), from_message(Some(OPEN), None), from_message(Some(&asked), None)] {
            let result = ask(&sampler, &parent);
            assert_eq!(result.decision, SamplingDecision::RecordAndSample);
            assert_eq!(result.attributes, vec![KeyValue::new("rule", "vip")]);
            assert_eq!(result.trace_state.get("rule"), Some("vip"));
        }
    }
}
