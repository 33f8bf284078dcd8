//! Buckets whose bounds are powers of 2^(2^-scale)
//! (<https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram>).

use std::ops::RangeInclusive;

use super::Bucket;
use crate::limits::MAX_BUCKETS;
use crate::refusal::Refusal;

/// The scales that SDKs use
/// (<https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponential-scale>).
const SCALES: RangeInclusive<i32> = -10..=20;

/// Buckets for values of either sign, and one for those that are nearly zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exponential {
    scale: i32,
    zeros: u64,
    /// Values no further from zero count as zero.
    zero_threshold: f64,
    positive: Range,
    negative: Range,
}

/// Buckets without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Range {
    /// The index of the first bucket.
    first: i64,
    counts: Vec<u64>,
}

impl Range {
    /// Returns buckets as they are exported, without the empty ones at either end.
    pub(crate) fn new(first: i32, counts: &[u64]) -> Self {
        let from = counts.iter().position(|count| *count > 0).unwrap_or(counts.len());
        let to = counts.iter().rposition(|count| *count > 0).map_or(from, |last| last + 1);
        let first = i64::from(first).saturating_add(i64::try_from(from).unwrap_or(i64::MAX));
        Self { first, counts: counts[from..to].to_vec() }
    }

    /// Returns the buckets with their indices.
    fn indexed(&self) -> impl Iterator<Item = (i64, u64)> {
        (self.first..).zip(&self.counts).map(|(index, count)| (index, *count))
    }

    /// Returns the indices of the first and last bucket at half the scale, as often as is said.
    fn ends(&self, halvings: u32) -> Option<(i64, i64)> {
        let last = self.first + i64::try_from(self.counts.len()).unwrap_or(i64::MAX) - 1;
        (!self.counts.is_empty()).then(|| (halved(self.first, halvings), halved(last, halvings)))
    }

    /// Returns how many buckets [`joined`](Self::joined) has.
    fn joint_length(&self, halvings: u32, other: &Self, other_halvings: u32) -> i64 {
        let ends = self.ends(halvings).into_iter().chain(other.ends(other_halvings));
        let joint = ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        joint.map_or(0, |(first, last)| last - first + 1)
    }

    /// Returns the buckets of both, at half their scales as often as is said.
    fn joined(&self, halvings: u32, other: &Self, other_halvings: u32) -> Self {
        let all = || {
            let own = self.indexed().map(|(index, count)| (halved(index, halvings), count));
            own.chain(other.indexed().map(|(index, count)| (halved(index, other_halvings), count)))
        };
        let Some(first) = all().map(|(index, _)| index).min() else { return Self::default() };
        let place = |index: i64| usize::try_from(index - first).unwrap_or_default();
        let length = all().map(|(index, _)| place(index) + 1).max().unwrap_or_default();
        let mut counts = vec![0_u64; length];
        for (index, count) in all() {
            let sum = &mut counts[place(index)];
            *sum = sum.saturating_add(count);
        }
        Self { first, counts }
    }
}

/// Returns the index of a bucket after its scale was halved `times` times.
fn halved(index: i64, times: u32) -> i64 {
    index >> times.min(i64::BITS - 1)
}

impl Exponential {
    /// Returns buckets as they are exported, made coarser if they are many.
    pub(crate) fn new(
        scale: i32,
        zeros: u64,
        zero_threshold: f64,
        positive: Range,
        negative: Range,
    ) -> Result<Self, Refusal> {
        if !SCALES.contains(&scale) {
            return Err(Refusal::Buckets);
        }
        let mut own = Self { scale, zeros, zero_threshold, positive, negative };
        let nothing =
            Self { scale, zeros: 0, zero_threshold, positive: Range::default(), negative: Range::default() };
        own.add(&nothing);
        Ok(own)
    }

    /// Adds other buckets, at the coarser of both scales, or coarser still until they are at most [`MAX_BUCKETS`].
    pub(crate) fn add(&mut self, other: &Self) {
        let mut scale = self.scale.min(other.scale);
        loop {
            let (own, others) = (self.scale.abs_diff(scale), other.scale.abs_diff(scale));
            let length = self.positive.joint_length(own, &other.positive, others)
                + self.negative.joint_length(own, &other.negative, others);
            if usize::try_from(length).is_ok_and(|length| length <= MAX_BUCKETS) {
                self.positive = self.positive.joined(own, &other.positive, others);
                self.negative = self.negative.joined(own, &other.negative, others);
                break;
            }
            scale -= 1;
        }
        self.scale = scale;
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.zero_threshold = self.zero_threshold.max(other.zero_threshold);
    }

    /// Returns the buckets, lowest first.
    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        let below_zero = self.negative.indexed().map(|(index, count)| Bucket {
            lower: -self.bound(index + 1),
            upper: -self.bound(index),
            count,
        });
        let mut buckets: Vec<Bucket> = below_zero.collect();
        buckets.reverse();
        buckets.push(Bucket { lower: -self.zero_threshold, upper: self.zero_threshold, count: self.zeros });
        buckets.extend(self.positive.indexed().map(|(index, count)| Bucket {
            lower: self.bound(index),
            upper: self.bound(index + 1),
            count,
        }));
        buckets
    }

    /// Returns the lower bound of a bucket.
    #[expect(clippy::cast_precision_loss, reason = "an index of 32 bits")]
    fn bound(&self, index: i64) -> f64 {
        (index as f64 * (-f64::from(self.scale)).exp2()).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Exponential {
        /// A single value.
        #[expect(clippy::cast_possible_truncation, reason = "a small number")]
        pub(in crate::histogram) fn of(value: f64, scale: i32) -> Self {
            let index = (value.log2() * f64::from(scale).exp2()).ceil() as i32 - 1;
            exported(scale, 0, 0.0, Range::new(index, &[1]), Range::default())
        }
    }

    fn exported(scale: i32, zeros: u64, threshold: f64, positive: Range, negative: Range) -> Exponential {
        Exponential::new(scale, zeros, threshold, positive, negative).unwrap()
    }

    #[test]
    fn buckets_are_added_at_the_coarser_scale() {
        // The bounds are 1, 2, 4, 8, 16; and 1, 4, 16.
        let mut sum = exported(0, 1, 0.0, Range::new(0, &[1, 2, 3, 4]), Range::new(1, &[5]));
        sum.add(&exported(-1, 2, 0.5, Range::new(1, &[10]), Range::default()));
        let bucket = |lower, upper, count| Bucket { lower, upper, count };
        assert_eq!(
            sum.buckets(),
            [bucket(-4.0, -1.0, 5), bucket(-0.5, 0.5, 3), bucket(1.0, 4.0, 3), bucket(4.0, 16.0, 17)]
        );
    }

    #[test]
    fn there_are_never_more_than_the_most_whatever_is_exported() {
        let long = exported(3, 0, 0.0, Range::new(-500, &[1; 1000]), Range::default());
        assert!(long.positive.counts.len() <= MAX_BUCKETS && long.scale == 0, "{long:?}");
        let mut apart = exported(20, 0, 0.0, Range::new(i32::MAX, &[1, 1]), Range::new(i32::MIN, &[1]));
        apart.add(&exported(-10, 0, 0.0, Range::new(i32::MIN, &[7]), Range::new(i32::MAX, &[7])));
        apart.add(&exported(0, 0, 0.0, Range::new(5, &[1; 1000]), Range::default()));
        assert!(apart.positive.counts.len() + apart.negative.counts.len() <= MAX_BUCKETS);
        let all: u64 = apart.buckets().iter().map(|bucket| bucket.count).sum();
        assert_eq!(all, 3 + 14 + 1000);
        let unknown = Exponential::new(i32::MIN, 0, 0.0, Range::default(), Range::default());
        assert_eq!(unknown, Err(Refusal::Buckets));
    }
}
