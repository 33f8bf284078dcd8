//! Sampling a fixed share of traces.

use opentelemetry::TraceId;

/// Decides whether a trace belongs to the share `rate` (0 to 1) of all traces.
///
/// The decision depends only on the second half of the trace id, as in the SDK's `TraceIdRatioBased`. Services that
/// apply the same rate to the same trace make the same decision, and a higher rate samples every trace that a lower one
/// does. The first bytes, which contain the time in X-Ray's ids, have no influence.
pub(crate) fn is_sampled(trace_id: TraceId, rate: f64) -> bool {
    /// 2⁶³, because 63 bits are compared.
    const IDS: f64 = 9_223_372_036_854_775_808.0;
    if rate >= 1.0 {
        return true;
    }
    let id = (u128::from_be_bytes(trace_id.to_bytes()) & u128::from(u64::MAX)) >> 1;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2⁶³")]
    let bound = (rate.max(0.0) * IDS) as u128;
    id < bound
}

#[cfg(test)]
mod tests {
    use opentelemetry::TraceId;
    use opentelemetry::trace::SpanKind;
    use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample as _};
    use proptest::prelude::*;

    use super::is_sampled;

    #[test]
    fn nothing_at_zero_and_everything_at_one() {
        for id in [1, u128::MAX, 1 << 64] {
            assert!(!is_sampled(TraceId::from(id), 0.0));
            assert!(!is_sampled(TraceId::from(id), -1.0));
            assert!(is_sampled(TraceId::from(id), 1.0));
        }
    }

    #[test]
    fn the_time_in_the_id_has_no_influence() {
        let random = 0x0123_4567_89ab_cdef_u128;
        let decisions: Vec<bool> =
            (0..100_u128).map(|time| is_sampled(TraceId::from((time << 96) | random), 0.05)).collect();
        assert!(decisions.iter().all(|sampled| *sampled == decisions[0]));
    }

    proptest! {
        #[test]
        fn the_sdk_decides_the_same(id in any::<u128>(), rate in 0.0..=1.0_f64) {
            let id = TraceId::from(id);
            let result = Sampler::TraceIdRatioBased(rate).should_sample(None, id, "", &SpanKind::Server, &[], &[]);
            prop_assert_eq!(is_sampled(id, rate), result.decision == SamplingDecision::RecordAndSample);
        }
    }
}
